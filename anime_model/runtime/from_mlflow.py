"""MLflow's registry, as the runtime and the studio need it. The only module of the runtime that needs MLflow; imported
when a URI is given."""

import os

# before MLflow is imported: it reports nothing, and a server that is away is known in seconds
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")

from mlflow import MlflowClient, set_tracking_uri
from mlflow.artifacts import download_artifacts
from mlflow.exceptions import MlflowException

PAGE = 1000  # rows of one answer


def download(uri: str) -> str:
    """The local folder of a registered model, such as `models:/animegan-shinkai@champion`."""
    return download_artifacts(artifact_uri=uri)


def version_of(uri: str) -> str:
    """The version that an alias stands for: a row of a table, no file."""
    name, _, alias = uri.removeprefix("models:/").partition("@")
    return str(MlflowClient().get_model_version_by_alias(name, alias).version)


def use(tracking_uri: str) -> None:
    """From now on models come from this server or file."""
    set_tracking_uri(tracking_uri)


def list_versions(tracking_uri: str, prefix: str) -> list[dict]:
    """Every version of the models whose names begin with `prefix`: `model`, `number`, `aliases`, `tags`, `run_id`,
    `created` (milliseconds since 1970), by model and number. Raises what MLflow's stores raise."""
    client, found = MlflowClient(tracking_uri), []
    for model in _all(lambda token: client.search_registered_models(f"name LIKE '{prefix}%'", PAGE, page_token=token)):
        aliases: dict[str, list[str]] = {}
        for alias, number in sorted(model.aliases.items()):
            aliases.setdefault(str(number), []).append(alias)
        search = f"name = '{model.name}'"
        versions = _all(lambda token, search=search: client.search_model_versions(search, PAGE, page_token=token))
        for version in sorted(versions, key=lambda version: int(version.version)):
            row = {"model": model.name, "number": int(version.version), "tags": dict(version.tags)}
            marks = {"aliases": aliases.get(str(version.version), []), "run_id": version.run_id}
            found.append(row | marks | {"created": version.creation_timestamp})
    return found


def record(tracking_uri: str, model: str, number: str, metrics: dict[str, float], tags: dict[str, str]) -> None:
    """Adds metrics to a version's run and tags to the version. Raises `ValueError` where there is no such version, or
    what MLflow's stores raise."""
    client = MlflowClient(tracking_uri)
    try:
        version = client.get_model_version(model, number)
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            raise ValueError(f"MLflow has no version {number} of {model}") from error
        raise
    for key, value in metrics.items():
        client.log_metric(version.run_id, key, value)
    for key, value in tags.items():  # last: the gate reads a tag, and then finds the metrics too
        client.set_model_version_tag(model, number, key, value)


def _all(ask) -> list:
    """Every row of an answer that comes in pages."""
    page = ask(None)
    found = list(page)
    while page.token:
        page = ask(page.token)
        found += page
    return found
