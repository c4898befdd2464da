"""Ray: a cluster of this computer alone, or one that `ray start` made, and tasks through Ray Data. One line for faults.

Ray is imported when a run begins, and never sooner.
"""

import logging
import math
import os
import secrets
import shutil
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from typing import Any

import pyarrow as pa

from anime_app.bulk.places import first_line
from anime_app.bulk.plan import Task, blocks
from anime_app.bulk.worker import Brief, Ledger, Worker
from anime_model.pictures.cores import cores_here

BLOCK = 32  # tasks of one call of a worker at most: so many are at risk when it dies
SHARES = 8  # calls of each worker at least, so that all end at about the same time
ANSWER = 10.0  # seconds for somebody to answer at an address
LOOK, MISSED = 3.0, 3  # seconds between two looks at the head; so many without an answer, and it is gone
STORE = 150_000_000  # bytes of shared memory for tasks and rows, which are small: pictures do not pass through it
QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
}


class ClusterError(ValueError):
    """Ray does not do what it was asked for; the message is one line."""


class Lost(ClusterError):
    """A cluster that was there, and is gone."""


def checked(address: str) -> str:
    """`HOST:PORT` where somebody answers. Raises `ClusterError`."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536 or "/" in host:
        raise ClusterError(f"--address {address}: give HOST:PORT, as `ray start --head` prints it")
    if why := _answers(address):
        raise ClusterError(f"--address {address}: nobody answers ({why}); is `ray start --head` running?")
    return address


@contextmanager
def started(address: str | None, threads: int, workers: int | None) -> Iterator[int]:
    """Ray for the block, on this computer or the cluster at `address`: how many workers of `threads` cores it has room
    for, at most `workers`. Raises `ClusterError`.

    A cluster of this computer alone listens on loopback only, has a token of its own for who may ask it, and leaves no
    file behind.
    """
    before = dict(os.environ)
    os.environ.update(QUIET)
    try:
        with only_own_lines(), _joined(address, threads, workers) if address else _alone(threads, workers) as found:
            yield found
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def _joined(address: str, threads: int, workers: int | None) -> Iterator[int]:
    with _faults(address):
        ray = _import()
        ray.init(address=checked(address), log_to_driver=False, logging_level=logging.CRITICAL)
    with _watched(address):
        cores = [node["Resources"].get("CPU", 0) for node in ray.nodes() if node["Alive"]]
        room = sum(int(count) // threads for count in cores)
        if not room:
            raise ClusterError(f"{address}: no node has {threads} cores (--threads)")
        yield min(workers or room, room)


@contextmanager
def _alone(threads: int, workers: int | None) -> Iterator[int]:
    workers = workers or max(1, cores_here() // threads)
    folder = tempfile.mkdtemp(prefix="anime-ray-", dir=_short(tempfile.gettempdir()))
    if "ray" not in sys.modules:  # it reads these when it is imported; the command has not done so before
        # a node of a cluster that can have others never listens on loopback alone
        os.environ |= {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_AUTH_MODE": "token"}
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
    try:
        with _faults("this computer"):
            _start(folder, workers * threads)
        with _watched(_import().get_runtime_context().gcs_address):
            yield workers
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class _Gone(BaseException):
    """The cluster is gone. No `Exception`: nothing in between shall take it for a fault of its own."""


@contextmanager
def _watched(address: str) -> Iterator[None]:
    """Raises `Lost` in the block when nobody answers at the head's address any more; shuts Ray down behind it.

    Left to itself, Ray waits a minute for its head and then ends the whole program without a word.
    """
    ended, gone = threading.Event(), threading.Event()
    main = threading.current_thread() is threading.main_thread() and hasattr(signal, "pthread_kill")

    def look() -> None:
        missed = 0
        while not ended.wait(LOOK):
            missed = 0 if _answers(address) is None else missed + 1
            if missed >= MISSED:
                gone.set()
                signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1)
                return

    def interrupt(*_: object) -> None:
        raise _Gone

    before = signal.signal(signal.SIGUSR1, interrupt) if main else None
    if main:
        threading.Thread(target=look, daemon=True).start()
    try:
        yield
    except _Gone:
        raise Lost(f"{address}: the cluster is gone") from None
    finally:
        ended.set()
        if main:
            signal.signal(signal.SIGUSR1, before)
        if not gone.is_set():
            with suppress(Exception):  # what is being shut down may be gone already
                _import().shutdown()


def _answers(address: str) -> str | None:
    """None where somebody listens at `HOST:PORT`, else why not."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), ANSWER).close()
        return None
    except OSError as error:
        return (error.strerror or str(error) or "no answer").lower()


@contextmanager
def only_own_lines() -> Iterator[None]:
    """Standard error for this program's lines alone: what libraries write to it and to standard output goes nowhere.

    Ray's own processes keep logs; what is wrong is said by an exception. After `Lost` it stays so, since Ray calls for
    its cluster until the program ends.
    """
    stream, kept, lost = sys.stderr, [os.dup(1), os.dup(2)], False
    own = getattr(stream, "name", None) == "<stderr>"
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere):
        if own:
            sys.stderr = os.fdopen(os.dup(2), "w", buffering=1, encoding=stream.encoding, errors=stream.errors)
        for number in (1, 2):
            os.dup2(nowhere.fileno(), number)
        try:
            yield
        except Lost:
            lost = own
            raise
        finally:
            os.dup2(kept[0], 1)
            if not lost:
                os.dup2(kept[1], 2)
            if own and not lost:
                sys.stderr.close()
                sys.stderr = stream
            for real in kept:
                os.close(real)


def rows(tasks: list[Task], brief: Brief, workers: int) -> Iterator[pa.Table]:
    """The rows of the tasks as they end, by at most `workers` actors, each of `brief.threads` cores. Empties the list.

    A worker that dies is started again, and what it had is done again; so with a whole node. Raises `ClusterError`.
    """
    ray = _import()
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    _hush()
    size = max(1, min(BLOCK, math.ceil(len(tasks) / (workers * SHARES))))
    tables = blocks(tasks, size)
    tasks.clear()
    with _faults("Ray"):
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        options = {"num_cpus": 0, "max_restarts": -1, "max_task_retries": 3, "scheduling_strategy": here}
        ledger = ray.remote(Ledger).options(**options).remote()
        found = ray.data.from_arrow(tables).map_batches(
            Worker,
            fn_constructor_args=(brief, ledger),
            batch_size=None,
            batch_format="pyarrow",
            zero_copy_batch=True,
            compute=ray.data.ActorPoolStrategy(size=min(workers, len(tables))),
            num_cpus=brief.threads,
        )
        del tables  # Ray holds them
        yield from found.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0)


def _import() -> Any:
    try:
        import ray
        import ray.data
    except ModuleNotFoundError as error:
        if error.name not in ("ray", "pyarrow", "pandas"):
            raise
        raise ClusterError(f"--engine ray needs {error.name}: pip install 'animegan-lite[ray]'") from error
    return ray


def _start(folder: str, cores: int) -> None:
    _import().init(
        address="local",
        num_cpus=cores,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.CRITICAL,
        object_store_memory=STORE,
        _temp_dir=folder,
    )


def _hush() -> None:
    """Ray Data writes about itself on standard error; its faults reach people in one line of ours."""
    ray = _import()
    for name in ("ray", "ray.data"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False


@contextmanager
def _faults(where: str) -> Iterator[None]:
    try:
        yield
    except (ClusterError, GeneratorExit, KeyboardInterrupt):
        raise
    except Exception as error:  # Ray's own, those of its transport and those of a worker's imports
        raise ClusterError(f"{where}: Ray failed ({first_line(_cause(error))})") from error


def _cause(error: Exception) -> Exception:
    """The innermost exception: Ray wraps a worker's in several of its own."""
    seen = error
    while isinstance(inner := getattr(seen, "cause", None) or seen.__cause__, Exception) and inner is not seen:
        seen = inner
    return seen


def _short(folder: str) -> str:
    """Ray makes sockets some 60 characters below its folder, and a socket's name ends at 107."""
    return folder if len(folder) <= 24 else "/tmp"
