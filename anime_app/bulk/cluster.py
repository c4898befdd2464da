"""Ray: a cluster of this computer alone, or one that `ray start` made, and tasks through Ray Data. One line for faults.

Ray is imported when a run begins, and never sooner.
"""

import logging
import math
import os
import secrets
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pyarrow as pa

from anime_app.bulk.places import first_line
from anime_app.bulk.plan import Task, blocks
from anime_app.bulk.worker import Brief, Ledger, Worker
from anime_model.pictures.cores import cores_here

BLOCK = 32  # tasks of one call of a worker at most: so many are at risk when it dies
SHARES = 8  # calls of each worker at least, so that all end at about the same time
ANSWER = 10.0  # seconds for somebody to answer at an address
STORE = 150_000_000  # bytes of shared memory for tasks and rows, which are small: pictures do not pass through it
QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_BACKEND_LOG_LEVEL": "fatal",  # its own remarks on standard error
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}


class ClusterError(ValueError):
    """Ray does not do what it was asked for; the message is one line."""


def checked(address: str) -> str:
    """`HOST:PORT` where somebody answers. Raises `ClusterError`."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536 or "/" in host:
        raise ClusterError(f"--address {address}: give HOST:PORT, as `ray start --head` prints it")
    try:
        socket.create_connection((host.strip("[]"), int(port)), ANSWER).close()
    except OSError as error:
        why = (error.strerror or str(error) or "no answer").lower()
        raise ClusterError(f"--address {address}: nobody answers ({why}); is `ray start --head` running?") from error
    return address


@contextmanager
def started(address: str | None, cores: int | None = None) -> Iterator[int]:
    """Ray for the block, on this computer or the cluster at `address`; the cores that it has. Raises `ClusterError`.

    A cluster of this computer alone listens on loopback only, has `cores` (default: all that this process may use), a
    token of its own for who may ask it, and leaves no file behind.
    """
    os.environ.update(QUIET)
    if address:
        with _faults(address):
            ray = _joined(address)
        try:
            yield int(ray.cluster_resources().get("CPU", 0))
        finally:
            ray.shutdown()
        return
    folder = tempfile.mkdtemp(prefix="anime-ray-", dir=_short(tempfile.gettempdir()))
    before = dict(os.environ)
    # read when Ray is imported: nodes of a cluster that can have others never listen on loopback alone
    os.environ |= {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_AUTH_MODE": "token"}
    os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
    try:
        with _faults("this computer"):
            ray = _local(folder, cores or cores_here())
        yield cores or cores_here()
    finally:
        with suppress(Exception):  # what is being shut down may be gone already
            _import().shutdown()
        os.environ.clear()
        os.environ.update(before)
        shutil.rmtree(folder, ignore_errors=True)


def rows(tasks: list[Task], brief: Brief, workers: int) -> Iterator[pa.Table]:
    """The rows of the tasks as they end, by at most `workers` actors, each of `brief.threads` cores.

    A worker that dies is started again, and what it had is done again; so with a whole node. Raises `ClusterError`.
    """
    ray = _import()
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    _hush()
    size = max(1, min(BLOCK, math.ceil(len(tasks) / (workers * SHARES))))
    tables = blocks(tasks, size)
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


def _local(folder: str, cores: int) -> Any:
    ray = _import()
    ray.init(
        address="local",
        num_cpus=cores,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.CRITICAL,
        object_store_memory=STORE,
        _temp_dir=folder,
    )
    return ray


def _joined(address: str) -> Any:
    ray = _import()
    ray.init(address=checked(address), log_to_driver=False, logging_level=logging.CRITICAL)
    return ray


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
