"""Many pictures through three stages at once: decode, network, encode, so that no core waits for a disk or a codec."""

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TypeVar

CODERS = 2  # threads that decode, and as many that encode
PIXELS = 40_000_000  # of all pictures between the file that is read and the file that is written; one may have more
J = TypeVar("J")
P = TypeVar("P")
Admit = Callable[[int], None]


class Stopped(Exception):
    """Raised inside a stage when the work shall end."""


@dataclass(frozen=True)
class Stages:
    """`read(job, admit)` gives a picture and calls `admit(pixels)` before it takes memory; `draw(job, picture)` gives
    what `write(job, picture)` saves. Each may raise; that ends the one job."""

    read: Callable[[J, Admit], P]
    draw: Callable[[J, P], P]
    write: Callable[[J, P], None]


class Gate:
    """Lets pixels in as long as there is room, one picture of any size always, and nothing once it is closed."""

    def __init__(self, room: int) -> None:
        self.room, self.held, self.closed = room, 0, False
        self.change = threading.Condition()

    def enter(self, pixels: int) -> None:
        with self.change:
            self.change.wait_for(lambda: self.closed or not self.held or self.held + pixels <= self.room)
            if self.closed:
                raise Stopped
            self.held += pixels

    def leave(self, pixels: int) -> None:
        with self.change:
            self.held -= pixels
            self.change.notify_all()

    def close(self) -> None:
        with self.change:
            self.closed = True
            self.change.notify_all()


def run(
    jobs: Sequence[J],
    stages: Stages,
    workers: int,
    report: Callable[[J, Exception | None], None],
    pixels: int = PIXELS,
    stop: threading.Event | None = None,
) -> None:
    """Does every job with `workers` pictures in the network at once; `report` hears of each as it ends, in this thread.

    What `report` raises, and Ctrl-C, end the work: `stop` is set, so that a stage can end before its time, no new stage
    is begun, and the call returns when no thread works.
    """
    gate, ended, stop = Gate(pixels), queue.SimpleQueue(), stop or threading.Event()
    with ExitStack() as stack:  # left in reverse order: whoever reads ends before whoever writes
        writers, drawers, readers = (stack.enter_context(ThreadPoolExecutor(n)) for n in (CODERS, workers, CODERS))
        stack.callback(gate.close)
        stack.callback(stop.set)
        pools = (readers, drawers, writers)
        waiting, running, ahead = iter(jobs), 0, workers + 2 * CODERS
        while True:
            while running < ahead and (job := next(waiting, None)) is not None:
                _Task(job, stages, pools, gate, ended).start()
                running += 1
            if not running:
                return
            job, error = ended.get()
            running -= 1
            report(job, error)


class _Task:
    """One job on its way through the three pools."""

    def __init__(self, job: J, stages: Stages, pools: tuple, gate: Gate, ended: queue.SimpleQueue) -> None:
        self.job, self.gate, self.ended, self.pixels = job, gate, ended, 0
        steps = (lambda _: stages.read(job, self._admit), lambda p: stages.draw(job, p), lambda p: stages.write(job, p))
        self.steps = list(zip(steps, pools, strict=True))

    def start(self, picture: P | None = None) -> None:
        step, pool = self.steps.pop(0)
        pool.submit(self._do, step, picture)

    def _do(self, step: Callable, picture: P | None) -> None:
        try:
            if self.gate.closed:
                raise Stopped
            picture = step(picture)
            if self.steps:
                self.start(picture)
                return
            self._end(None)
        except Exception as error:
            self._end(error)

    def _admit(self, pixels: int) -> None:
        self.gate.enter(pixels)
        self.pixels += pixels

    def _end(self, error: Exception | None) -> None:
        self.gate.leave(self.pixels)
        self.ended.put((self.job, error))
