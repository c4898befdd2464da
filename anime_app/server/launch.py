"""`anime serve`: starts the service, and ends it so that nobody is left without an answer."""

import argparse
import asyncio
import socket

import uvicorn
from starlette.datastructures import State

from anime_app.bounds import LOOPBACK
from anime_app.listening import end_cleanly, listening, share_memory, url_of
from anime_app.protocol import Bounded
from anime_app.server.app import application
from anime_app.server.settings import MB, Service
from anime_app.terminal import say
from anime_model.runtime.models import FAVOURITE, styles

IDLE = 15  # seconds that a connection may be without a request
CONNECTIONS = 1000


def serve(options: argparse.Namespace) -> int:
    """Serves until Ctrl-C or SIGTERM, or a model cannot be opened. Raises `OSError`, `ValueError` with one line."""
    service = settings_of(options)
    share_memory()
    with listening(options.host, options.port) as place:
        run(service, place, not options.quiet)
    return 0


def settings_of(options: argparse.Namespace) -> Service:
    return Service(
        styles=tuple(options.style or _all_styles()),
        token=options.token or None,
        workers=options.workers,
        threads=options.threads,
        queue=options.queue,
        max_upload=options.max_upload * MB,
        max_pixels=options.max_pixels,
        timeout=options.timeout,
    )


def _all_styles() -> list[str]:
    found = list(styles())
    return sorted(found, key=lambda name: name != FAVOURITE)


def run(service: Service, place: socket.socket, log: bool = True) -> None:
    host = place.getsockname()[0]
    server = server_of(service, host, log)
    say(f"anime serve: {url_of(place)}  (Ctrl-C ends it)")
    if host not in LOOPBACK and service.token is None:
        say("everyone who can reach this address can use the service; --token asks for a bearer token")
    end_cleanly()
    server.run(sockets=[place])
    if server.broken:
        raise server.broken


def server_of(service: Service, host: str, log: bool = True) -> "Server":
    """Raises `FileNotFoundError`, `ModelError`."""
    app = application(service, host, log, lambda: server.end())
    config = uvicorn.Config(
        app,
        http=protocol(service),
        ws="none",
        log_level="error",
        access_log=False,
        server_header=False,
        timeout_keep_alive=IDLE,
        timeout_graceful_shutdown=int(service.timeout) + 1,
        limit_concurrency=CONNECTIONS,
    )
    server = Server(config, app.state)
    return server


class Server(uvicorn.Server):
    """At a signal those who wait are told at once; uvicorn then waits for those whose pictures are being drawn."""

    def __init__(self, config: uvicorn.Config, state: State) -> None:
        super().__init__(config)
        self.state, self.line = state, state.line
        self.broken: BaseException | None = None  # why a model could not be opened

    def end(self) -> None:
        """Ends a service that has a model which cannot be opened."""
        self.broken, self.should_exit = self.state.ready.exception(), True

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        self.loop = asyncio.get_running_loop()
        await super().serve(sockets)

    def handle_exit(self, sig: int, frame) -> None:
        self.loop.call_soon_threadsafe(self.line.stop)
        super().handle_exit(sig, frame)


def protocol(service: Service) -> type[Bounded]:
    """HTTP whose clients have a bounded time for the head of a request, and to take what they asked for.

    uvicorn waits for both without end.
    """

    class Hurried(Bounded):
        def connection_made(self, transport: asyncio.Transport) -> None:
            super().connection_made(transport)
            self.hurry: asyncio.TimerHandle | None = None
            self.stuck: asyncio.TimerHandle | None = None
            self._wait_for_head()

        def data_received(self, data: bytes) -> None:
            if self.hurry is None and not self._busy():
                self._wait_for_head()
            super().data_received(data)
            if self._busy():
                self._heard()

        def connection_lost(self, error: Exception | None) -> None:
            self._heard()
            self._taken()
            super().connection_lost(error)

        def pause_writing(self) -> None:
            super().pause_writing()
            self.stuck = self.loop.call_later(service.upload_seconds, self.transport.abort)

        def resume_writing(self) -> None:
            super().resume_writing()
            self._taken()

        def _busy(self) -> bool:
            """Whether the head of a request has come, and its answer has not gone."""
            return self.cycle is not None and not self.cycle.response_complete

        def _wait_for_head(self) -> None:
            self.hurry = self.loop.call_later(service.header_seconds, self._too_slow)

        def _too_slow(self) -> None:
            if not self._busy():
                self.transport.abort()

        def _heard(self) -> None:
            if self.hurry is not None:
                self.hurry.cancel()
                self.hurry = None

        def _taken(self) -> None:
            if self.stuck is not None:
                self.stuck.cancel()
                self.stuck = None

    return Hurried
