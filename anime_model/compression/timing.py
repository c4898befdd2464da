"""Time of every unit of a network, in float and in INT8, in the engine that ships."""

import itertools
import json
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import onnxruntime
import torch
from torch import Tensor

from anime_model.compression.export import deployable, export_onnx, quantize_onnx
from anime_model.compression.quantization import quantizable
from anime_model.networks.generator import Generator

CONVOLUTIONS = ("Conv", "FusedConv", "QLinearConv")


def unit_times(
    generator: Generator, calibration: Tensor, weight_bits: int, size: int, threads: int
) -> dict[str, tuple[float, float]]:
    """Milliseconds (float, INT8) of every quantizable unit of the folded network for one `size` x `size` picture.

    What runs between two convolutions (additions, interpolation, changes of number format) counts to the first.
    """
    network = deployable(generator)
    units = list(quantizable(network))
    with tempfile.TemporaryDirectory() as folder:
        whole, int8 = Path(folder, "float.onnx"), Path(folder, "int8.onnx")
        export_onnx(replace_int8(network, ()), whole)
        quantize_onnx(whole, int8, tuple(units), calibration, weight_bits)
        columns = [_profile(path, len(units), size, threads) for path in (whole, int8)]
    return {name: (a, b) for name, a, b in zip(units, *columns, strict=True)}


def replace_int8(network: Generator, names: Sequence[str]) -> Generator:
    """The same network, described as running `names` in INT8."""
    network.arch = replace(network.arch, int8=tuple(names))
    return network


def _profile(path: Path, units: int, size: int, threads: int, repeats: int = 7) -> list[float]:
    """Least milliseconds per convolution over the runs, in the order in which they run: the rest is other work."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.enable_profiling = threads, True
    options.profile_file_prefix = str(path.with_suffix(""))
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    photo = torch.zeros(1, 3, size, size).numpy()
    for _ in range(repeats + 2):
        session.run(None, {"photo": photo})
    runs = _runs(json.loads(Path(session.end_profiling()).read_text()))[2:]  # the first two warm up
    tables = [_per_convolution(run) for run in runs]
    if any(len(table) != units for table in tables):
        raise RuntimeError(f"{path.name}: the engine ran {len(tables[0])} convolutions, the network has {units}")
    return [round(min(column), 4) for column in zip(*tables, strict=True)]


def _runs(events: list[dict]) -> list[list[dict]]:
    """Kernel events of every run, in order of time."""
    starts = sorted(event["ts"] for event in events if event["name"] == "model_run")
    kernels = sorted((event for event in events if event["name"].endswith("_kernel_time")), key=lambda e: e["ts"])
    pairs = itertools.pairwise([*starts, float("inf")])
    return [[event for event in kernels if low <= event["ts"] < high] for low, high in pairs]


def _per_convolution(run: list[dict]) -> list[float]:
    times: list[float] = []
    for event in run:
        if event["args"]["op_name"] in CONVOLUTIONS:
            times.append(0.0)
        if times:
            times[-1] += event["dur"] / 1000
    return times
