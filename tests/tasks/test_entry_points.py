"""What a person sees of a stage that cannot do its work: one line, no traceback, nothing half-made."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from anime_model.networks.architecture import animeganv2
from anime_model.networks.checkpoint import load_generator, read_notes, save_generator
from anime_model.networks.generator import Generator
from anime_model.pictures.arrays import write_picture
from tests.tasks.conftest import merged


def refused(process) -> str:
    """The one line on standard error of a stage that ended with status 1."""
    out, errors = process.communicate(timeout=120)
    assert process.returncode == 1, (out, errors)
    assert errors.count("\n") == 1, errors
    assert errors.startswith("error: tasks.")
    return errors


def test_missing_arguments_show_the_usage(started_stage):
    process = started_stage("prepare")
    _, errors = process.communicate(timeout=60)
    assert "usage: python -m tasks.prepare PHOTOS FRAMES OUT" in errors


def test_wrong_recipe_is_named_before_any_work(started_stage, small_recipe, tmp_path):
    recipe = merged(small_recipe, {"data": {"photo_sice": 3}})
    assert "data.photo_sice: unknown key" in refused(started_stage("prepare", "a", "b", "out", recipe=recipe))
    assert not (tmp_path / "out").exists()


def test_empty_folders_are_named(started_stage, tmp_path):
    (tmp_path / "photos/train").mkdir(parents=True)
    (tmp_path / "frames").mkdir()
    assert "photos" in refused(started_stage("prepare", "photos", "frames", "out"))


def test_broken_checkpoints_are_named(stage, small_data, tmp_path):
    (tmp_path / "teacher.safetensors").write_bytes(b"not a checkpoint")
    line = refused(stage("replace_convs", tmp_path / "teacher.safetensors", small_data, "none", "out"))
    assert "teacher.safetensors: cannot be read as a checkpoint" in line


def test_an_imported_teacher_must_have_its_md5(stage, small_recipe, small_data, tmp_path):
    (tmp_path / "x.pt").write_bytes(b"weights")
    teacher = {"import_file": {"cel": "x.pt"}, "import_md5": {"cel": "0" * 32}}
    recipe = merged(small_recipe, {"teacher": teacher})
    line = refused(stage("train_teacher", "cel", small_data, "none", "out", recipe=recipe))
    assert "teacher.import_md5.cel: x.pt has the md5" in line


def test_an_imported_teacher_leaves_all_that_dvc_expects(stage, small_recipe, small_data, tmp_path):
    save_generator(tmp_path / "x.safetensors", Generator(animeganv2(0.125)), trained_steps=5)
    md5 = hashlib.md5((tmp_path / "x.safetensors").read_bytes()).hexdigest()
    teacher = {"import_file": {"cel": "x.safetensors"}, "import_md5": {"cel": md5}}
    recipe = merged(small_recipe, {"teacher": teacher})
    process = stage("train_teacher", "cel", small_data, "none", "artifacts/cel/teacher", recipe=recipe)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    declared = yaml.safe_load(Path("dvc.yaml").read_text())["stages"]["train_teacher"]
    for out in (*declared["outs"], *(path for plot in declared["plots"] for path in plot)):
        assert (tmp_path / out.replace("${item.style}", "cel")).exists(), out
    notes = read_notes(tmp_path / "artifacts/cel/teacher/teacher.safetensors")
    assert (notes["trained_steps"], notes["md5"]) == (5, md5)


def test_layers_that_cannot_be_replaced_are_named(stage, small_recipe, small_data, tmp_path):
    save_generator(tmp_path / "t.safetensors", Generator(animeganv2(0.125)))
    recipe = merged(small_recipe, {"replace_convs": {"layers": ["a0"]}})
    assert "'a0' cannot be replaced" in refused(
        stage("replace_convs", "t.safetensors", small_data, "none", "out", recipe=recipe)
    )


@pytest.mark.parametrize("network", ["vgg19"])
def test_a_missing_weight_file_without_network_is_named(
    stage, small_recipe, small_data, tmp_path, network, monkeypatch
):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "empty"))
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    recipe = merged(small_recipe, {"perceptual": network})
    assert "TORCH_HOME" in refused(stage("train_teacher", "cel", small_data, "none", "out", recipe=recipe))


def test_pictures_of_every_kind_are_used_or_set_aside(stage, tmp_path):
    draw = np.random.default_rng(0)
    for folder, count in {"photos/train": 6, "photos/test/faces": 3, "frames": 6}.items():
        for index in range(count):
            write_picture(tmp_path / folder / f"{index}.png", draw.integers(0, 255, (80, 90, 3), np.uint8))
    (tmp_path / "photos/train/broken.jpg").write_bytes(b"\xff\xd8\xff")
    (tmp_path / "photos/train/empty.png").write_bytes(b"")
    write_picture(tmp_path / "photos/train/tiny.png", np.zeros((5, 5, 3), np.uint8))
    process = stage("prepare", "photos", "frames", "out")
    out, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert "6 photos, 6 frames, 3 pictures set aside" in out


def test_a_student_that_distillation_made_worse_is_kept(stage, small_recipe, small_data, tmp_path, student):
    """It begins as its teacher: nothing can be nearer."""
    save_generator(tmp_path / "same.safetensors", student)
    recipe = merged(small_recipe, {"distill": {"fine_tune": {"steps": 2, "rate": 0.1, "freeze_norm": False}}})
    process = stage("distill", "same.safetensors", "same.safetensors", small_data, "none", "out", recipe=recipe)
    out, errors = process.communicate(timeout=240)
    assert process.returncode == 0, errors
    assert "it is kept as it was" in out
    assert json.loads((tmp_path / "out/summary.json").read_text())["kept_start"] is True
    left = load_generator(tmp_path / "out/distilled.safetensors").state_dict()
    assert all(torch.equal(value, left[name]) for name, value in student.state_dict().items())
