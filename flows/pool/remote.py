"""The DVC remote by which the clones of a pool hand each other what their stages made."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dvc.config import NoRemoteError
from dvc.exceptions import DvcException
from dvc.repo import Repo

MARK = "animegan-lite.pool"  # says that this is the remote that was there at the start, and not an empty mount point
LONGEST = 300  # characters of what a storage says


class RemoteError(RuntimeError):
    """A remote that is missing, does not answer or takes nothing; the message is one line."""


@dataclass(frozen=True)
class Remote:
    """`fs` is DVC's own file system object, `path` where the remote begins on it, `url` what people call it."""

    fs: Any
    path: str
    url: str

    def join(self, *parts: str) -> str:
        return self.fs.join(self.path, *parts)

    @contextlib.contextmanager
    def asked(self, what: str) -> Iterator[None]:
        """Whatever a storage's client raises is a `RemoteError` of one line."""
        try:
            yield
        except RemoteError:
            raise
        except Exception as error:  # each storage has classes of its own
            raise RemoteError(f"the remote {self.url} {what}: {one_line(error)}") from error

    def mark(self) -> None:
        """Before a worker starts: that it can be written, and the mark by which it is known. Raises `RemoteError`."""
        with self.asked("cannot be written"):
            if self.fs.protocol == "local" and not self.fs.exists(self.path):
                raise RemoteError(f"the remote {self.url} is not there: mount it, or make the folder")
            self.fs.pipe_file(self.join(MARK), b"animegan-lite\n")

    def check(self) -> None:
        """Raises `RemoteError` where it does not answer or is not the one that was marked: DVC takes a folder that is
        gone for an empty one, and would do all work again.
        """
        with self.asked("does not answer"):
            self.fs.fs.invalidate_cache()  # S3's client remembers listings
            if not self.fs.exists(self.join(MARK)):
                raise RemoteError(f"the remote {self.url} is gone: {MARK} is not there")


def one_line(error: Exception) -> str:
    """What an error says, in one line, or its class where it says nothing."""
    causes = [error, *filter(None, (error.__cause__, error.__context__))]
    text = next((found for cause in causes if (found := " ".join(str(cause).split()))), type(error).__name__)
    return text[:LONGEST]


def open_remote(root: Path) -> Remote:
    """The default remote of the clone at `root`. Raises `RemoteError`."""
    try:
        repo = Repo(str(root))
        try:
            found = repo.cloud.get_remote()
            return Remote(found.fs, found.path, found.fs.unstrip_protocol(found.path))
        finally:
            repo.close()
    except NoRemoteError:
        raise RemoteError(
            f"{root} has no DVC remote to hand results on by: `dvc remote add -d store ADDRESS`, and commit .dvc/config"
        ) from None
    except (DvcException, OSError, ImportError) as error:
        raise RemoteError(f"the DVC remote of {root} cannot be used: {one_line(error)}") from error
