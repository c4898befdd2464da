"""Imports point one way, and a stage's code is among its dependencies."""

import ast
from pathlib import Path

import pytest
import yaml

ROOMS = ("anime_model", "tasks", "flows", "anime_app", "benchmarks")
STAGES = yaml.safe_load(Path("dvc.yaml").read_text())["stages"]
# A room, and what it may import of this project.
ALLOWED = {
    "anime_model": ("anime_model",),
    "tasks": ("tasks", "anime_model"),
    "flows": ("flows", "tasks", "anime_model"),
    "anime_app": ("anime_app", "anime_model.runtime", "anime_model.weights"),
}
KEPT_OUT = {
    "anime_model": ("prefect", "dvc", "mlflow", "gradio", "argparse", "typer"),
    "anime_model/runtime": ("torch", "torchvision", "prefect", "dvc", "mlflow", "pandas"),
    "tasks": ("prefect", "dvc", "mlflow"),
    "anime_app": ("torch", "prefect", "dvc", "mlflow", "pandas"),
}


# What a module reads at run time from beside it.
LOADED = {
    "anime_model/networks/perceptual.py": "anime_model/weights/perceptual.safetensors",
    "anime_model/evaluation/report.py": "anime_model/evaluation/report.html.jinja",
}


def imports(file: Path) -> set[str]:
    """Names of the modules that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def file_of(module: str) -> Path | None:
    path = Path(module.replace(".", "/") + ".py")
    return path if path.is_file() else None


def reached(file: Path) -> set[Path]:
    """All first-party files that a file imports, directly or not, itself included."""
    seen, waiting = set(), [file]
    while waiting:
        current = waiting.pop()
        if current not in seen:
            seen.add(current)
            waiting += [path for module in imports(current) if (path := file_of(module))]
    return seen


def below(module: str, roots: tuple[str, ...]) -> bool:
    return any(module == root or module.startswith(root + ".") for root in roots)


@pytest.mark.parametrize("room", ALLOWED)
def test_imports_point_one_way(room):
    for file in Path(room).rglob("*.py"):
        wrong = [name for name in imports(file) if below(name, ROOMS) and not below(name, ALLOWED[room])]
        assert not wrong, f"{file} imports {wrong}"


@pytest.mark.parametrize("room", KEPT_OUT)
def test_tools_stay_out_of_rooms_that_do_not_know_them(room):
    for file in Path(room).rglob("*.py"):
        if file.name not in ("pyfunc.py", "from_mlflow.py"):  # what MLflow loads, and what loads MLflow when asked to
            wrong = [name for name in imports(file) if below(name, KEPT_OUT[room])]
            assert not wrong, f"{file} imports {wrong}"


def test_the_runtime_needs_nothing_of_the_training_code():
    for file in Path("anime_model/runtime").rglob("*.py"):
        assert all(path.parts[1] == "runtime" for path in reached(file)), file


@pytest.mark.parametrize("stage", STAGES)
def test_every_module_of_a_stage_is_among_its_dependencies(stage):
    """A forgotten code dependency is a stage that DVC takes to be unchanged when it is not."""
    deps = {Path(dep) for dep in STAGES[stage]["deps"]}
    wanted = reached(Path("tasks") / f"{stage}.py")
    assert not (missing := wanted - deps), f"add to {stage}'s deps: {sorted(map(str, missing))}"
    unneeded = {dep for dep in deps if dep.suffix == ".py"} - wanted
    assert not unneeded, f"{stage} no longer imports {sorted(map(str, unneeded))}"


@pytest.mark.parametrize("stage", STAGES)
def test_files_that_modules_load_are_dependencies_too(stage):
    deps = set(STAGES[stage]["deps"])
    for module, file in LOADED.items():
        assert (file in deps) == (module in deps), f"{stage}: {module} loads {file}"


def test_stages_run_as_the_pipeline_says():
    order = [
        "generate",
        "prepare",
        "reference",
        "train_teacher",
        "replace_convs",
        "prune",
        "distill",
        "quantize",
        "export",
        "evaluate",
    ]
    assert list(STAGES) == order


def test_package_markers_are_empty():
    assert all(not file.read_text() for room in ROOMS for file in Path(room).rglob("__init__.py"))
