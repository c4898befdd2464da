"""The newest data, and what they are like: pulled by DVC, looked at, compared with those of the last retraining."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from threading import Event

import mlflow
from dvc.exceptions import DvcException
from dvc.repo import Repo, lock_repo
from dvc.stage import Stage as DvcStage
from mlflow.exceptions import MlflowException

from anime_model.recipes.recipe import Recipe
from flows.pipeline.graph import GraphError
from flows.pipeline.run_stage import run_python
from flows.registry.versions import experiment_name, registry_error

FOLDER = Path("scratch", "data")  # of the workspace: this run's survey and the last one's
KIND = "data check"  # the tag of the MLflow runs that keep surveys


def pull(root: Path, recipe: Recipe, stop: Event, timeout: float, on_line: Callable[[str], None]) -> list[str]:
    """Bring the recipe's photos and frames to the newest version that their `.dvc` files can give; those files.

    What was imported (`dvc import`, `dvc import-url`) is updated from its source, what was added (`dvc add`) is pulled
    from the remote as far as the workspace does not have it. Folders that DVC does not track are used as they are.
    Raises `GraphError`, `StageError`.
    """
    tracked = tracked_data(root, recipe)
    for file, verb in tracked:
        if verb:
            on_line(f"dvc {verb} {file}")
            run_python(["-m", "dvc", verb, file], root, stop, timeout, on_line)
    return [file for file, _ in tracked]


def folders(recipe: Recipe) -> list[str]:
    return [recipe.data.photos, *(f"{recipe.data.frames}/{style}" for style in recipe.styles)]


def tracked_data(root: Path, recipe: Recipe) -> list[tuple[str, str]]:
    """The `.dvc` files of the recipe's data, and what brings each up to date: `update`, `pull` or nothing."""
    wanted = [Path(os.path.abspath(root / folder)) for folder in folders(recipe)]
    try:
        repo = Repo(str(root), _wait_for_lock=True)
        try:
            with lock_repo(repo):
                sources = [stage for stage in repo.index.stages if stage.is_data_source]
                needed = [stage for stage in sources if any(_overlap(stage, folder) for folder in wanted)]
                return sorted((os.path.relpath(stage.path, root), _verb(stage)) for stage in needed)
        finally:
            repo.close()
    except DvcException as error:
        raise GraphError(f"DVC cannot read the pipeline: {' '.join(str(error).split())}") from error


def _verb(stage: DvcStage) -> str:
    if stage.is_import:
        return "update"
    return "pull" if stage.status() else ""


def _overlap(stage: DvcStage, folder: Path) -> bool:
    outs = [Path(out.fs_path) for out in stage.outs]
    return any(out.is_relative_to(folder) or folder.is_relative_to(out) for out in outs)


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
    part, file = folder / "last.part", folder / f"last-{source(recipe)}.json"
    part.write_text(json.dumps(made["survey"]))
    part.replace(file)
    try:
        _record(mlflow.MlflowClient(), recipe, made["hash"], file)
    except (MlflowException, OSError) as error:
        raise registry_error(error) from error


def _record(client: mlflow.MlflowClient, recipe: Recipe, data_hash: str, file: Path) -> None:
    known = _recorded(client, recipe)
    if known and client.get_run(known).data.tags.get("data_hash") == data_hash:
        return
    mlflow.set_experiment(experiment_name())
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
