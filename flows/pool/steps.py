"""The pull step of deployments for a pool: into the clone of whichever worker runs it, if its code is the right one.

Imports nothing that looks for the workspace: that is found where this step leads to.
"""

import os
from pathlib import Path

from flows.pool.clone import CLONE, CloneError, check_code


def enter_clone(commit: str = "") -> dict[str, str]:
    """For `pull` in `prefect.yaml`. Raises `CloneError`, whose message becomes the run's."""
    folder = os.environ.get(CLONE)
    if not folder:
        raise CloneError("this worker has no clone of its own: start it by `python -m flows.pool.work` in one")
    if commit.startswith("{{"):
        raise CloneError("the deployment names no commit: deploy it by `python -m flows.pool.prepare`")
    check_code(Path(folder), commit)
    return {"directory": folder}
