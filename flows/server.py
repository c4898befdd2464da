"""Prefect's server for the length of one flow, where no other one is there."""

import atexit
import os
import socket
import sys
import time
import urllib.request
from pathlib import Path

from prefect.context import refresh_global_settings_context

from flows.environment import PREFECT_PORT
from flows.group import end_group, start_group

PATIENCE = 120  # seconds; it takes 5 to 10 on two idle cores


class ServerError(RuntimeError):
    """Prefect's server did not start; the message is one line."""


def ensure_server(folder: Path) -> str:
    """The address of Prefect's pages, live while this process runs: the server that is set, else a new one.

    Prefect would start one by itself, but a worse one: it shows no pages, dies of the same Ctrl-C before it has noted
    how the run ended, and stays behind when the flow is killed. `folder` gets its log. Raises `ServerError`.
    """
    if url := os.environ.get("PREFECT_API_URL"):
        return url.removesuffix("/api")
    folder.mkdir(exist_ok=True)
    page = f"http://127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", page.split(":")[-1]]
    with (folder / "server.log").open("w") as log:
        process = start_group(command, folder, log)
    atexit.register(end_group, process)  # exits run backwards: Prefect's own, registered later, still reach the server
    import flows.registry  # noqa: F401  MLflow takes two seconds to import, which the server needs anyway

    deadline = time.monotonic() + PATIENCE
    while not answers(page):
        if process.poll() is not None or time.monotonic() > deadline:
            raise ServerError(f"Prefect's server did not start: see {folder / 'server.log'}")
        time.sleep(0.1)
    os.environ["PREFECT_API_URL"] = f"{page}/api"
    refresh_global_settings_context()
    return page


def free_port() -> int:
    """The port that Prefect is known by, else any."""
    for port in (PREFECT_PORT, 0):
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
