"""Serving follows MLflow's alias: a new champion without a restart, the old one where the registry is away."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import mlflow
import numpy as np
import pytest

from anime_model.runtime.session import ModelError
from anime_model.runtime.stylizer import Stylizer
from flows.machine.group import end_group, start_group
from flows.runs.server import free_port
from tests.flows.promoting import make_lite
from tests.flows.registry.test_versions import store  # noqa: F401  a fixture

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:.*Any type hint:UserWarning"),  # MLflow about its own types, when imported
]
MODEL, URI = "animegan-toy", "models:/animegan-toy@champion"
WHITE = np.full((8, 8, 3), 255, np.uint8)


def add(client: mlflow.MlflowClient, folder: Path, gain: float) -> str:
    """A version that makes white of the level 127.5 + 127.5 * gain."""
    folder.mkdir(parents=True)
    make_lite(folder / "int8.onnx", gain)
    if not client.search_registered_models(f"name='{MODEL}'"):
        client.create_registered_model(MODEL)
    return str(client.create_model_version(MODEL, str(folder)).version)


def set_champion(client: mlflow.MlflowClient, version: str) -> None:
    client.set_registered_model_alias(MODEL, "champion", version)


def following() -> Stylizer:
    stylizer = Stylizer(URI, threads=1)
    stylizer._followed.every = 0.05
    return stylizer


def level(stylizer: Stylizer) -> int:
    return int(stylizer(WHITE)[0, 0, 0])


def eventually(condition: Callable[[], bool], patience: float = 90) -> bool:
    deadline = time.monotonic() + patience
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return condition()


def test_a_new_champion_draws_without_a_restart(store: mlflow.MlflowClient, tmp_path: Path):  # noqa: F811
    set_champion(store, add(store, tmp_path / "one", 1.0))
    add(store, tmp_path / "two", 0.0)
    stylizer = following()
    assert (level(stylizer), stylizer.version) == (255, "1")
    stays = stylizer.fixed()
    set_champion(store, "2")
    assert eventually(lambda: level(stylizer) == 128)
    assert (stylizer.version, stylizer.path.parent.name) == ("2", "two")
    assert level(stays) == 255, "who asked for one model keeps it"


def test_one_picture_is_made_with_one_model(store: mlflow.MlflowClient, tmp_path: Path):  # noqa: F811
    """The champion changes between two tiles."""
    from PIL import Image

    set_champion(store, add(store, tmp_path / "one", 1.0))
    add(store, tmp_path / "two", 0.0)
    stylizer = following()
    image, ticks = Image.fromarray(WHITE), []

    def tick() -> None:
        set_champion(store, "2")
        ticks.append(eventually(lambda: stylizer.fixed() is not None and stylizer.version == "2"))

    stylizer.draw(image, tick=tick)
    assert ticks == [True]
    assert np.asarray(image).min() == 255
    assert level(stylizer) == 128


def test_a_broken_champion_is_not_taken(store: mlflow.MlflowClient, tmp_path: Path):  # noqa: F811
    set_champion(store, add(store, tmp_path / "one", 1.0))
    add(store, tmp_path / "two", 0.0)
    (tmp_path / "two" / "int8.onnx").write_bytes(b"no model")
    stylizer = following()
    set_champion(store, "2")
    assert eventually(lambda: bool(level(stylizer) and stylizer._followed.problem))
    assert "ONNX Runtime cannot open it" in stylizer._followed.problem
    assert (level(stylizer), stylizer.version) == (255, "1")


def test_an_alias_that_is_not_there_is_one_line(store: mlflow.MlflowClient, tmp_path: Path):  # noqa: F811
    add(store, tmp_path / "one", 1.0)
    with pytest.raises(ModelError, match=r"^models:/animegan-toy@champion: MLflow does not give it \(.*champion"):
        Stylizer(URI)


@pytest.fixture
def server(
    tmp_path: Path, empty_store: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[str, subprocess.Popen]]:
    """A real MLflow server that hands out the files itself."""
    port = free_port(0)
    command = [sys.executable, "-m", "mlflow", "server", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{tmp_path}/m.db", "--artifacts-destination", str(tmp_path / "files")]
    (tmp_path / "m.db").write_bytes(empty_store.read_bytes())
    process = start_group(command, tmp_path, subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    mlflow.set_tracking_uri(address)
    yield address, process
    mlflow.set_tracking_uri(None)
    end_group(process)


def answers() -> bool:
    try:
        return mlflow.MlflowClient().search_registered_models() is not None
    except mlflow.exceptions.MlflowException:
        return False


def test_a_server_that_goes_away_and_comes_back(server: tuple[str, subprocess.Popen], tmp_path: Path):
    assert eventually(answers, 120)
    client = mlflow.MlflowClient()
    client.create_registered_model(MODEL)
    for gain in (1.0, 0.0):
        make_lite(tmp_path / "int8.onnx", gain)
        with mlflow.start_run(experiment_id="0") as run:  # not the one that an earlier test left active
            mlflow.log_artifact(str(tmp_path / "int8.onnx"), "model")
        client.create_model_version(MODEL, f"runs:/{run.info.run_id}/model", run.info.run_id)
    set_champion(client, "1")
    stylizer = following()
    assert level(stylizer) == 255
    set_champion(client, "2")
    assert eventually(lambda: level(stylizer) == 128)
    end_group(server[1])
    assert eventually(lambda: bool(level(stylizer) and stylizer._followed.problem))
    assert level(stylizer) == 128, "the last one goes on"


def test_the_runtime_follows_without_torch(store: mlflow.MlflowClient, tmp_path: Path):  # noqa: F811
    set_champion(store, add(store, tmp_path / "one", 1.0))
    program = (
        f"import sys, numpy; from anime_model.runtime.stylizer import Stylizer; s = Stylizer({URI!r}, 1); "
        "s(numpy.zeros((8, 8, 3), numpy.uint8)); "
        "print(s.version, [name for name in ('torch', 'prefect', 'dvc') if name in sys.modules])"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1 []"
