"""Stages with a tiny recipe and tiny data, each a process of its own."""

import copy
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from anime_model.demo.scenes import generate_demo
from anime_model.training.preparation import prepare
from tests.tasks.forked import Forked

ROOT = Path(__file__).parents[2]
SMALL = {
    "data": {"photo_size": 48, "test_size": 48, "frame_size": 64, "smallest": 32},
    "training": {"threads": 1, "save_every": 0},
    "teacher": {
        "width": 0.125,
        "warm_start": "",
        "warm_start_md5": "",
        "discriminator_width": 8,
        "crop": 32,
        "batch": 2,
        "warm_up_steps": 10,
        "steps": 20,
        "snapshots": 2,
    },
    "distillation": {"batch": 2, "crop": 32},
    "replace_convs": {"fine_tune": {"steps": 20}},
    "prune": {"keep": 0.8, "rounds": 2, "sparsity_steps": 20, "fine_tune": {"steps": 20}},
    "distill": {"fine_tune": {"steps": 20}},
    "quantize": {"calibration": 2, "keep_float": ["layers.a0", "out"], "timing_size": 64, "fine_tune": {"steps": 20}},
    "evaluate": {"latency_size": 64, "latency_repeats": 3, "latency_threads": 1, "pictures": 1},
}


def merged(base: dict, changes: dict) -> dict:
    result = copy.deepcopy(base)
    for key, value in changes.items():
        result[key] = merged(result[key], value) if isinstance(value, dict) and key in result else value
    return result


@pytest.fixture(scope="session")
def small_recipe() -> dict:
    """The demo recipe, made as small as it can be."""
    return merged(yaml.safe_load((ROOT / "recipes/demo.yaml").read_text()), SMALL)


@pytest.fixture(scope="session")
def small_data(tmp_path_factory) -> Path:
    """Prepared data of a few generated pictures."""
    folder = tmp_path_factory.mktemp("small")
    generate_demo(folder / "demo", photos=8, frames=8, test=2, size=64, seed=5)
    sizes = {"photo_size": 48, "test_size": 48, "frame_size": 64, "smallest": 32}
    prepare(folder / "demo/photos", folder / "demo/frames/cel", folder / "data", **sizes)
    return folder / "data"


@pytest.fixture
def workplace(tmp_path, small_recipe) -> Callable[..., dict]:
    """Makes the folder in which a stage runs, and says how it runs there."""

    def make(folder: Path = tmp_path, recipe: dict = small_recipe) -> dict:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "params.yaml").write_text(yaml.safe_dump(recipe))
        return {"folder": folder, "environment": {**os.environ, "PYTHONPATH": str(ROOT), "ANIME_DEBUG": ""}}

    return make


@pytest.fixture
def stage(workplace) -> Callable[..., Forked]:
    """Starts a stage with these arguments in a workspace of its own, its output piped; what it imports is there."""
    return lambda name, *arguments, **where: Forked(name, [*map(str, arguments)], **workplace(**where))


@pytest.fixture
def started_stage(workplace) -> Callable[..., subprocess.Popen]:
    """The same as `python -m tasks.NAME ARGUMENTS`, from the first line of Python on."""

    def start(name: str, *arguments: object, **where: object) -> subprocess.Popen:
        command = [sys.executable, "-m", f"tasks.{name}", *map(str, arguments)]
        place = workplace(**where)
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(command, cwd=place["folder"], env=place["environment"], **pipes)

    return start
