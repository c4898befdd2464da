import json
from pathlib import Path

import numpy as np
import pytest
import torch

from anime_model.metrics import fid, lpips
from anime_model.metrics.downloads import EvaluationError
from anime_model.pictures.arrays import write_picture
from anime_model.recipes.recipe import EvaluateSettings
from anime_model.report import evaluate as module
from anime_model.report.evaluate import Judge, evaluate, squares
from tests.metrics.tiny_models import MACS_PER_PIXEL, PARAMETERS, tiny_onnx

SETTINGS = EvaluateSettings(latency_size=32, latency_threads=1, latency_repeats=3, pictures=2)


@pytest.fixture
def prepared(tmp_path: Path) -> Path:
    draw = np.random.default_rng(0)
    sizes = {"photos/test/faces": (3, 48, 40), "photos/test/scenes": (4, 41, 64), "frames": (6, 90, 130)}
    for folder, (count, height, width) in sizes.items():
        for index in range(count):
            small = draw.integers(0, 256, (height // 8 + 1, width // 8 + 1, 3), dtype=np.uint8)
            picture = small.repeat(8, 0).repeat(8, 1)[:height, :width]
            write_picture(tmp_path / "data" / folder / f"{index:04d}.jpg", picture)
    aside = [{"file": "photos/train/broken.jpg", "reason": "damaged picture"}]
    (tmp_path / "data/prepared.json").write_text(json.dumps({"set_aside": aside}))
    return tmp_path / "data"


@pytest.fixture
def exports(tmp_path: Path) -> Path:
    (tmp_path / "exports").mkdir()
    for seed, variant in enumerate(("teacher", "separable")):
        tiny_onnx(tmp_path / "exports" / f"{variant}.onnx", seed=seed)
    tiny_onnx(tmp_path / "exports/int8.onnx", seed=0, int8=True)
    return tmp_path / "exports"


@pytest.fixture
def simple_networks(monkeypatch: pytest.MonkeyPatch):
    """Closed forms in place of the perceptual networks, and no processes for the memory."""
    monkeypatch.setattr(fid, "load_features", lambda name: lambda pictures: pictures.float().mean((2, 3)))
    monkeypatch.setattr(lpips, "load_distance", lambda net: lambda a, b: (a - b).abs().mean((1, 2, 3)))
    monkeypatch.setattr("anime_model.metrics.footprint.peak_memory", lambda *_: 123_456_789)


def test_all_that_is_written(prepared: Path, exports: Path, tmp_path: Path, simple_networks):
    steps: list[tuple[int, int]] = []
    out = tmp_path / "evaluation"
    found = evaluate("cel", exports, prepared, out, SETTINGS, lambda step, total, _: steps.append((step, total)))
    assert [row["variant"] for row in found] == ["teacher", "separable", "int8"]
    assert steps == [(step, 10) for step in range(1, 11)]
    for row in found:
        assert json.loads((out / f"{row['variant']}.json").read_text()) == row
    assert len((out / "metrics.csv").read_text().splitlines()) == 4
    pictures = sorted(str(path.relative_to(out)) for path in (out / "pictures").rglob("*.jpg"))
    assert len(pictures) == 2 * 2 * 4
    assert pictures[0] == "pictures/faces/0000/int8.jpg"


def test_the_figures(prepared: Path, exports: Path, tmp_path: Path, simple_networks):
    teacher, separable, int8 = evaluate("cel", exports, prepared, tmp_path / "evaluation", SETTINGS)
    assert (teacher["lpips"], teacher["ssim"]) == (0, pytest.approx(1))
    assert "psnr" not in teacher  # infinite
    assert (teacher["parameters"], teacher["macs_512"]) == (PARAMETERS, MACS_PER_PIXEL * 512**2)
    assert teacher["peak_memory_mb"] == 123.5
    assert 20 < int8["psnr"] < 80
    assert separable["lpips"] > 10 * int8["lpips"] > 0
    assert separable["lpips"] == pytest.approx(
        (3 * separable["lpips_faces"] + 4 * separable["lpips_scenes"]) / 7, abs=1e-5
    )
    assert teacher["fid_photos"] == separable["fid_photos"] != teacher["fid"]
    assert (teacher["fid_real"], teacher["fid_fake"]) == (6 * 2 * 3, 7)  # squares of 41 px out of 130 x 90
    protocol = {"fid_features": "embedded", "lpips_net": "embedded", "latency_size": 32, "latency_threads": 1}
    assert protocol.items() <= int8.items()
    assert {"style", "bytes", "latency_p50_ms", "latency_p95_ms", "cpu", "instruction_set", "kid_scenes"} <= int8.keys()


def test_one_picture_in_a_set_has_no_fid_of_its_own(prepared: Path, simple_networks):
    judge = Judge("embedded", "embedded", 40, prepared / "frames")
    picture = np.zeros((40, 40, 3), np.uint8)
    found = judge.nearness({"one": {"a": picture}, "two": {"a": picture, "b": picture}})
    assert {rest for key, rest, _ in found if key == "fid"} == {"", "_two"}


def test_squares_lie_beside_each_other_about_the_centre():
    picture = np.arange(7 * 10 * 3, dtype=np.uint8).reshape(7, 10, 3)
    found = squares(picture, 3)
    assert len(found) == 2 * 3
    assert (found[0] == picture[0:3, 0:3]).all()
    assert (found[-1] == picture[3:6, 6:9]).all()
    assert [square.shape for square in squares(picture, 100)] == [(7, 7, 3)]


def test_too_many_frames_are_thinned_evenly(prepared: Path, simple_networks, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "MOST_FRAMES", 5)
    judge = Judge("embedded", "embedded", 41, prepared / "frames")
    assert judge._real.shape == (5, 3)
    assert torch.equal(judge._real, judge._real)


def test_what_is_missing_is_named(tmp_path: Path, exports: Path):
    with pytest.raises(EvaluationError, match=r"teacher\.onnx: missing; run the stage `export` first"):
        evaluate("cel", tmp_path, tmp_path, tmp_path / "out", SETTINGS)
    with pytest.raises(EvaluationError, match="no test photos"):
        module.photos_of(tmp_path)
