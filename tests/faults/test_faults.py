"""Not a kill: a full disk, a damaged cache, two runs at once, a hanging stage, a jumping clock, a cancelled run.

What is marked `faults` takes minutes and runs with `python -m pytest -m faults`.
"""

import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest
import yaml

from flows.pipeline.cache import damaged_objects, object_folder, remove_damaged
from flows.pipeline.graph import load_stages
from flows.pipeline.run_stage import reproduce
from tests.faults import harness
from tests.flows.test_compress import post

pytestmark = [pytest.mark.slow, pytest.mark.timeout(2400)]
DRAW = random.Random(20260602)


def damage(path: Path) -> None:
    """One bit turned, size, times and mode as they were: what a failing disk does."""
    was, content = path.stat(), bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(content)
    path.chmod(was.st_mode)
    os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))


def held(root: Path, path: str) -> Path:
    """The cache's object of one file that a stage made."""
    import hashlib

    md5 = hashlib.md5((root / path).read_bytes()).hexdigest()
    return object_folder(root) / md5[:2] / md5[2:]


def repro(root: Path, name: str) -> list[str]:
    """One stage as the flow runs it; what was found damaged on the way."""
    found = []
    reproduce(name, root, Event(), harness.PATIENCE, lambda line: None)
    while damaged := remove_damaged(root, name):
        found += damaged
        reproduce(name, root, Event(), harness.PATIENCE, lambda line: None)
    return found


@pytest.mark.parametrize("object_of", ["artifacts/cel/exports/int8.onnx", "folder"])
def test_a_damaged_cache_object_is_found_removed_and_made_again(evaluated: Path, object_of: str):
    """DVC alone would restore the damaged file and call it unchanged: the object is read-only, so it is trusted."""
    expected = harness.files(evaluated)
    if object_of == "folder":
        outs = yaml.safe_load((evaluated / "dvc.lock").read_text())["stages"]["export@cel"]["outs"]
        broken = object_folder(evaluated) / outs[0]["md5"][:2] / outs[0]["md5"][2:]
    else:
        broken = held(evaluated, object_of)
    damage(broken)
    assert list(damaged_objects(object_folder(evaluated))) == [broken]
    shutil.rmtree(evaluated / "artifacts" / "cel" / "exports")
    found = []
    if any(stage.name == "export@cel" and stage.changed for stage in load_stages(evaluated)):
        found = repro(evaluated, "export@cel")
    assert found or object_of == "folder"
    assert harness.files(evaluated) == expected
    assert list(damaged_objects(object_folder(evaluated))) == []
    assert remove_damaged(evaluated, "export@cel") == []
    assert {stage.changed for stage in load_stages(evaluated)} == {""}


def test_a_damaged_object_of_a_stage_that_runs_again_is_replaced(evaluated: Path):
    expected, broken = harness.files(evaluated), held(evaluated, "artifacts/cel/teacher/curve.csv")
    damage(broken)
    shutil.rmtree(evaluated / ".dvc" / "cache" / "runs")
    (evaluated / "dvc.lock").unlink()
    shutil.rmtree(evaluated / "artifacts" / "cel" / "teacher")
    repro(evaluated, "train_teacher@cel")
    assert harness.files(evaluated) == expected
    assert list(damaged_objects(object_folder(evaluated))) == []


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.9, 0.999])
def test_a_cut_off_lock_file_is_set_aside_and_filled_again(evaluated: Path, share: float):
    lock = evaluated / "dvc.lock"
    whole = lock.read_bytes()
    lock.write_bytes(whole[: int(len(whole) * share)])
    stages = load_stages(evaluated)
    assert any(stage.changed for stage in stages)
    harness.begun(evaluated)
    if share == 0.5:
        for stage in stages:
            assert repro(evaluated, stage.name) == []
        assert harness.begun(evaluated).total() <= 1, "the run cache has all but the stage in whose lines the cut is"
        assert {stage.changed for stage in load_stages(evaluated)} == {""}


def test_a_second_at_once_is_refused_and_a_kill_takes_all_stages_along(project: Path, prefect_api: str):
    """What the two leave behind in the end is seen in `-m faults`."""
    first = two_at_once(project, prefect_api)
    harness.kill(first)
    first.wait()
    assert harness.empty(project)


@pytest.mark.faults
def test_two_at_once_do_the_work_of_one(project: Path, undisturbed: dict[str, str], prefect_api: str):
    first = two_at_once(project, prefect_api)
    assert first.wait(harness.PATIENCE) == 0
    assert harness.files(project) == undisturbed
    harness.assert_registered_once(project)


def two_at_once(project: Path, prefect_api: str) -> subprocess.Popen:
    """A flow in the middle of its first stage, after a second one was told so and ended."""
    first = harness.start(project, PREFECT_API_URL=prefect_api)
    harness.wait_for(lambda: harness.running(project, "work.py"))
    second = subprocess.run(
        harness.COMMAND,
        cwd=project,
        env=harness.environment(PREFECT_API_URL=prefect_api),
        capture_output=True,
        text=True,
        timeout=harness.PATIENCE,
        check=False,
    )
    assert second.returncode == 2
    assert second.stderr == "error: another flow works in this folder: wait until it ends\n"
    return first


@pytest.mark.faults
def test_a_hanging_stage_ends_at_its_timeout_with_its_children(
    project: Path, undisturbed: dict[str, str], prefect_api: str
):
    settings = {"TOY": "hang export@cel", "PREFECT_API_URL": prefect_api}
    assert harness.run(project, "--timeout-hours", "0.02", **settings) == 1
    assert "export@cel: took longer than its timeout" in harness.said(project)
    assert harness.empty(project), "the stage's child sleeps for ten minutes otherwise"
    harness.recover(project, undisturbed, PREFECT_API_URL=prefect_api)


@pytest.mark.faults
def test_cancelling_at_prefect_leaves_no_process(project: Path, undisturbed: dict[str, str], prefect_api: str):
    """What the button of Prefect's pages does, to a run that no worker started."""
    flow = harness.start(project, TOY="hang train_teacher@ink", PREFECT_API_URL=prefect_api)
    harness.wait_for(lambda: (project / "pids.txt").exists())
    run = post(prefect_api, "flow_runs/filter", {"sort": "START_TIME_DESC", "limit": 1})[0]["id"]
    post(prefect_api, f"flow_runs/{run}/set_state", {"state": {"type": "CANCELLING", "name": "Cancelling"}})
    assert flow.wait(harness.PATIENCE) == 1
    assert "error: stopped; finished stages are kept" in harness.said(project)
    assert "Traceback" not in harness.said(project)
    assert harness.empty(project)
    after = post(prefect_api, "flow_runs/filter", {"flow_runs": {"id": {"any_": [run]}}})[0]
    assert after["state_name"] == "Cancelled"
    harness.recover(project, undisturbed, PREFECT_API_URL=prefect_api)


@pytest.mark.faults
def test_cancelling_a_deployed_run_leaves_no_process(project: Path, prefect_api: str):
    """A run that Prefect's own runner started, as a schedule or a worker does."""
    program = "from flows.compress import compress; compress.serve('toy')"
    runner = harness.start(
        project, command=[sys.executable, "-c", program], TOY="hang train_teacher@ink", PREFECT_API_URL=prefect_api
    )
    found = harness.wait_for(lambda: post(prefect_api, "deployments/filter", {}))
    post(prefect_api, f"deployments/{found[0]['id']}/create_flow_run", {"state": {"type": "SCHEDULED"}})
    harness.wait_for(lambda: (project / "pids.txt").exists())
    run = post(prefect_api, "flow_runs/filter", {"sort": "START_TIME_DESC", "limit": 1})[0]["id"]
    post(prefect_api, f"flow_runs/{run}/set_state", {"state": {"type": "CANCELLING", "name": "Cancelling"}})
    harness.wait_for(lambda: not harness.running(project, "-m") and not harness.running(project, "work.py"), 180)
    after = post(prefect_api, "flow_runs/filter", {"flow_runs": {"id": {"any_": [run]}}})[0]
    assert after["state_name"] in ("Cancelling", "Cancelled")
    runner.terminate()
    runner.wait(60)
    assert harness.empty(project)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 48 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", str(disk)], capture_output=True, text=True
    )
    if made.returncode:
        pytest.skip(f"no disk can be mounted here: {made.stderr.strip()}")
    yield disk
    for process in harness.processes(disk):
        harness.kill(process)
    subprocess.run(["umount", "-l", str(disk)], check=True)


@pytest.mark.faults
@pytest.mark.parametrize("free", [0, *(round(2 ** DRAW.uniform(12, 21)) for _ in range(4))])
def test_a_full_disk(
    small_disk: Path, toy_template: Path, undisturbed: dict[str, str], length: float, prefect_api: str, free: int
):
    """From a random moment on there is room for `free` bytes more; then someone makes room."""
    root = small_disk / "toy"
    shutil.copytree(toy_template, root)
    with (small_disk.parent / "said.txt").open("w") as said:
        flow = subprocess.Popen(
            harness.COMMAND,
            cwd=root,
            env=harness.environment(PREFECT_API_URL=prefect_api, TMPDIR=str(small_disk)),
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    time.sleep(random.Random(free).random() * length * 0.7)
    filler = small_disk / "filler"
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(small_disk).free - free)
    status = flow.wait(harness.PATIENCE)
    text = (small_disk.parent / "said.txt").read_text()
    assert "Traceback" not in text, text
    assert status == 0 or any(line.startswith("error: ") for line in text.splitlines()), text
    filler.unlink()
    assert harness.empty(root)
    harness.recover(root, undisturbed, PREFECT_API_URL=prefect_api)


SHIFT = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
static long shift(void) { /* seconds, from a file that may change at any time */
    long seconds = 0;
    FILE *file = fopen(getenv("CLOCK_SHIFT"), "r");
    if (file) { if (fscanf(file, "%ld", &seconds) != 1) seconds = 0; fclose(file); }
    return seconds;
}
int clock_gettime(clockid_t clock, struct timespec *now) {
    int (*real)(clockid_t, struct timespec *) = dlsym(RTLD_NEXT, "clock_gettime");
    int failed = real(clock, now);
    if (!failed && clock == CLOCK_REALTIME) now->tv_sec += shift();
    return failed;
}
int gettimeofday(struct timeval *now, void *zone) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    now->tv_sec = t.tv_sec; now->tv_usec = t.tv_nsec / 1000;
    return 0;
}
time_t time(time_t *now) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    if (now) *now = t.tv_sec;
    return t.tv_sec;
}
"""


@pytest.fixture
def shifted_clock(tmp_path: Path) -> Path:
    """A library that moves the wall clock of a process and its children; the monotonic clock goes on as it is."""
    if not (compiler := shutil.which("cc")):
        pytest.skip("no C compiler, which this needs to fake the clock")
    (tmp_path / "shift.c").write_text(SHIFT)
    command = [compiler, "-shared", "-fPIC", "-o", "shift.so", "shift.c", "-ldl"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    return tmp_path / "shift.so"


@pytest.mark.faults
@pytest.mark.parametrize("jumps", [(400, -400), (-3000, 0), (30, -30)], ids=lambda days: f"{days[0]},{days[1]} days")
def test_the_clock_jumps(
    project: Path,
    undisturbed: dict[str, str],
    length: float,
    prefect_api: str,
    shifted_clock: Path,
    jumps: tuple[int, int],
):
    """For the flow and all its stages: at the start, and again in the middle of the run."""
    clock = project.parent / "clock.txt"
    clock.write_text(str(jumps[0] * 86400))
    settings = {"LD_PRELOAD": str(shifted_clock), "CLOCK_SHIFT": str(clock)}
    flow = harness.start(project, PREFECT_API_URL=prefect_api, **settings)
    time.sleep(random.Random(jumps[0]).random() * length)
    clock.write_text(str(jumps[1] * 86400))
    assert flow.wait(harness.PATIENCE) == 0, harness.said(project)
    assert harness.files(project) == undisturbed
    told = [float(line.split()[2]) for line in (project / "trace.txt").read_text().splitlines()]
    assert max(abs(moment - time.time()) for moment in told) > 86400, "the stages saw the wrong clock"
    harness.recover(project, undisturbed, PREFECT_API_URL=prefect_api)


@pytest.mark.parametrize("years", [-30, 30])
def test_files_from_the_past_or_the_future_are_known_by_their_content(evaluated: Path, years: int):
    when = time.time() + years * 365 * 86400
    for path in [
        *(evaluated / "artifacts").rglob("*"),
        *(evaluated / ".dvc" / "cache").rglob("*"),
        evaluated / "work.py",
    ]:
        os.utime(path, (when, when))
    assert {stage.changed for stage in load_stages(evaluated)} == {""}
    (evaluated / "artifacts" / "cel" / "teacher" / "curve.csv").write_text("step,loss\n1,2.0\n2,1.0\n3,1.0\n")
    os.utime(evaluated / "artifacts" / "cel" / "teacher" / "curve.csv", (when, when))
    changed = {stage.name for stage in load_stages(evaluated) if stage.changed}
    assert changed == {"train_teacher@cel", "export@cel", "evaluate@cel"}
