"""Imports point one way, without a circle, and a stage's deps are the code that it imports: all of it, no more."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest
import yaml

STAGES = yaml.safe_load(Path("dvc.yaml").read_text())["stages"]
# A room, and the other rooms of this project that it may import from. A room below another one belongs to itself.
MAY_IMPORT = {
    # Names of networks, layers and kinds of pictures.
    "anime_model/recipes": ("anime_model/metrics", "anime_model/networks", "anime_model/reference"),
    "anime_model/pictures": (),
    "anime_model/figures": (),
    "anime_model/networks": ("anime_model/pictures",),
    "anime_model/reference": ("anime_model/pictures",),
    "anime_model/runtime": ("anime_model/pictures",),
    "anime_model/metrics": ("anime_model/networks", "anime_model/pictures"),
    "anime_model/training": (
        "anime_model/metrics",
        "anime_model/networks",
        "anime_model/pictures",
        "anime_model/recipes",
        "anime_model/reference",
    ),
    "anime_model/compression": (
        "anime_model/metrics",
        "anime_model/networks",
        "anime_model/pictures",
        "anime_model/recipes",
        "anime_model/training",
    ),
    "anime_model/demo": (
        "anime_model/networks",
        "anime_model/pictures",
        "anime_model/recipes",
        "anime_model/training",
    ),
    "anime_model/report": (
        "anime_model/figures",
        "anime_model/metrics",
        "anime_model/networks",
        "anime_model/pictures",
        "anime_model/recipes",
        "anime_model/runtime",
        "anime_model/training",  # the filter that networks are compared with is what a teacher may hold on to
    ),
    "anime_model/exporting": (
        "anime_model/demo",
        "anime_model/networks",  # how a pixel shuffle is spelled
        "anime_model/pictures",
        "anime_model/runtime",
    ),
    "tasks": ("anime_model",),
    "tools": ("anime_model", "tasks"),
    "flows/machine": (),
    "flows/pipeline": ("anime_model", "flows/machine", "tasks"),
    "flows/registry": ("anime_model", "flows/machine", "flows/pipeline", "tasks"),
    "flows/runs": ("anime_model", "flows/machine", "flows/pipeline", "flows/registry"),
    "flows/searching": ("anime_model", "flows/machine", "flows/pipeline", "flows/registry", "tasks"),
    "flows/pool": ("anime_model", "flows/machine", "flows/pipeline", "flows/registry", "flows/runs"),
    "flows": ("anime_model", "tasks"),
    "anime_app": ("anime_model/figures", "anime_model/pictures", "anime_model/runtime"),
    "anime_app/panel": ("anime_model/pictures", "anime_model/runtime"),
    "anime_app/studio": (
        "anime_app",
        "anime_app/panel",
        "anime_model/figures",
        "anime_model/pictures",
        "anime_model/runtime",
    ),
    "anime_app/server": ("anime_app", "anime_model/pictures", "anime_model/runtime"),
    "anime_app/bulk": ("anime_app", "anime_model/pictures", "anime_model/runtime"),
    "anime_app/cli": (
        "anime_app",
        "anime_app/bulk",
        "anime_app/server",
        "anime_app/studio",
        "anime_model/exporting",
        "anime_model/figures",
        "anime_model/pictures",
        "anime_model/runtime",
    ),
    "benchmarks": ("anime_app", "anime_model", "flows", "tasks"),
}
PACKAGES = tuple(dict.fromkeys(room.split("/")[0] for room in MAY_IMPORT))
FILES = [file for package in PACKAGES for file in sorted(Path(package).rglob("*.py")) if file.name != "__init__.py"]
KEPT_OUT = {
    "anime_model": ("prefect", "dvc", "mlflow", "gradio", "argparse", "typer"),
    "anime_model/figures": ("torch", "torchvision", "safetensors", "pandas"),
    "anime_model/pictures": ("torch", "torchvision", "safetensors", "pandas"),
    "anime_model/recipes": ("torch", "torchvision", "safetensors", "pandas"),
    "anime_model/reference": ("torch", "torchvision", "safetensors", "pandas"),
    "anime_model/runtime": ("torch", "torchvision", "prefect", "dvc", "mlflow", "pandas"),
    "tasks": ("prefect", "dvc", "mlflow"),
    "anime_app": ("torch", "prefect", "dvc", "mlflow", "pandas"),
}
# Modules of `tasks/` are stages, beside what they share.
SHARED = Path("tasks/shared")
# What a module reads at run time from beside it.
LOADED = {"anime_model/networks/perceptual.py": "anime_model/weights/perceptual.safetensors"}
# What people change often, and what no stage may depend on.
OF_NO_STAGE = (
    "anime_app",
    "anime_model/figures",
    "anime_model/report/charts.py",
    "anime_model/report/figures.py",
    "anime_model/report/report.html.jinja",
    "anime_model/recipes/checks.py",
    "anime_model/recipes/promote.py",
    "anime_model/recipes/recipe.py",
    "anime_model/runtime/palettes.py",
    "benchmarks",
    "flows",
    "tools",
)


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


def room_of(file: Path) -> str:
    """The innermost of the rooms that `file` stands in."""
    return max((room for room in MAY_IMPORT if file.is_relative_to(room)), key=len)


def next_to(file: Path) -> set[Path]:
    """First-party files that a file imports itself."""
    return {path for module in imports(file) if (path := file_of(module))} - {file}


def wrong_arrows(file: Path, arrows: set[Path]) -> list[Path]:
    """Imported files that stand in a room which the file's own may not import from."""
    room = room_of(file)
    allowed = (room, *MAY_IMPORT[room])
    if room == "flows":  # what a person starts stands above all rooms below it
        return [path for path in arrows if path.parts[0] not in allowed]
    return [path for path in arrows if room_of(path) not in allowed and path.parts[0] not in MAY_IMPORT[room]]


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_imports_point_one_way(room):
    for file in FILES:
        if room_of(file) == room:
            wrong = wrong_arrows(file, next_to(file))
            assert not wrong, f"{file} imports {sorted(map(str, wrong))}"


def test_every_module_stands_in_a_room():
    lost = [file for file in FILES if file.parent.as_posix() not in {*MAY_IMPORT, SHARED.as_posix()}]
    assert not lost, f"{lost} stand in no room"


def test_the_test_sees_a_wrong_arrow():
    above, below_it = Path("anime_model/report/report.py"), Path("anime_model/runtime/tiles.py")
    assert wrong_arrows(below_it, {above}) == [above]
    assert wrong_arrows(Path("flows/machine/lock.py"), {Path("flows/compress.py")})
    assert wrong_arrows(Path("anime_app/panel/store.py"), {Path("anime_app/studio/app.py")})
    assert not wrong_arrows(above, {Path("anime_model/pictures/arrays.py")})


def circle(arrows: dict[Path, set[Path]]) -> list[Path]:
    """Files that import each other in a circle; empty where there is none."""
    try:
        TopologicalSorter(arrows).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def test_no_imports_go_in_a_circle():
    assert not circle({file: next_to(file) for file in FILES})
    a, b = Path("a.py"), Path("b.py")
    assert circle({a: {b}, b: {a}})


def test_no_rooms_go_in_a_circle():
    rooms = {room: {other for other in others if other in MAY_IMPORT} for room, others in MAY_IMPORT.items()}
    assert not circle({Path(room): set(map(Path, others)) for room, others in rooms.items()})


@pytest.mark.parametrize("room", KEPT_OUT)
def test_tools_stay_out_of_rooms_that_do_not_know_them(room):
    for file in Path(room).rglob("*.py"):
        if file.name not in ("pyfunc.py", "from_mlflow.py"):  # what MLflow loads, and what loads MLflow when asked to
            wrong = [name for name in imports(file) if below(name, KEPT_OUT[room])]
            assert not wrong, f"{file} imports {wrong}"


def test_the_runtime_needs_nothing_of_the_training_code():
    for file in Path("anime_model/runtime").rglob("*.py"):
        assert all(path.parts[1] in ("runtime", "pictures") for path in reached(file)), file


def test_tasks_are_the_stages_and_nothing_else():
    assert {file.stem for file in Path("tasks").glob("*.py")} - {"__init__"} == set(STAGES)
    assert {file.stem for file in SHARED.glob("*.py")} - {"__init__"} == {"common", "distilling", "learning", "pins"}


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


@pytest.mark.parametrize("stage", STAGES)
def test_no_stage_depends_on_what_only_people_see(stage):
    deps = [Path(dep) for dep in STAGES[stage]["deps"]]
    assert not [dep for dep in deps for part in OF_NO_STAGE if dep.is_relative_to(part)]
    assert all(Path(part).exists() for part in OF_NO_STAGE)


def test_a_teacher_depends_on_no_compression():
    deps = STAGES["train_teacher"]["deps"]
    assert not [dep for dep in deps if dep.startswith("anime_model/compression") or "distill" in dep]


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
    assert all(not file.read_text() for room in PACKAGES for file in Path(room).rglob("__init__.py"))
