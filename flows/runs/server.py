"""Prefect's server for the length of one flow, where no other one is there."""

import atexit
import gc
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

from prefect.context import refresh_global_settings_context

from flows.machine.environment import PREFECT_PORT, found_server, running_server
from flows.machine.group import end_group, start_group

PATIENCE = 120  # seconds; it takes 5 to 10 on two idle cores
RESTARTS = 5  # a server that was killed or ran out of memory comes back; one that cannot live does not for ever


class ServerError(RuntimeError):
    """Prefect's server did not start; the message is one line."""


def ensure_server(folder: Path) -> str:
    """The address of Prefect's pages, live while this process runs: the server that is set, else a new one.

    Prefect would start one by itself, but a worse one: it shows no pages, dies of the same Ctrl-C before it has noted
    how the run ended, and stays behind when the flow is killed. `folder` gets its log. Raises `ServerError`.
    """
    if found_server() and running_server(Path(os.environ["PREFECT_HOME"])) != found_server():
        del os.environ["PREFECT_API_URL"]  # it was a flow's own, which has ended since this process began
    if url := os.environ.get("PREFECT_API_URL"):
        return url.removesuffix("/api")
    folder.mkdir(exist_ok=True)
    (folder / "server.log").unlink(missing_ok=True)
    # Twice: a flow in another folder that starts at the same moment may be given the same port, and be quicker.
    server = _started(folder) or _started(folder)
    if not server:
        raise ServerError(f"Prefect's server did not start: see {folder / 'server.log'}")
    threading.Thread(target=server.keep_up, daemon=True).start()
    os.environ["PREFECT_API_URL"] = f"{server.page}/api"
    refresh_global_settings_context()
    return server.page


def _started(folder: Path) -> "_Server | None":
    server = _Server(folder, free_port())
    atexit.register(server.end)  # exits run backwards: Prefect's own, registered later, still reach the server
    _import_tools()
    return server if server.comes_up() else None


def _import_tools() -> None:
    """MLflow takes seconds of a processor, which the server needs to start anyway: half of them would come at the first
    question to a store. DVC imports libraries of git's when it opens a project.

    What modules make stays: looking for garbage among it would take a third of the time now, and much of a run later.
    """
    gc.disable()
    try:
        import dvc.scm  # noqa: F401

        import flows.registry.champion  # noqa: F401

        if os.environ.get("MLFLOW_TRACKING_URI", "").startswith("sqlite:"):
            import mlflow.store.model_registry.sqlalchemy_store
            import mlflow.store.tracking.sqlalchemy_store  # noqa: F401
    finally:
        gc.freeze()
        gc.enable()


class _Server:
    """A server that is started again when it dies: Prefect's client waits a minute for an address that has answered."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port, self.page = folder, port, f"http://127.0.0.1:{port}"
        self._ended, self._lock = threading.Event(), threading.Lock()
        self._process = self._start()

    def _start(self) -> subprocess.Popen:
        command = ["-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(self.port)]
        with (self.folder / "server.log").open("a") as log:
            return start_group([sys.executable, *command], self.folder, log)

    def comes_up(self) -> bool:
        """Whether it answers, and no other one at its port, before it dies or patience ends."""
        deadline = time.monotonic() + PATIENCE
        while not running_server(Path(os.environ["PREFECT_HOME"]), self.port):
            if self._process.poll() is not None or time.monotonic() > deadline:
                return False
            time.sleep(0.1)
        return True

    def keep_up(self) -> None:
        for _ in range(RESTARTS):
            self._process.wait()
            with self._lock:
                if self._ended.is_set():
                    return
                end_group(self._process)  # what its death has left
                self._process = self._start()

    def end(self) -> None:
        self._ended.set()
        with self._lock:
            end_group(self._process)


def free_port(wanted: int = PREFECT_PORT) -> int:
    """The port that Prefect is known by, or another `wanted` one, else any."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # the last run's connections may linger
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return probe.getsockname()[1]
    raise ServerError("no free port on this machine for Prefect's server")


def answers(page: str) -> bool:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(f"{page}/api/health", timeout=2) as answer:
            return answer.status == 200
    except OSError:
        return False
