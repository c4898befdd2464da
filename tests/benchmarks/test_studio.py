"""What the load benchmark makes of its measurements."""

import os
import time

import psutil
import pytest

pytest.importorskip("aiohttp", reason="the users of the studio need aiohttp")

from benchmarks import studio
from benchmarks.studio import ESTIMATED, MEASURED, cpu_seconds, page, shares

LOAD = {"requests": 100, "requests/s": 10.0, "studio's CPU, s": 14.0, "users' CPU, s": 4.0}


def test_the_users_time_is_taken_out_where_they_run_beside_the_server():
    found = shares(LOAD, 20.0, 0.1, beside=True)
    assert found[MEASURED] == 0.5
    assert found[ESTIMATED] == 100 / (10 - 4 / 2) / 20
    assert found["CPU of neither"] == pytest.approx(0.1)
    assert (found["studio's CPU, ms/picture"], found["bare session's CPU, ms/picture"]) == (140, 100)


def test_users_on_cores_of_their_own_change_nothing():
    found = shares(LOAD, 20.0, 0.1, beside=False)
    assert found[MEASURED] == found[ESTIMATED] == 0.5
    assert found["CPU of neither"] == pytest.approx(0.3)


def test_processor_time_is_that_of_work_and_not_of_waiting():
    me = psutil.Process(os.getpid())
    before = cpu_seconds(me)
    time.sleep(0.2)
    waited = cpu_seconds(me)
    until = time.process_time() + 0.2
    while time.process_time() < until:
        pass
    assert waited - before < 0.1
    assert cpu_seconds(me) - waited > 0.15


@pytest.mark.parametrize("parts", [{}, {"start": {"seconds": 1.0}, "queue": {"drawn": 2.0}, "bound": {"busy": 3.0}}])
def test_the_page_says_which_share_is_measured_and_which_is_computed(parts):
    load = LOAD | shares(LOAD, 20.0, 0.1, True)
    text = page({"cpu": "a processor", "users": 50, "users beside the server": True, "load": {"512": load}, **parts})
    assert f"*{MEASURED}* is measured" in text
    assert f"*{ESTIMATED}* is computed" in text
    assert ("queue: drawn" in text) == bool(parts)
    assert text.count("```") == (4 if parts else 2)
    assert studio.PAGE.name == "studio-figures.md"
