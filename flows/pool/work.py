"""One worker of a pool, in the clone that is the current folder: `python -m flows.pool.work [--pool NAME]`.

What would go wrong later is looked at first: the servers, the remote, the data, the code, and that no other worker has
this clone. Then it becomes `prefect worker start`, which takes one run at a time.
"""

from flows.machine.environment import WORKSPACE, settings  # first: the tools read their settings when they are imported

# isort: split

import argparse
import os
import socket
import sys
import time

from prefect import get_client
from prefect.exceptions import ObjectNotFound

from anime_model.recipes.reading import RecipeError
from anime_model.recipes.recipe import load_recipe
from flows.machine.redact import redact
from flows.pipeline.graph import GraphError
from flows.pipeline.preflight import check_machine
from flows.pool.clone import CLONE, CloneError, check_code, own
from flows.pool.remote import RemoteError, open_remote
from flows.runs.console import guarded
from flows.runs.server import ServerError, answers

POOL = "animegan-lite"
DEPLOYMENT = "compress/style"
PATIENCE = 10.0  # seconds
HEARTBEAT = "30"  # seconds, the least that Prefect allows
WORKER_ERRORS = (CloneError, RemoteError, RecipeError, GraphError, ServerError)


def main() -> int:
    """2 and one line where this worker could do no run; else it stays until it is ended."""
    parser = argparse.ArgumentParser(prog="python -m flows.pool.work", description=__doc__.splitlines()[0])
    parser.add_argument("--pool", default=POOL, help="name of the work pool (default: %(default)s)")
    parser.add_argument("--name", default=f"{socket.gethostname()} {WORKSPACE.name}", help="of the worker")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    arguments = parser.parse_args()
    return guarded(lambda: _main(arguments), WORKER_ERRORS, arguments.debug)


def _main(arguments: argparse.Namespace) -> int:
    check_server()
    check_record()
    if not (WORKSPACE / ".dvc").is_dir():
        raise GraphError(f"{WORKSPACE} is no DVC project (no .dvc folder): run this in a clone of the project")
    lock = own(WORKSPACE)
    check_code(WORKSPACE, deployed_commit())
    open_remote(WORKSPACE).mark()
    check_machine(WORKSPACE, load_recipe(WORKSPACE / "params.yaml"))
    os.environ |= {
        CLONE: str(WORKSPACE),
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": HEARTBEAT,
        "PYTHONPATH": os.pathsep.join(filter(None, (str(WORKSPACE), os.environ.get("PYTHONPATH")))),
    }
    command = ["prefect", "worker", "start", "--type", "process", "--limit", "1"]
    command += ["--pool", arguments.pool, "--name", arguments.name]
    assert not lock.closed  # held by the process, through what it becomes
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", *command])


def check_server() -> None:
    """Raises `ServerError` where no server of Prefect is named, or none answers there."""
    url = os.environ.get("PREFECT_API_URL")
    if not url:
        raise ServerError("PREFECT_API_URL is not set: name the Prefect server that all workers share")
    deadline = time.monotonic() + PATIENCE  # a busy server may be slower than one question waits for
    while not answers(url.removesuffix("/api")):
        if time.monotonic() < deadline:
            time.sleep(1)
            continue
        raise ServerError(f"Prefect does not answer at {redact(url)}: start it, or correct PREFECT_API_URL")


def check_record() -> None:
    """Raises `ServerError` where MLflow would be this clone's own file, or does not answer."""
    if os.environ["MLFLOW_TRACKING_URI"] == settings(WORKSPACE)["MLFLOW_TRACKING_URI"]:
        raise ServerError("MLFLOW_TRACKING_URI is not set: each clone would keep a record of its own")
    import mlflow  # takes two seconds

    from flows.registry.versions import registry_error

    try:
        mlflow.MlflowClient().search_experiments(max_results=1)
    except Exception as error:  # its client raises whatever the network raises
        raise ServerError(f"{registry_error(error)}; start it, or correct MLFLOW_TRACKING_URI") from error


def deployed_commit() -> str:
    """The commit that is deployed; empty where nothing is yet."""
    with get_client(sync_client=True) as client:
        try:
            return client.read_deployment_by_name(DEPLOYMENT).parameters.get("commit") or ""
        except ObjectNotFound:
            return ""


if __name__ == "__main__":
    sys.exit(main())
