"""A registered version made again from its commit, recipe and data."""

import subprocess
import sys
from pathlib import Path

import mlflow
import pytest

from flows.registry.versions import register
from flows.reproduce import ReproductionError, _compare_outs, find_version, reproduce_version
from tests.flows.promoting import make_retrainable, run
from tests.flows.registry.test_versions import store  # noqa: F401  a fixture

pytestmark = [
    pytest.mark.long,
    pytest.mark.filterwarnings("ignore:.*Any type hint:UserWarning"),  # MLflow about its own types, when imported
]


def make(root: Path) -> None:
    """The project with photos, of which DVC tracks the train ones only as `dvc add` leaves it."""
    make_retrainable(root)
    subprocess.run([sys.executable, "-m", "dvc", "add", "-q", "photos"], cwd=root, check=True, capture_output=True)
    commit = "git -c user.name=toy -c user.email=toy@example.org commit -qam data"
    for command in ("git add -A .", commit, f"{sys.executable} -m dvc repro -q"):
        subprocess.run(command.split(), cwd=root, check=True, capture_output=True)


def test_a_version_is_made_again_after_everything_has_changed(made: Path, store: mlflow.MlflowClient):  # noqa: F811
    (made / ".gitignore").write_text((made / ".gitignore").read_text() + "/frames/\n")
    make(made)
    work = made / "work.py"
    work.write_text(work.read_text() + "# not committed\n")
    register(made, ["cel"])
    for name in ("0.png", "1.png"):  # other data, another recipe, other code
        (made / "photos" / "train" / name).unlink()
    recipe = made / "params.yaml"
    recipe.write_text(recipe.read_text().replace("rounds: 3", "rounds: 9"))
    work.write_text("broken")

    done = run("flows.reproduce", "animegan-cel/2", "--keep")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "animegan-cel 2 (int8): bit for bit"
    assert "train_teacher@cel: the recorded files" in done.stdout
    clone = made / "scratch" / "reproduced" / "animegan-cel-2" / "work"
    assert len(list((clone / "photos" / "train").iterdir())) == 20, "the data of that time"
    assert (clone / "work.py").read_text().endswith("# not committed\n")
    assert store.get_model_version("animegan-cel", "2").tags["reproduced"].startswith("bit for bit, ")
    assert recipe.read_text().count("rounds: 9") == 1, "the workspace is left alone"

    (made / "frames" / "cel" / "0.png").unlink()  # DVC does not track them: what they were is gone
    store.set_model_version_tag("animegan-cel", "2", "dvc_md5", "0" * 32)
    store.set_model_version_tag("animegan-cel", "2", "fid", "99")
    report = reproduce_version(made, find_version("animegan-cel/2"), clone.parent, 0.01, 600)
    assert report.verdict == "differs"
    assert "frames/cel: other data than recorded" in report.notes
    assert ("fid", 99.0, 12.25) in report.figures


def test_what_cannot_be_made_again_is_one_line(made: Path, store: mlflow.MlflowClient):  # noqa: F811
    with pytest.raises(ReproductionError, match="'x y' names no version: write animegan-shinkai/7"):
        find_version("x y")
    with pytest.raises(ReproductionError, match="MLflow has no animegan-cel/7"):
        find_version("animegan-cel/7")
    register(made, ["cel"])
    store.set_model_version_tag("animegan-cel", "2", "git_commit", "f" * 40)
    with pytest.raises(ReproductionError, match="git checkout: "):
        reproduce_version(made, find_version("models:/animegan-cel/2"), made / "scratch" / "again", 0.01, 60)
    store.delete_model_version_tag("animegan-cel", "2", "git_commit")
    with pytest.raises(ReproductionError, match="was not registered by this project"):
        find_version("animegan-cel/2")


def test_files_that_differ_are_named_and_what_cannot_be_the_same_is_said():
    then = dict.fromkeys(("a/quantized/sensitivity.csv", "a/evaluation/int8.json", "a/exports"), "1")
    reasons, times = (then | {name: "2"} for name in list(then)[:2])
    assert _compare_outs(then, then) == "the recorded files"
    assert _compare_outs(times, then) == "the recorded files but for times"
    assert _compare_outs(reasons, then) == "the recorded files but for why layers stay float"
    assert _compare_outs(then | {"a/exports": "2", "a/evaluation/int8.json": "3"}, then) == "other files (exports)"
