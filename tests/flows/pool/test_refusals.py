"""What a pool says in one line: clones, code, remotes and addresses that cannot be used. Nothing is lost by any."""

import contextlib
import importlib.util
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest

from flows.pipeline.run_stage import StageError
from flows.pool import exchange, prepare, unfinished, work
from flows.pool.clone import CLONE, CloneError, changed_code, check_code, own
from flows.pool.exchange import Listener, push, push_rest, shared
from flows.pool.remote import MARK, RemoteError, open_remote
from flows.pool.steps import enter_clone
from flows.runs.server import free_port
from tests.flows.toy import dvc, git


@pytest.fixture
def clone(made: Path, store: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A toy that is all made, with a remote that has nothing of it, as the clone of a worker."""
    dvc("remote", "add", "-d", "store", str(store))
    git("add", "-A")
    git("commit", "-qm", "a remote")
    monkeypatch.setenv(CLONE, str(made))
    monkeypatch.setattr(exchange, "claimed", lambda *_: contextlib.nullcontext())
    open_remote(made).mark()
    return made


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Path]:
    """A file system of 128 kB."""
    folder = tmp_path / "full"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no right to mount a tmpfs")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def commit(root: Path) -> str:
    done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=root, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def lines(error: pytest.ExceptionInfo) -> int:
    return len(str(error.value).splitlines())


def test_two_workers_never_share_a_clone(toy: Path):
    held = own(toy)
    with pytest.raises(CloneError, match=r"a worker \(process \d+ on .+\) works in .+ already: give each a clone"):
        own(toy)
    held.close()
    own(toy).close()


def test_a_worker_with_other_code_is_refused(toy: Path, monkeypatch: pytest.MonkeyPatch):
    deployed = commit(toy)
    check_code(toy, deployed)
    (toy / "params.yaml").write_text((toy / "params.yaml").read_text() + "# a person's own\n")
    check_code(toy, deployed)
    (toy / "work.py").write_text((toy / "work.py").read_text() + "# other code\n")
    with pytest.raises(CloneError, match=r"changes that no commit holds \(work.py\)"):
        check_code(toy, deployed)
    git("commit", "-qam", "other code")
    with pytest.raises(CloneError, match=f"has the code of {commit(toy)[:10]}, the deployment is of {deployed[:10]}"):
        check_code(toy, deployed)
    check_code(toy, commit(toy))
    monkeypatch.setenv(CLONE, str(toy))
    assert enter_clone() == {"directory": str(toy)}
    monkeypatch.delenv(CLONE)
    with pytest.raises(CloneError, match=r"start it by `python -m flows.pool.work` in one"):
        enter_clone()


def test_a_clone_without_a_remote_is_told_how_to_get_one(toy: Path):
    with pytest.raises(RemoteError, match=r"has no DVC remote .+: `dvc remote add -d store ADDRESS`") as error:
        open_remote(toy)
    assert lines(error) == 1


def test_a_folder_that_is_not_mounted_is_no_empty_remote(clone: Path, store: Path):
    remote = open_remote(clone)
    remote.check()
    (store / MARK).unlink()
    with pytest.raises(RemoteError, match=f"the remote .*{store} is gone: {MARK} is not there"):
        remote.check()
    shutil.rmtree(store)
    with pytest.raises(RemoteError, match="is not there: mount it, or make the folder"):
        remote.mark()


@pytest.mark.skipif(not importlib.util.find_spec("dvc_s3"), reason="dvc-s3 is not installed: pip install '.[s3]'")
def test_an_s3_address_where_nobody_answers_is_one_line(toy: Path, monkeypatch: pytest.MonkeyPatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "some-secret")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    dvc("remote", "add", "-d", "away", "s3://pool/dvc")
    dvc("remote", "modify", "away", "endpointurl", f"http://127.0.0.1:{free_port(0)}")
    with pytest.raises(RemoteError, match=r"the remote s3://pool/dvc does not answer: ") as error:
        open_remote(toy).check()
    assert lines(error) == 1


def test_a_remote_that_is_gone_stops_a_stage_before_it_starts(clone: Path, store: Path):
    """Whoever went on without it might compute what others have computed."""
    shutil.move(store, store.with_name("elsewhere"))
    with (
        pytest.raises(StageError, match=r"is gone: .+; nothing was lost, run it again when the remote is back"),
        shared("train_teacher@cel", clone, Event(), Listener(print)),
    ):
        pytest.fail("it ran")


def test_a_remote_that_goes_away_meanwhile_costs_nothing(clone: Path, store: Path):
    """The stage ends well, the end of the run says so, and the next run sends what is missing."""
    warned: list[str] = []
    listener = Listener(print, None, warned.append)
    with shared("train_teacher@cel", clone, Event(), listener) as pull:
        assert pull
        shutil.move(store, store.with_name("elsewhere"))
    assert [line for line in warned if "is gone" in line and line.endswith("tried again at the end of the run")]
    (problem,) = push_rest(["train_teacher@cel"], clone, Event(), listener)
    assert problem.startswith("push: the remote ")
    assert problem.endswith(f"the results are kept in {clone}: its next run sends them")
    shutil.move(store.with_name("elsewhere"), store)
    assert push_rest(["train_teacher@cel"], clone, Event(), listener) == []
    assert list((store / "runs").rglob("*")), "the run cache travelled too"
    assert list((store / "files/md5").rglob("*"))


def test_a_full_remote_is_said_with_its_reason(clone: Path, full: Path):
    dvc("remote", "modify", "store", "url", str(full))
    remote = open_remote(clone)
    remote.mark()
    (full / "rest").write_bytes(b"x" * 110_000)
    dvc("commit", "-f", "-q", "export")
    with pytest.raises(RemoteError, match=r"does not take the results: .*No space left on device") as error:
        push(remote, ["train_teacher@cel", "export@cel", "evaluate@cel"], clone, Event(), Listener(print))
    assert lines(error) == 1
    (full / "rest").unlink()


def test_without_a_pool_a_stage_is_left_alone(made: Path):
    with shared("train_teacher@cel", made, Event(), Listener(print)) as pull:
        assert not pull
    assert push_rest(["train_teacher@cel"], made, Event(), Listener(print)) == []


def test_resume_files_travel_and_go_when_the_work_is_done(clone: Path, tmp_path: Path):
    remote, stage = open_remote(clone), "train_teacher@cel"
    there = clone / "scratch/train_teacher/0123"
    (there / "snapshots").mkdir(parents=True)
    (there / "snapshots/step_1.safetensors").write_text("first")
    (there / "teacher.safetensors").write_text("resume")
    with pytest.raises(KeyboardInterrupt), unfinished.sending(remote, stage, clone, pytest.fail):
        raise KeyboardInterrupt
    other = tmp_path / "other"
    assert unfinished.fetch(remote, stage, other) == 2
    assert (other / "scratch/train_teacher/0123/teacher.safetensors").read_text() == "resume"
    assert unfinished.fetch(remote, "train_teacher@ink", other) == 0, "a stage's own alone"
    with unfinished.sending(remote, stage, clone, pytest.fail):
        pass
    assert unfinished.fetch(remote, stage, tmp_path / "third") == 0


def test_what_a_resume_file_counts_on_is_sent_before_it(clone: Path, monkeypatch: pytest.MonkeyPatch):
    there = clone / "scratch/train_teacher/0123"
    there.mkdir(parents=True)
    for age, name in enumerate(("teacher.safetensors", "step_1.safetensors", "cut_1.safetensors")):
        (there / name).write_text(name)
        os.utime(there / name, (1000 - age, 1000 - age))
    sent: list[str] = []
    remote = open_remote(clone)
    put = type(remote.fs).put_file
    monkeypatch.setattr(type(remote.fs), "put_file", lambda fs, *paths: (sent.append(paths[1]), put(fs, *paths)))
    sender = unfinished._Sender(remote, "train_teacher@cel", clone, pytest.fail, 1.0)
    sender.send()
    sender.send()
    assert [Path(path).name for path in sent] == ["cut_1.safetensors", "step_1.safetensors", "teacher.safetensors"]


@pytest.mark.parametrize(
    ("command", "address", "said"),
    [
        (work, "", "error: PREFECT_API_URL is not set: name the Prefect server that all"),
        (work, "http://127.0.0.1:9/api", "error: Prefect does not answer at http://127.0.0.1:9"),
        (prepare, "http://127.0.0.1:9/api", "error: Prefect does not answer at http://127.0.0.1:9"),
    ],
)
def test_a_server_that_is_away_is_one_line(toy: Path, monkeypatch, capsys, command, address, said):
    monkeypatch.setattr(work, "PATIENCE", 0.1)
    monkeypatch.setattr(sys, "argv", ["command"])
    monkeypatch.setenv("PREFECT_API_URL", address)
    assert command.main() == 2
    printed, errors = capsys.readouterr()
    assert printed == ""
    assert errors.startswith(said)
    assert len(errors.splitlines()) == 1


def test_newer_resume_files_of_ones_own_are_not_replaced(clone: Path):
    """The remote was full after the first hour, and the training went on."""
    remote, stage = open_remote(clone), "train_teacher@cel"
    work = {name: clone / "scratch/train_teacher" / name / "teacher.safetensors" for name in ("mine", "other")}
    for file in work.values():
        file.parent.mkdir(parents=True)
        file.write_text("step 1000")
    with pytest.raises(KeyboardInterrupt), unfinished.sending(remote, stage, clone, pytest.fail):
        raise KeyboardInterrupt
    snapshot = work["mine"].with_name("step_1.safetensors")
    later = time.time() + 60
    for file in (work["mine"], snapshot):
        file.write_text("step 9000")
        os.utime(file, (later, later))
    work["other"].unlink()
    assert unfinished.fetch(remote, stage, clone) == 1
    assert work["mine"].read_text() == "step 9000"
    assert work["other"].read_text() == "step 1000"


def test_data_with_any_name_are_no_code(clone: Path):
    for name in ("fotos_für.dvc", "a b.dvc"):
        (clone / name).write_text("outs: []")
    subprocess.run(["git", "-C", str(clone), "add", "-A"], check=True)
    assert changed_code(clone) == []
    (clone / "größer.py").write_text("x = 1")
    subprocess.run(["git", "-C", str(clone), "add", "-A"], check=True)
    assert changed_code(clone) == ["größer.py"]
