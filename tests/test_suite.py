"""The suite itself: its order, and that no test leaves anything in the process for the next."""

import logging
import os
import random
import signal
from dataclasses import dataclass
from pathlib import Path

import mlflow
import numpy as np
import pytest
import torch
from PIL import Image

from tests.order import LONGEST, TESTS, UNITS, in_order, unit_of
from tests.process_state import put_back
from tests.support import made_once


@dataclass(frozen=True)
class Named:
    path: Path
    name: str


@pytest.fixture
def tests() -> list[Named]:
    files = ("test_a.py", LONGEST[1], "test_b.py", LONGEST[0])
    return [Named(TESTS / file, name) for file in files for name in "xyz"]


def names(tests: list[Named]) -> list[str]:
    return [str(test.path.relative_to(TESTS)) for test in tests[::3]]


def test_the_longest_files_come_first_and_the_others_stay(tests):
    assert all((TESTS / name).is_file() for name in LONGEST)
    assert names(in_order(tests, "")) == [LONGEST[0], LONGEST[1], "test_a.py", "test_b.py"]


def test_a_file_s_tests_stay_together_in_any_order(tests):
    assert in_order(tests, "reversed") == tests[::-1]
    orders = [in_order(tests, str(seed)) for seed in range(20)]
    assert len({tuple(names(order)) for order in orders}) > 5
    assert in_order(tests, "7") == orders[7]
    for order in orders:
        assert sorted(order, key=repr) == sorted(tests, key=repr)
        assert all(len({test.path for test in order[start : start + 3]}) == 1 for start in range(0, 12, 3))


def test_what_files_share_is_started_by_one_worker():
    from xdist.scheduler import LoadFileScheduling

    from tests.scheduling import scheduler

    class Config:
        def __init__(self, dist: str) -> None:
            self.dist = dist

        def getoption(self, name: str) -> str:
            return getattr(self, name)

        def getvalue(self, name: str) -> list[str]:
            assert name == "tx"
            return ["popen", "popen"]

    files = [name for unit in UNITS for name in unit]
    assert len(set(files)) == len(files)
    assert all((TESTS / name).is_file() for name in files)
    handed_out = scheduler(Config("loadfile"), None)
    assert isinstance(handed_out, LoadFileScheduling)
    for unit in UNITS:
        assert {handed_out._split_scope(f"tests/{name}::test[a::b]") for name in unit} == {f"tests/{unit[0]}"}
    assert handed_out._split_scope("tests/test_suite.py::test_x") == unit_of("tests/test_suite.py::x::y")
    assert unit_of("tests/test_suite.py::test_x") == "tests/test_suite.py", "all others by themselves"
    assert scheduler(Config("load"), None) is None


def test_a_variable_that_is_left_is_named_and_put_back(monkeypatch):
    monkeypatch.setenv("WAS_THERE", "before")
    with pytest.raises(AssertionError, match="these variables changed: IS_NEW, WAS_THERE"), put_back(1):
        os.environ |= {"WAS_THERE": "after", "IS_NEW": "1"}
    assert (os.environ["WAS_THERE"], os.environ.get("IS_NEW")) == ("before", None)


def test_another_working_folder_is_named_and_left(tmp_path, monkeypatch):
    here = Path.cwd()
    with pytest.raises(AssertionError, match=f"in {tmp_path}"), put_back(1):
        os.chdir(tmp_path)
    assert Path.cwd() == here


def test_a_test_that_changed_nothing_passes():
    with put_back(1):
        os.environ.pop("PYTEST_CURRENT_TEST", None)


def test_stores_limits_and_handlers_are_those_of_the_start(tmp_path):
    with put_back(1):
        mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
        mlflow.set_experiment("left active")
        mlflow.start_run()
        Image.MAX_IMAGE_PIXELS = None
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    assert signal.getsignal(signal.SIGTERM) is not signal.SIG_IGN
    assert mlflow.active_run() is None
    with put_back(1):
        assert mlflow.tracking.fluent._active_experiment_id is None
        assert str(tmp_path) not in mlflow.get_tracking_uri()
        assert Image.MAX_IMAGE_PIXELS == 89478485


def test_every_test_draws_the_same_numbers_with_the_same_threads():
    drawn = []
    for _ in range(2):
        with put_back(1):
            assert torch.get_num_threads() == 1
            torch.set_num_threads(2)
            drawn.append((random.random(), np.random.rand(), torch.rand(1).item()))  # noqa: NPY002 - the seed's own
    assert drawn[0] == drawn[1]


def test_nobody_listens_to_the_steps_of_exports():
    """A fifth of their time would go into records that no test reads."""
    assert not logging.getLogger("torch.__trace").handlers


def test_what_all_workers_need_is_made_once_and_whole(tmp_path_factory):
    made = []

    def make(folder: Path) -> None:
        made.append(folder)
        (folder / "one").write_text("1")
        if len(made) == 1:
            raise OSError("the first attempt breaks off")

    with pytest.raises(OSError, match="breaks off"):
        made_once(tmp_path_factory, "suite", make)
    first, second = (made_once(tmp_path_factory, "suite", make) for _ in range(2))
    assert first == second
    assert len(made) == 2
    assert [path.name for path in first.iterdir()] == ["one"]
