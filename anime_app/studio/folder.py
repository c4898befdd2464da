"""The studio's folder for uploads and results: its own for each process, emptied by age and by size, gone at the end."""

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX = "anime-studio-"
AGE = 3600  # seconds that a file is kept for
MOST = 4_000_000_000  # bytes in all; beyond them the oldest files go first
EVERY = 60  # seconds from one sweep to the next
ABANDONED = 86_400  # seconds after which a folder that nobody sweeps is that of a process that was killed


@contextmanager
def own_folder(parent: Path | None = None) -> Iterator[Path]:
    """A new folder that only this user can read. Those that killed processes left behind are removed first."""
    parent = Path(parent or tempfile.gettempdir()).resolve()
    for left in parent.glob(f"{PREFIX}*"):
        with suppress(OSError):
            if not left.is_symlink() and left.stat().st_mtime < time.time() - ABANDONED:
                shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sweep(folder: Path, age: float = AGE, most: int = MOST) -> list[Path]:
    """Removes files older than `age` seconds, then the oldest until `most` bytes are left, then empty folders.

    Returns the files that are gone. Touches the folder: that is how others know that it is in use.
    """
    os.utime(folder)
    files = sorted(_files(folder))
    size, now, gone = sum(bytes_ for _, bytes_, _ in files), time.time(), []
    for modified, bytes_, path in files:
        if now - modified > age or size > most:
            with suppress(OSError):
                path.unlink()
            size -= bytes_
            gone.append(path)
    for place, _, _ in os.walk(folder, topdown=False):
        with suppress(OSError):  # one that is not empty, or that a request has just begun to fill
            if Path(place) != folder and now - os.stat(place).st_mtime > EVERY:
                os.rmdir(place)
    return gone


def _files(folder: Path) -> Iterator[tuple[float, int, Path]]:
    for place, _, names in os.walk(folder):
        for name in names:
            path = Path(place, name)
            with suppress(OSError):
                status = path.lstat()
                yield status.st_mtime, status.st_size, path


async def sweep_for_ever(folder: Path, known: list[set[str]]) -> None:
    """Sweeps until it is cancelled; paths that are gone are also taken out of Gradio's lists of them."""
    while True:
        await asyncio.sleep(EVERY)
        gone = {str(path) for path in await asyncio.to_thread(sweep, folder)}
        for paths in known:
            paths.difference_update(gone)
