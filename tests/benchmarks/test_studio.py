"""What the load benchmark makes of its measurements."""

import os
import time

import numpy as np
import psutil
import pytest

pytest.importorskip("aiohttp", reason="the users of the studio need aiohttp")

from anime_model.runtime.models import find_model
from anime_model.runtime.network import Network
from benchmarks import studio
from benchmarks.runtime import batch_of
from benchmarks.studio import ESTIMATED, MEASURED, Bare, Load, cpu_seconds, page, shares

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


@pytest.mark.parametrize("size", [(512, 512), (61, 83), (360, 640)])
def test_the_bare_session_draws_as_many_pixels_as_the_runtime(size):
    shapes = []

    class Session:
        def run(self, names: list[str], given: dict[str, np.ndarray]) -> list[np.ndarray]:
            shapes.append(given["photo"].shape)
            return [np.zeros_like(given["photo"])]

    network = Network(find_model("shinkai"), threads=1)
    vars(network)["session"] = Session()
    network(np.zeros((*size, 3), np.uint8))
    assert shapes == [batch_of(*size).shape]


def test_turns_of_a_load_are_counted_together():
    load = Load(times=[1.0, 3.0], sizes=[10.0, 30.0, 20.0], errors=1, seconds=4.0, studio=5.0, users=0.5)
    figures = load.figures()
    assert (figures["requests"], figures["errors"], figures["requests/s"], figures["p50, s"]) == (2, 1, 0.5, 2.0)
    assert (figures["memory before, MB"], figures["memory at most, MB"]) == (10.0, 30.0)
    assert (figures["studio's CPU, s"], figures["users' CPU, s"]) == (5.0, 0.5)


def test_the_bare_session_s_turns_are_counted_together_and_the_first_picture_of_each_is_not(monkeypatch):
    runs = []

    class Session:
        def run(self, names: list[str] | None, given: dict[str, np.ndarray]) -> None:
            runs.append(given)
            time.sleep(0.001)

    monkeypatch.setattr(studio, "open_session", lambda model, threads: Session())
    bare = Bare(512)
    for _ in range(2):
        bare.run()
    assert len(runs) == bare.pictures + 2 * studio.CORES
    pictures_a_second, seconds = bare.figures()
    assert pictures_a_second == bare.pictures / bare.seconds < 1000 * studio.CORES
    assert seconds >= 0
