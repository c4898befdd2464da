"""ncnn: a .param file that describes the network and a .bin with its weights, converted by pnnx."""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from anime_model.exporting.ncnn_int8 import in_eight_bits
from anime_model.exporting.order import FP16, INT8, FormatError, Order, Run
from anime_model.exporting.source import Source

TRACED = ((64, 96), (128, 160))  # pnnx finds out from two sizes what depends on the size
SECONDS = 600


def write(source: Source, folder: Path, order: Order) -> list[Path]:
    """Input `in0`, output `out0`: float32 [3, H, W] in [-1, 1], H and W any multiples of 4."""
    import torch

    from anime_model.exporting.network import network_of, traced

    sizes = (order.size,) if order.size else TRACED
    with tempfile.TemporaryDirectory(dir=folder) as place:  # the files are moved, not copied
        script = Path(place, "network.pt")
        torch.jit.save(traced(network_of(source), sizes[0]), str(script))
        shapes = [f"inputshape{number or ''}=[1,3,{h},{w}]" for number, (h, w) in zip(("", 2), sizes, strict=False)]
        _pnnx(source, [str(script), *shapes, f"fp16={int(order.precision == FP16)}"], place)
        param, weights = folder / f"{source.name}.param", folder / f"{source.name}.bin"
        Path(place, "network.ncnn.param").replace(param)
        Path(place, "network.ncnn.bin").replace(weights)
    if order.precision == INT8:
        in_eight_bits(param, weights, order.pictures)
    return [param, weights]


def _pnnx(source: Source, arguments: list[str], place: str) -> None:
    program = Path(sys.executable).parent / "pnnx"
    line = [str(program if program.exists() else "pnnx"), *arguments]
    ran = subprocess.run(line, cwd=place, capture_output=True, text=True, timeout=SECONDS)
    if not Path(place, "network.ncnn.param").exists() or not Path(place, "network.ncnn.bin").exists():
        last = (ran.stderr.strip() or ran.stdout.strip() or "it says nothing").splitlines()[-1]
        raise FormatError(f"{source.path}: pnnx made no ncnn files ({last[:200]})")


def opened(path: Path, order: Order, threads: int) -> Run:
    import ncnn

    network = ncnn.Net()
    network.opt.num_threads = threads
    network.opt.use_fp16_storage = network.opt.use_fp16_arithmetic = network.opt.use_bf16_storage = False
    if network.load_param(str(path)) or network.load_model(str(path.with_suffix(".bin"))):
        raise FormatError(f"{path}: ncnn cannot open it")

    def run(photo: np.ndarray) -> np.ndarray:
        with network.create_extractor() as work:
            work.input("in0", ncnn.Mat(np.ascontiguousarray(photo[0])).clone())
            status, made = work.extract("out0")
            if status:
                raise FormatError(f"{path}: ncnn stopped with {status}")
            return np.array(made)[None]

    return run
