"""Seconds of a step, timed on noise."""

import json
from pathlib import Path

import pytest
import yaml

from tools import pace


@pytest.mark.parametrize("published", [False, True])
def test_both_kinds_of_teacher_and_the_student_are_timed(tmp_path: Path, published: bool):
    recipe = yaml.safe_load(Path("recipes/demo.yaml").read_text())
    small = {"width": 0.125, "crop": 32, "batch": 1, "warm_start": "", "pairs": {"crops": [32], "batch": 1}}
    if published:
        small |= {"reference": {"cel": "x.onnx"}, "reference_md5": {"cel": "0" * 32}}
        recipe["replace_convs"]["stem"] = "strided"  # as `anime compress` has it
    recipe["teacher"] |= small
    recipe["distillation"] |= {"crop": 32, "batch": 1}
    file, out = tmp_path / "recipe.yaml", tmp_path / "pace.json"
    file.write_text(yaml.safe_dump(recipe))
    pace.main([str(file), str(out)])
    found = json.loads(out.read_text())
    assert found["gpu"] is False
    assert 0 < found["student"] < 60
    assert 0 < found["teacher"] < 60
