"""kill -9 of everything, at random moments: `python -m pytest -m faults`.

`make test` kills a flow once (`test_faults.py`) and lets nothing recover, which takes the time of two runs.
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flows.runs.server import free_port
from tests.faults import harness
from tests.flows.test_compress import post

SEED = 20260601
POINTS = 5  # random moments for each victim

pytestmark = [pytest.mark.slow, pytest.mark.timeout(2400)]


def moments(victim: str, count: int = POINTS) -> list[float]:
    """Random shares of a run's length, spread so that no part of a run is left out."""
    draw = random.Random(f"{SEED} {victim}")
    return [round((index + draw.random()) / count, 3) for index in range(count)]


@pytest.mark.faults
def test_a_killed_flow_is_completed_by_the_next_and_shown_as_crashed(
    project: Path, undisturbed: dict[str, str], prefect_api: str
):
    """In the middle of the first stage."""
    flow = harness.start(project, PREFECT_API_URL=prefect_api)
    harness.wait_for(lambda: harness.running(project, "work.py"))
    harness.kill(flow)
    flow.wait()
    assert harness.empty(project)
    harness.recover(project, undisturbed, PREFECT_API_URL=prefect_api)
    states = [
        run["state_name"] for run in post(prefect_api, "flow_runs/filter", {"sort": "START_TIME_DESC", "limit": 2})
    ]
    assert states == ["Completed", "Crashed"], "the killed run is not shown as running for ever"


@pytest.mark.faults
@pytest.mark.parametrize("moment", moments("flow"))
def test_killed_flow(project: Path, undisturbed: dict[str, str], length: float, prefect_api: str, moment: float):
    """From the very first start on: MLflow's store is being made too."""
    flow = harness.start(project, PREFECT_API_URL=prefect_api)
    time.sleep(moment * length)
    harness.kill(flow)
    flow.wait()
    assert harness.empty(project)
    harness.recover(project, undisturbed, PREFECT_API_URL=prefect_api)


@pytest.mark.faults
@pytest.mark.parametrize("moment", moments("stage"))
def test_killed_stage(project: Path, undisturbed: dict[str, str], length: float, prefect_api: str, moment: float):
    """The stage's own process, DVC above it, or both, whatever runs at the moment."""
    draw = random.Random(moment)
    flow = harness.start(project, PREFECT_API_URL=prefect_api)
    harness.wait_for(lambda: harness.running(project, "work.py"))
    time.sleep(moment * length / 3)
    own = harness.wait_for(
        lambda: harness.running(project, "work.py") + harness.running(project, "repro") or flow.poll() is not None
    )
    for process in draw.sample(own, k=min(len(own), draw.choice((1, 2)))) if isinstance(own, list) else ():
        harness.kill(process)
    flow.wait(harness.PATIENCE)
    assert "Traceback" not in harness.said(project)
    assert harness.empty(project)
    harness.recover(project, undisturbed, PREFECT_API_URL=prefect_api)


@pytest.mark.faults
@pytest.mark.parametrize("moment", moments("prefect"))
def test_killed_prefect_server(
    project: Path, undisturbed: dict[str, str], with_stores: Callable[[Path], Path], length: float, moment: float
):
    """The server that a flow starts for itself comes back, and the run goes on or the next one completes it."""
    flow = harness.start(with_stores(project))
    harness.wait_for(lambda: "while this runs" in harness.said(project))
    time.sleep(moment * length / 2)
    for process in harness.running(project, "server"):
        harness.kill(process)
    flow.wait(harness.PATIENCE)
    assert "Traceback" not in harness.said(project)
    assert harness.empty(project)
    harness.recover(project, undisturbed)


@pytest.fixture
def mlflow_server(project: Path) -> Iterator[Callable[[], tuple[subprocess.Popen, str]]]:
    """Starts MLflow's server on the project's store, at the same address every time."""
    port, servers = free_port(0), []

    def serve() -> tuple[subprocess.Popen, str]:
        command = ["-m", "mlflow", "server", "--backend-store-uri", f"sqlite:///{project}/mlflow.db", "--workers", "1"]
        store = ["--artifacts-destination", str(project / "mlartifacts"), "--port", str(port)]
        lean = harness.environment(MLFLOW_SERVER_ENABLE_JOB_EXECUTION="false")
        with (project.parent / "mlflow.log").open("a") as log:
            server = subprocess.Popen(
                [sys.executable, *command, *store],
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd=project.parent,
                env=lean,
            )
        servers.append(server)
        address = f"http://127.0.0.1:{port}"
        harness.wait_for(lambda: _healthy(address))
        return server, address

    yield serve
    for server in servers:
        _kill_group(server)


def _healthy(address: str) -> bool:
    import urllib.request

    try:
        with urllib.request.urlopen(f"{address}/health", timeout=2) as answer:
            return answer.status == 200
    except OSError:
        return False


def _kill_group(server: subprocess.Popen) -> None:
    try:
        os.killpg(server.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    server.wait()


@pytest.mark.faults
@pytest.mark.parametrize("moment", moments("mlflow"))
def test_killed_mlflow_server(
    evaluated: Path,
    undisturbed: dict[str, str],
    mlflow_server: Callable[[], tuple[subprocess.Popen, str]],
    length: float,
    prefect_api: str,
    moment: float,
):
    """While it takes versions, the files and the figures of which go to it over the network."""
    server, address = mlflow_server()
    settings = {"MLFLOW_TRACKING_URI": address, "PREFECT_API_URL": prefect_api}
    flow = harness.start(evaluated, **settings)
    harness.wait_for(lambda: "evaluate@ink" in harness.said(evaluated))
    time.sleep(moment * length / 3)
    _kill_group(server)
    flow.wait(harness.PATIENCE)
    assert "Traceback" not in harness.said(evaluated)
    mlflow_server()
    harness.recover(evaluated, undisturbed, address, **settings)


def test_the_moments_are_the_same_every_time_and_cover_the_run():
    assert moments("flow") == moments("flow") != moments("stage")
    assert [int(moment * POINTS) for moment in moments("flow")] == list(range(POINTS))
    assert 4 * POINTS >= 20
