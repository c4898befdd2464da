"""Flows as processes that have Prefect, MLflow and DVC imported already: see `tests/forking.py`.

DVC's own processes and the comparison of networks, which flows start, are forked too.

No module of `flows` is imported beforehand: the first of them sets what the tools read, and does so in each process.
"""

import tempfile
from functools import cache
from pathlib import Path

from tests.forking import python_with, start_server

TOOLS = (
    "prefect", "prefect.artifacts", "prefect.flow_engine", "prefect.task_engine", "prefect.client.orchestration",
    "mlflow", "mlflow.store.model_registry.sqlalchemy_store", "mlflow.store.tracking.sqlalchemy_store",
    "dvc.cli", "dvc.cli.parser", "dvc.repo", "dvc.repo.reproduce", "dvc.commands.repro", "onnxruntime", "pydantic",
)  # fmt: skip
COMPARISON = ("torch", "anime_model.report.evaluate", "anime_model.recipes.evaluate", "tasks.shared.common")


@cache
def forking_python() -> str:
    """The command, with its servers; both live as long as the tests do."""
    tools, comparison = start_server(TOOLS), start_server(COMPARISON)
    programs = dict.fromkeys(("flows.promote", "flows.compress", "dvc"), tools) | {"flows.registry.compare": comparison}
    return str(python_with(Path(tempfile.mkdtemp(prefix="forking-")), programs))
