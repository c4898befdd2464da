"""A flow's own run at Prefect: those before it that a kill cut off, and whether someone cancels it."""

import contextlib
from collections.abc import Iterator
from threading import Event, Thread
from typing import IO
from uuid import UUID

from prefect import get_client, runtime
from prefect.states import Crashed

LOOK_EVERY = 2.0  # seconds between two questions whether the run is being cancelled


@contextlib.contextmanager
def own_run(note: IO[str], stop: Event) -> Iterator[Event]:
    """Marks runs that `note` still names as crashed, notes this one until it ends, sets `stop` when it is cancelled.

    Without this a killed run would be shown as running for ever, and Prefect's pages could cancel only what a worker
    started. Yields whether it was cancelled. `note` is the file of `flows.machine.lock.only_flow`.
    """
    # A flow may run inside another one: that one's end and its cancelling count too.
    mine = dict.fromkeys((str(runtime.flow_run.id), str(runtime.flow_run.root_flow_run_id)))
    note.seek(0)
    abandoned = [line for line in note.read().split() if line.partition("/")[0] not in mine]
    _write(note, "\n".join(_close_abandoned(abandoned, list(mine))))
    cancelled, ended = Event(), Event()
    Thread(target=_watch, args=(list(mine), cancelled, stop, ended), daemon=True).start()
    try:
        yield cancelled
    finally:
        ended.set()
        _write(note, "")


def _write(note: IO[str], text: str) -> None:
    note.truncate(0)
    note.write(text)
    note.flush()


def _close_abandoned(lines: list[str], mine: list[str]) -> list[str]:
    """Marks the runs of `lines` as crashed; lines for `mine`: `RUN/COUNT`, where COUNT is how often it was started.

    A run that was started again meanwhile is another worker's now, and left alone.
    """
    noted = mine
    with contextlib.suppress(Exception), get_client(sync_client=True) as client:  # another server may not know them
        noted = [f"{run}/{client.read_flow_run(UUID(run)).run_count}" for run in mine]
        for line in lines:
            run, _, count = line.partition("/")
            found = client.read_flow_run(UUID(run))
            over = not found.state or found.state.is_final() or found.state.is_scheduled()
            if not over and count in ("", str(found.run_count)):
                client.set_flow_run_state(UUID(run), Crashed(message="its process was killed"), force=True)
    return noted


def _watch(runs: list[str], cancelled: Event, stop: Event, ended: Event) -> None:
    with get_client(sync_client=True) as client:
        while not ended.wait(LOOK_EVERY):
            with contextlib.suppress(Exception):  # a server that is away says nothing about cancelling
                states = [client.read_flow_run(UUID(run)).state for run in runs]
                if any(state and (state.is_cancelling() or state.is_cancelled()) for state in states):
                    cancelled.set()
                    stop.set()
                    return
