"""`anime serve`: the options of the service. FastAPI is imported when it is asked for, and never sooner."""

import argparse
import os

from anime_app.cli.numbers import port, positive, threads
from anime_model.pictures.cores import cores_here

NEEDED = ("fastapi", "starlette", "uvicorn", "httptools", "pydantic", "prometheus_client", "python_multipart")


def add_options(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    command.set_defaults(run=serve)
    add("--host", default="127.0.0.1", help="the address to listen on (default: this computer only)")
    add("--port", type=port, default=8000, help="0 takes a free one (default: %(default)s)")
    add("--style", action="append", help="a style, an ONNX file or models:/NAME@ALIAS; again for more (default: all)")
    add("--workers", type=threads, default=cores_here(), help="pictures drawn at once (default: all cores)")
    add("--threads", type=threads, default=1, help="cores of one picture (default: %(default)s)")
    add("--queue", type=positive, default=64, help="requests that may wait; more are told to come back (%(default)s)")
    add("--timeout", type=positive, default=60, metavar="SECONDS", help="for waiting and drawing (%(default)s)")
    add("--max-pixels", type=positive, default=50_000_000, help="refuse pictures with more (default: %(default)s)")
    add("--max-upload", type=positive, default=40, metavar="MB", help="refuse files with more (default: %(default)s)")
    token = os.environ.get("ANIME_SERVE_TOKEN")  # a command line can be read by everyone on the machine
    add("--token", default=token, help="requests must bear it (default: $ANIME_SERVE_TOKEN, else none is asked for)")
    add("--quiet", action="store_true", help="write no line for each request")


def serve(options: argparse.Namespace) -> int:
    """Serves until it is stopped. Raises `ValueError`, `OSError` in one line."""
    try:
        from anime_app.server.launch import serve as start
    except ModuleNotFoundError as error:
        if error.name not in NEEDED:
            raise
        raise ValueError(f"the service needs {error.name}: pip install 'animegan-lite[server]'") from error
    return start(options)
