"""What a running stage says, brought to people: log lines, one progress artifact that moves, and a file with it all."""

import logging
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self
from uuid import UUID

from prefect.artifacts import create_progress_artifact, update_progress_artifact

from flows.machine.redact import redact

STEP = re.compile(r"step (\d+)/(\d+)\b")
LOG_EVERY = 5.0  # seconds between two `step` lines in the log
UPDATE_EVERY = 2.0  # seconds between two calls to Prefect's server


class Progress:
    """Takes the lines of one stage, as a context.

    Its `step i/n` lines move the bar and are logged now and then; of a traceback only the last line, which says what
    went wrong, is logged. `file` gets every line as it is.
    """

    def __init__(self, name: str, logger: logging.Logger | logging.LoggerAdapter, file: Path) -> None:
        self._name, self._logger = name, logger
        self._path = file
        self._in_traceback = False
        self._artifact = _shown(
            create_progress_artifact, 0.0, key=artifact_key(name), description=f"Progress of {name}"
        )
        self._updated = self._logged = time.monotonic()

    def __enter__(self) -> Self:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._path.open("w")
        return self

    def __exit__(self, kind: type | None, *_: object) -> None:
        self._file.close()
        if kind is None:
            self._move(100.0, f"{self._name}: done")

    def line(self, line: str) -> None:
        line = redact(line)
        self._file.write(f"{line}\n")
        self._file.flush()
        self._in_traceback = line.startswith("Traceback (") or (self._in_traceback and line.startswith((" ", "\t")))
        if step := STEP.search(line):
            self._step(line.strip(), *map(int, step.groups()))
        elif not self._in_traceback:
            self._logger.info("%s", line)

    def talk(self, line: str) -> None:
        """What the tools say about their own work: for the file alone."""
        self._file.write(f"{redact(line)}\n")
        self._file.flush()

    def _step(self, line: str, step: int, total: int) -> None:
        now = time.monotonic()
        if now - self._updated > UPDATE_EVERY:
            self._updated = now
            self._move(100.0 * step / max(total, 1), line)
        if now - self._logged > LOG_EVERY:
            self._logged = now
            self._logger.info("%s", line)

    def _move(self, percent: float, line: str | None = None) -> None:
        if self._artifact:
            _shown(update_progress_artifact, self._artifact, percent, description=line)


def _shown(show: Callable[..., UUID], *arguments: object, **options: object) -> UUID | None:
    """What `show` returns, or None: a bar that Prefect's server is not there to take is no reason to end a stage."""
    try:
        return show(*arguments, **options)
    except Exception:  # its client raises whatever the network raises
        return None


def artifact_key(name: str) -> str:
    """`prune@My_Style` as Prefect wants keys: small letters, digits and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
