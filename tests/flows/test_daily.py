"""The daily way of docs/operations.md: change data, make, push, pull in a second clone, go back."""

import csv
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.flows.promoting import draw_pictures, run
from tests.flows.test_compress import last_run, trace
from tests.flows.toy import dvc, git

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]
STORE = {"MLFLOW_TRACKING_URI": "sqlite:///mlflow.db"}


def test_data_change_are_shared_and_gone_back_from(
    tracked: Path, empty_store: Path, prefect_api: str, monkeypatch: pytest.MonkeyPatch
):
    shutil.copy(empty_store, tracked / "mlflow.db")
    options = {"PREFECT_API_URL": prefect_api, **STORE}
    draw_pictures(tracked / "photos" / "train" / "more", 3, seed=9)
    trace(tracked)
    done = run("flows.compress", **options)
    assert done.returncode == 0, done.stderr
    assert "photos has changed (27 files, 24 before): `git add photos.dvc` keeps this version" in done.stderr
    assert {stage for _, stage, _ in trace(tracked)} >= {"train_teacher@cel", "evaluate@ink"}
    assert last_run(prefect_api)[1]["data"] == "Completed"
    git("commit", "-qam", "photos, version 2")
    dvc("push", "-q")

    clone = tracked.parent / "clone"
    git("clone", "-q", str(tracked), str(clone))
    monkeypatch.chdir(clone)
    shutil.copy(empty_store, clone / "mlflow.db")
    done = run("flows.compress", **options)
    assert done.returncode == 1
    assert "error: data: frames/cel was missing" in done.stderr
    assert "`dvc pull frames/cel.dvc` brings them" in done.stderr
    dvc("pull", "-q")
    done = run("flows.compress", **options)
    assert (done.returncode, trace(clone)) == (0, []), done.stderr
    assert "registered animegan-cel 1 (teacher)" in done.stderr, "in the clone's own MLflow"

    git("checkout", "-q", "HEAD~1", "--", "photos.dvc", "dvc.lock")
    dvc("pull", "-q")
    done = run("flows.compress", **options)
    assert (done.returncode, trace(clone)) == (0, []), done.stderr
    assert len(list(Path("photos").rglob("*.png"))) == 24


def test_a_trial_beside_the_workspace_has_the_data_that_dvc_tracks(tracked: Path, monkeypatch: pytest.MonkeyPatch):
    """`dvc exp run --temp`: a person's own photos come along, and the workspace stays as it is."""
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "toy")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "toy@example.org")
    before = {name: (tracked / name).read_bytes() for name in ("dvc.lock", "params.yaml", "photos.dvc")}
    dvc("exp", "run", "--temp", "-S", "prune.rounds=2")
    assert {name: (tracked / name).read_bytes() for name in before} == before
    shown = subprocess.run(
        [sys.executable, "-m", "dvc", "exp", "show", "--csv"], capture_output=True, text=True, check=True
    )
    trials = [row for row in csv.DictReader(shown.stdout.splitlines()) if row["typ"] == "branch_base"]
    assert [row["prune.rounds"] for row in trials] == ["2"]
