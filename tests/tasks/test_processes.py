import json

import pytest

from tests.tasks.conftest import merged

pytestmark = pytest.mark.slow


@pytest.mark.timeout(300)
def test_two_processes_train_one_teacher_and_one_student(started_stage, small_recipe, small_data, tmp_path):
    recipe = merged(small_recipe, {"training": {"devices": 2, "accelerator": "cpu"}})
    for name, arguments in {
        "train_teacher": ["cel", small_data, "reference", "teacher"],
        "replace_convs": ["teacher/teacher.safetensors", small_data, "reference", "separable"],
    }.items():
        process = started_stage(name, *arguments, recipe=recipe)
        out, errors = process.communicate(timeout=240)
        assert process.returncode == 0, errors
        assert out.count("step 20/") == 1, "only the first process speaks"
    assert json.loads((tmp_path / "teacher/summary.json").read_text())["origin"] == "trained"
    assert (tmp_path / "separable/separable.safetensors").exists()
