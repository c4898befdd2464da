import argparse
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from anime_model.metrics import lpips
from anime_model.networks.architecture import animeganv2
from anime_model.networks.checkpoint import save_generator
from anime_model.networks.generator import Generator
from anime_model.pictures.arrays import write_picture
from anime_model.recipes.evaluate import EvaluateSettings
from benchmarks import searched
from benchmarks.searched import HALVINGS, largest_share, measured
from tests.exports import graphs_are_traced_once

__all__ = ["graphs_are_traced_once"]


@pytest.mark.parametrize("limit", [0.06, 0.37, 0.99])
def test_pruning_keeps_as_much_as_is_fast_enough(limit: float):
    found = largest_share(lambda share: share <= limit)
    assert found <= limit <= found * 20 ** (1 / 2**HALVINGS)


def test_what_is_never_fast_enough_keeps_the_least():
    assert largest_share(lambda share: False) == pytest.approx(0.05)


def test_both_are_measured_beside_the_lite_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    draw = np.random.default_rng(0)
    for folder in ("data/photos/train", "data/photos/test/faces", "data/frames"):
        for number in range(3):
            write_picture(tmp_path / folder / f"{number}.png", draw.integers(0, 256, (48, 64, 3), np.uint8))
    for seed, name in enumerate(("searched", "pruned", "lite", "teacher")):
        torch.manual_seed(seed)
        save_generator(tmp_path / f"{name}.safetensors", Generator(animeganv2(0.125)).eval())
    settings = EvaluateSettings(latency_size=32, latency_threads=1, latency_repeats=3)
    monkeypatch.setattr(searched, "load_recipe", lambda path: SimpleNamespace(evaluate=settings))
    monkeypatch.setattr(searched, "RESULTS", tmp_path / "searched.json")
    monkeypatch.setattr(lpips, "load_distance", lambda net: lambda a, b: (a - b).abs().mean((1, 2, 3)))
    files = {name: tmp_path / f"{name}.safetensors" for name in ("lite", "teacher")}
    protocol = {"style": "cel", "faster": 1.5, "seconds": 9, "trials": 4, "threads": 1}
    options = argparse.Namespace(out=tmp_path, data=tmp_path / "data", test=2, **files, **protocol)
    measured(options)
    found = json.loads((tmp_path / "searched.json").read_text())
    assert {key: found[key] for key in protocol} == protocol
    assert [row["network"] for row in found["rows"]] == ["searched", "pruned", "lite"]
    assert found["photos"] == 2
    assert all(row["lpips"] > 0 and row["latency_p50_ms"] > 0 and row["macs_512"] > 0 for row in found["rows"])
