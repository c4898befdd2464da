"""`anime studio`: starts the page. Gradio is imported here, when it is asked for, and never sooner."""

import argparse
import asyncio
import inspect
import logging
import os
import socket
import sys
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from anime_app.listening import end_cleanly, listening, share_memory, url_of
from anime_app.studio.folder import own_folder
from anime_app.studio.settings import Studio
from anime_app.terminal import say

GRACE = 2  # seconds that open connections get at the end


def studio(options: argparse.Namespace) -> int:
    """Serves until Ctrl-C. Raises `OSError`, `ValueError` with one line for people."""
    settings = settings_of(options)
    share_memory()
    try:
        with listening(options.host, options.port) as place, own_folder() as folder:
            prepare(folder)
            serve(settings, folder, place, options.open)
    except KeyboardInterrupt:
        _leave(130)
    except SystemExit as signalled:
        _leave(int(signalled.code or 0))
    return 0


def _leave(status: int) -> None:
    """At once: a thread in which a network still runs would be torn down in the middle, and abort the process."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def settings_of(options: argparse.Namespace) -> Studio:
    if options.project and not options.project.is_dir():
        raise ValueError(f"{options.project}: no such folder; --project names the root of a pipeline project")
    return Studio(
        project=options.project,
        tracking_uri=options.tracking_uri,
        token=options.token,
        database=options.database,
        threads=options.threads,
        concurrency=options.concurrency,
        queue_length=options.queue,
        max_pixels=options.max_pixels,
        max_upload=options.max_upload * 1_000_000,
    )


def prepare(folder: Path) -> None:
    """Tells Gradio, before it is imported, where its files belong and to call nobody."""
    os.environ |= {
        "GRADIO_TEMP_DIR": str(folder),
        "GRADIO_EXAMPLES_CACHE": str(folder / "examples"),  # else a folder of the working directory is served too
        "GRADIO_ANALYTICS_ENABLED": "False",
        "GRADIO_SSR_MODE": "False",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_OFFLINE": "1",
        # for each request Gradio would sum up the last 10,000 in a table, on a core that pictures need
        "GRADIO_ANALYTICS_MAX_EVENTS": "1",
        "GRADIO_ANALYTICS_CACHE_FREQUENCY": str(10**12),
        "MPLBACKEND": "agg",  # where Matplotlib is installed Gradio asks for it at each request
    }
    with without_stubs():
        import gradio  # noqa: F401


@contextmanager
def without_stubs() -> Iterator[None]:
    """While Gradio is imported it writes type stubs beside each of its components, which is half of the time it takes.

    It leaves out classes whose file it cannot find, so for this while it finds none.
    """
    getfile = inspect.getfile

    def of_no_component(thing: object) -> str:
        if isinstance(thing, type) and thing.__module__.startswith("gradio."):
            raise OSError("no stubs wanted")
        return getfile(thing)

    inspect.getfile = of_no_component
    try:
        yield
    finally:
        inspect.getfile = getfile


def serve(settings: Studio, folder: Path, place: socket.socket, show: bool = False) -> None:
    """Serves on a socket until Ctrl-C or a signal."""
    import uvicorn

    from anime_app.bounds import LOOPBACK
    from anime_app.protocol import Bounded
    from anime_app.studio.app import application

    host = place.getsockname()[0]
    app = application(settings, folder, host)
    config = uvicorn.Config(app, http=Bounded, log_level="error", access_log=False, timeout_graceful_shutdown=GRACE)
    url = url_of(place)
    say(f"anime studio: {url}  (Ctrl-C ends it)")
    if host not in LOOPBACK:
        say("everyone who can reach this address can use the studio")
    if show:
        webbrowser.open(url)
    end_cleanly()

    class Server(uvicorn.Server):
        async def serve(self, sockets: list[socket.socket] | None = None) -> None:
            self.loop = asyncio.get_running_loop()
            await super().serve(sockets)

        def handle_exit(self, number: int, frame: object) -> None:
            """Who is still connected is cut off after the grace: each of them would be a traceback of 80 lines."""
            for name in ("uvicorn.error", "asyncio"):
                logging.getLogger(name).setLevel(logging.CRITICAL + 1)
            self.loop.call_soon_threadsafe(app.state.desk.stop)
            super().handle_exit(number, frame)

    Server(config).run(sockets=[place])
