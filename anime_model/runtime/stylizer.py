"""Photo to anime with ONNX Runtime: numpy in, numpy out. Knows nothing of PyTorch."""

import os
from functools import cached_property
from pathlib import Path

import numpy as np

MULTIPLE = 4  # the network halves the resolution twice
MARGIN = 8  # pixels of reflected border, cut off again: a network sees artificial values at the edge of its input


class Stylizer:
    """One exported model, called with a picture after a picture.

    The session starts with the first picture, so that making a stylizer is free. `threads` is explicit because ONNX
    Runtime would otherwise take every core of the machine.
    """

    def __init__(self, path: Path | str, threads: int = 2) -> None:
        """Raises `FileNotFoundError` where there is no file `path`."""
        self.path = Path(path)
        self.threads = threads
        if not self.path.is_file():
            raise FileNotFoundError(f"no model file {self.path}")

    def __call__(self, picture: np.ndarray) -> np.ndarray:
        """uint8 RGB [H, W, 3] to uint8 RGB of the same size, for any H and W from 1 up.

        Raises `ValueError` for anything else than such a picture.
        """
        if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[-1] != 3 or 0 in picture.shape:
            raise ValueError(f"expected a uint8 picture [H, W, 3], got {picture.dtype} {list(picture.shape)}")
        height, width, _ = picture.shape
        photo = np.pad(picture, (_border(height), _border(width), (0, 0)), mode="reflect")
        batch = photo.transpose(2, 0, 1)[None].astype(np.float32) / 127.5 - 1
        (anime,) = self._session.run(["anime"], {"photo": batch})
        anime = anime[0, :, MARGIN : MARGIN + height, MARGIN : MARGIN + width].transpose(1, 2, 0)
        return np.rint((anime + 1) * 127.5).clip(0, 255).astype(np.uint8)

    @cached_property
    def _session(self):
        # From 1.29 on ONNX Runtime reports every model that is opened, and keeps a device id in the home folder.
        os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
        import onnxruntime  # half a second: only who stylizes pays for it

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        return onnxruntime.InferenceSession(self.path, options, providers=["CPUExecutionProvider"])


def _border(size: int) -> tuple[int, int]:
    """Pixels before and after `size`: the margin on both sides, and what the next multiple of `MULTIPLE` needs."""
    return MARGIN, MARGIN + -(size + 2 * MARGIN) % MULTIPLE
