"""Stages with a tiny recipe and tiny data, each a process of its own."""

import os
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import yaml

from anime_model.demo.scenes import generate_demo
from anime_model.training.preparation import prepare
from benchmarks.rerun import merged
from tests.forking import python_with, start_server
from tests.support import graphs_folder

ROOT = Path(__file__).parents[2]
KNOWN_GRAPHS = "exports:trace_once"  # beside fork_server.py
SMALL = {  # progress is told at every tenth step: there are some more where a stage is killed at the first line
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
        "steps": 10,
        "snapshots": 2,
    },
    "distillation": {"batch": 2, "crop": 32},
    "replace_convs": {"fine_tune": {"steps": 14}},
    "prune": {"keep": 0.8, "rounds": 2, "sparsity_steps": 10, "fine_tune": {"steps": 10}},
    "distill": {"fine_tune": {"steps": 14}},
    "quantize": {"calibration": 2, "keep_float": ["layers.a0", "out"], "timing_size": 64, "fine_tune": {"steps": 14}},
    "evaluate": {"latency_size": 64, "latency_repeats": 3, "latency_threads": 1, "pictures": 1},
}


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


def stage_modules() -> tuple[list[str], list[str]]:
    """What all stages import of the project, and the stages themselves, which no server has imported."""
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"].values()
    files = {Path(dep) for stage in stages for dep in stage["deps"] if dep.endswith(".py")}
    names = {file: ".".join(file.with_suffix("").parts) for file in sorted(files)}
    shared = [name for file, name in names.items() if file.parent != Path("tasks")]
    return ["torch", "torch._dynamo", "onnxscript", "lightning_fabric", *shared], [
        name for name in names.values() if name not in shared
    ]


def make_python(folder: Path, **environment: str) -> Path:
    """A `python` whose stages are forked. What they export alike is traced once: see `tests/exports.py`."""
    return python_with(folder, dict.fromkeys(stage_modules()[1], _stage_server(**environment)))


@cache
def _stage_server(**environment: str) -> str:
    """One for all that ask for the same environment."""
    return start_server([*stage_modules()[0], KNOWN_GRAPHS], GRAPHS=str(graphs_folder()), **environment)


@pytest.fixture(scope="session")
def forking_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_python(tmp_path_factory.mktemp("forking"))


@pytest.fixture
def stage_of(tmp_path, small_recipe) -> Callable[..., Callable[..., subprocess.Popen]]:
    """Makes what starts a stage by some `python`, with these arguments in a workspace of its own, its output piped."""

    def start_by(python: Path | str) -> Callable[..., subprocess.Popen]:
        def start(name: str, *arguments: object, folder: Path = tmp_path, recipe: dict = small_recipe):
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "params.yaml").write_text(yaml.safe_dump(recipe))
            command = [str(python), "-m", f"tasks.{name}", *map(str, arguments)]
            environment = {**os.environ, "PYTHONPATH": str(ROOT), "ANIME_DEBUG": ""}
            pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
            return subprocess.Popen(command, cwd=folder, env=environment, **pipes)

        return start

    return start_by


@pytest.fixture
def stage(stage_of, forking_python) -> Callable[..., subprocess.Popen]:
    """Starts a stage that is forked: what all stages import is there."""
    return stage_of(forking_python)


@pytest.fixture
def started_stage(stage_of) -> Callable[..., subprocess.Popen]:
    """Starts a stage from the first line of Python on."""
    return stage_of(sys.executable)
