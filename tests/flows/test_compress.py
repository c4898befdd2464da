"""The flow as people start it: `python -m flows.compress` in a project."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from threading import Event
from types import SimpleNamespace

import mlflow
import pytest
from prefect.states import Completed

from flows import compress as compressing
from tests.flows.conftest import ROOT
from tests.flows.forked import forking_python
from tests.flows.pipeline.test_run_stage import gone, hanging

pytestmark = pytest.mark.slow
STAGES = [f"{kind}@{style}" for kind in ("train_teacher", "export", "evaluate") for style in ("cel", "ink")]


def start(*arguments: str, python: str = "", **environment: str) -> subprocess.Popen:
    """The flow in the current folder, with MLflow's store there too; it is forked unless a `python` is named."""
    return subprocess.Popen(
        [python or forking_python(), "-m", "flows.compress", *arguments],
        env=os.environ | {"PYTHONPATH": str(ROOT), "MLFLOW_TRACKING_URI": "sqlite:///mlflow.db"} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def compress(*arguments: str, **environment: str) -> subprocess.CompletedProcess:
    process = start(*arguments, **environment)
    out, err = process.communicate(timeout=200)
    assert "Traceback" not in out + err
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def errors(done: subprocess.CompletedProcess) -> list[str]:
    return [line for line in done.stderr.splitlines() if line.startswith("error: ")]


def trace(root: Path) -> list[list[str]]:
    """What ran, as [event, stage, time]; forgotten once told."""
    file = root / "trace.txt"
    events = [line.split() for line in file.read_text().splitlines()] if file.exists() else []
    file.unlink(missing_ok=True)
    return events


def post(api: str, path: str, content: dict) -> list[dict]:
    request = urllib.request.Request(
        f"{api}/{path}", json.dumps(content).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def last_run(api: str) -> tuple[str, dict[str, str]]:
    """The state of the last flow run, and the state of each of its task runs by name."""
    flow = post(api, "flow_runs/filter", {"sort": "START_TIME_DESC", "limit": 1})[0]
    wanted = {"flow_runs": {"id": {"any_": [flow["id"]]}}}
    deadline = time.monotonic() + 20
    while True:  # task runs reach the database a moment after the flow has ended
        tasks = {run["name"]: run["state_name"] for run in post(api, "task_runs/filter", wanted)}
        if time.monotonic() > deadline or not {"Pending", "Running", "Scheduled"} & set(tasks.values()):
            return flow["state_name"], tasks
        time.sleep(0.2)


def versions(root: Path) -> int:
    return len(mlflow.MlflowClient(f"sqlite:///{root}/mlflow.db").search_model_versions())


def test_the_first_run_does_everything_and_the_second_nothing(toy: Path, prefect_api: str):
    first = compress(python=sys.executable, PREFECT_API_URL=prefect_api)
    assert first.returncode == 0, first.stderr
    events = trace(toy)
    assert sorted(stage for event, stage, _ in events if event == "begin") == sorted(STAGES)
    evaluations = [(event, stage) for event, stage, _ in events if stage.startswith("evaluate")]
    assert [(event, stage) for event, stage, _ in events][-4:] == evaluations, "nothing runs beside an evaluation"
    assert [event for event, _ in evaluations] == ["begin", "end", "begin", "end"], "nor two evaluations"
    assert last_run(prefect_api) == ("Completed", dict.fromkeys([*STAGES, "register"], "Completed"))
    assert versions(toy) == 4
    run = post(prefect_api, "flow_runs/filter", {"sort": "START_TIME_DESC", "limit": 1})[0]
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True).stdout[:7]
    assert (run["name"], set(run["tags"])) == (f"demo · cel+ink · {commit}", {"demo", "cel", "ink", commit})
    wanted = {"flow_runs": {"id": {"any_": [run["id"]]}}, "task_runs": {"name": {"any_": ["register"]}}}
    (registered,) = post(prefect_api, "task_runs/filter", wanted)
    assert len(registered["task_inputs"]["wait_for"]) == 2, "the pages show what it waited for"

    assert "int8      2,143,552" in first.stdout
    assert "Report:  artifacts/ink/report.html" in first.stdout
    assert "make mlflow" in first.stdout
    kinds = {artifact["key"]: artifact["type"] for artifact in post(prefect_api, "artifacts/filter", {})}
    assert kinds["results"] == "table"
    assert kinds["pictures-cel"] == "image"
    assert kinds["train-teacher-cel"] == "progress"
    said = {artifact["key"]: artifact["description"] for artifact in post(prefect_api, "artifacts/filter", {})}
    assert said["train-teacher-cel"] == "train_teacher@cel: done"

    second = compress(PREFECT_API_URL=prefect_api)
    assert (second.returncode, trace(toy)) == (0, [])
    assert last_run(prefect_api) == ("Completed", dict.fromkeys([*STAGES, "register"], "Cached"))
    assert versions(toy) == 4
    assert second.stdout == first.stdout
    status = subprocess.run([sys.executable, "-m", "dvc", "status"], capture_output=True, text=True)
    assert "up to date" in status.stdout
    assert not (toy.parent / "home").exists(), "nothing is written to the home folder"


def test_what_a_plain_repro_made_is_cached_for_the_flow(made: Path, prefect_api: str):
    trace(made)
    assert compress("--targets", "export@cel", PREFECT_API_URL=prefect_api).returncode == 0
    assert trace(made) == []
    assert last_run(prefect_api)[1] == {"train_teacher@cel": "Cached", "export@cel": "Cached"}


def test_what_goes_wrong_costs_nothing_else(toy: Path, empty_store: Path, prefect_api: str):
    """One style fails, a stage of the other is killed once, and MLflow is away; then all is well again."""
    shutil.copy(empty_store, toy / "mlflow.db")
    away = "http://127.0.0.1:9"
    trouble = "fail export@ink, die export@cel"
    done = compress(PREFECT_API_URL=prefect_api, TOY=trouble, MLFLOW_TRACKING_URI=away)
    assert done.returncode == 1
    assert errors(done) == [
        "error: export@ink: ValueError: the toy breaks (all it said: scratch/logs/export@ink.log)",
        "error: not run for that reason: evaluate@ink",
        f"error: register: MLflow at {away} does not answer; the files are kept, "
        "`python -m flows.compress` registers them later",
    ]
    assert "Traceback" in (toy / "scratch" / "logs" / "export@ink.log").read_text()
    state, tasks = last_run(prefect_api)
    assert (state, tasks["export@ink"], tasks["evaluate@ink"]) == ("Failed", "Failed", "NotReady")
    assert (tasks["export@cel"], tasks["evaluate@cel"], tasks["register"]) == ("Completed", "Completed", "Failed")
    assert [stage for event, stage, _ in trace(toy) if event == "begin"].count("export@cel") == 2, "retried"

    assert compress(PREFECT_API_URL=prefect_api).returncode == 0
    assert {stage for _, stage, _ in trace(toy)} == {"export@ink", "evaluate@ink"}
    assert versions(toy) == 4, "what was finished before is registered now"


def test_ctrl_c_takes_everything_along(made: Path):
    """With a server of the flow's own, which the same Ctrl-C reaches in a terminal."""
    recipe = made / "params.yaml"
    recipe.write_text(recipe.read_text().replace("rounds: 3", "rounds: 2"))
    process = start(python=sys.executable, TOY="hang train_teacher@cel")
    pids = hanging(made, patience=120)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in out + err
    assert err.splitlines()[-1].startswith("error: stopped; finished stages are kept")
    assert gone(pids)
    assert [line for line in err.splitlines() if "Error" in line] == []


def test_bad_input_is_one_line_before_anything_starts(toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (toy / "bad.yaml").write_text((toy / "params.yaml").read_text().replace("rounds: 3", "rounds: many"))
    before = (toy / "params.yaml").read_text()
    done = compress("--recipe", "bad.yaml")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: bad.yaml: prune.rounds: expected a whole number, found 'many'\n"
    assert (toy / "params.yaml").read_text() == before
    monkeypatch.chdir(tmp_path)
    done = compress()
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"error: {tmp_path} is no DVC project (no .dvc folder): run this in a clone of the project\n"


def test_a_dry_run_says_what_would_run_and_starts_and_changes_nothing(made: Path):
    recipe = made / "params.yaml"
    recipe.write_text(recipe.read_text().replace("rounds: 3", "rounds: 4"))
    trace(made)
    done = compress("--dry-run", "--targets", "export@ink")
    assert (done.returncode, trace(made), done.stderr) == (0, [], "")
    assert done.stdout.splitlines() == [
        "train_teacher@ink  changed deps: params.yaml (prune.rounds); changed command; 3 steps",
        "export@ink         after train_teacher@ink",
        "2 stages would run, 0 are up to date",
    ]
    assert not (made / "mlflow.db").exists()


@pytest.mark.parametrize("hours", ["-1", "nan", "0", "inf", "soon"])
def test_no_step_can_take_such_a_time(hours: str, capsys: pytest.CaptureFixture):
    from flows.compress import _parser

    with pytest.raises(SystemExit):
        _parser().parse_args([f"--timeout-hours={hours}"])
    assert f"'{hours}' is no number of hours above 0" in capsys.readouterr().err


def test_a_prefect_that_is_away_is_said_without_a_class_of_python(toy: Path):
    done = compress(PREFECT_API_URL="http://127.0.0.1:9/api")
    assert done.returncode == 1
    assert errors(done) == [
        "error: Prefect does not answer at http://127.0.0.1:9/api: start it, or unset PREFECT_API_URL, and a server "
        "comes up by itself"
    ]


def test_an_unknown_target_is_one_line(toy: Path, prefect_api: str):
    done = compress("--targets", "nothing", PREFECT_API_URL=prefect_api)
    assert done.returncode == 1
    assert errors(done)[0].startswith("error: no stage 'nothing' in dvc.yaml: choose from ")


def test_networks_are_recorded_though_their_page_cannot_be_written(monkeypatch: pytest.MonkeyPatch):
    """Hours of training stand behind the figures; the page is made of them at any time."""
    recorded = []

    def full(root: Path, styles: list[str]) -> None:
        raise OSError(28, "No space left on device", "report.html")

    def record(styles: list[str], **options: object):
        recorded.extend(styles)
        return Completed()

    stage = SimpleNamespace(name="evaluate@cel", kind=compressing.RECORDED, style="cel")
    done = {stage.name: SimpleNamespace(state=Completed())}
    monkeypatch.setattr(compressing, "load_recipe", lambda path: SimpleNamespace(training=SimpleNamespace(devices=1)))
    monkeypatch.setattr(compressing, "gpus_to_use", lambda training: 0)
    monkeypatch.setattr(compressing, "stages_at_once", lambda training: 1)
    monkeypatch.setattr(compressing, "run_stages", lambda *arguments: done)
    monkeypatch.setattr(compressing, "get_run_logger", lambda: SimpleNamespace(info=print, warning=print))
    monkeypatch.setattr(compressing, "push_rest", lambda *arguments: [])
    monkeypatch.setattr(compressing, "write_reports", full)
    monkeypatch.setattr(compressing, "record", record)
    monkeypatch.setattr(compressing, "publish", lambda root, styles: None)
    styles, failed = compressing.run_pipeline([stage], Event(), 60)
    assert styles == recorded == ["cel"]
    assert failed == ["report: [Errno 28] No space left on device: 'report.html'"]
