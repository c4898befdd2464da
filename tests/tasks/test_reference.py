"""The stage that draws a published network's pictures, as a process."""

import json
from pathlib import Path

import numpy as np
import pytest
from onnx import helper

from anime_model.recipes.reference import ReferenceHints
from anime_model.reference.opening import NetworkError, file_md5
from anime_model.reference.probe import open_reference
from tasks.evaluate import published_of
from tests.metrics.tiny_models import identity_onnx
from tests.tasks.conftest import merged
from tests.tiny_onnx import foreign_model

NEGATIVE = [helper.make_node("Neg", ["x"], ["a"]), helper.make_node("Tanh", ["a"], ["y"])]


@pytest.fixture
def recipe(small_recipe, tmp_path) -> dict:
    path = foreign_model(tmp_path / "work.onnx", NEGATIVE)
    reference = {"reference": {"cel": "work.onnx"}, "reference_md5": {"cel": file_md5(path)}, "scales": [0.8, 1.5]}
    reference["reference_hints"] = {"cel": {"values": "-1..1"}}
    return merged(small_recipe, {"teacher": {**reference, "pairs": {"steps": 20, "batch": 2, "crops": [32]}}})


def done(process) -> str:
    out, errors = process.communicate(timeout=240)
    assert process.returncode == 0, errors
    return out


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_a_style_without_a_reference_gets_an_empty_folder_at_once(stage, small_recipe, small_data, tmp_path):
    done(stage("reference", "cel", small_data, "out"))
    assert contents(tmp_path / "out") == {"reference.json": b"{}\n"}


def test_a_killed_stage_goes_on_and_the_teacher_learns_from_it(stage, recipe, small_data, tmp_path):
    done(stage("reference", "cel", small_data, "whole", recipe=recipe))
    assert len(contents(tmp_path / "whole")) == 1 + 2 * 8
    facts = json.loads((tmp_path / "whole/reference.json").read_text())
    assert (facts["layout"], facts["multiple"], facts["scales"]) == ("nhwc", 1, [0.8, 1.5])
    broken = tmp_path / "broken"
    foreign_model(broken / "work.onnx", NEGATIVE)
    process = stage("reference", "cel", small_data, "out", folder=broken, recipe=recipe)
    assert "minutes_left" in process.stdout.readline()
    process.kill()
    process.communicate()
    assert not (broken / "out").exists()
    kept = {file: file.stat().st_mtime_ns for file in (broken / "scratch").rglob("*.jpg")}
    assert kept
    done(stage("reference", "cel", small_data, "out", folder=broken, recipe=recipe))
    assert contents(broken / "out") == contents(tmp_path / "whole")
    assert all(file.stat().st_mtime_ns == when for file, when in kept.items())
    done(stage("train_teacher", "cel", small_data, "out/pictures", "teacher", folder=broken, recipe=recipe))
    summary = json.loads((broken / "teacher/summary.json").read_text())
    assert summary["origin"] == "pictures of work.onnx"
    assert sorted(path.name for path in (broken / "teacher/snapshots").iterdir()) == [
        "step_000010.safetensors",
        "step_000020.safetensors",
    ]


def test_other_settings_of_the_teacher_draw_nothing_again(stage, recipe, small_data, tmp_path):
    done(stage("reference", "cel", small_data, "out", recipe=recipe))
    first = contents(tmp_path / "out")
    out = done(stage("reference", "cel", small_data, "out", recipe=merged(recipe, {"teacher": {"steps": 21}})))
    assert "step " not in out
    assert contents(tmp_path / "out") == first
    done(stage("reference", "cel", small_data, "out", recipe=merged(recipe, {"teacher": {"scales": [1.0]}})))
    assert len(list((tmp_path / "out").rglob("*.jpg"))) == 8
    assert len(list((tmp_path / "scratch/reference/cel").iterdir())) == 1


@pytest.mark.parametrize(
    ("teacher", "line"),
    [
        ({"reference_md5": {"cel": "0" * 32}}, "teacher.reference.cel: work.onnx: has the md5"),
        ({"reference": {"cel": "absent.onnx"}}, "teacher.reference.cel: absent.onnx: no such file"),
    ],
)
def test_a_wrong_file_is_one_line(stage, recipe, small_data, teacher, line):
    process = stage("reference", "cel", small_data, "out", recipe=merged(recipe, {"teacher": teacher}))
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert line in errors
    assert errors.count("\n") == 1


def test_without_scales_it_draws_nothing_and_says_how_it_takes_pictures(stage, recipe, small_data, tmp_path):
    done(stage("reference", "cel", small_data, "out", recipe=merged(recipe, {"teacher": {"scales": []}})))
    assert list(contents(tmp_path / "out")) == ["reference.json"]
    assert (tmp_path / "out/pictures").is_dir()


def test_the_evaluation_opens_the_network_as_it_was_found(stage, recipe, small_data, tmp_path, monkeypatch):
    """With the pin that the recipe had; a file that has changed since is refused in one line."""
    done(stage("reference", "cel", small_data, "out", recipe=recipe))
    monkeypatch.chdir(tmp_path)
    found = published_of(tmp_path / "out/reference.json", 1)
    assert (found.file.name, found.draw.format.values) == ("work.onnx", "-1..1")
    photo = np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)
    assert (
        np.abs(found.draw(photo) - open_reference(found.file, hints=ReferenceHints(values="-1..1"))(photo)).max() == 0
    )
    foreign_model(tmp_path / "work.onnx", NEGATIVE[1:], {"a": 0.0})
    with pytest.raises(NetworkError, match=r"work\.onnx: has the md5"):
        published_of(tmp_path / "out/reference.json", 1)


def test_the_evaluation_has_a_row_of_the_network(stage, recipe, small_data, tmp_path):
    done(stage("reference", "cel", small_data, "cel/reference", recipe=recipe))
    (tmp_path / "cel/exports").mkdir()
    identity_onnx(tmp_path / "cel/exports/teacher.onnx")
    found = "cel/reference/reference.json"
    done(stage("evaluate", "cel/exports", small_data, found, "cel/evaluation", recipe=recipe))
    rows = json.loads((tmp_path / "cel/evaluation/baselines.json").read_text())
    assert [row["variant"] for row in rows] == ["photo", "filter", "reference"]
    assert rows[2]["lpips_reference"] == 0
    assert json.loads((tmp_path / "cel/evaluation/teacher.json").read_text())["lpips_reference"] > 0
    assert "latency_p50_ms" in rows[2]


def test_a_style_without_a_reference_is_compared_with_none(stage, small_recipe, small_data, tmp_path):
    done(stage("reference", "cel", small_data, "out"))
    assert published_of(tmp_path / "out/reference.json", 1) is None
