"""Resume files of a training that travel: what one worker had reached when it died, another one goes on from.

Below `unfinished/STAGE` of the remote lies a copy of `scratch/KIND`, sent as often as it is saved. Folders are named
after the exact work (`tasks.shared.learning.fingerprint`), so that a copy of other work is never taken up.
"""

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event, Thread

from flows.pool.remote import Remote, RemoteError

FOLDER = "unfinished"
LEAST = 2.0  # seconds between two looks for new resume files


def fetch(remote: Remote, stage: str, root: Path) -> int:
    """Brings what another worker left of `stage`; how many files. Raises `RemoteError`.

    Work of which this clone's own files are newer stays as it is here: its remote did not take the last ones.
    """
    source, target = remote.join(FOLDER, stage), scratch(root, stage)
    with remote.asked("does not give the resume files"):
        found = [path for path in remote.fs.find(source) if not path.endswith("/")] if remote.fs.exists(source) else []
        there = {path: target / remote.fs.relpath(path, source) for path in found}
        newer = {_work(local, target) for path, local in there.items() if _is_newer(local, remote, path)}
        taken = {path: local for path, local in there.items() if _work(local, target) not in newer}
        for path, local in taken.items():
            local.parent.mkdir(parents=True, exist_ok=True)
            part = local.with_name(f"{local.name}.part")
            remote.fs.get_file(path, str(part))
            os.replace(part, local)
    return len(taken)


def _work(file: Path, kind: Path) -> str:
    """The folder of one work, below that of its kind."""
    return file.relative_to(kind).parts[0]


def _is_newer(local: Path, remote: Remote, path: str) -> bool:
    return local.exists() and local.stat().st_mtime > remote.fs.modified(path).timestamp()


@contextlib.contextmanager
def sending(
    remote: Remote, stage: str, root: Path, warn: Callable[[str], None], every: float = LEAST
) -> Iterator[None]:
    """Within the context new resume files are sent every so many seconds; after success they are taken away again.

    A remote that does not take them is a warning: the training does not wait for it.
    """
    ended, sender = Event(), _Sender(remote, stage, root, warn, max(LEAST, every))
    thread = Thread(target=sender.keep_sending, args=(ended,), daemon=True)
    thread.start()
    try:
        yield
    except BaseException:
        ended.set()
        thread.join()
        sender.send()  # of a stage that died alone: its last save
        raise
    ended.set()
    thread.join()
    forget(remote, stage)


def forget(remote: Remote, stage: str) -> None:
    """Takes the resume files of work that is done out of the remote. What cannot be removed does no harm."""
    with contextlib.suppress(Exception):
        if remote.fs.exists(remote.join(FOLDER, stage)):
            remote.fs.rm(remote.join(FOLDER, stage), recursive=True)


def scratch(root: Path, stage: str) -> Path:
    return root / "scratch" / stage.partition("@")[0]


class _Sender:
    def __init__(self, remote: Remote, stage: str, root: Path, warn: Callable[[str], None], every: float) -> None:
        self.remote, self.stage, self.root, self.warn, self.every = remote, stage, root, warn, every
        self.sent: dict[str, tuple[int, int]] = {}
        self.warned = False

    def keep_sending(self, ended: Event) -> None:
        while not ended.wait(self.every):
            self.send()

    def send(self) -> None:
        """Oldest first: a resume file is sent after all that was written before it and that it counts on."""
        try:
            (self.root / "scratch").mkdir(exist_ok=True)
            with tempfile.TemporaryDirectory(dir=self.root / "scratch") as folder:
                for file, name, mark in reversed(self._frozen(Path(folder))):
                    with self.remote.asked("does not take the resume files"):
                        self.remote.fs.put_file(str(file), self.remote.join(FOLDER, self.stage, *name.split("/")))
                    self.sent[name] = mark
        except (RemoteError, OSError) as error:
            if not self.warned:
                self.warn(f"{error}; a worker that takes this stage over starts it from its last copy, or from anew")
            self.warned = True

    def _frozen(self, folder: Path) -> list[tuple[Path, str, tuple[int, int]]]:
        """New files as they are now, newest first: links, which keep what a later save puts another file in place of.

        The newest is linked first, so that no file is younger than one that it counts on.
        """
        source, found = scratch(self.root, self.stage), []
        dated = sorted(((path.stat().st_mtime_ns, path) for path in _files(source)), reverse=True)
        for number, (_, path) in enumerate(dated):
            with contextlib.suppress(FileNotFoundError):  # finished and removed meanwhile
                link, name = folder / str(number), path.relative_to(source).as_posix()
                os.link(path, link)
                mark = (link.stat().st_mtime_ns, link.stat().st_size)
                found += [(link, name, mark)] if self.sent.get(name) != mark else []
        return found


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and not path.name.endswith((".part", ".tmp"))]
