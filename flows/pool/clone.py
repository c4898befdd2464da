"""A worker's clone of the project: its own alone, at the deployment's commit, with nothing changed in its code."""

import fcntl
import os
import socket
from pathlib import Path
from typing import IO

from flows.machine import git

CLONE = "ANIME_POOL_CLONE"  # the clone of the worker that this process belongs to; set by `flows.pool.work`
# What a run itself writes, or people change without changing what a stage is.
NOT_CODE = ("params.yaml", "dvc.lock", ".gitignore", ".dvc/config")


class CloneError(RuntimeError):
    """A clone that a worker cannot use; the message is one line."""


def pooled() -> bool:
    """Whether this process works for a pool of several machines."""
    return CLONE in os.environ


def own(root: Path) -> IO[str]:
    """The lock of the clone, which stays held through `exec` until the worker ends, by SIGKILL too. Raises
    `CloneError` where another worker has it.
    """
    (root / ".prefect").mkdir(exist_ok=True)
    file = (root / ".prefect" / "worker.lock").open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        who = file.read().strip() or "unknown"
        file.close()
        raise CloneError(f"a worker ({who}) works in {root} already: give each a clone of its own") from None
    file.truncate(0)
    file.write(f"process {os.getpid()} on {socket.gethostname()}")
    file.flush()
    os.set_inheritable(file.fileno(), True)
    return file


def check_code(root: Path, wanted: str) -> None:
    """Raises `CloneError` where the clone's code is not that of the commit `wanted`; an empty one takes any."""
    if not wanted:
        return
    found, problem = git.commit(root)
    if found != wanted:
        why = f" ({problem})" if problem else ""
        raise CloneError(
            f"{root} has the code of {found[:10]}{why}, the deployment is of {wanted[:10]}: "
            f"git fetch && git checkout {wanted[:10]} there, then start its worker again"
        )
    if changed := changed_code(root):
        raise CloneError(f"{root} has changes that no commit holds ({', '.join(changed[:3])}): commit and deploy them")


def changed_code(root: Path) -> list[str]:
    """Files that git tracks and that are not as committed, apart from what runs and recipes change."""
    names = git.ask(root, "diff", "--name-only", "-z", "HEAD")[0].rstrip("\0").split("\0")
    return [name for name in names if name and name not in NOT_CODE and not name.endswith(".dvc")]
