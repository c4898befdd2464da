"""Three workers in clones of their own and the real pipeline with a tiny recipe: one is killed while it trains.

With PostgreSQL under Prefect and MLflow and S3-compatible storage for DVC and for MLflow's files, where they are
installed; else with SQLite and folders.
"""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import mlflow
import pytest
import yaml

from flows.machine.group import end_group
from flows.reproduce import WITH_TIMES
from flows.runs.server import answers, free_port
from tests.declared import CHANGES
from tests.flows.conftest import ROOT
from tests.flows.pool.conftest import Pool, ran
from tests.flows.promoting import draw_pictures
from tests.flows.runs.test_worker import binaries, healthy, logged, postgres  # noqa: F401
from tests.flows.test_retrain import wait_for
from tests.flows.toy import dvc, git
from tests.tasks.conftest import merged, small_recipe  # noqa: F401

pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(3000),
    pytest.mark.filterwarnings("ignore:.*Any type hint:UserWarning"),  # MLflow about its own types, when imported
]
STYLES = ("cel", "ink")
TUNE = {"fine_tune": {"steps": 2}}
TINY = {
    "data": {"generated": CHANGES["data"]["generated"]},
    "teacher": {"warm_up_steps": 1, "steps": 2, "snapshots": 1},
    "replace_convs": TUNE,
    "prune": {"rounds": 1, "sparsity_steps": 1, **TUNE},
    "distill": TUNE,
    "quantize": {**CHANGES["quantize"], **TUNE},
}
FILES = ("anime_model", "tasks", "flows", "recipes", "dvc.yaml", "prefect.yaml", ".gitignore", ".dvc/.gitignore")
RECIPE = {
    "styles": list(STYLES),
    "data": {"frames": "frames"},
    "training": {"save_every": 1},
    "teacher": {"steps": 400, "warm_up_steps": 0},  # long enough to be killed in the middle
}
KEYS = {"AWS_ACCESS_KEY_ID": "nobody", "AWS_SECRET_ACCESS_KEY": "no-secret-at-all", "AWS_DEFAULT_REGION": "us-east-1"}


@dataclass(frozen=True)
class Storage:
    """Where DVC and MLflow keep files; the environment that their clients need."""

    remote: str
    artifacts: str
    environment: dict[str, str]
    endpoint: str = ""


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[Storage]:
    if not all(importlib.util.find_spec(name) for name in ("moto", "dvc_s3", "boto3")):
        (tmp_path / "store").mkdir()
        yield Storage(str(tmp_path / "store"), str(tmp_path / "files"), {})
        return
    import boto3

    port = free_port(0)
    endpoint = f"http://127.0.0.1:{port}"
    server = logged([sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], tmp_path, "s3.log")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in KEYS.items():
            patch.setenv(name, value)
        client = boto3.client("s3", endpoint_url=endpoint)
        assert wait_for(lambda: _made(client), 90), (tmp_path / "s3.log").read_text()
    yield Storage("s3://pool/dvc", "s3://pool/mlflow", KEYS | {"MLFLOW_S3_ENDPOINT_URL": endpoint}, endpoint)
    end_group(server)


def _made(client) -> bool:
    from botocore.exceptions import BotoCoreError

    try:
        client.create_bucket(Bucket="pool")
    except BotoCoreError:
        return False
    return True


@pytest.fixture
def databases(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """The addresses of MLflow's and of Prefect's database."""
    if binaries() and importlib.util.find_spec("psycopg2"):
        server = request.getfixturevalue("postgres")
        return {
            "mlflow": f"postgresql+psycopg2://{server}/mlflow",
            "prefect": f"postgresql+asyncpg://{server}/prefect",
        }
    return {name: f"sqlite{kind}:///{tmp_path}/{name}.db" for name, kind in (("mlflow", ""), ("prefect", "+aiosqlite"))}


@pytest.fixture
def servers(databases: dict[str, str], storage: Storage, tmp_path: Path, monkeypatch) -> Iterator[dict[str, str]]:
    """Prefect's API and MLflow's address, each served by a process of its own."""
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "prefect"))
    for name, value in storage.environment.items():
        monkeypatch.setenv(name, value)
    store, page = (f"http://127.0.0.1:{free_port(0)}" for _ in range(2))
    tracking = ["--backend-store-uri", databases["mlflow"], "--artifacts-destination", storage.artifacts]
    at = ["--port", store.rpartition(":")[2], "--workers", "1"]
    running = [logged([sys.executable, "-m", "mlflow", "server", *at, *tracking], tmp_path, "mlflow.log")]
    monkeypatch.setenv("PREFECT_API_DATABASE_CONNECTION_URL", databases["prefect"])
    command = ["-m", "prefect", "server", "start", "--port", page.rpartition(":")[2]]
    running.append(logged([sys.executable, *command], tmp_path, "prefect.log"))
    monkeypatch.delenv("PREFECT_API_DATABASE_CONNECTION_URL")
    try:
        assert wait_for(lambda: answers(page), 240), (tmp_path / "prefect.log").read_text()[-2000:]
        assert wait_for(lambda: healthy(store), 240), (tmp_path / "mlflow.log").read_text()[-2000:]
        yield {"prefect": f"{page}/api", "mlflow": store}
    finally:
        for process in running:
            end_group(process)


@pytest.fixture
def origin(tmp_path: Path, storage: Storage, small_recipe: dict) -> Path:  # noqa: F811
    """This project's code and a tiny recipe of two styles under git; their frames under DVC, in the remote."""
    root = tmp_path / "origin"
    for name in FILES:
        source, target = ROOT / name, root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "*.onnx"))
        else:
            shutil.copy(source, target)
    (root / "params.yaml").write_text(yaml.safe_dump(merged(merged(small_recipe, TINY), RECIPE)))
    git("init", "-q", folder=root)
    dvc("init", "-q", "--force", folder=root)
    dvc("remote", "add", "-d", "store", storage.remote, folder=root)
    if storage.endpoint:
        dvc("remote", "modify", "store", "endpointurl", storage.endpoint, folder=root)
    for number, style in enumerate(STYLES):
        draw_pictures(root / "frames" / style, 8, seed=number)
    dvc("add", "-q", *(f"frames/{style}" for style in STYLES), folder=root)
    git("add", "-A", folder=root)
    git("commit", "-qm", "a tiny recipe of two styles", folder=root)
    return root


def test_a_killed_workers_training_goes_on_elsewhere_and_no_stage_runs_twice(
    origin: Path, servers: dict[str, str], storage: Storage
):
    alone = one_machine(origin)
    if storage.remote.startswith("/"):
        assert not list(Path(storage.remote).rglob("runs")), "the pool finds nothing of it"
    pool = Pool(origin, servers["prefect"], {**storage.environment, "MLFLOW_TRACKING_URI": servers["mlflow"]})
    first, second, third = clones = [pool.clone(name, data=False) for name in ("first", "second", "third")]
    began = time.monotonic()
    try:
        pool.prepare(first)
        pool.work(first)
        pool.work(second)
        runs = {style: pool.start(styles=[style]) for style in STYLES}
        assert wait_for(lambda: trained(first) and trained(second), 900), pool.log(first) + pool.log(second)
        pool.work(third)
        assert wait_for(lambda: trained(first) >= 40 or not training(first), 300)
        style, reached, killed = training(first), trained(first), time.monotonic() - began
        assert style, "it was over before it could be killed: give the teacher more steps"
        pool.kill(first)
        ends = {each: pool.wait(run, 1500) for each, run in runs.items()}
        taken = time.monotonic() - began
        assert {end[0] for end in ends.values()} == {"COMPLETED"}, (ends, pool.log(second), pool.log(third))
        again = pool.start()  # all styles, wherever: nothing is left to do
        everything = pool.wait(again, 600)
        assert everything[0] == "COMPLETED", everything
    finally:
        pool.end()
    times = Counter(ran(*clones))
    log = (third / f"scratch/logs/train_teacher@{style}.log").read_text()
    on = min(int(step) for step in re.findall(r"step (\d+)/", log))
    told = {
        "remote": storage.remote,
        "killed at step": reached,
        "after s": round(killed),
        "first step of the third": on,
    }
    (origin.parent / "told.txt").write_text(f"{told | {'all done after s': round(taken), 'runs': dict(times)}}\n")
    assert times.pop(f"train_teacher@{style}") == 2, "by the killed worker and by the one that took it up"
    assert set(times.values()) == {1}, times
    assert set(times) | {f"train_teacher@{style}"} == set(alone), "every stage of one machine, and no other"
    assert "goes on from another worker's" in log
    assert on > 10, "the resume file travelled: it did not begin anew"
    whole = next(found for clone in (second, third) if len(found := hashes(clone)) == len(alone))
    assert whole == alone, "the same files as from one machine"
    mlflow.set_tracking_uri(servers["mlflow"])
    try:
        assert len(mlflow.MlflowClient().search_model_versions()) == len(STYLES) * 5
    finally:
        mlflow.set_tracking_uri(None)


def one_machine(origin: Path) -> dict[str, dict[str, str]]:
    """What a plain `dvc repro` makes in a clone that no pool knows, and that never pushes."""
    clone = origin.parent / "alone"
    git("clone", "-q", str(origin), str(clone))
    shutil.copytree(origin / "frames", clone / "frames", dirs_exist_ok=True)
    environment = os.environ | {"PYTHONPATH": str(clone)}
    done = subprocess.run([sys.executable, "-m", "dvc", "repro"], cwd=clone, env=environment, capture_output=True,
                          text=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    dvc("push", "-q", *(f"frames/{style}.dvc" for style in STYLES), folder=origin)
    return hashes(clone)


def hashes(clone: Path) -> dict[str, dict[str, str]]:
    """By stage, the md5 of each output that holds no measured times."""
    stages = yaml.safe_load((clone / "dvc.lock").read_text())["stages"]
    return {
        name: {out["path"]: out["md5"] for out in stage["outs"] if not WITH_TIMES.search(out["path"])}
        for name, stage in stages.items()
    }


def training(clone: Path) -> str:
    """The style whose teacher is being trained there; empty before and after."""
    logs = sorted((clone / "scratch/logs").glob("*@*.log"), key=lambda log: log.stat().st_mtime)
    return logs[-1].stem.partition("@")[2] if logs and logs[-1].stem.startswith("train_teacher") else ""


def trained(clone: Path) -> int:
    """The last step that is logged there; 0 where nothing is being trained."""
    style = training(clone)
    log = (clone / f"scratch/logs/train_teacher@{style}.log").read_text() if style else ""
    return max((int(step) for step in re.findall(r"step (\d+)/", log)), default=0)
