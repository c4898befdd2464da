"""The ratio of two networks' times, on simulated machines: no clock decides a test."""

from math import comb
from pathlib import Path

import numpy as np
import pytest

from anime_model.metrics import ratio
from anime_model.metrics.ratio import MOST_PAIRS, PAIRS, latency_ratio, measured, median_interval
from tests.metrics.tiny_models import tiny_onnx

TRIALS = 300


def machine(seed: int, slower: float = 1.0, noise: float = 0.03, disturbed: float = 0.05):
    """Pairs of runs of which a share takes two to ten times as long because of something else."""
    draw = np.random.default_rng(seed)

    def run(usual: float) -> float:
        return usual * draw.normal(1, noise) * (draw.uniform(2, 10) if draw.random() < disturbed else 1)

    return lambda swapped: (run(slower), run(1.0))


def test_equal_networks_are_not_called_slower_where_one_run_in_twenty_is_disturbed():
    """The gate's rule: slower than the bound where the whole interval is. The strictest bound is 1."""
    lows = [measured(machine(seed))["latency_ratio_low"] for seed in range(TRIALS)]
    assert np.mean(np.array(lows) > 1) < 0.05
    assert max(lows) < 1.05


def test_a_percentile_of_ten_runs_would_have_refused_many_of_them():
    """What was done before, so that the simulation above is known to be hard."""
    draws = [machine(seed) for seed in range(TRIALS)]
    runs = [np.array([pair(False) for _ in range(10)]) for pair in draws]
    ratios = [np.percentile(times[:, 0], 95) / np.percentile(times[:, 1], 95) for times in runs]
    assert np.mean(np.array(ratios) > 1.5) > 0.15


def test_a_network_that_is_slower_by_more_than_the_bound_is_found_out():
    found = [measured(machine(seed, slower=1.6))["latency_ratio_low"] for seed in range(TRIALS)]
    assert np.mean(np.array(found) > 1.5) > 0.99


def test_a_restless_machine_gets_more_pairs_up_to_a_bound():
    assert measured(machine(0, noise=0.01))["latency_ratio_pairs"] == PAIRS
    assert measured(machine(0, noise=0.2))["latency_ratio_pairs"] > PAIRS
    assert measured(machine(0, noise=0.3, disturbed=0.5))["latency_ratio_pairs"] == MOST_PAIRS


def test_the_interval_holds_the_median_as_often_as_it_says():
    draw = np.random.default_rng(0)
    for size in (6, 10, 31):
        samples = [median_interval(draw.lognormal(0, 1, size)) for _ in range(2000)]
        held = np.mean([low <= 1 <= high for _, low, high in samples])
        assert held >= 0.945


@pytest.mark.parametrize("size", [6, 10, 12, 31, 100])
def test_no_narrower_interval_would_be_as_sure(size: int):
    cut = ratio._cut(size, 0.025)
    chances = [sum(comb(size, k) for k in range(n + 1)) / 2**size for n in (cut, cut + 1)]
    assert chances[0] <= 0.025 < chances[1]


def test_few_values_give_the_widest_interval():
    assert median_interval([3.0, 1.0, 2.0]) == (2, 1, 3)
    assert median_interval([1.0]) == (1, 1, 1)


def test_the_networks_change_places_and_each_time_is_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    order: list[str] = []
    monkeypatch.setattr(ratio, "onnx_run", lambda path, photo, threads: lambda: order.append(path.stem))
    monkeypatch.setattr(ratio, "_seconds", lambda run: (run(), {"own": 2.0, "other": 1.0}[order[-1]])[1])
    found = latency_ratio(tmp_path / "own.onnx", tmp_path / "other.onnx", 32, 1)
    assert order[:8] == ["own", "other"] * 2 + ["own", "other", "other", "own"]
    assert found == {
        "latency_ratio": 2, "latency_ratio_low": 2, "latency_ratio_high": 2, "latency_ratio_pairs": PAIRS,
    }  # fmt: skip


def test_real_files_have_a_ratio(tmp_path: Path):
    files = [tiny_onnx(tmp_path / f"{seed}.onnx", seed=seed) for seed in (0, 1)]
    found = latency_ratio(*files, size=32, threads=1)
    assert 0 < found["latency_ratio_low"] <= found["latency_ratio"] <= found["latency_ratio_high"]
