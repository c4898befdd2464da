"""What a family's members cost in the engine that ships: layers timed in some members, any member's time foreseen."""

import random
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.optimize import nnls

from anime_model.compression.export import export_onnx
from anime_model.compression.family import Space
from anime_model.compression.timing import profile
from anime_model.metrics.latency import alone_on_the_machine, measure_onnx
from anime_model.networks.architecture import Architecture, Layer
from anime_model.networks.cost import conv_costs
from anime_model.networks.generator import Generator

VECTOR = 16  # channels that AVX-512 takes at once: 24 cost as much as 32
OUT = "out"
RUNS = 7


@dataclass(frozen=True)
class BlockTime:
    """Milliseconds of one layer in one member, with what runs between it and the next one."""

    layer: str
    inputs: int
    width: int
    hidden: int
    kernel: int
    ms: float


def time_blocks(
    space: Space,
    size: int,
    threads: int,
    members: int,
    seed: int = 0,
    on_step: Callable[[int, int], None] = lambda step, steps: None,
) -> list[BlockTime]:
    """Every layer of `members` random members, of random weights, for one `size` x `size` picture in ONNX Runtime."""
    source, rows = random.Random(seed), list[BlockTime]()
    for step in range(members):
        arch = replace(space.architecture(space.random(source)), norm="none")
        rows += _timed(arch, size, threads)
        on_step(step + 1, members)
    return rows


def _timed(arch: Architecture, size: int, threads: int) -> Iterator[BlockTime]:
    """A layer's share is its least time over the runs; all together are the median of whole runs."""
    names = [conv.name.split(".")[1] if "." in conv.name else OUT for conv in conv_costs(arch)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "member.onnx")
        export_onnx(Generator(arch).eval(), path)
        with alone_on_the_machine():
            times = profile(path, len(names), size, threads)
        whole = float(measure_onnx({"member": path}, size, threads, RUNS)["member"]["latency_p50_ms"])
    sums: dict[str, float] = defaultdict(float)
    for name, ms in zip(names, times, strict=True):
        sums[name] += ms * whole / sum(times)
    for name, inputs, layer in _blocks(arch):
        yield BlockTime(name, inputs, layer.width, layer.hidden, layer.kernel, round(sums[name], 4))


def _blocks(arch: Architecture) -> Iterator[tuple[str, int, Layer]]:
    """Every layer with the channels that enter it, and the output convolution."""
    inputs = 3
    for name, layer in arch.layers.items():
        yield name, inputs, layer
        inputs = layer.width
    yield OUT, inputs, Layer("standard", 3, kernel=1)


class LatencyTable:
    """Any member's milliseconds: the sum over its layers of times fitted to those of `time_blocks`.

    A layer's time is a sum, with weights of 0 or more, of what it reads, writes and multiplies, in whole vectors.
    """

    def __init__(self, rows: Iterable[BlockTime]) -> None:
        self.rows = list(rows)
        by_layer: dict[str, list[BlockTime]] = defaultdict(list)
        for row in self.rows:
            by_layer[row.layer].append(row)
        self._weights: Mapping[str, np.ndarray] = {name: _fitted(found) for name, found in by_layer.items()}

    def __call__(self, arch: Architecture) -> float:
        """Raises `KeyError` for a layer that was in no member."""
        return float(
            sum(
                _features(inputs, layer.width, layer.hidden, layer.kernel) @ self._weights[name]
                for name, inputs, layer in _blocks(arch)
            )
        )


def _fitted(rows: list[BlockTime]) -> np.ndarray:
    features = np.stack([_features(row.inputs, row.width, row.hidden, row.kernel) for row in rows])
    return nnls(features, np.array([row.ms for row in rows]))[0]


def _features(inputs: int, width: int, hidden: int, kernel: int) -> np.ndarray:
    entering, leaving, inside = (-(-channels // VECTOR) for channels in (inputs, width, hidden))
    depthwise = (inside or entering) * kernel**2
    pointwise = inside * (entering + leaving) if inside else entering * leaving
    return np.array([1, entering, leaving, inside, depthwise, pointwise], float)
