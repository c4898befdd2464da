"""The same work for many things, by several processes of this machine."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from typing import TypeVar

from anime_model.pictures.cores import cores_here

T = TypeVar("T")
R = TypeVar("R")


def workers_here(most: int) -> int:
    """How many processes to work with: the cores that this one may use, OMP_NUM_THREADS where it is set, or `most`."""
    limit = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, min(most, cores_here(), int(limit) if limit.isdecimal() else most))


def spread_over(workers: int, work: Callable[[T], R], things: Sequence[T], at_once: int = 1) -> Iterator[R]:
    """What `work` returns for each of `things`, in their order; `at_once` of them go to a process together.

    With one worker everything happens in this process. What `work` raises comes through; after it, or Ctrl-C, the rest
    is not begun. Raises `OSError` where a process was ended from outside.
    """
    if workers == 1:
        yield from map(work, things)
        return
    start = multiprocessing.get_context("spawn")  # forked processes would outlive a kill of this one
    try:
        with ProcessPoolExecutor(workers, start, signal.signal, (signal.SIGINT, signal.SIG_IGN)) as pool:
            yield from pool.map(work, things, chunksize=at_once)
    except BrokenExecutor as error:
        raise OSError("one of its processes was ended, perhaps for want of memory; run it again") from error
