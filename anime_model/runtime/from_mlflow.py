"""Models out of MLflow's registry. The only module of the runtime that needs MLflow; imported when a URI is given."""

from mlflow.artifacts import download_artifacts


def download(uri: str) -> str:
    """The local folder of a registered model, such as `models:/animegan-shinkai@champion`."""
    return download_artifacts(artifact_uri=uri)
