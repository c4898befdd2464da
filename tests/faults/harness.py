"""A toy project that is disturbed, and what must hold of it afterwards."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import mlflow
import psutil
import yaml

from tests.flows.conftest import ROOT

PATIENCE = 900  # seconds for one flow of the toy: ten on idle cores, minutes on busy ones
COMMAND = (sys.executable, "-m", "flows.compress")
# Settings of the session's other tests, which must not reach a project of its own.
SHARED = ("PREFECT_HOME", "PREFECT_API_URL", "MLFLOW_TRACKING_URI", "DVC_SITE_CACHE_DIR", "DVC_GLOBAL_CONFIG_DIR")


def environment(**more: str) -> dict[str, str]:
    """What a person's shell would give the flow: nothing of the tests' own but where the project's code is."""
    clean = {name: value for name, value in os.environ.items() if name not in SHARED}
    return clean | {"PYTHONPATH": str(ROOT)} | more


def start(root: Path, *arguments: str, command: Sequence[str] = COMMAND, **more: str) -> subprocess.Popen:
    """The flow in `root`, in a session of its own; its output goes to `said.txt` there."""
    with (root / "said.txt").open("w") as said:
        return subprocess.Popen(
            [*command, *arguments],
            cwd=root,
            env=environment(**more),
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def said(root: Path) -> str:
    return (root / "said.txt").read_text(errors="replace")


def run(root: Path, *arguments: str, **more: str) -> int:
    """The flow in `root` to its end; its exit status. No traceback reaches a person."""
    status = start(root, *arguments, **more).wait(PATIENCE)
    assert "Traceback" not in said(root), said(root)
    return status


def wait_for(condition: Callable[[], object], patience: float = PATIENCE) -> object:
    """What `condition` returns as soon as that is true."""
    deadline = time.monotonic() + patience
    while not (found := condition()):
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.02)
    return found


def processes(root: Path) -> list[psutil.Process]:
    """Whatever lives and works below `root`."""
    found = []
    for process in psutil.process_iter():
        try:
            inside = Path(process.cwd()).is_relative_to(root) and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            continue
        found += [process] if inside and process.pid != os.getpid() else []
    return found


def running(root: Path, word: str) -> list[psutil.Process]:
    """Processes below `root` with `word` among their arguments: `work.py` for a stage's own."""
    found = []
    for process in processes(root):
        try:
            found += [process] if word in process.cmdline() else []
        except psutil.Error:
            continue
    return found


def empty(root: Path) -> bool:
    return bool(wait_for(lambda: not processes(root), 120))


def kill(process: psutil.Process | subprocess.Popen) -> None:
    try:
        os.kill(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def files(root: Path) -> dict[str, str]:
    """Every file that the stages made, by its hash."""
    made = [path for path in sorted((root / "artifacts").rglob("*")) if path.is_file()]
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in made}


def finished(root: Path) -> set[str]:
    """Stages that DVC has noted as done."""
    try:
        return set(yaml.safe_load((root / "dvc.lock").read_text())["stages"])
    except (OSError, yaml.YAMLError, TypeError, KeyError):
        return set()


def begun(root: Path) -> Counter:
    """How often each stage's command began; forgotten once told."""
    file = root / "trace.txt"
    lines = file.read_text().splitlines() if file.exists() else []
    file.unlink(missing_ok=True)
    return Counter(line.split()[1] for line in lines if line.startswith("begin"))


def assert_registered_once(root: Path, uri: str | None = None) -> None:
    """Every evaluated variant is one version, with its figures and with the very file that was evaluated."""
    store = mlflow.MlflowClient(uri or f"sqlite:///{root}/mlflow.db")
    versions = store.search_model_versions()
    assert sorted((version.name, version.tags["variant"]) for version in versions) == [
        (f"animegan-{style}", variant) for style in ("cel", "ink") for variant in ("int8", "teacher")
    ]
    for version in versions:
        tags = version.tags
        onnx = root / "artifacts" / tags["style"] / "exports" / f"{tags['variant']}.onnx"
        assert tags["dvc_md5"] == hashlib.md5(onnx.read_bytes()).hexdigest()
        assert {"protocol", "fid", "git_commit", "data_hash", "protocol_md5"} <= set(tags)
        model = store.get_logged_model(version.source.removeprefix("models:/"))
        place = model.artifact_location.removeprefix("file://")  # or below the folder that a server keeps them in
        kept = list(Path(place.replace("mlflow-artifacts:", f"{root}/mlartifacts")).rglob("*.onnx"))
        assert [path.read_bytes() for path in kept] == [onnx.read_bytes()]
        assert {metric.key: metric.value for metric in model.metrics}["fid"] == float(tags["fid"])


def recover(root: Path, undisturbed: dict[str, str], uri: str | None = None, **more: str) -> None:
    """The next run ends with the right files, registers all of it once, and does nothing again that was finished."""
    done = finished(root)
    begun(root)
    assert run(root, **more) == 0, said(root)
    again = set(begun(root)) & done
    assert not again, f"finished, and yet done again: {again}"
    assert files(root) == undisturbed
    assert_registered_once(root, uri)
    assert empty(root)
    text = json.dumps(sorted(undisturbed))
    assert '"artifacts/ink/evaluation/int8.json"' in text, "the comparison is with a whole run"
