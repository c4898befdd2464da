"""What a person sees in their terminal while a flow runs: what happens to stages, and nothing about Prefect itself."""

import argparse
import logging
import os
import signal
import sys
from collections.abc import Callable

from prefect.logging.configuration import setup_logging

from flows.machine.redact import redact

MOST_HOURS = 10_000  # more than a year
# Prefect's own lines on the life of runs; tasks say the same in a person's words.
DROPPED = ("Beginning flow run", "View at", "Finished in state", "Task run failed with", "Crash detected!")


def quiet() -> None:
    """Filter the terminal only: Prefect's pages get everything. Tracebacks go too: the message has the reason."""
    setup_logging()
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # each retry of MLflow's client
    for handler in logging.getLogger().handlers:
        handler.addFilter(_for_people)


def _for_people(record: logging.LogRecord) -> bool:
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


def hours(text: str) -> float:
    """A number of hours that a step can take. Raises `ArgumentTypeError`."""
    try:
        if 0 < (found := float(text)) <= MOST_HOURS:
            return found
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"{text!r} is no number of hours above 0 and up to {MOST_HOURS}")


def why(error: Exception) -> str:
    """What went wrong for a person to read: no class of Python, but where the message alone says nothing."""
    said = " ".join(str(error).split())
    if "Failed to reach API" in said or "All connection attempts failed" in said:
        page = os.environ.get("PREFECT_API_URL", "its address")
        return f"Prefect does not answer at {page}: start it, or unset PREFECT_API_URL, and a server comes up by itself"
    if isinstance(error, LookupError | TypeError | AttributeError) or not said:
        said = f"a fault of the program, {type(error).__name__}: {said}"
    return f"{said} (--debug shows more)"


def say(text: str, status: int) -> int:
    """Errors for people, one line each; `status` again."""
    print("\n".join(f"error: {line}" for line in redact(text).splitlines()), file=sys.stderr)
    return status
