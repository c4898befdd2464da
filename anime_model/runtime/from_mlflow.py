"""Models out of MLflow's registry. The only module of the runtime that needs MLflow; imported when a URI is given."""

from mlflow.artifacts import download_artifacts


def download(uri: str) -> str:
    """The local folder of a registered model, such as `models:/animegan-shinkai@champion`."""
    return download_artifacts(artifact_uri=uri)


def version_of(uri: str) -> str:
    """The version that an alias stands for: a row of a table, no file."""
    from mlflow import MlflowClient

    name, _, alias = uri.removeprefix("models:/").partition("@")
    return str(MlflowClient().get_model_version_by_alias(name, alias).version)
