"""Time of every unit of a network in float and in INT8, in the engine that ships, and which of them to run in INT8."""

import itertools
import json
import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from torch import Tensor

from anime_model.compression.export import deployable, export_onnx
from anime_model.compression.grid import calibrate, quantizable
from anime_model.compression.qdq import write_qdq
from anime_model.compression.quantization import Int8Plan, Int8Trial, fallback_to_float
from anime_model.metrics.latency import measure, onnx_run
from anime_model.networks.generator import Generator
from anime_model.recipes.quantize import QuantizeSettings

CONVOLUTIONS = ("Conv", "FusedConv", "QLinearConv")
TIMING_PICTURES = 4  # give the INT8 networks that are timed their ranges
GAIN = 0.985  # of the time that a change must leave, so that noise is not taken for a gain

Choice = frozenset[str]  # names of the units that run in INT8


def plan(
    student: Generator,
    pictures: Tensor,
    settings: QuantizeSettings,
    threads: int,
    on_step: Callable[[int, int], None] = lambda step, steps: None,
) -> Int8Plan:
    """The INT8 units for which the whole network is fastest while `pictures` [N, 3, H, W] in [-1, 1] stay near enough.

    The search starts from the units whose own INT8 time is short enough, less those that the picture does not bear.
    `keep_float` in the settings decides instead where it is there. It takes minutes: `on_step` hears how far it is.
    """
    units = list(quantizable(student))
    steps, count = 1 + len(units) + (0 if settings.keep_float is not None else comparisons(units)), itertools.count(1)

    def tell() -> None:
        on_step(next(count), steps)

    with tempfile.TemporaryDirectory() as folder:
        how = (settings.weight_bits, settings.timing_size, threads)
        bench = Bench(student, pictures[:TIMING_PICTURES], *how, Path(folder))
        times = bench.unit_times()
        tell()
        trial, alone = Int8Trial(deployable(student), pictures, settings.weight_bits), {}
        for name in times:
            alone[name] = trial.psnr([name])
            tell()
        if settings.keep_float is not None:
            return Int8Plan(times, alone, tuple(name for name in times if name not in settings.keep_float))

        def within_tolerance(names: Collection[str]) -> bool:
            return not names or trial.psnr(names) >= settings.psnr

        start = [name for name, (float_ms, int8_ms) in times.items() if int8_ms <= settings.slower * float_ms]
        borne = fallback_to_float(start, times, alone, within_tolerance)
        return Int8Plan(times, alone, fastest_int8(bench, borne, within_tolerance, tell))


def fastest_int8(
    bench: "Bench",
    start: Collection[str],
    within_tolerance: Callable[[Choice], bool],
    tell: Callable[[], None] = lambda: None,
) -> tuple[str, ...]:
    """The units to run in INT8 for which the whole network is fastest, searched for in the engine that ships.

    The units' own times do not add up: a float layer between two INT8 ones costs two changes of number format. Only
    what keeps the picture `within_tolerance` is tried; `start` must. `tell` is called after each comparison.
    """

    def better(challenger: Choice, best: Choice) -> Choice:
        found = bench.faster(challenger, best) if challenger != best and within_tolerance(challenger) else best
        tell()
        return found

    return search(bench.units, start, better)


def search(units: Sequence[str], start: Collection[str], faster: Callable[[Choice, Choice], Choice]) -> tuple[str, ...]:
    """Local search: block by block, then layer by layer, all of it and none of it against the best choice so far.

    Blocks come first because a single layer in the midst of float ones pays for two changes of number format. What of a
    block is in `start` challenges too: a block of which one layer harms the picture is never tried as a whole. `faster`
    gets a challenger and the best so far, and returns the one to go on with. In the end INT8 challenges none of it: its
    rounding costs something, so without a gain there is none.
    """
    best = faster(frozenset(), frozenset(start))
    for part in (*_parts(units, letters=1), *_parts(units, letters=2)):
        for challenger in (best | part, best | part.intersection(start), best - part):
            best = faster(challenger, best)
    best = faster(best, frozenset())
    return tuple(name for name in units if name in best)


def comparisons(units: Sequence[str]) -> int:
    """How often `search` compares two choices."""
    return 2 + 3 * sum(1 for letters in (1, 2) for _ in _parts(units, letters))


def _parts(units: Sequence[str], letters: int) -> Iterator[Choice]:
    """The units of each block (1 letter of a layer's name) or of each layer (2 letters), and those of no layer."""
    for _, group in itertools.groupby(units, key=lambda name: name.split(".")[1][:letters] if "." in name else name):
        yield frozenset(group)


class Bench:
    """The folded network, exported once into `folder`, with different units in INT8, timed on `size` x `size` pictures.

    `calibration` [N, 3, H, W] in [-1, 1] gives the INT8 units their ranges.
    """

    def __init__(
        self, generator: Generator, calibration: Tensor, weight_bits: int, size: int, threads: int, folder: Path
    ) -> None:
        network = replace_int8(deployable(generator), ())
        self.arch, self.units, self.ranges = network.arch, list(quantizable(network)), calibrate(network, calibration)
        self.weight_bits, self.size, self.threads = weight_bits, size, threads
        self.whole = folder / "float.onnx"
        self.photo = np.zeros((1, 3, size, size), np.float32)
        self.runs: dict[Choice, Callable[[], object]] = {}
        export_onnx(network, self.whole)

    def unit_times(self) -> dict[str, tuple[float, float]]:
        """Milliseconds (float, INT8) of every quantizable unit.

        What runs between two convolutions (additions, interpolation, changes of number format) counts to the first.
        """
        files = self.whole, self._quantized(frozenset(self.units))
        columns = [profile(path, len(self.units), self.size, self.threads) for path in files]
        return {name: (a, b) for name, a, b in zip(self.units, *columns, strict=True)}

    def faster(self, challenger: Choice, champion: Choice, repeats: int = 9) -> Choice:
        """The challenger if its median is shorter by more than 1.5 %."""
        found = measure({"new": self._run(challenger), "old": self._run(champion)}, repeats)
        new, old = (float(found[side]["latency_p50_ms"]) for side in ("new", "old"))
        return challenger if new < GAIN * old else champion

    def _run(self, names: Choice) -> Callable[[], object]:
        if names not in self.runs:
            self.runs[names] = onnx_run(self._quantized(names), self.photo, self.threads)
        return self.runs[names]

    def _quantized(self, names: Choice) -> Path:
        path = self.whole.with_name("int8.onnx")
        write_qdq(self.whole, path, self.arch, names, self.ranges, self.weight_bits)
        return path


def replace_int8(network: Generator, names: Sequence[str]) -> Generator:
    """The same network, described as running `names` in INT8."""
    network.arch = replace(network.arch, int8=tuple(names))
    return network


def profile(path: Path, units: int, size: int, threads: int, repeats: int = 7) -> list[float]:
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
