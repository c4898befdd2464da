"""What a person sees in their terminal while a flow runs: what happens to stages, and nothing about Prefect itself."""

import argparse
import logging
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

    What is not `known` has its class before the message. With `debug` the traceback is shown instead.
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
        return say(f"{type(error).__name__}: {' '.join(str(error).split())} (--debug shows more)", 2)


def hours(text: str) -> float:
    """A number of hours that a step can take. Raises `ArgumentTypeError`."""
    try:
        if 0 < (found := float(text)) <= MOST_HOURS:
            return found
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"{text!r} is no number of hours above 0 and up to {MOST_HOURS}")


def say(text: str, status: int) -> int:
    """Errors for people, one line each; `status` again."""
    print("\n".join(f"error: {line}" for line in redact(text).splitlines()), file=sys.stderr)
    return status
