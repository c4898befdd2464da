"""Nothing that the tools write leaves the tests' folders, and one server of Prefect serves all flows of the session."""

import atexit
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from functools import cache
from pathlib import Path

import pytest

from tests.flows.forked import forking_python
from tests.flows.toy import dvc, git, make_project
from tests.support import made_once

ROOT = Path(__file__).parents[2]
HOME = Path(tempfile.mkdtemp(prefix="flows-tests-"))
SETTINGS = {
    "PREFECT_HOME": str(HOME / "prefect"),
    "MLFLOW_TRACKING_URI": f"sqlite:///{HOME}/mlflow.db",
    "DVC_SITE_CACHE_DIR": str(HOME / "dvc"),
    "DVC_GLOBAL_CONFIG_DIR": str(HOME / "dvc-config"),
    "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
}
# Of Prefect's services no test needs these; they took a quarter of its server's time.
IDLE = ("CANCELLATION_CLEANUP", "FOREMAN", "LATE_RUNS", "PAUSE_EXPIRATIONS", "REPOSSESSOR", "TRIGGERS")
os.environ |= SETTINGS  # here, not in a fixture: the tools read them when a test module imports them


@atexit.register  # after the last test of any folder
def _end() -> None:
    from flows.machine.group import end_group

    if _prefect_server.cache_info().currsize:
        end_group(_prefect_server()[1])
    shutil.rmtree(HOME, ignore_errors=True)


@pytest.fixture
def forked_dvc(monkeypatch: pytest.MonkeyPatch) -> None:
    """What this process starts of DVC is forked: see `forked.py`."""
    monkeypatch.setattr(sys, "executable", forking_python())


@pytest.fixture(scope="session")
def toy_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_once(tmp_path_factory, "toy", lambda folder: make_project(folder / "project")) / "project"


@pytest.fixture(scope="session")
def made_template(toy_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    def make(folder: Path) -> None:
        shutil.copytree(toy_template, folder / "project")
        dvc("repro", "-q", folder=folder / "project")

    return made_once(tmp_path_factory, "made", make) / "project"


@pytest.fixture
def toy(toy_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A toy project that has never run, as the current folder."""
    return _enter(toy_template, tmp_path, monkeypatch)


@pytest.fixture
def made(made_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A toy project after a plain `dvc repro`, as the current folder."""
    return _enter(made_template, tmp_path, monkeypatch)


def _enter(template: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = folder / "toy"
    shutil.copytree(template, root)
    monkeypatch.chdir(root)
    monkeypatch.setenv("HOME", str(folder / "home"))
    return root


@pytest.fixture(scope="session")
def tracked_template(toy_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A toy whose photos and frames DVC tracks, all made, committed and pushed to a remote beside it; an unrelated
    `.dvc` file too."""
    from tests.flows.promoting import make_retrainable

    def make(folder: Path) -> None:
        root = folder / "toy"
        shutil.copytree(toy_template, root)
        make_retrainable(root)
        (root / "unrelated.bin").write_text("nothing reads it")
        dvc("remote", "add", "-d", "store", str(folder / "remote"), folder=root)
        dvc("add", "photos", "frames/cel", "frames/ink", "unrelated.bin", folder=root)
        dvc("repro", "-q", folder=root)
        git("add", "-A", folder=root)
        git("commit", "-qm", "photos, version 1", folder=root)
        dvc("push", "-q", folder=root)

    return made_once(tmp_path_factory, "tracked", make) / "toy"


@pytest.fixture
def tracked(tracked_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """It, as the current folder; the remote is the template's, and only read."""
    root = tmp_path / "toy"
    shutil.copytree(tracked_template, root)
    monkeypatch.chdir(root)
    return root


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MLflow's database before its first use: it takes seconds to make its tables."""
    import mlflow

    def make(folder: Path) -> None:
        mlflow.MlflowClient(f"sqlite:///{folder}/mlflow.db").search_experiments()

    return made_once(tmp_path_factory, "mlflow", make) / "mlflow.db"


@cache
def _prefect_server() -> tuple[str, subprocess.Popen]:
    """One for all folders of tests whose conftest has the fixture below; its API's address and its process."""
    from flows.machine.group import start_group
    from flows.runs.server import answers

    with socket.socket() as probe:  # never the usual port: other sessions of tests may run on this machine
        probe.bind(("127.0.0.1", 0))
        page = f"http://127.0.0.1:{probe.getsockname()[1]}"
    command = [sys.executable, "-m", "prefect", "server", "start", "--port", page.rpartition(":")[2]]
    idle = {f"PREFECT_SERVER_SERVICES_{name}_ENABLED": "false" for name in IDLE}
    process = start_group(command, HOME, subprocess.DEVNULL, idle)
    deadline = time.monotonic() + 120
    while not answers(page) and time.monotonic() < deadline:
        time.sleep(0.1)
    return f"{page}/api", process


@pytest.fixture(scope="session")
def prefect_api() -> str:
    """The API of one Prefect server with a database of its own; it ends with the session."""
    return _prefect_server()[0]
