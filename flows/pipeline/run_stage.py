"""One stage through DVC, in a process group of its own that never outlives the flow."""

import itertools
import os
import re
import selectors
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from threading import Event

from flows.machine.group import end_group, start_group

POLL = 0.5  # seconds between two looks at the clock and at `stop`
UNCHANGED = re.compile(r"Stage '.*' (didn't change, skipping|is cached - skipping run)")
DVC_TALK = re.compile(
    r"\s*$|> |ERROR: |WARNING: |Running stage '|Stage '.*' (didn't|is cached)|(Updating|Generating) lock file|"
    r"Use `dvc push`|To (track|enable)|\s+(git add|dvc config) |Data and pipelines are up to date"
)
DVC_LINKS = re.compile(r"<https?://|Having any troubles\?|Is your cache up to date\?")
EXITED = re.compile(r"exited with (-?\d+)")
OnTalk = Callable[[str], None] | None
LOCKED = re.compile(r"is busy, it is being blocked by|Unable to acquire lock")
ERROR_LINE = re.compile(r"^\s*(error\b|[\w.]*(Error|Exception|Interrupt)\b).*", re.IGNORECASE)


class StageError(RuntimeError):
    """A stage that failed; the message is one line. `transient` where running it again may help."""

    def __init__(self, message: str, transient: bool = False) -> None:
        super().__init__(message)
        self.transient = transient


def reproduce(
    name: str,
    root: Path,
    stop: Event,
    timeout: float,
    on_line: Callable[[str], None],
    on_talk: OnTalk = None,
    pull: bool = False,
    environment: Mapping[str, str] | None = None,
) -> bool:
    """Bring stage `name` of the project at `root` up to date; whether DVC found it unchanged or in its cache.

    `on_line` gets every line of the stage's own output as it comes, `on_talk` what DVC itself says. Raises `StageError`
    where the stage fails, takes longer than `timeout` seconds, or `stop` is set meanwhile; on any way out the process
    group is gone. With `pull` what DVC's remote and its run cache have is taken from there; `environment` is added.
    """
    command = ["-m", "dvc", "--wait-for-lock", "repro", "--single-item", *(["--pull"] if pull else []), name]
    tail = run_python(command, root, stop, timeout, on_line, on_talk, environment)
    return any(UNCHANGED.search(line) for line in tail)


def run_python(
    arguments: Sequence[str],
    root: Path,
    stop: Event,
    timeout: float,
    on_line: Callable[[str], None],
    on_talk: OnTalk = None,
    environment: Mapping[str, str] | None = None,
) -> deque[str]:
    """The running Python with `arguments` in `root`; its last lines. As for `reproduce`, whatever the command is."""
    process = start_group([sys.executable, *arguments], root, environment=environment)
    tail: deque[str] = deque(maxlen=50)
    try:
        for line in _lines(process, stop, time.monotonic() + timeout):
            tail.append(line)
            if not DVC_TALK.match(line):
                on_line(line)
            elif on_talk:
                on_talk(line)
        if process.wait() != 0:
            raise _failure(process.returncode, tail)
        return tail
    finally:
        end_group(process)


def _lines(process: subprocess.Popen, stop: Event, deadline: float) -> Iterator[str]:
    """Lines as they come, until the process has ended and its pipe is empty. A carriage return ends a line too."""
    rest = b""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while True:
            if stop.is_set():
                raise StageError("stopped")
            if time.monotonic() > deadline:
                raise StageError("took longer than its timeout")
            chunk = os.read(process.stdout.fileno(), 65536) if selector.select(POLL) else None
            if chunk == b"" or (chunk is None and process.poll() is not None):
                break
            *lines, rest = re.split(rb"[\r\n]+", rest + (chunk or b""))
            yield from (line.decode(errors="replace") for line in lines)
    if rest:
        yield rest.decode(errors="replace")


def _failure(status: int, tail: deque[str]) -> StageError:
    """One line on what went wrong: the stage's own error line, else its last line; DVC's where it failed by itself."""
    text = "\n".join(tail)
    own = [line.strip() for line in tail if not DVC_TALK.match(line)]
    if LOCKED.search(text):
        return StageError("another DVC process holds its files: wait until it ends", transient=True)
    if killed := _signal(status, text):
        last = f", after {own[-1]!r}" if own else ""
        return StageError(f"killed by {killed} (out of memory?){last}", transient=True)
    if not EXITED.search(text) and (why := dvc_error(tail)):
        return StageError(why)
    errors = [line for line in own if ERROR_LINE.match(line)]
    message = (errors or own or [line for line in tail if line.strip()] or ["DVC failed without a word"])[-1]
    return StageError(f"{re.sub(r'^(?i:error): ', '', message)}")


def dvc_error(tail: Sequence[str]) -> str:
    """What DVC said last was wrong, with the lines that belong to it, in one; empty where it said nothing."""
    starts = [number for number, line in enumerate(tail) if line.startswith("ERROR: ")]
    if not starts:
        return ""
    lines = itertools.takewhile(str.strip, list(tail)[starts[-1] :])
    message = " ".join(line.strip() for line in lines if not DVC_LINKS.match(line))
    return message.removeprefix("ERROR: ").removeprefix("failed to reproduce ")


def _signal(status: int, text: str) -> str:
    """The name of the signal that ended DVC or the stage's command; empty where it ended by itself."""
    exited = EXITED.search(text)
    code = int(exited[1]) if exited and status > 0 else status
    number = -code if code < 0 else code - 128  # a shell adds 128 to its child's signal
    return signal.Signals(number).name if number in set(signal.Signals) else ""
