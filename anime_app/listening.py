"""The socket that a server listens on, taken before the slow part of its start, and how a server begins and ends."""

import ctypes
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager

ARENAS = 2
M_ARENA_MAX = -8  # glibc's malloc.h


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that listens, taken before the slow part of the start. Raises `OSError` with the way out."""
    try:
        place = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        message = (error.strerror or str(error)).split(" (while")[0].lower()
        raise OSError(f"{host}:{port}: {message}; --port 0 takes a free one") from error
    with place:
        yield place


def url_of(place: socket.socket) -> str:
    """The address of a socket that listens, as a browser takes it."""
    host, port = place.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def share_memory() -> None:
    """Lets all threads take their memory from two of glibc's arenas. For a server, before it has threads.

    glibc gives every new thread an arena of its own and keeps what is freed there, so that a server of many short
    threads grows for hours. No effect with another C library.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if os.name == "posix" else None
    if mallopt:
        mallopt(M_ARENA_MAX, ARENAS)


def end_cleanly() -> None:
    """Lets SIGTERM unwind the program: uvicorn raises it once more when it has ended, and folders must still go."""
    signal.signal(signal.SIGTERM, _end)


def _end(number: int, frame: object) -> None:
    raise SystemExit(128 + number)
