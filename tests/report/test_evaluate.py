import json
from pathlib import Path

import numpy as np
import pytest
import torch
from onnx import helper

from anime_model.metrics import fid, lpips
from anime_model.metrics.downloads import EvaluationError
from anime_model.pictures.arrays import write_picture
from anime_model.recipes.evaluate import EvaluateSettings
from anime_model.report import evaluate as module
from anime_model.report.baselines import Reference, weight_of
from anime_model.report.evaluate import Judge, evaluate, pictures_md5, squares
from tests.metrics.tiny_models import MACS_PER_PIXEL, PARAMETERS, identity_onnx, nhwc_onnx, tiny_onnx
from tests.tiny_onnx import foreign_model

SETTINGS = EvaluateSettings(latency_size=32, latency_threads=1, latency_repeats=3, pictures=2)


@pytest.fixture
def prepared(tmp_path: Path) -> Path:
    draw = np.random.default_rng(0)
    sizes = {
        "photos/train": (4, 48, 48),
        "photos/test/faces": (3, 48, 40),
        "photos/test/scenes": (4, 41, 64),
        "frames": (6, 90, 130),
    }
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
    rounds, photos, rows = SETTINGS.latency_repeats, 7, 3  # and the rows of the filter and the photo
    assert {total for _, total in steps} == {rounds + rows + photos * (2 * (rows + 1) + 1)}
    counted = [step for step, _ in steps]
    assert counted[-1] == steps[-1][1]
    assert counted == sorted(counted)
    assert max(np.diff(counted)) == photos
    for row in found:
        assert json.loads((out / f"{row['variant']}.json").read_text()) == row
    assert [row["variant"] for row in json.loads((out / "baselines.json").read_text())] == ["photo", "filter"]
    assert len((out / "metrics.csv").read_text().splitlines()) == 4
    pictures = sorted(str(path.relative_to(out)) for path in (out / "pictures").rglob("*.jpg"))
    assert len(pictures) == 2 * 2 * 5
    assert pictures[0] == "pictures/faces/0000/filter.jpg"


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


def test_every_row_says_how_far_it_is_from_the_untouched_photo(prepared: Path, exports: Path, tmp_path: Path):
    """With the embedded networks: a network that changes nothing is found out, though it looks like its teacher."""
    identity_onnx(exports / "int8.onnx")
    identity_onnx(exports / "teacher.onnx")
    out = tmp_path / "evaluation"
    teacher, separable, int8 = evaluate("cel", exports, prepared, out, SETTINGS)
    photo, plain_filter = json.loads((out / "baselines.json").read_text())
    assert int8["lpips"] < 1e-6, "it looks like the teacher"
    assert int8["lpips_photo"] < 1e-6
    assert separable["lpips_photo"] > 0.01
    assert int8["fid_share"] == pytest.approx(1, abs=1e-5)
    assert int8["fid_share_low"] == pytest.approx(int8["fid_share_high"], abs=1e-5), "picture by picture the same"
    assert (photo["fid"], photo["fid_share"], photo["lpips_photo"]) == (teacher["fid_photos"], 1, 0)
    assert plain_filter["lpips_photo"] > 0.005
    assert not {"bytes", "latency_p50_ms"} & (photo.keys() | plain_filter.keys())
    for row in (photo, plain_filter, separable):
        for rest in ("", "_faces", "_scenes"):
            assert row[f"fid_low{rest}"] <= row[f"fid{rest}"] <= row[f"fid_high{rest}"]
            assert row[f"kid_deviation{rest}"] >= 0
            assert f"lpips_photo{rest}" in row


def test_a_published_network_is_a_row_that_others_are_compared_with(
    prepared: Path, exports: Path, tmp_path: Path, simple_networks
):
    """One that takes [1, H, W, 3], as they often do, is timed as it is."""
    reference = Reference(lambda photo: 255 - photo, nhwc_onnx(tmp_path / "published.onnx"))
    out = tmp_path / "evaluation"
    rows = evaluate("cel", exports, prepared, out, SETTINGS, reference=reference)
    published = json.loads((out / "baselines.json").read_text())[2]
    assert published["variant"] == "reference"
    assert published["lpips_reference"] == 0
    assert published["lpips_photo"] > 0.1
    assert published["bytes"] == reference.file.stat().st_size
    assert published["latency_reference_ratio"] == 1
    for row in rows:
        assert row["lpips_reference"] > 0
        ratio = published["latency_p50_ms"] / row["latency_p50_ms"]
        assert row["latency_reference_ratio"] == pytest.approx(ratio, rel=1e-4)
    assert "lpips_reference" in (out / "metrics.csv").read_text().splitlines()[0]
    assert (out / "pictures/faces/0000/reference.jpg").is_file()


def test_a_published_network_of_one_size_has_no_times(prepared: Path, exports: Path, tmp_path: Path, simple_networks):
    fixed = foreign_model(tmp_path / "fixed.onnx", [helper.make_node("Neg", ["x"], ["y"])], shape=(1, 24, 24, 3))
    out = tmp_path / "evaluation"
    rows = evaluate("cel", exports, prepared, out, SETTINGS, reference=Reference(lambda photo: 255 - photo, fixed))
    published = json.loads((out / "baselines.json").read_text())[2]
    assert published["lpips_photo"] > 0.1
    assert not {"latency_p50_ms", "latency_reference_ratio"} & published.keys()
    assert all("latency_p50_ms" in row and "latency_reference_ratio" not in row for row in rows)


def test_a_graph_that_cannot_be_counted_has_its_bytes(tmp_path: Path):
    (tmp_path / "odd.onnx").write_bytes(b"no graph")
    assert weight_of(tmp_path / "odd.onnx", 1) == {"bytes": 8}


def test_other_pictures_have_another_hash(prepared: Path):
    before = pictures_md5(prepared)
    assert pictures_md5(prepared) == before
    write_picture(prepared / "photos/train/more.jpg", np.zeros((40, 40, 3), np.uint8))
    assert pictures_md5(prepared) == before, "no figure is made on train photos"
    (prepared / "photos/test/faces/0000.jpg").rename(prepared / "photos/test/scenes/0000b.jpg")
    assert pictures_md5(prepared) != before


def test_one_picture_in_a_set_has_no_fid_of_its_own(prepared: Path, simple_networks):
    judge = Judge("embedded", "embedded", 40, prepared / "frames")
    picture = np.zeros((40, 40, 3), np.uint8)
    found = judge.nearness({"one": {"a": picture}, "two": {"a": picture, "b": picture}})
    assert {key for key in found.figures if key.startswith("fid_") or key == "fid"} >= {"fid", "fid_two"}
    assert "fid_one" not in found.figures


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
