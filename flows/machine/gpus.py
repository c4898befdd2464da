"""NVIDIA's GPUs of this machine, and who may use which: two stages at once never train on the same one."""

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from threading import Lock

VISIBLE = "CUDA_VISIBLE_DEVICES"
_LOCK = Lock()
_TAKEN: set[str] = set()


def gpus_here() -> list[str]:
    """Their names, without a library of NVIDIA's: importing PyTorch to ask takes seconds."""
    named = os.environ.get(VISIBLE)
    if named is not None:
        return [name for part in named.split(",") if (name := part.strip()) not in ("", "-1")]
    return sorted((path.name.removeprefix("nvidia") for path in Path("/dev").glob("nvidia[0-9]*")), key=int)


@contextlib.contextmanager
def some_gpus(count: int) -> Iterator[Mapping[str, str]]:
    """The environment in which a stage sees `count` GPUs that no other one of this process has.

    Empty, so that nothing changes, where there is none or fewer are free: then the stage says so itself.
    """
    with _LOCK:
        free = [name for name in gpus_here() if name not in _TAKEN]
        mine = free[:count] if count <= len(free) else []
        _TAKEN.update(mine)
    try:
        yield {VISIBLE: ",".join(mine)} if mine else {}
    finally:
        with _LOCK:
            _TAKEN.difference_update(mine)
