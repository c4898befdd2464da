"""The pull step of deployments for a pool: into the clone of whichever worker runs it.

Imports nothing that looks for the workspace: that is found where this step leads to.
"""

import os

from flows.pool.clone import CLONE, CloneError


def enter_clone() -> dict[str, str]:
    """For `pull` in `prefect.yaml`. Raises `CloneError`, which stands in the run's log, where there is no clone."""
    folder = os.environ.get(CLONE)
    if not folder:
        raise CloneError("this worker has no clone of its own: start it by `python -m flows.pool.work` in one")
    return {"directory": folder}
