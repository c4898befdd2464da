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
    "dvc.repo", "dvc.repo.reproduce", "onnxruntime", "pydantic",
)  # fmt: skip
FLOWS = ("flows.promote", "flows.compress", "flows.journey", "flows.pool.work", "flows.pool.prepare")
DVC = (  # nobody else's handlers of logs
    "dvc.cli.parser", "dvc.commands.repro", "dvc.repo.reproduce", "dvc.repo.graph", "dvc.stage.loader", "dvc.parsing",
    "dvc.dependency.param", "dvc.scm", "dvc.ignore", "dvc.lock", "dvc.cachemgr", "dvc_data.index", "networkx",
    "dulwich.repo", "pathspec", "ruamel.yaml",
)  # fmt: skip
COMPARISON = (
    "torch", "anime_model.report.evaluate", "anime_model.recipes.evaluate", "tasks.shared.common",
    "anime_model.networks.torchvision_ops:ensure_torchvision", "torch_fidelity",
)  # fmt: skip


@cache
def forking_python() -> str:
    """The command, with its servers, which live as long as the tests do."""
    flows = dict.fromkeys(FLOWS, start_server(TOOLS))
    programs = flows | {"dvc": start_server(DVC), "flows.registry.compare": start_server(COMPARISON)}
    return str(python_with(Path(tempfile.mkdtemp(prefix="forking-")), programs))
