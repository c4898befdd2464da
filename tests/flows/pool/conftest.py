"""A project, a remote beside it, and workers of Prefect in clones of their own."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import HTTPError

import psutil
import pytest

from flows.machine.group import end_group, start_group
from tests.flows.conftest import ROOT
from tests.flows.test_compress import post
from tests.flows.test_retrain import named, state_of, wait_for
from tests.flows.toy import dvc, git

DEPLOYMENTS = """
name: toy
deployments:
  - name: style
    entrypoint: %s/flows/compress.py:compress
    parameters: {commit: "{{ $ANIME_COMMIT }}"}
    pull:
      - flows.pool.steps.enter_clone: {}
"""
ENDED = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")


@dataclass
class Pool:
    """Clones of `origin`, and what runs in them."""

    origin: Path
    api: str
    environment: dict[str, str]
    running: dict[str, subprocess.Popen] = field(default_factory=dict)

    def clone(self, name: str, data: bool = True) -> Path:
        target = self.origin.parent / name
        git("clone", "-q", str(self.origin), str(target))
        for folder in ("photos", "frames") if data else ():
            if (self.origin / folder).is_dir():
                shutil.copytree(self.origin / folder, target / folder, dirs_exist_ok=True)
        return target

    def command(self, clone: Path, module: str, *arguments: str) -> list[str]:
        return [sys.executable, "-m", f"flows.pool.{module}", *arguments]

    def settings(self, **others: str) -> dict[str, str]:
        return os.environ | {"PREFECT_API_URL": self.api, "PYTHONPATH": str(ROOT), **self.environment, **others}

    def run(self, clone: Path, module: str, *arguments: str, **others: str) -> subprocess.CompletedProcess:
        """`python -m flows.pool.MODULE`, which is expected to end by itself."""
        done = subprocess.run(
            self.command(clone, module, *arguments),
            cwd=clone,
            env=self.settings(PWD=str(clone), **others),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert "Traceback" not in done.stdout + done.stderr, done.stderr
        return done

    def prepare(self, clone: Path) -> None:
        done = self.run(clone, "prepare", "--pool", self.name)
        assert done.returncode == 0, done.stderr

    @property
    def name(self) -> str:
        """Of the work pool."""
        return f"pool of {self.origin.parent.name}"

    def work(self, clone: Path) -> None:
        """Starts a worker in `clone`; its log is `worker.log` there."""
        others = {"PWD": str(clone), "PREFECT_WORKER_QUERY_SECONDS": "2", "PREFECT_WORKER_PREFETCH_SECONDS": "0"}
        environment = self.settings(**others)
        with (clone / "worker.log").open("w") as log:
            self.running[clone.name] = start_group(
                self.command(clone, "work", "--pool", self.name), clone, log, environment
            )

    def log(self, clone: Path) -> str:
        return (clone / "worker.log").read_text()

    def kill(self, clone: Path) -> None:
        """SIGKILL for the worker and all that it has started, wherever it stands."""
        process = self.running.pop(clone.name)
        with suppress(psutil.NoSuchProcess):
            all_of_it = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
            for each in all_of_it:
                with suppress(psutil.NoSuchProcess):
                    each.send_signal(signal.SIGKILL)
        end_group(process)

    def start(self, **parameters: object) -> str:
        """A run of the deployment; its id."""
        deployment = named(self.api, "compress/style")
        content = {"state": {"type": "SCHEDULED"}, "parameters": parameters}
        return wait_for(lambda: self._created(f"deployments/{deployment['id']}/create_flow_run", content))["id"]

    def _created(self, path: str, content: dict) -> dict | None:
        try:
            return post(self.api, path, content)
        except HTTPError as error:
            if error.code != 503:  # SQLite is busy with another writer
                raise
            return None

    def wait(self, run: str, patience: float = 240) -> tuple[str, str]:
        """How a run ended: the type of its state, and what it said."""
        wait_for(lambda: state_of(self.api, run) in ENDED, patience)
        found = post(self.api, "flow_runs/filter", {"flow_runs": {"id": {"any_": [run]}}})[0]["state"]
        return found["type"], found["message"] or ""

    def end(self) -> None:
        for process in self.running.values():
            end_group(process)


def ran(*clones: Path) -> list[str]:
    """Stages that were really run, by what DVC said in the logs of `clones`: one name for each time."""
    logs = [log for clone in clones for log in sorted((clone / "scratch/logs").glob("*@*.log"))]
    return sorted(log.stem for log in logs for line in log.read_text().splitlines() if line.startswith("Running stage"))


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """The remote: a folder."""
    folder = tmp_path / "store"
    folder.mkdir()
    return folder


@pytest.fixture
def pool(toy: Path, store: Path, prefect_api: str, tmp_path: Path) -> Iterator[Pool]:
    """A toy project that has a remote and a deployment, and nothing that runs yet."""
    dvc("remote", "add", "-d", "store", str(store))
    (toy / "prefect.yaml").write_text(DEPLOYMENTS % ROOT)
    with (toy / ".gitignore").open("a") as file:
        file.write("/scratch/\n*.log\n")
    git("add", "-A", "--", ".dvc/config", "prefect.yaml", ".gitignore")
    git("commit", "-qm", "a remote and a deployment")
    made = Pool(toy, prefect_api, {"MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db"})
    yield made
    made.end()
