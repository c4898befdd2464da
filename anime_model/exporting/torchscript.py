"""TorchScript, for programs with LibTorch. Deprecated upstream; whoever starts anew takes ExecuTorch or ONNX."""

import warnings
from pathlib import Path

import numpy as np

from anime_model.exporting.order import Order, Run
from anime_model.exporting.source import Source


def write(source: Source, folder: Path, order: Order) -> list[Path]:
    """A function of float32 [1, 3, H, W] in [-1, 1], H and W any multiples of 4."""
    import torch

    from anime_model.exporting.network import network_of, traced

    target = folder / f"{source.name}.ts"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(traced(network_of(source), order.example), str(target))
    return [target]


def opened(path: Path, order: Order, threads: int) -> Run:
    import torch

    torch.set_num_threads(threads)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        script = torch.jit.load(str(path))

    def run(photo: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return script(torch.from_numpy(np.ascontiguousarray(photo))).numpy()

    return run
