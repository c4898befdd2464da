import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from anime_model.recipes.promote import PromoteSettings
from anime_model.recipes.recipe import load_recipe
from anime_model.recipes.training import TrainingSettings
from tasks.shared import learning
from tasks.shared.learning import fingerprint, precision
from tests.tasks.conftest import ROOT


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [({"amx_bf16": True}, "bf16-mixed"), ({"avx512_bf16": True}, "bf16-mixed"), ({"avx2": True}, "32-true")],
)
def test_auto_takes_bf16_only_where_the_processor_multiplies_in_it(monkeypatch, capabilities, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    assert precision(TrainingSettings(accelerator="cpu", precision="auto")) == expected


def test_auto_is_32_bits_where_pytorch_cannot_tell(monkeypatch):
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert precision(TrainingSettings(accelerator="cpu", precision="auto")) == "32-true"


@pytest.mark.parametrize(("native", "expected"), [(True, "bf16-mixed"), (False, "32-true")])
def test_auto_asks_the_gpu_where_there_is_one(monkeypatch, native, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: native)
    assert precision(TrainingSettings(accelerator="auto", precision="auto")) == expected


def test_a_named_precision_is_taken_as_it_is():
    assert precision(TrainingSettings(accelerator="cpu", precision="bf16-mixed")) == "bf16-mixed"


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """A copy of the code, whose resume files are asked for."""
    for room in ("anime_model", "tasks"):
        shutil.copytree(ROOT / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__", "*.onnx"))
    shutil.copy(ROOT / "dvc.yaml", tmp_path)
    (tmp_path / "data.txt").write_text("pictures")
    monkeypatch.setattr(learning, "PROJECT", tmp_path)
    return tmp_path


def test_unfinished_work_is_known_by_the_code_of_its_own_stage(project):
    recipe = load_recipe(ROOT / "recipes/demo.yaml")

    def now(stage: str) -> str:
        return fingerprint(stage, recipe, [project / "data.txt"])

    def edited(file: str) -> set[str]:
        before = {stage: now(stage) for stage in ("train_teacher", "distill")}
        (project / file).write_text((project / file).read_text() + "# edited\n")
        return {stage for stage, known in before.items() if known != now(stage)}

    assert edited("anime_model/runtime/palettes.py") == set()
    assert edited("anime_model/report/charts.py") == set()
    assert edited("anime_model/compression/distillation.py") == {"distill"}
    assert edited("anime_model/training/teacher.py") == {"train_teacher"}
    assert edited("data.txt") == edited("anime_model/training/loop.py") == {"train_teacher", "distill"}


def test_unfinished_work_is_known_by_the_params_of_its_own_stage(project):
    recipe, inputs = load_recipe(ROOT / "recipes/demo.yaml"), [project / "data.txt"]
    before = fingerprint("train_teacher", recipe, inputs)
    others = replace(recipe, promote=PromoteSettings(fid_ratio=9.0), prune=replace(recipe.prune, keep=0.5))
    assert fingerprint("train_teacher", others, inputs) == before
    assert fingerprint("train_teacher", replace(recipe, seed=recipe.seed + 1), inputs) != before
    assert fingerprint("train_teacher", replace(recipe, teacher=replace(recipe.teacher, batch=7)), inputs) != before
