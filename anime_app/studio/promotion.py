"""Promote and roll back: the flows' own command in a process of its own, and what it says."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from anime_model.pictures.message import Message, from_record

COMMAND = (sys.executable, "-m", "flows.promote")
PATIENCE = 1800.0  # seconds: the gates measure latency, FID and LPIPS
REFUSED = 1


@dataclass(frozen=True)
class Verdict:
    """`outcome` is "promoted", "would promote", "rolled back", "refused", or "failed" with the reason."""

    outcome: str
    reason: str = ""
    version: str = ""
    champion_before: str = ""
    gates: tuple[dict, ...] = field(default_factory=tuple)

    @property
    def good(self) -> bool:
        return self.outcome in ("promoted", "would promote", "rolled back")


def promote(project: Path, tracking_uri: str | None, style: str, number: int | None, dry_run: bool) -> Verdict:
    """Promotes a version of a style where its gates let it; None is the challenger, or the newest int8 version."""
    version = ["--version", str(number)] if number is not None else []
    return _run(project, tracking_uri, [style, *version, *(["--dry-run"] if dry_run else [])])


def roll_back(project: Path, tracking_uri: str | None, style: str, reason: str) -> Verdict:
    """Makes the previous champion of a style the champion again."""
    return _run(project, tracking_uri, [style, "--rollback", f"--reason={reason}"])


def _run(project: Path, tracking_uri: str | None, arguments: list[str]) -> Verdict:
    environment = os.environ | ({"MLFLOW_TRACKING_URI": tracking_uri} if tracking_uri else {})
    try:
        process = subprocess.Popen(
            [*COMMAND, *arguments, "--json"],
            cwd=project,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
    except OSError as error:
        why = Message("{command} does not start ({reason})", command=COMMAND[0], reason=error.strerror)
        return Verdict("failed", why)
    try:
        out, errors = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        text = "no verdict after {minutes} minutes: the flow was ended"
        return Verdict("failed", Message(text, minutes=f"{PATIENCE / 60:.0f}"))
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)  # and the stages that it started
            process.communicate()
    return _read(process.returncode, out, errors)


def _read(status: int, out: str, errors: str) -> Verdict:
    """The verdict in the last line of what the flow printed, else its last words as the reason."""
    lines = [line for line in out.splitlines() if line.strip()]
    try:
        last = json.loads(lines[-1])
        gates = tuple(gate for gate in last.get("gates") or () if isinstance(gate, dict))
        reason = from_record(last.get("message") or _text(last.get("reason")))
        found = Verdict(str(last["verdict"]), reason, *map(_text, map(last.get, ("version", "champion_before"))), gates)
    except (IndexError, ValueError, KeyError, AttributeError, TypeError):
        if "No module named" in errors:
            return Verdict("failed", "this project has no flows.promote: open a clone of the project with its flows")
        last = [line for line in errors.splitlines() if line.strip()] or lines
        return Verdict("failed", last[-1].strip()[:300] if last else _ended(status))
    agreed = status == (REFUSED if found.outcome == "refused" else 0)
    return found if agreed else Verdict("failed", found.reason or _ended(status), gates=found.gates)


def _ended(status: int) -> str:
    return Message("it ended with status {status}", status=status)


def _text(value: object) -> str:
    return "" if value is None else str(value)
