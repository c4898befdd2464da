"""Retraining as people, schedules and workers start it."""

import contextlib
import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import mlflow
import pytest

from anime_model.recipes.reading import RecipeError
from flows import retrain as retraining
from flows.registry.champion import CHALLENGER, CHAMPION, PREVIOUS, holder
from flows.runs.console import DROPPED
from tests.flows.pipeline.test_run_stage import gone, hanging
from tests.flows.promoting import draw_pictures, make_retrainable, run, start
from tests.flows.test_compress import last_run, post, trace

pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(900),  # seven processes and more, each of which imports Prefect, DVC and MLflow
    pytest.mark.filterwarnings("ignore:.*Any type hint:UserWarning"),  # MLflow about its own types, when imported
]
STORE = {"MLFLOW_TRACKING_URI": "sqlite:///mlflow.db"}


@pytest.fixture
def project(toy: Path, empty_store: Path) -> Path:
    make_retrainable(toy)
    shutil.copy(empty_store, toy / "mlflow.db")
    return toy


def aliases(root: Path, model: str = "animegan-cel") -> tuple[int | None, ...]:
    client = mlflow.MlflowClient(f"sqlite:///{root}/mlflow.db")
    found = [holder(client, model, alias) for alias in (CHAMPION, CHALLENGER, PREVIOUS)]
    return tuple(int(version.version) if version else None for version in found)


def dvc(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "dvc", *arguments], check=True, capture_output=True)


@pytest.fixture
def webhook() -> Iterator[tuple[str, list[dict]]]:
    """The address of a receiver, and what it has received."""
    heard: list[dict] = []

    class Receiver(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/secret-token", heard
    server.shutdown()
    server.server_close()


def save_block(api: str, address: str) -> None:
    """A notification block as a person makes it once."""
    program = (
        "import sys; from prefect.blocks.notifications import CustomWebhookNotificationBlock as Hook; "
        "Hook(name='team', url=sys.argv[1], json_data={'said': '{{subject}} / {{body}}'}).save('team', overwrite=True)"
    )
    subprocess.run([sys.executable, "-c", program, address], env=os.environ | {"PREFECT_API_URL": api}, check=True)


def test_newest_data_become_the_champion(project: Path, prefect_api: str, webhook: tuple[str, list[dict]]):
    """Photos come from a DVC remote that is a folder; the second time there are more of them, the third time none."""
    store = project.parent / "store"
    shutil.copytree(project / "photos", store)
    shutil.rmtree(project / "photos")
    dvc("import-url", str(store), "photos")
    address, heard = webhook
    save_block(prefect_api, address)
    options = ("flows.retrain", "--notify", "custom-webhook/team")
    first = run(*options, PREFECT_API_URL=prefect_api, **STORE)
    assert first.returncode == 0, first.stderr
    assert (aliases(project), aliases(project, "animegan-ink")) == ((2, None, None), (2, None, None))
    assert "promote@cel: promoted: animegan-cel 2 (passed 1 gates)" in first.stdout
    assert "retrain: completed / promote@cel: promoted" in heard[0]["said"]
    assert "secret-token" not in first.stdout + first.stderr
    trace(project)

    draw_pictures(store / "train" / "more", 20, seed=9)
    second = run(*options, PREFECT_API_URL=prefect_api, **STORE)
    assert second.returncode == 0, second.stderr
    assert "dvc update photos.dvc" in second.stderr
    assert len(list((project / "photos" / "train").rglob("*.png"))) == 40
    assert aliases(project) == (3, None, 2), "its network is nearer to the teacher"
    assert {stage for _, stage, _ in trace(project)} >= {"train_teacher@cel", "export@ink"}
    checks = [artifact for artifact in post(prefect_api, "artifacts/filter", {}) if artifact["key"] == "data-checks"]
    assert any("shift since the last run" in check["data"] for check in checks)

    third = run(*options, PREFECT_API_URL=prefect_api, **STORE)
    assert (third.returncode, trace(project), aliases(project)) == (0, [], (3, None, 2))
    assert "promote@cel: nothing new: version 3 is the champion" in third.stdout
    state, tasks = last_run(prefect_api)
    assert (state, tasks["train_teacher@cel"], tasks["register"], tasks["promote@ink"]) == (
        "Completed", "Cached", "Cached", "Cached",
    )  # fmt: skip


def test_data_outside_the_bounds_stop_it_before_any_training(project: Path, prefect_api: str):
    shutil.copy(project / "photos" / "test" / "faces" / "0.png", project / "photos" / "train" / "again.png")
    (project / "photos" / "train" / "0.png").write_bytes(b"broken")
    from PIL import Image

    with Image.open(project / "photos" / "test" / "faces" / "1.png") as picture:
        picture.resize((80, 80)).save(project / "photos" / "train" / "larger.jpg")
    done = run("flows.retrain", PREFECT_API_URL=prefect_api, **STORE)
    assert (done.returncode, trace(project)) == (1, [])
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert errors[0].startswith(
        "error: check data: unusable pictures (share): 0.0238, at most 0.02 (photos/train/0.png"
    )
    assert errors[1] == (
        "error: check data: test photos that look like train photos: 1, at most 0 "
        "(photos/test/faces/1.png is like photos/train/larger.jpg)"
    )
    assert "--accept-data goes on" in errors[2]
    assert "check data" in last_run(prefect_api)[1]
    done = run("flows.retrain", "--accept-data", "--no-promote", PREFECT_API_URL=prefect_api, **STORE)
    assert done.returncode == 0, done.stderr
    assert aliases(project) == (None, 2, None)


def test_a_run_that_is_under_way_is_not_started_twice(project: Path, prefect_api: str):
    first = start("flows.retrain", PREFECT_API_URL=prefect_api, TOY="hang train_teacher@cel", **STORE)
    pids = hanging(project, patience=120)
    second = run("flows.retrain", PREFECT_API_URL=prefect_api, **STORE)
    assert second.returncode == 2
    assert "error: not started: another flow works in this folder: wait until it ends" in second.stderr
    assert last_run(prefect_api)[0] == "Cancelled"
    first.terminate()
    out, err = first.communicate(timeout=60)
    assert "Traceback" not in out + err
    assert first.returncode == 130
    assert gone(pids)


def test_cancelling_at_prefect_ends_a_run_that_no_worker_started(project: Path, prefect_api: str):
    flow = start("flows.retrain", PREFECT_API_URL=prefect_api, TOY="hang train_teacher@cel", **STORE)
    pids = hanging(project, patience=120)
    one = post(prefect_api, "flow_runs/filter", {"sort": "START_TIME_DESC", "limit": 1})[0]["id"]
    post(prefect_api, f"flow_runs/{one}/set_state", {"state": {"type": "CANCELLING", "name": "Cancelling"}})
    out, err = flow.communicate(timeout=60)
    assert "Traceback" not in out + err
    assert (flow.returncode, err.splitlines()[-1]) == (1, "error: stopped; finished stages are kept and the stopped "
                                                          "one goes on from where it was")  # fmt: skip
    assert state_of(prefect_api, one) == "CANCELLED"
    assert gone(pids)


def test_a_killed_run_is_not_shown_as_running_for_ever(project: Path, prefect_api: str):
    flow = start("flows.retrain", PREFECT_API_URL=prefect_api, TOY="hang train_teacher@cel", **STORE)
    pids = hanging(project, patience=120)
    one = post(prefect_api, "flow_runs/filter", {"sort": "START_TIME_DESC", "limit": 1})[0]["id"]
    flow.kill()
    flow.communicate(timeout=60)
    assert gone(pids)
    done = run("flows.retrain", PREFECT_API_URL=prefect_api, **STORE)
    assert done.returncode == 0, done.stderr
    assert state_of(prefect_api, one) == "CRASHED"


def test_served_runs_come_one_at_a_time(project: Path, prefect_api: str):
    """`--serve` with a schedule: two runs asked for at once are one run and one that is cancelled."""
    served = start("flows.retrain", "--serve", "--cron", "0 3 * * 1", PREFECT_API_URL=prefect_api,
                   TOY="hang train_teacher@cel", **STORE)  # fmt: skip
    try:
        deployment = wait_for(lambda: named(prefect_api, "retrain/retrain"))
        assert deployment["schedules"][0]["schedule"]["cron"] == "0 3 * * 1"
        planned = wait_for(lambda: planned_runs(prefect_api, deployment["id"]))
        assert "T03:00:00" in planned[0]["expected_start_time"], "the server plans the runs of the schedule"
        create = f"deployments/{deployment['id']}/create_flow_run"
        one = post(prefect_api, create, {"state": {"type": "SCHEDULED"}})["id"]
        pids = hanging(project, patience=120)
        two = post(prefect_api, create, {"state": {"type": "SCHEDULED"}})["id"]
        assert wait_for(lambda: state_of(prefect_api, two) == "CANCELLED")
        assert state_of(prefect_api, one) == "RUNNING"
    finally:
        served.terminate()
        served.communicate(timeout=60)
    assert gone(pids)


def planned_runs(api: str, deployment: str) -> list[dict]:
    wanted = {"deployments": {"id": {"any_": [deployment]}}, "flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}}}
    return post(api, "flow_runs/filter", wanted | {"sort": "EXPECTED_START_TIME_ASC"})


def wait_for(condition, patience: float = 90):
    deadline = time.monotonic() + patience
    while not (found := condition()) and time.monotonic() < deadline:
        time.sleep(0.3)
    return found


def named(api: str, name: str) -> dict | None:
    flow, deployment = name.split("/")
    wanted = {"deployments": {"name": {"any_": [deployment]}}, "flows": {"name": {"any_": [flow]}}}
    return next(iter(post(api, "deployments/filter", wanted)), None)


def state_of(api: str, run: str) -> str:
    return post(api, "flow_runs/filter", {"flow_runs": {"id": {"any_": [run]}}})[0]["state_type"]


def test_a_served_run_that_is_cancelled_leaves_a_line_and_no_traceback(project: Path, prefect_api: str):
    """What its terminal, and that of a worker, shows: what people should know, and nothing about Prefect itself."""
    served = start("flows.retrain", "--serve", PREFECT_API_URL=prefect_api, TOY="hang train_teacher@cel", **STORE)
    try:
        deployment = wait_for(lambda: named(prefect_api, "retrain/retrain"))
        create = f"deployments/{deployment['id']}/create_flow_run"
        one = post(prefect_api, create, {"state": {"type": "SCHEDULED"}})["id"]
        pids = hanging(project, patience=120)
        post(prefect_api, f"flow_runs/{one}/set_state", {"state": {"type": "CANCELLING", "name": "Cancelling"}})
        assert wait_for(lambda: state_of(prefect_api, one) == "CANCELLED")
        assert wait_for(lambda: gone(pids))
    finally:
        served.terminate()
        out, err = served.communicate(timeout=60)
    assert "Traceback" not in out + err
    assert "RuntimeWarning" not in err
    assert [words for words in DROPPED if words in err] == []
    assert f"Cancelled flow run 'params · cel+ink · {git_head(project)[:7]}'" in err


def git_head(root: Path) -> str:
    return subprocess.run(["git", "rev-parse", "HEAD"], cwd=root, capture_output=True, text=True, check=True).stdout


def test_a_fault_is_told_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """A full disk, a fault of the program: who waits for word of a nightly run hears of every end."""
    heard: list[tuple[list[str], str, str]] = []

    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(retraining, "WORKSPACE", tmp_path)
    monkeypatch.setattr(retraining, "only_flow", lambda root: contextlib.nullcontext("note"))
    monkeypatch.setattr(retraining, "own_run", lambda note, stop: contextlib.nullcontext(Event()))
    monkeypatch.setattr(retraining, "use_recipe", full)
    monkeypatch.setattr(retraining, "KNOWN", (RecipeError,))
    monkeypatch.setattr(retraining, "tell", lambda *told: heard.append(told))
    with pytest.raises(OSError, match="No space left"):
        retraining.retrain.fn(notify=["slack-webhook/team"])
    assert [(blocks, subject) for blocks, subject, _ in heard] == [(["slack-webhook/team"], "retrain: failed")]
    assert "No space left on device" in heard[0][2]
