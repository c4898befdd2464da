"""One worker of the pool at a time computes a stage: a slot at Prefect, which a dead worker's lease gives back."""

import contextlib
from collections.abc import Callable, Iterator
from threading import Event

from prefect import get_client
from prefect.concurrency.sync import concurrency

from flows.pipeline.run_stage import StageError

LEASE = 60.0  # seconds after which the slot of a worker that was killed is free again; it is renewed on the way
PATIENCE = 5.0  # seconds between two looks at `stop` while another worker has the slot
PREFIX = "animegan-lite"


@contextlib.contextmanager
def claimed(stage: str, stop: Event, say: Callable[[str], None]) -> Iterator[None]:
    """Within the context no other worker of the same Prefect server has `stage`; waits for the one that has it.

    Who comes second finds the result in the remote. A lease that cannot be renewed ends no work: results are the same
    from every worker, and the worst is a stage that is computed twice. Raises `StageError` where `stop` is set.
    """
    name = f"{PREFIX}: {stage}"
    with get_client(sync_client=True) as client:
        client.upsert_global_concurrency_limit_by_name(name, 1)
    with contextlib.ExitStack() as held:
        waits = False
        while not _taken(held, name):
            if stop.is_set():
                raise StageError("stopped")
            if not waits:
                say(f"{stage}: another worker has it; waits for the result")
            waits = True
        yield


def _taken(held: contextlib.ExitStack, name: str) -> bool:
    slot = concurrency(
        name,
        timeout_seconds=PATIENCE,
        lease_duration=LEASE,
        strict=True,
        raise_on_lease_renewal_failure=False,
    )
    try:
        held.enter_context(slot)
    except TimeoutError:
        return False
    return True
