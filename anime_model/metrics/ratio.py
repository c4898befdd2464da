"""How many times the one network's time the other takes: runs in pairs, the median of their ratios and its interval.

Whatever else the machine does meets both runs of a pair, or makes one pair's ratio wrong; the median does not see a few
wrong ones. A high percentile of a few runs is little more than the worst of them.
"""

import time
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path

import numpy as np

from anime_model.metrics.bootstrap import LEVEL
from anime_model.metrics.latency import alone_on_the_machine, onnx_run

PAIRS, MOST_PAIRS = 31, 155  # of runs: more are added while the interval is wide
NARROW = 0.1  # of the median: an interval no wider ends the measurement
SECONDS = 60.0  # after which no more pairs are added to the first ones

Figures = dict[str, float | int | str]
Pair = Callable[[bool], tuple[float, float]]  # whether the other runs first, to both times


def latency_ratio(own: Path, other: Path, size: int, threads: int) -> Figures:
    """The time of ONNX file `own` over that of `other`, for one `size` x `size` photo: median and 95 % interval.

    Both run alone on the machine, in turns, and change places from pair to pair.
    """
    photo = np.random.default_rng(0).uniform(-1, 1, (1, 3, size, size)).astype(np.float32)
    runs = onnx_run(own, photo, threads), onnx_run(other, photo, threads)

    def pair(swapped: bool) -> tuple[float, float]:
        times = [_seconds(run) for run in (runs[::-1] if swapped else runs)]
        return (times[1], times[0]) if swapped else (times[0], times[1])

    with alone_on_the_machine():
        for run in runs * 2:  # the first runs reserve memory
            run()
        return measured(pair)


def measured(pair: Pair) -> Figures:
    """The figures of as many pairs as make the interval narrow, within the bounds above."""
    started, ratios = time.monotonic(), list[float]()
    for index in count():
        own, other = pair(bool(index % 2))
        ratios.append(own / other)
        if len(ratios) % PAIRS == 0:
            middle, low, high = median_interval(ratios)
            late = time.monotonic() - started > SECONDS
            if high - low <= NARROW * middle or len(ratios) >= MOST_PAIRS or late:
                break
    figures = {"latency_ratio": middle, "latency_ratio_low": low, "latency_ratio_high": high}
    rounded: Figures = {key: round(value, 4) for key, value in figures.items()}
    return rounded | {"latency_ratio_pairs": len(ratios)}


def median_interval(values: Sequence[float], level: float = LEVEL) -> tuple[float, float, float]:
    """The median, and between which two of the values that of all possible ones lies, with probability `level` or more.

    The sign test's interval, which assumes no distribution: the number of values below the true median is binomial with
    a chance of one half (Conover, *Practical Nonparametric Statistics*, chapter 3). With fewer than six values none is
    so sure; then it is the smallest and the largest.
    """
    ordered = np.sort(np.asarray(values, float))
    beyond = _cut(len(ordered), (1 - level) / 2)
    return float(np.median(ordered)), float(ordered[beyond]), float(ordered[len(ordered) - 1 - beyond])


def _cut(size: int, tail: float) -> int:
    """How many of `size` values may be left out at each end: the chance of as few heads is at most `tail`."""
    chance = total = 0.5**size
    left_out = 0
    while total + (step := chance * (size - left_out) / (left_out + 1)) <= tail:
        left_out, chance, total = left_out + 1, step, total + step
    return left_out


def _seconds(run: Callable[[], object]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started
