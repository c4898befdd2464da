import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from threading import Event

import psutil
import pytest

from flows.pipeline.run_stage import StageError, reproduce


def run(root: Path, name: str, timeout: float = 60, stop: Event | None = None) -> tuple[bool, list[str]]:
    lines: list[str] = []
    return reproduce(name, root, stop or Event(), timeout, lines.append), lines


def hanging(root: Path, patience: float = 30) -> list[int]:
    """The stage's process and its child, once both are there."""
    deadline = time.monotonic() + patience
    while not (root / "pids.txt").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.1)
    return [int(pid) for pid in (root / "pids.txt").read_text().split()]


def lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def gone(pids: list[int]) -> bool:
    """Whether all have ended; one that its new parent has not asked after yet has ended too."""
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        if not any(lives(pid) for pid in pids):
            return True
        time.sleep(0.05)
    return False


def test_only_the_stage_itself_is_heard(toy: Path):
    cached, lines = run(toy, "train_teacher@cel")
    assert not cached
    assert lines == ["step 1/3 loss=1.000", "step 2/3 loss=0.500", "step 3/3 loss=0.333"]


def test_an_unchanged_stage_and_one_from_the_run_cache_are_cached(made: Path):
    assert run(made, "train_teacher@cel") == (True, [])
    (made / "artifacts" / "cel" / "teacher" / "curve.csv").unlink()
    (made / "dvc.lock").unlink()
    assert run(made, "train_teacher@cel") == (True, [])
    assert (made / "artifacts" / "cel" / "teacher" / "curve.csv").exists()


@pytest.fixture
def changed(made: Path) -> Path:
    """A made project with one stage to run again."""
    recipe = made / "params.yaml"
    recipe.write_text(recipe.read_text().replace("rounds: 3", "rounds: 2"))
    return made


def test_a_failure_is_the_stages_own_last_word(changed: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TOY", "fail train_teacher@cel")
    with pytest.raises(StageError, match=r"^ValueError: the toy breaks$") as error:
        run(changed, "train_teacher@cel")
    assert not error.value.transient


def test_a_failure_of_dvc_itself_is_told_too(toy: Path):
    with pytest.raises(StageError, match="nothing"):
        run(toy, "nothing")


def test_a_killed_stage_may_be_tried_again(changed: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TOY", "die train_teacher@cel")
    with pytest.raises(StageError, match="killed by SIGKILL") as error:
        run(changed, "train_teacher@cel")
    assert error.value.transient
    run(changed, "train_teacher@cel")


def test_a_timeout_ends_the_whole_group(changed: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TOY", "hang train_teacher@cel")
    with pytest.raises(StageError, match="longer than its timeout"):
        run(changed, "train_teacher@cel", timeout=3)
    assert gone(hanging(changed))


def test_a_stop_ends_the_whole_group(changed: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TOY", "hang train_teacher@cel")
    stop = Event()
    with pytest.raises(StageError, match="stopped"):  # as soon as it says that it hangs
        reproduce("train_teacher@cel", changed, stop, 60, lambda line: stop.set())
    assert gone(hanging(changed))


def test_the_group_dies_with_its_killed_parent(changed: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TOY", "hang train_teacher@cel")
    program = "from flows.pipeline.run_stage import *; reproduce('train_teacher@cel', Path(), Event(), 60, print)"
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    parent = subprocess.Popen([sys.executable, "-c", program], env=environment, stdout=subprocess.DEVNULL)
    pids = hanging(changed)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert gone(pids)
