"""What the data are like: looked at, and compared with those of the last retraining, whose survey MLflow keeps."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from threading import Event

import mlflow
from mlflow.exceptions import MlflowException

from anime_model.pictures.atomic import write_whole
from anime_model.recipes.recipe import Recipe
from flows.pipeline.run_stage import run_python
from flows.registry.versions import experiment_name, make_store, registry_error, use_experiment

FOLDER = Path("scratch", "data")  # of the workspace: this run's survey and the last one's
KIND = "data check"  # the tag of the MLflow runs that keep surveys


def check(root: Path, recipe: Recipe, stop: Event, timeout: float, on_line: Callable[[str], None]) -> list[dict]:
    """Look at every picture; the checks as rows, those against the last retraining's data where there was one.

    Raises `StageError`.
    """
    folder = root / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    last = last_survey(root, recipe)
    out = folder / "survey.json"
    run_python(["-m", "flows.pipeline.check_data", str(last or "-"), str(out)], root, stop, timeout, on_line)
    return json.loads(out.read_text())["checks"]


def last_survey(root: Path, recipe: Recipe) -> Path | None:
    """The survey of the last retraining on these folders: the workspace's own, else the newest that MLflow has.

    A worker whose workspace is made anew for every run has only MLflow's.
    """
    file = root / FOLDER / f"last-{source(recipe)}.json"
    if not file.exists():
        try:
            make_store(mlflow.get_tracking_uri())
            found = _recorded(mlflow.MlflowClient(), recipe)
            if found:
                shutil.copyfile(mlflow.artifacts.download_artifacts(run_id=found, artifact_path=file.name), file)
        except (MlflowException, OSError):  # MLflow is away or has lost the file: there is nothing to compare with
            return None
    return file if file.exists() else None


def keep(root: Path, recipe: Recipe) -> None:
    """This run's survey becomes the last one, here and, where the data are others than before, in MLflow."""
    folder = root / FOLDER
    made = json.loads((folder / "survey.json").read_text())
    file = folder / f"last-{source(recipe)}.json"
    write_whole(file, json.dumps(made["survey"]))
    try:
        make_store(mlflow.get_tracking_uri())
        _record(mlflow.MlflowClient(), recipe, made["hash"], file)
    except (MlflowException, OSError) as error:
        raise registry_error(error) from error


def _record(client: mlflow.MlflowClient, recipe: Recipe, data_hash: str, file: Path) -> None:
    known = _recorded(client, recipe)
    if known and client.get_run(known).data.tags.get("data_hash") == data_hash:
        return
    use_experiment()
    tags = {"kind": KIND, "source": source(recipe), "data_hash": data_hash}
    with mlflow.start_run(run_name=KIND, tags=tags) as run:
        client.log_artifact(run.info.run_id, str(file))


def _recorded(client: mlflow.MlflowClient, recipe: Recipe) -> str | None:
    """The id of the newest MLflow run that keeps a survey of the recipe's folders."""
    experiment = client.get_experiment_by_name(experiment_name())
    if experiment is None:
        return None
    wanted = f"tags.kind = '{KIND}' and tags.source = '{source(recipe)}' and attributes.status = 'FINISHED'"
    found = client.search_runs([experiment.experiment_id], wanted, max_results=1, order_by=["start_time DESC"])
    return found[0].info.run_id if found else None


def source(recipe: Recipe) -> str:
    """Which folders a survey is about, in 8 hexadecimal digits: those of another recipe say nothing about these."""
    return hashlib.sha256(f"{recipe.data.photos}\n{recipe.data.frames}".encode()).hexdigest()[:8]
