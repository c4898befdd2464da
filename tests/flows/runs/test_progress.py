from pathlib import Path

import pytest

from flows.runs import progress
from flows.runs.progress import Progress, artifact_key


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def bar(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the artifact was set to, in percent."""
    seen: list[float] = []
    monkeypatch.setattr(progress, "create_progress_artifact", lambda value, **_: seen.append(value) or "its id")
    monkeypatch.setattr(progress, "update_progress_artifact", lambda _, value, **__: seen.append(value))
    return seen


class Log(list):
    def info(self, form: str, *values: object) -> None:
        self.append(form % values)


def test_steps_move_the_bar_now_and_then(tmp_path: Path, clock: list[float], bar: list[float]):
    log = Log()
    with Progress("prune@cel", log, tmp_path / "logs" / "prune@cel.log") as stage:
        for step in range(1, 101):
            clock[0] += 0.1
            stage.line(f"step {step}/100 loss=0.5")
    assert bar[0] == 0
    assert bar[-1] == 100
    assert 4 <= len(bar) <= 7, "ten seconds, one call in two of them"
    assert len(log) == 1
    assert len((tmp_path / "logs" / "prune@cel.log").read_text().splitlines()) == 100


def test_of_a_traceback_only_the_reason_is_logged(tmp_path: Path, bar: list[float]):
    log = Log()
    said = ["reading", "Traceback (most recent call last):", '  File "x.py", line 1', "    raise", "ValueError: no"]
    with Progress("prune@cel", log, tmp_path / "log") as stage:
        for line in said:
            stage.line(line)
    assert log == ["reading", "ValueError: no"]
    assert (tmp_path / "log").read_text().splitlines() == said


def test_a_failed_stage_does_not_end_at_100_percent(tmp_path: Path, bar: list[float]):
    with pytest.raises(RuntimeError), Progress("prune@cel", Log(), tmp_path / "log"):
        raise RuntimeError
    assert bar == [0]


def test_keys_are_such_as_prefect_takes():
    assert artifact_key("train_teacher@my-Style_2") == "train-teacher-my-style-2"
