"""MLflow's registry, as the runtime and the studio need it. The only module of the runtime that needs MLflow; imported
when a URI is given."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

# before MLflow is imported: it reports nothing, and a server that is away is known in seconds
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")

from mlflow import MlflowClient, get_tracking_uri, set_tracking_uri
from mlflow.artifacts import download_artifacts
from mlflow.exceptions import MlflowException

from anime_model.pictures.message import Message

SQLITE = "sqlite:///"
PAGE = 1000  # rows of one answer


def download(uri: str) -> str:
    """The local folder of a registered model, such as `models:/animegan-shinkai@champion`."""
    find_store()
    return download_artifacts(artifact_uri=uri)


def version_of(uri: str) -> str:
    """The version that an alias stands for: a row of a table, no file."""
    find_store()
    name, _, alias = uri.removeprefix("models:/").partition("@")
    return str(MlflowClient().get_model_version_by_alias(name, alias).version)


def find_store() -> None:
    """The store of the project that the current folder is in, where nobody has named another one.

    A store that is not there is not made: it would be an empty database in whatever folder this is. Raises
    `FileNotFoundError`.
    """
    uri = get_tracking_uri()
    if not uri.startswith(SQLITE) or Path(uri.removeprefix(SQLITE)).exists():
        return
    if not os.environ.get("MLFLOW_TRACKING_URI"):
        here = Path.cwd()
        if found := next((p for folder in (here, *here.parents) if (p := folder / "mlflow.db").is_file()), None):
            set_tracking_uri(f"{SQLITE}{found}")
            return
    raise FileNotFoundError(
        "no registry here: set MLFLOW_TRACKING_URI to MLflow's address, or go to a project's folder"
    )


def use(tracking_uri: str) -> None:
    """From now on models come from this server or file."""
    set_tracking_uri(tracking_uri)


def list_versions(tracking_uri: str, prefix: str) -> list[dict]:
    """Every version of the models whose names begin with `prefix`: `model`, `number`, `aliases`, `tags`, `run_id`,
    `created` (milliseconds since 1970), by model and number. Among the tags are the metrics of the version's run, as
    text. Raises what MLflow's stores raise."""
    client, found = MlflowClient(tracking_uri), []
    figures = _metrics_of_runs(client)
    for model in _all(lambda token: client.search_registered_models(f"name LIKE '{prefix}%'", PAGE, page_token=token)):
        aliases: dict[str, list[str]] = {}
        for alias, number in sorted(model.aliases.items()):
            aliases.setdefault(str(number), []).append(alias)
        search = f"name = '{model.name}'"
        versions = _all(lambda token, search=search: client.search_model_versions(search, PAGE, page_token=token))
        for version in sorted(versions, key=lambda version: int(version.version)):
            tags = {**figures.get(version.run_id, {}), **version.tags}
            row = {"model": model.name, "number": int(version.version), "tags": tags}
            marks = {"aliases": aliases.get(str(version.version), []), "run_id": version.run_id}
            found.append(row | marks | {"created": version.creation_timestamp})
    return found


def _metrics_of_runs(client: MlflowClient) -> dict[str, dict[str, str]]:
    """By run, in as few questions as there are thousands of runs."""
    experiments = _all(lambda token: client.search_experiments(max_results=PAGE, page_token=token))
    wanted = [experiment.experiment_id for experiment in experiments]
    runs = _all(lambda token: client.search_runs(wanted, max_results=PAGE, page_token=token)) if wanted else []
    return {run.info.run_id: {key: f"{value:.10g}" for key, value in run.data.metrics.items()} for run in runs}


def record(tracking_uri: str, model: str, number: str, metrics: dict[str, float], tags: dict[str, str]) -> None:
    """Adds metrics to a version's run and tags to the version. Raises `ValueError` where there is no such version, or
    what MLflow's stores raise."""
    client = MlflowClient(tracking_uri)
    try:
        version = client.get_model_version(model, number)
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            raise ValueError(
                Message("MLflow has no version {version} of {model}", version=number, model=model)
            ) from error
        raise
    for key, value in metrics.items():
        client.log_metric(version.run_id, key, value)
    for tag, text in tags.items():  # last: the gate reads a tag, and then finds the metrics too
        client.set_model_version_tag(model, number, tag, text)


def _all(ask: Callable[..., Any]) -> list:
    """Every row of an answer that comes in pages."""
    page = ask(None)
    found = list(page)
    while page.token:
        page = ask(page.token)
        found += page
    return found
