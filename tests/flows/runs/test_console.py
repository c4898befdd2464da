"""What a terminal and a log show of a run."""

import io
import logging
import os
import subprocess
import sys

import pytest
from prefect.exceptions import CancelledRun, FailedRun

from flows.runs import console
from tests.flows.conftest import ROOT


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def count(shown: io.StringIO, monkeypatch: pytest.MonkeyPatch, seconds: float) -> str:
    """What is shown of four steps that take so long each."""
    clock = iter(index * seconds for index in range(100))
    monkeypatch.setattr(console.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(sys, "stdout", shown)
    with console.Passing() as passing:
        for step in range(1, 5):
            passing.say(f"{step} of 4")
    return shown.getvalue()


def test_a_passing_line_is_one_line_on_a_terminal_and_whole_lines_elsewhere(monkeypatch):
    assert count(Terminal(), monkeypatch, 0.1) == "".join(f"\r\033[K{step} of 4" for step in range(1, 5)) + "\n"
    assert count(io.StringIO(), monkeypatch, 0.1) == "4 of 4\n"
    assert count(io.StringIO(), monkeypatch, 11) == "1 of 4\n2 of 4\n3 of 4\n4 of 4\n"
    monkeypatch.setattr(sys, "stdout", shown := io.StringIO())
    with console.Passing():
        pass
    assert shown.getvalue() == "", "nothing was done"


@pytest.mark.parametrize("error", [FailedRun("prune@cel: no photos"), CancelledRun("stopped")])
@pytest.mark.parametrize("filter_", [console._reason_alone, console._for_people])
def test_how_a_run_ended_is_its_reason_alone(error: Exception, filter_):
    record = logging.LogRecord(
        "prefect.flow_runs", 40, "", 1, "Engine execution exited", (), (type(error), error, None)
    )
    assert filter_(record)
    assert (record.getMessage(), record.exc_info) == (str(error), None)


def test_a_fault_keeps_its_traceback_in_a_worker_s_log():
    record = logging.LogRecord("prefect.flow_runs", 40, "", 1, "Engine", (), (KeyError, KeyError("x"), None))
    assert console._reason_alone(record)
    assert record.exc_info


LINES = ["Beginning flow run", "SIGTERM received, initiating", "All deployments have been paused!", "prune done"]
LOGS = f"""
import logging
import flows.runs.console
for line in {LINES}:
    logging.getLogger("prefect.runner").warning(line)
"""


@pytest.mark.slow
@pytest.mark.parametrize(("quiet", "lines"), [("1", LINES[-1:]), ("", LINES)])
def test_runs_that_a_served_flow_starts_say_what_people_should_know(quiet: str, lines: list[str]):
    environment = os.environ | {console.QUIET: quiet, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", LOGS], env=environment, capture_output=True, text=True, check=True)
    said = (done.stdout + done.stderr).splitlines()
    assert [line.rpartition(" - ")[2].rpartition("  ")[2] for line in said] == lines
