import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.tasks.conftest import ROOT, merged

pytestmark = pytest.mark.long  # a minute: what two processes learn is in tests/training/test_together.py
STAGES = {
    "train_teacher": ["cel", "DATA", "reference", "teacher"],
    "replace_convs": ["teacher/teacher.safetensors", "DATA", "reference", "separable"],
    "prune": ["cel", "separable/separable.safetensors", "teacher/teacher.safetensors", "DATA", "reference", "pruned"],
    "distill": ["pruned/pruned.safetensors", "teacher/teacher.safetensors", "DATA", "reference", "distilled"],
    "quantize": ["distilled/distilled.safetensors", "teacher/teacher.safetensors", "DATA", "reference", "quantized"],
}
PHASES = {"prune": 3}  # sparsity, then two rounds


@pytest.mark.timeout(900)
def test_two_processes_make_one_of_everything_and_one_of_them_plans(started_stage, small_recipe, small_data, tmp_path):
    """Every stage that trains, saving after every step; where INT8 goes is decided by times, which one takes."""
    recipe = merged(small_recipe, {"training": {"devices": 2, "accelerator": "cpu"}})
    for name, arguments in STAGES.items():
        given = [str(small_data) if argument == "DATA" else argument for argument in arguments]
        process = planned(tmp_path, given) if name == "quantize" else started_stage(name, *given, recipe=recipe)
        out, errors = process.communicate(timeout=240)
        assert process.returncode == 0, errors
        told = [line for line in out.splitlines() if line.startswith("step 20/") and "loss=" in line]
        assert len(told) == PHASES.get(name, 1), f"{name}: only the first process speaks\n{out}"
        assert not list((tmp_path / "scratch").glob("*/*")), f"{name} left resume files behind"
    assert json.loads((tmp_path / "teacher/summary.json").read_text())["origin"] == "trained"
    assert (tmp_path / "quantized/quantized.safetensors").exists()
    assert (tmp_path / "planned.txt").read_text() == "process 0\n"


def planned(folder: Path, arguments: list[str]) -> subprocess.Popen:
    program = str(Path(__file__).with_name("planning.py"))
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "ANIME_DEBUG": ""}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    assert yaml.safe_load((folder / "params.yaml").read_text())["training"]["devices"] == 2
    return subprocess.Popen([sys.executable, program, *arguments], cwd=folder, env=environment, **pipes)
