"""Which stages an edit changes, asked of DVC: the real `dvc.yaml` and code, with commands that take no time."""

import shutil
from contextlib import chdir
from pathlib import Path

import pytest
import yaml
from dvc.repo import Repo

from tests.tasks.conftest import ROOT

CODE = ("anime_app", "anime_model", "benchmarks", "flows", "tasks", "tools")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # DVC's own


def command(outs: list[str]) -> str:
    """A shell command that makes every out of a stage: a file where it has a suffix, else a folder with a file."""
    files = [out if Path(out).suffix else f"{out}/one.txt" for out in outs]
    return " && ".join(f"mkdir -p $(dirname {file}) && echo made > {file}" for file in files)


def paths(entries: list) -> list[str]:
    return [path for entry in entries for path in ([entry] if isinstance(entry, str) else entry)]


def quick(stages: dict) -> dict:
    """The declared stages, doing nothing."""
    for name, stage in stages.items():
        outs = paths([*stage.get("outs", []), *stage.get("metrics", []), *stage.get("plots", [])])
        drawn = ["data/${item.set}/photos", "data/${item.set}/frames/cel"]
        stage["cmd"] = command(drawn if name == "generate" else outs)
    return stages


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """A copy of the project in which every stage has run."""
    root = tmp_path_factory.mktemp("project")
    for room in CODE:
        shutil.copytree(ROOT / room, root / room, ignore=shutil.ignore_patterns("__pycache__", "*.onnx"))
    declared = yaml.safe_load((ROOT / "dvc.yaml").read_text())
    (root / "dvc.yaml").write_text(yaml.safe_dump({"stages": quick(declared["stages"])}))
    shutil.copy(ROOT / "recipes/demo.yaml", root / "params.yaml")
    Repo.init(str(root), no_scm=True).close()
    with chdir(root), Repo() as repo:  # DVC names stages as seen from the current folder
        repo.reproduce()
    assert changed(root) == set()
    return root


def changed(root: Path) -> set[str]:
    """The stages that DVC would run again, without their style."""
    with chdir(root), Repo() as repo:
        return {name.partition("@")[0] for name in repo.status()}


def changed_by(root: Path, file: str, old: str | None = None, new: str = "") -> set[str]:
    """What an edit of a file changes: a comment at its end, or `new` for `old` in it. The file is put back."""
    path = root / file
    before = path.read_bytes()
    text = before.decode()
    assert old is None or old in text, f"{file} has no {old!r}"
    path.write_text(f"{text}# edited\n" if old is None else text.replace(old, new, 1))
    try:
        return changed(root)
    finally:
        path.write_bytes(before)


@pytest.mark.parametrize(
    "file",
    [
        "anime_model/report/charts.py",
        "anime_model/report/figures.py",
        "anime_model/report/report.html.jinja",
        "anime_model/runtime/palettes.py",
        "anime_model/recipes/promote.py",
        "anime_model/recipes/checks.py",
        "anime_model/recipes/recipe.py",
        "anime_app/studio/theme.py",
        "flows/registry/gates.py",
        "benchmarks/readme.py",
        "tools/ship.py",
    ],
)
def test_what_only_people_see_changes_no_stage(project: Path, file: str):
    assert changed_by(project, file) == set()


def test_a_loss_of_distillation_does_not_touch_the_teacher(project: Path):
    found = changed_by(project, "anime_model/compression/distillation.py")
    assert found == {"replace_convs", "prune", "distill", "quantize"}


def test_a_loss_that_the_teacher_has_too_changes_all_that_train(project: Path):
    found = changed_by(project, "anime_model/training/losses.py")
    assert found == {"train_teacher", "replace_convs", "prune", "distill", "quantize"}


def test_a_figure_changes_the_evaluation_alone(project: Path):
    assert changed_by(project, "anime_model/metrics/lpips.py") == {"evaluate"}


def test_a_bound_of_promotion_changes_nothing_and_a_width_the_teacher(project: Path):
    assert changed_by(project, "params.yaml", "fid_ratio: 1.05", "fid_ratio: 1.2") == set()
    assert changed_by(project, "params.yaml", "width: 0.375", "width: 0.5") == {"train_teacher"}


@pytest.mark.parametrize(
    ("settings", "stages"),
    [
        ("teacher", {"train_teacher"}),
        ("distillation", {"replace_convs", "prune", "distill", "quantize"}),
        ("replace_convs", {"replace_convs"}),
        ("prune", {"prune"}),
        ("distill", {"distill"}),
        ("quantize", {"quantize"}),
        ("evaluate", {"evaluate"}),
        ("data", {"generate", "prepare"}),
    ],
)
def test_the_settings_of_a_stage_change_it_alone(project: Path, settings: str, stages: set[str]):
    assert changed_by(project, f"anime_model/recipes/{settings}.py") == stages
