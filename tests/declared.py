"""The project's own pipeline after one `dvc repro`, made once for all tests: by its stages, with the recipe of
`benchmarks.rerun` and pictures that the first stage draws."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.rerun import lay_out, write_recipe
from tests.support import made_once
from tests.tasks.conftest import make_python

STYLE = "cel"
SEPARABLE = ("a2", "b0", "b1", "c0", "c5")
FLOAT = ("a0", "a1", *(f"{name}.{part}" for name in SEPARABLE for part in ("depthwise", "pointwise")))
TRUNK = [f"c{number}.{part}" for number in (1, 2, 3, 4) for part in ("expand", "depthwise", "project")]
CHANGES = {
    "data": {
        "generate": ["demo"],
        "photos": "data/demo/photos",
        "frames": "data/demo/frames",
        "generated": {"photos": 8, "frames": 8, "test": 2, "short_side": 64},
    },
    # By times alone no layer may be INT8. And a few steps make no network that bears all of it: what is rounded first
    # is shaken by all that follows.
    "quantize": {"keep_float": [f"layers.{name}" for name in (*FLOAT, *TRUNK)] + ["out"]},
}


def declared_project(factory: pytest.TempPathFactory) -> Path:
    def make(folder: Path) -> None:
        root = folder / "project"
        lay_out(root, STYLE)
        write_recipe(root, [STYLE], CHANGES)
        dvc(root, "repro", python=make_python(folder / "python"))

    return made_once(factory, "declared", make) / "project"


def dvc(project: Path, *arguments: str, python: Path = Path(sys.executable)) -> str:
    """What a command of DVC says; it must succeed. Its stages run by `python`."""
    path = os.pathsep.join([str(python.parent), os.environ["PATH"]])
    command = [sys.executable, "-m", "dvc", *arguments]
    done = subprocess.run(command, cwd=project, env=os.environ | {"PATH": path}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout
