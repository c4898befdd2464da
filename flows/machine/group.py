"""Processes in a group of their own that never outlive the flow."""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

GRACE = 10  # seconds between SIGTERM and SIGKILL
# The shell becomes the command and leads the group. Its child reads a pipe that only the flow holds open: when the flow
# dies, by SIGKILL too, the read ends and the whole group goes, the grandchildren with it.
GUARD = f"""
exec 3<&0
(trap '' TERM; cat <&3; kill -TERM 0; sleep {GRACE}; kill -KILL 0) >/dev/null 2>&1 &
exec "$@" 3<&- </dev/null
"""


def start_group(
    command: Sequence[str],
    folder: Path,
    output: int | IO = subprocess.PIPE,
    environment: Mapping[str, str] | None = None,
) -> subprocess.Popen:
    """`command` in `folder`, its stdout and stderr both to `output`. Ctrl-C in the terminal does not reach it.

    `environment` is added to this process's own.
    """
    return subprocess.Popen(
        ["sh", "-c", GUARD, "sh", *command],
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        env=os.environ | dict(environment or {}),
    )


def end_group(process: subprocess.Popen) -> None:
    """SIGTERM where the command still runs; after it, or after `GRACE` seconds, SIGKILL for all that is left."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe:
            pipe.close()
