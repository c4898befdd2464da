"""One flow for a folder at a time."""

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path
from typing import IO

_HELD: dict[Path, IO[str]] = {}  # by this process, until it ends


class Busy(RuntimeError):
    """Another flow works in this folder."""


def hold(root: Path) -> None:
    """Keep other flows out of `root` for as long as this process lives, its server and all. Raises `Busy`."""
    _HELD[root] = _HELD.get(root) or _lock(root)


@contextlib.contextmanager
def only_flow(root: Path) -> Iterator[IO[str]]:
    """The locked file, whose text tells a flow which run had it before and never gave it back.

    A second flow would change the recipe under the first and disturb its measurements. The system frees the lock of a
    process that dies. Raises `Busy`.
    """
    if root in _HELD:
        yield _HELD[root]
        return
    with _lock(root) as file:
        yield file


def _lock(root: Path) -> IO[str]:
    folder = root / ".prefect"
    folder.mkdir(exist_ok=True)
    file = (folder / "flow.lock").open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise Busy("another flow works in this folder: wait until it ends") from None
    return file
