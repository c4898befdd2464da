"""One run for a target at a time."""

import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from anime_app.bulk import places

try:
    import fcntl
except ModuleNotFoundError:  # Windows
    fcntl = None

NAME = "run.lock"
BEAT = 5.0  # seconds from one sign of life to the next, where a storage has no locks
PATIENCE = 4  # as many of them without a sign, and a run is taken for dead


@contextmanager
def only_run(folder: str, beat: float = BEAT) -> Iterator[None]:
    """Keeps other runs away from `folder`, the manifest's. Raises `ValueError` where there is one, `OSError`."""
    with _signs(f"{folder}/{NAME}", beat) if places.is_url(folder) else _locked(Path(folder, NAME)):
        yield


def _busy(name: str, who: str) -> ValueError:
    return ValueError(f"{name}: another run writes there ({who}): wait until it ends, or give another -o")


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """The system frees the lock of a process that dies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        if fcntl is not None:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                raise _busy(str(path.parent.parent), file.read() or "it has just begun") from None
        file.truncate(0)
        file.write(_who())
        file.flush()
        yield


@contextmanager
def _signs(name: str, beat: float) -> Iterator[None]:
    """A run says again and again that it is alive; one that is silent for a while is taken for dead.

    No clocks are compared: whoever comes waits and looks whether the sign changes.
    """
    if before := _sign(name):
        for _ in range(PATIENCE):
            time.sleep(beat)
            if (now := _sign(name)) != before and now:
                raise _busy(name.rpartition("/")[0].rpartition("/")[0], json.loads(now)["who"])
    own, ended = secrets.token_hex(8), threading.Event()
    _tell(name, own, 0)
    beating = threading.Thread(target=_beat, args=(name, own, beat, ended), daemon=True)
    beating.start()
    try:
        if json.loads(_sign(name) or "{}").get("run") != own:  # another one came at the same moment
            raise _busy(name.rpartition("/")[0].rpartition("/")[0], "it has just begun")
        yield
    finally:
        ended.set()
        beating.join()
        with suppress(OSError):
            places.remove(name)


def _beat(name: str, own: str, beat: float, ended: threading.Event) -> None:
    count = 0
    while not ended.wait(beat):
        count += 1
        with suppress(OSError):  # a storage that is away for good is said by whoever has pictures to write
            _tell(name, own, count)


def _tell(name: str, own: str, count: int) -> None:
    places.write(name, json.dumps({"run": own, "who": _who(), "count": count}).encode())


def _sign(name: str) -> bytes:
    try:
        return places.read(name)
    except FileNotFoundError:
        return b""


def _who() -> str:
    return f"process {os.getpid()} on {socket.gethostname()}"
