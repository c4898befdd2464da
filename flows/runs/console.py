"""What a person sees in their terminal while a flow runs: what happens to stages, and nothing about Prefect itself."""

import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Self

from prefect.exceptions import CancelledRun, CrashedRun, FailedRun
from prefect.logging.configuration import setup_logging

from flows.machine.redact import redact

QUIET = "ANIMEGAN_QUIET"  # in the environment of the runs that a served flow starts: processes of their own
NOW_AND_THEN = 10.0  # seconds between two lines of a kind in a log
# Prefect's own lines on the life of runs and of its runner; tasks say the same in a person's words.
DROPPED = (
    "Beginning flow run", "View at", "Finished in state", "Task run failed with", "Crash detected!",
    "Flow run was cancelled", "Execution of flow run", "SIGTERM received", "Pausing all deployments",
    "All deployments have been paused",
)  # fmt: skip


def quiet() -> None:
    """Filter the terminal only: Prefect's pages get everything. Tracebacks go too: the message has the reason."""
    setup_logging()
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # each retry of MLflow's client
    for handler in logging.getLogger().handlers:
        handler.addFilter(_for_people)


def calm() -> None:
    """In the log of a worker a run that failed or was cancelled is its reason; faults keep their tracebacks."""
    setup_logging()
    for handler in logging.getLogger().handlers:
        handler.addFilter(_reason_alone)


def _reason_alone(record: logging.LogRecord) -> bool:
    """Prefect raises how a run ended once more, as an exception, and logs that with a traceback of its own code."""
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, CancelledRun | CrashedRun | FailedRun):
        record.msg, record.args = "%s", (str(error),)
        record.exc_info = record.exc_text = None
    return True


def _for_people(record: logging.LogRecord) -> bool:
    _reason_alone(record)
    record.exc_info = record.exc_text = None
    return not (record.name.startswith("prefect") and record.getMessage().startswith(DROPPED))


def guarded(work: Callable[[], int], known: tuple[type[Exception], ...], debug: bool) -> int:
    """The exit status of `work`; what goes wrong is one line on stderr and the status 2, 130 after Ctrl-C.

    With `debug` the traceback is shown instead.
    """
    for number in (signal.SIGINT, signal.SIGTERM):  # a polite kill ends like Ctrl-C: with all that was started
        signal.signal(number, signal.default_int_handler)
    try:
        return work()
    except KeyboardInterrupt:
        return say("stopped", 130)
    except known as error:
        return say(str(error), 2)
    except Exception as error:
        if debug:
            raise
        return say(why(error), 2)


def why(error: Exception) -> str:
    """What went wrong for a person to read: no class of Python, but where the message alone says nothing."""
    message = " ".join(str(error).split())
    if "Failed to reach API" in message or "All connection attempts failed" in message:
        page = os.environ.get("PREFECT_API_URL", "its address")
        return f"Prefect does not answer at {page}: start it, or unset PREFECT_API_URL, and a server comes up by itself"
    if isinstance(error, LookupError | TypeError | AttributeError) or not message:
        message = f"a fault of the program, {type(error).__name__}: {message}"
    return f"{message} (--debug shows more)"


class Passing:
    """Lines that tell how far something is: on a terminal each in the place of the one before, as a context; elsewhere
    whole lines, the last one and one now and then.
    """

    def __enter__(self) -> Self:
        self._shown, self._last, self._left = sys.stdout.isatty(), time.monotonic(), ""
        return self

    def __exit__(self, *_: object) -> None:
        if self._left:
            print("" if self._shown else self._left, flush=True)

    def say(self, text: str) -> None:
        self._left = text
        if self._shown:
            print(f"\r\033[K{text}", end="", flush=True)
        elif time.monotonic() - self._last > NOW_AND_THEN:
            self._last, self._left = time.monotonic(), ""
            print(text, flush=True)


def say(text: str, status: int) -> int:
    """Errors for people, one line each; `status` again."""
    print("\n".join(f"error: {line}" for line in redact(text).splitlines()), file=sys.stderr)
    return status


# Prefect logs before it calls any function of ours: the runs that it starts are told when they import this.
if os.environ.get(QUIET):
    quiet()
elif os.environ.get("PREFECT__FLOW_RUN_ID"):  # a worker's
    calm()
