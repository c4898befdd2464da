"""A published network as a function: an RGB photo in, an RGB picture of the same size out, whatever it wants inside."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np

from anime_model.reference.names import RANGES
from anime_model.reference.opening import NetworkError, Opened, open_network


@dataclass(frozen=True)
class Format:
    """How a network takes and gives pictures. `layout_out`, `values_out` and `channels_out` are the output's own.

    `layout` is "nhwc" or "nchw", `values` a key of `RANGES`, `channels` "rgb" or "bgr"; height and width are whole
    multiples of `multiple`.
    """

    layout: str
    values: str
    channels: str
    multiple: int
    layout_out: str
    values_out: str
    channels_out: str

    def to_batch(self, picture: np.ndarray) -> np.ndarray:
        """RGB [H, W, 3], levels 0 to 255, to a batch of one as the network takes it, float32."""
        low, high = RANGES[self.values]
        array = picture.astype(np.float32) / 255 * (high - low) + low
        array = array[..., ::-1] if self.channels == "bgr" else array
        return array[None] if self.layout == "nhwc" else array.transpose(2, 0, 1)[None]

    def from_batch(self, batch: np.ndarray) -> np.ndarray:
        """What the network made, as RGB levels [H, W, 3], float32; beyond 0 and 255 where it went beyond its range."""
        low, high = RANGES[self.values_out]
        array = batch[0].astype(np.float32) if self.layout_out == "nhwc" else batch[0].transpose(1, 2, 0)
        array = array[..., ::-1] if self.channels_out == "bgr" else array
        return (array.astype(np.float32) - low) / (high - low) * 255


@dataclass(frozen=True)
class PublishedNetwork:
    """A published network and the format of its pictures."""

    network: Opened
    format: Format

    def __call__(self, picture: np.ndarray) -> np.ndarray:
        """uint8 RGB [H, W, 3] to the same. Raises `NetworkError` for numbers that are none and for another size."""
        return np.clip(np.rint(self.levels(picture)), 0, 255).astype(np.uint8)

    def levels(self, picture: np.ndarray) -> np.ndarray:
        """The same without rounding and clipping: padded by reflection to the multiple, run, cropped again."""
        padded, corner = pad(picture, self.format.multiple)
        path = self.network.path
        try:
            batch = self.network.run(self.format.to_batch(padded))
        except Exception as error:  # ONNX Runtime has a class for each kind of failure
            height, width = padded.shape[:2]
            raise NetworkError(f"{path}: fails on a picture of {width} x {height} px") from error
        made = self.format.from_batch(batch) if batch.ndim == 4 else batch
        if made.shape != padded.shape:
            raise NetworkError(f"{path}: makes {list(made.shape)} of a picture {list(padded.shape)}, another size")
        if not np.isfinite(made).all():
            raise NetworkError(f"{path}: makes numbers that are none (NaN or infinite); is the file whole?")
        top, left = corner
        return made[top : top + picture.shape[0], left : left + picture.shape[1]]

    def facts(self) -> dict[str, object]:
        """What was found, for people and for `reopen`, which wants the md5 beside it."""
        return {"file": str(self.network.path), **asdict(self.format)}


def reopen(facts: Mapping[str, object], threads: int) -> PublishedNetwork:
    """The network of such facts, its pin among them, without a probe. Raises `NetworkError`."""
    form = Format(**{item.name: facts[item.name] for item in fields(Format)})
    return PublishedNetwork(open_network(Path(str(facts["file"])), str(facts["md5"]), threads), form)


def pad(picture: np.ndarray, multiple: int) -> tuple[np.ndarray, tuple[int, int]]:
    """The picture grown by reflection, on all sides alike, to whole multiples; and where its corner then lies."""
    spare = [-side % multiple for side in picture.shape[:2]]
    before = [rest // 2 for rest in spare]
    sides = [(first, rest - first) for first, rest in zip(before, spare, strict=True)]
    return np.pad(picture, (*sides, (0, 0)), mode="reflect"), (before[0], before[1])
