"""Work that several processes share: results in order, errors as one process would have them."""

import os

import pytest

from anime_model.pictures import processes
from anime_model.pictures.processes import spread_over, workers_here


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_order_and_errors_come_through(workers):
    assert list(spread_over(workers, abs, [-3, 1, -2], at_once=2)) == [3, 1, 2]
    with pytest.raises(ValueError, match="invalid literal"):
        list(spread_over(workers, int, ["1", "one"]))


def test_a_process_that_is_ended_is_one_line():
    with pytest.raises(OSError, match="one of its processes was ended"):
        list(spread_over(2, os._exit, [1, 1]))


@pytest.mark.parametrize(
    ("limit", "most", "wanted"), [(None, 8, 4), (None, 2, 2), ("3", 8, 3), ("64", 8, 4), ("0", 8, 1), ("2,1", 8, 4)]
)
def test_no_more_processes_than_cores_and_than_a_person_allows(monkeypatch, limit, most, wanted):
    monkeypatch.setattr(processes, "cores_here", lambda: 4)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if limit is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", limit)
    assert workers_here(most) == wanted
