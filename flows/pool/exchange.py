"""What a worker of a pool does around each stage: claim it, take what others made, hand on what it made."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from anime_model.recipes.recipe import load_recipe
from flows.machine.redact import redact
from flows.pipeline.run_stage import OnTalk, StageError, run_python
from flows.pool import unfinished
from flows.pool.claims import claimed
from flows.pool.clone import pooled
from flows.pool.remote import Remote, RemoteError, open_remote

PUSH_HOURS = 6.0


@dataclass(frozen=True)
class Listener:
    """Who hears of a stage: its own lines, DVC's talk, and what is wrong but ends nothing."""

    say: Callable[[str], None]
    talk: OnTalk = None
    warn: Callable[[str], None] = print


@contextlib.contextmanager
def shared(stage: str, root: Path, stop: Event, listener: Listener) -> Iterator[bool]:
    """Around a stage: whether it may come out of the remote. Without a pool nothing happens, and it may not.

    Within the context no other worker has the stage. What it made is pushed on the way out; a push that fails is a
    warning here, since the work is done and kept: `push_rest` tries again. Raises `StageError` where the remote is
    gone: whoever goes on without it might do what others have done.
    """
    if not pooled():
        yield False
        return
    with claimed(stage, stop, listener.say):
        try:
            remote = open_remote(root)
            remote.check()
            if found := unfinished.fetch(remote, stage, root):
                listener.say(f"{stage}: goes on from another worker's {found} resume files")
        except RemoteError as error:
            raise StageError(f"{error}; nothing was lost, run it again when the remote is back") from error
        every = load_recipe(root / "params.yaml").training.save_every
        with unfinished.sending(remote, stage, root, listener.warn, every):
            yield True
        try:
            push(remote, [stage], root, stop, listener)
        except RemoteError as error:
            listener.warn(f"{error}; tried again at the end of the run")


def push(remote: Remote, stages: Sequence[str], root: Path, stop: Event, listener: Listener) -> None:
    """What `stages` made and the run cache, which says of what. Raises `RemoteError`.

    DVC ends well where the run cache could not be sent: its lines are looked at.
    """
    remote.check()
    lines: list[str] = []

    def hear(line: str) -> None:
        lines.append(line)
        if listener.talk:
            listener.talk(line)

    try:
        command = ["-m", "dvc", "push", "--run-cache", *stages]
        run_python(command, root, stop, PUSH_HOURS * 3600, hear, hear)
    except StageError as error:
        raise RemoteError(_refused(remote, lines) or f"the remote {remote.url} took not all: {error}") from error
    if refused := _refused(remote, lines):
        raise RemoteError(refused)


def _refused(remote: Remote, lines: Sequence[str]) -> str:
    """The first reason that DVC gives for a file that was not sent; empty where all were."""
    failed = [number for number, line in enumerate(lines) if "failed to transfer" in line]
    if not failed:
        return ""
    reasons = [line for line in lines[failed[0] :] if "Errno" in line or "Error:" in line]
    reason = reasons[0].rpartition(" - ")[2] if reasons else lines[failed[0]]
    return f"the remote {remote.url} does not take the results: {redact(reason.strip())}"


def push_rest(stages: Sequence[str], root: Path, stop: Event, listener: Listener) -> list[str]:
    """At the end of a run, all that its stages made, what is there already left out; what is wrong, in lines."""
    if not pooled() or not stages:
        return []
    try:
        push(open_remote(root), stages, root, stop, listener)
    except RemoteError as error:
        return [f"push: {error}; the results are kept in {root}: its next run sends them"]
    return []


def check_remote(root: Path) -> None:
    """Before a run of a pool begins. Raises `RemoteError`."""
    if pooled():
        open_remote(root).check()
