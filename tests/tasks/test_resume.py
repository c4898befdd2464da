"""kill -9 in the middle of every training stage: the next run ends with the files of an unbroken one.

The run that goes on comes from another interpreter: it shares nothing with the others, not even the order of a set.
"""

import shutil
from pathlib import Path

import pytest

from benchmarks.rerun import merged
from tests.tasks.conftest import make_python

pytestmark = pytest.mark.long  # twenty processes of PyTorch; `make test` breaks the same trainings off in one

# Stage: the folder that it writes, its inputs below the style's folder.
TEACHER, PICTURES = "teacher/teacher.safetensors", "reference/pictures"
STAGES = {
    "train_teacher": ("teacher", ["data", PICTURES]),
    "replace_convs": ("separable", [TEACHER, "data", PICTURES]),
    "prune": ("pruned", ["separable/separable.safetensors", TEACHER, "data", PICTURES]),
    "distill": ("distilled", ["pruned/pruned.safetensors", TEACHER, "data", PICTURES]),
    "quantize": ("quantized", ["distilled/distilled.safetensors", TEACHER, "data", PICTURES]),
}


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def run(process) -> None:
    _, errors = process.communicate(timeout=240)
    assert process.returncode == 0, errors


def kill_after(process, lines: int) -> None:
    """SIGKILL after so many lines of progress."""
    for _ in range(lines):
        assert process.stdout.readline().startswith("step ")
    process.kill()
    process.communicate()
    assert process.returncode == -9


@pytest.mark.timeout(900)
def test_every_training_stage_survives_a_kill(stage, stage_of, small_recipe, small_data, tmp_path):
    unsaved = merged(small_recipe, {"training": {"save_every": 600}})  # the unbroken run saves nothing on its way
    other_stage = stage_of(make_python(tmp_path / "other", PYTHONHASHSEED="7"))
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    shutil.copytree(small_data, whole / "cel/data")
    (whole / "cel/reference/pictures").mkdir(parents=True)
    for name, (out, inputs) in STAGES.items():
        arguments = ["cel"] * (name in ("train_teacher", "prune")) + [f"cel/{path}" for path in (*inputs, out)]
        run(stage(name, *arguments, folder=whole, recipe=unsaved))
        shutil.copytree(whole / "cel", broken / "cel", dirs_exist_ok=True, ignore=shutil.ignore_patterns(out))
        kill_after(stage(name, *arguments, folder=broken), 1)
        assert not (broken / "cel" / out).exists(), f"{name} wrote results before it had them"
        run(other_stage(name, *arguments, folder=broken))
        assert contents(broken / "cel" / out) == contents(whole / "cel" / out), name
        assert not list((broken / "scratch").glob("*/*")), f"{name} left resume files behind"
