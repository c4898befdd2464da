"""Retraining as one machine runs it for years: PostgreSQL, MLflow's and Prefect's servers on it, a process worker."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import mlflow
import pytest

from flows.machine.group import end_group, start_group
from flows.registry.champion import CHAMPION, holder
from flows.runs.server import answers, free_port
from tests.flows.conftest import ROOT
from tests.flows.pipeline.test_run_stage import gone, hanging
from tests.flows.promoting import make_retrainable
from tests.flows.test_compress import post
from tests.flows.test_retrain import named, state_of, wait_for

pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(900),
    pytest.mark.filterwarnings("ignore:.*Any type hint:UserWarning"),  # MLflow about its own types, when imported
]
DEPLOYMENT = """
name: toy
pull:
  - prefect.deployments.steps.set_working_directory:
      directory: "{{ $PWD }}"
deployments:
  - name: retrain
    entrypoint: %s/flows/retrain.py:retrain
    work_pool: {name: toy}
    concurrency_limit: {limit: 1, collision_strategy: CANCEL_NEW}
"""


def binaries() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres")) or [Path(shutil.which("postgres") or "")]
    return found[-1].parent if found[-1].name else None


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[str]:
    """The address of a PostgreSQL server of the test's own, with the databases `mlflow` and `prefect`."""
    pytest.importorskip("psycopg2", reason="psycopg2 is not installed: pip install '.[postgres]'")
    folder = binaries()
    if folder is None:
        pytest.skip("PostgreSQL is not installed")
    data = tmp_path / "postgres"
    data.mkdir()
    user = ["runuser", "-u", "nobody", "--"] if os.getuid() == 0 else []  # PostgreSQL refuses to be root's
    if user:
        for path in (tmp_path, *tmp_path.parents[:3]):
            path.chmod(path.stat().st_mode | 0o011)
        shutil.chown(data, "nobody")
    port = free_port(0)
    initdb = [*user, str(folder / "initdb"), "-D", str(data), "-U", "anime", "-A", "trust", "--no-sync"]
    subprocess.run(initdb, check=True, capture_output=True, cwd="/")
    command = [*user, str(folder / "postgres"), "-D", str(data), "-p", str(port), "-k", str(data), "-F"]
    process = start_group([*command, "-c", "listen_addresses=127.0.0.1"], Path("/"), subprocess.DEVNULL)
    ready = [str(folder / "pg_isready"), "-h", "127.0.0.1", "-p", str(port)]
    assert wait_for(lambda: subprocess.run(ready, capture_output=True).returncode == 0)
    for name in ("mlflow", "prefect"):
        create = [str(folder / "createdb"), "-h", "127.0.0.1", "-p", str(port), "-U", "anime", name]
        subprocess.run(create, check=True, capture_output=True)
    yield f"anime@127.0.0.1:{port}"
    end_group(process)


def test_a_worker_retrains_with_everything_on_postgresql(toy: Path, postgres: str):
    make_retrainable(toy)
    mlflow_port, prefect_port = free_port(0), 0
    while prefect_port in (0, mlflow_port):
        import socket

        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            prefect_port = probe.getsockname()[1]
    page, store = f"http://127.0.0.1:{prefect_port}", f"http://127.0.0.1:{mlflow_port}"
    environment = {
        "PREFECT_API_URL": f"{page}/api",
        "PREFECT_API_DATABASE_CONNECTION_URL": f"postgresql+asyncpg://{postgres}/prefect",
        "PREFECT_WORKER_QUERY_SECONDS": "1",
        "PWD": str(toy),  # as a shell keeps it: prefect.yaml reads it
        "PYTHONPATH": str(ROOT),
        "MLFLOW_TRACKING_URI": store,
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        mlflow_server = [sys.executable, "-m", "mlflow", "server", "--port", str(mlflow_port), "--workers", "1"]
        mlflow_server += ["--backend-store-uri", f"postgresql+psycopg2://{postgres}/mlflow"]
        mlflow_server += ["--artifacts-destination", str(toy.parent / "files")]
        prefect = [sys.executable, "-m", "prefect"]
        running = [
            logged(mlflow_server, toy.parent, "mlflow.log"),
            logged([*prefect, "server", "start", "--port", str(prefect_port)], toy.parent, "prefect.log"),
        ]
        try:
            assert wait_for(lambda: answers(page), 180)
            assert wait_for(lambda: healthy(store), 180), (toy.parent / "mlflow.log").read_text()[-2000:]
            (toy / "prefect.yaml").write_text(DEPLOYMENT % ROOT)
            for command in (["work-pool", "create", "toy", "--type", "process"], ["--no-prompt", "deploy", "--all"]):
                subprocess.run([*prefect, *command], check=True, capture_output=True)
            running.append(
                logged([*prefect, "worker", "start", "--pool", "toy", "--type", "process"], toy, "worker.log")
            )
            deployment = named(f"{page}/api", "retrain/retrain")
            run = post(
                f"{page}/api", f"deployments/{deployment['id']}/create_flow_run", {"state": {"type": "SCHEDULED"}}
            )
            ended = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
            wait_for(lambda: state_of(f"{page}/api", run["id"]) in ended, 600)
            assert state_of(f"{page}/api", run["id"]) == "COMPLETED", (toy / "worker.log").read_text()[-3000:]
            mlflow.set_tracking_uri(store)
            for model in ("animegan-cel", "animegan-ink"):
                assert int(holder(mlflow.MlflowClient(), model, CHAMPION).version) == 2
        finally:
            mlflow.set_tracking_uri(None)
            for process in reversed(running):
                end_group(process)


def logged(command: list[str], folder: Path, name: str) -> subprocess.Popen:
    with (folder / name).open("w") as log:
        return start_group(command, folder, log)


def healthy(address: str) -> bool:
    import urllib.request

    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
            f"{address}/health", timeout=2
        ) as answer:
            return answer.status == 200
    except OSError:
        return False


ENDS = {  # how a run ends: what the toy does, what is done to it, its last state, a line of the log
    "cancelled": ("hang", True, "CANCELLED", "Cancelled flow run"),
    "failed": ("fail", False, "FAILED", "train_teacher@cel: ValueError: the toy breaks"),
}


@pytest.mark.parametrize("end", ENDS)
def test_a_run_that_does_not_complete_leaves_no_traceback_in_the_workers_log(
    toy: Path, empty_store: Path, prefect_api: str, end: str
):
    """The log says in lines what happened; a stage that hung is gone with its children."""
    trouble, cancel, state, said = ENDS[end]
    make_retrainable(toy)
    shutil.copy(empty_store, toy / "mlflow.db")
    settings = {"PREFECT_API_URL": prefect_api, "PWD": str(toy), "PYTHONPATH": str(ROOT)}
    settings |= {"MLFLOW_TRACKING_URI": "sqlite:///mlflow.db", "PREFECT_WORKER_QUERY_SECONDS": "1"}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (settings | {"TOY": f"{trouble} train_teacher@cel"}).items():
            patch.setenv(name, value)
        prefect = [sys.executable, "-m", "prefect"]
        (toy / "prefect.yaml").write_text((DEPLOYMENT % ROOT).replace("toy", end))
        for command in (["work-pool", "create", end, "--type", "process"], ["--no-prompt", "deploy", "--all"]):
            subprocess.run([*prefect, *command], check=True, capture_output=True)
        worker = logged([*prefect, "worker", "start", "--pool", end, "--type", "process"], toy, "worker.log")
        try:
            create = f"deployments/{named(prefect_api, 'retrain/retrain')['id']}/create_flow_run"
            run = post(prefect_api, create, {"state": {"type": "SCHEDULED"}})["id"]
            if cancel:
                pids = hanging(toy, patience=180)
                post(prefect_api, f"flow_runs/{run}/set_state", {"state": {"type": "CANCELLING", "name": "Cancelling"}})
            assert wait_for(lambda: state_of(prefect_api, run) == state, 240)
            assert wait_for(lambda: said in (toy / "worker.log").read_text(), 60), (toy / "worker.log").read_text()
            assert not cancel or wait_for(lambda: gone(pids))
        finally:
            end_group(worker)
    assert "Traceback" not in (toy / "worker.log").read_text()
