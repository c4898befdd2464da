"""MLflow's pages over the project's store: `python -m flows.registry.page [--port N]`, which `make mlflow` starts."""

from flows.machine.environment import WORKSPACE  # first: the tools read their settings when they are imported

# isort: split

import argparse
import os
import socket
import sys
from functools import partial

import mlflow

from flows.machine.numbers import whole
from flows.machine.redact import redact
from flows.registry.versions import make_store, registry_error

PORT = 5000


def taken(port: int) -> bool:
    """Whether another program serves there: MLflow's workers would try again and again, and say so in pages."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m flows.registry.page", description="MLflow's pages.")
    parser.add_argument(
        "--port", type=partial(whole, most=65535), default=PORT, help=f"where to serve (default: {PORT})"
    )
    port = parser.parse_args().port
    if taken(port):
        again = f"python -m flows.registry.page --port {port + 1}"
        print(f"error: port {port} is taken, by MLflow already or another program; elsewhere: {again}", file=sys.stderr)
        return 1
    uri = mlflow.get_tracking_uri()
    if uri.startswith("http"):
        print(f"MLflow's pages are where MLFLOW_TRACKING_URI says: {redact(uri)}")
        return 0
    try:
        make_store(uri)
    except Exception as error:  # a file that is no store: SQLite's errors, SQLAlchemy's, MLflow's
        print(f"error: {registry_error(error)}", file=sys.stderr)
        return 1
    os.chdir(WORKSPACE)
    store = ["--backend-store-uri", uri, "--workers", "1", "--port", str(port)]
    os.execv(sys.executable, [sys.executable, "-m", "mlflow", "ui", *store])


if __name__ == "__main__":
    sys.exit(main())
