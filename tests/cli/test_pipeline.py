"""The three stages work at the same time, within bounds, and end clean."""

import threading
import time

import pytest

from anime_app.cli.progress_bar import Progress, line
from anime_app.pipeline import CODERS, Gate, Stages, Stopped, run


def stages(read=lambda job, admit: job, draw=lambda job, picture: picture, write=lambda job, picture: None) -> Stages:
    return Stages(read, draw, write)


def done_of(jobs, stages: Stages, workers: int = 2, **bounds) -> dict:
    ended = {}
    run(jobs, stages, workers, lambda job, error: ended.update({job: error}), **bounds)
    return ended


def test_every_job_goes_through_all_stages_once():
    written = []
    ended = done_of(range(50), stages(draw=lambda job, p: p * 2, write=lambda job, p: written.append((job, p))))
    assert sorted(written) == [(job, 2 * job) for job in range(50)]
    assert ended == dict.fromkeys(range(50))
    assert done_of([], stages()) == {}


@pytest.mark.parametrize("stage", ["read", "draw", "write"])
def test_an_error_ends_its_own_job(stage):
    def fail(job, *rest):
        if job % 3 == 0:
            raise ValueError(job)
        return job

    ended = done_of(range(20), stages(**{stage: fail}))
    assert {job for job, error in ended.items() if error} == set(range(0, 20, 3))


def test_stages_overlap():
    """Reading the next picture, drawing and writing the last wait for each other: alone, none would go on."""
    together = threading.Barrier(3, timeout=20)

    def wait(job, *rest):
        if job in (4, 5, 6):
            together.wait()
        return job

    def read(job, admit):
        return wait(job) if job == 6 else job

    def draw(job, picture):
        return wait(job) if job == 5 else picture

    def write(job, picture):
        if job == 4:
            wait(job)

    assert not any(done_of(range(8), stages(read, draw, write)).values())


def test_pictures_in_memory_are_bounded_and_a_single_large_one_passes():
    now, most, lock = [0], [0], threading.Lock()

    def read(job, admit):
        admit(job)
        with lock:
            now[0] += job
            most[0] = max(most[0], now[0])
        return job

    def write(job, picture):
        time.sleep(0.001)
        with lock:
            now[0] -= job

    assert not any(done_of([10, 30, 500, 60, 50, 40, 70] * 3, stages(read, write=write), pixels=100).values())
    assert most[0] == 500


def test_no_more_jobs_are_begun_than_can_be_worked_on():
    begun, ended, most = [], [], [0]

    def read(job, admit):
        begun.append(job)
        most[0] = max(most[0], len(begun) - len(ended))

    run(range(60), stages(read), 1, lambda job, error: ended.append(job))
    assert most[0] <= 1 + 2 * CODERS


def test_what_the_report_raises_ends_the_work_soon():
    begun = []

    def report(job, error):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(range(1000), stages(read=lambda job, admit: begun.append(job)), 2, report)
    assert len(begun) < 20
    assert not [thread for thread in threading.enumerate() if "ThreadPool" in thread.name]


def test_whoever_waits_at_a_closed_gate_goes_home():
    gate = Gate(10)
    gate.enter(10)
    thread = threading.Timer(0.05, gate.close)
    thread.start()
    with pytest.raises(Stopped):
        gate.enter(1)
    thread.join()


def test_the_line_says_how_far_how_fast_how_long_still():
    assert line(10, 40, 5, "pictures") == "[######..................] 10/40 pictures  2.0/s  0:15 left"
    assert line(1, 7201, 1, "pictures").endswith("1.0/s  2:00:00 left")
    assert line(0, 10, 0, "pictures").endswith("0/10 pictures  0.0/s  0:00 left")
    assert line(12, 10, 1, "frames").startswith(f"[{'#' * 24}] 12/12")


def test_no_line_where_there_is_no_terminal(capsys):
    progress = Progress(3, "pictures")
    for _ in range(3):
        progress.step()
    progress.clear()
    assert capsys.readouterr().err == ""
