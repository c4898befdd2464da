"""The line in which requests wait, the service's and the studio's: bounded, fair, told when it ends."""

import asyncio
import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

from anime_app.bounds import Refused

Made = TypeVar("Made")
Tick = Callable[[], None]
LONGEST = 120  # seconds, of what a client is told to wait
WEIGHT = 0.1  # of the newest picture in the mean of their seconds


class Ended(Exception):
    """Raised inside a drawing that nobody waits for any more."""


class Line:
    """At most `workers` works at once, each in a thread, and at most `most` that wait. For one event loop.

    Who waits, waits in the threads' own queue: a thread takes the next picture without waiting for the event loop.
    """

    def __init__(self, workers: int, most: int) -> None:
        self.workers, self.most, self.seconds = workers, most, 0.5
        self.stopping = False
        self._there: dict[Turn, None] = {}  # drawn and waiting, in the order in which they came
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="draws")

    @property
    def running(self) -> int:
        return min(self.workers, len(self._there))

    @property
    def waiting(self) -> int:
        return len(self._there) - self.running

    @property
    def full(self) -> bool:
        return len(self._there) >= self.workers + self.most

    def again(self) -> int:
        """Seconds after which a client may come again: what those before it will take, from 1 to `LONGEST`."""
        return min(LONGEST, max(1, math.ceil(len(self._there) * self.seconds / self.workers)))

    def enter(self, work: Callable[[Tick], Made], queued: bool = False) -> "Turn[Made]":
        """A turn for `work`, which calls the function that it gets often: it raises where nobody waits any more.

        `queued`: one that has its place already, as the second picture of a batch. Raises `Refused`: 429 where the line
        is full, 503 where it ends.
        """
        if self.stopping:
            raise _stopping()
        if self.full and not queued:
            raise Refused(429, f"{self.waiting} requests are waiting already", self.again())
        turn = Turn(self, self._pool, work)
        self._there[turn] = None
        turn.future.add_done_callback(lambda done: self._leave(turn, done))
        return turn

    async def run(self, work: Callable[[Tick], Made], seconds: float | None, queued: bool = False) -> Made:
        """What `work` returns, as `enter` has it. Raises what it does, and `Refused` 504 after `seconds`."""
        turn = self.enter(work, queued)
        try:
            async with asyncio.timeout(seconds):
                return await turn.made()
        except TimeoutError as error:
            raise Refused(504, f"not drawn within {seconds:g} s", self.again()) from error

    def ahead(self, turn: "Turn") -> int:
        """Works that must end before this one begins; 0 once it may."""
        for place, other in enumerate(self._there):
            if other is turn:
                return max(0, place + 1 - self.workers)
        return 0

    def stop(self, at_once: bool = False) -> None:
        """Takes nobody new and tells those who wait; what is being drawn goes on, or, `at_once`, ends at its next tick.

        Call it in the line's event loop.
        """
        self.stopping = True
        for turn in self._there:
            if not turn.drop() and at_once:  # one that has begun cannot be taken out
                turn.leave()

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _leave(self, turn: "Turn", done: asyncio.Future) -> None:
        self._there.pop(turn, None)
        if not done.cancelled() and not done.exception():
            self.seconds += WEIGHT * (done.result()[1] - self.seconds)


class Turn(Generic[Made]):
    """One work in a line, from `Line.enter` on. `future` is done when it is, or when it was taken out."""

    def __init__(self, line: Line, pool: ThreadPoolExecutor, work: Callable[[Tick], Made]) -> None:
        self._line, self._ended = line, threading.Event()
        self._drawing = pool.submit(_timed, work, self._tick)
        self.future: asyncio.Future[tuple[Made, float]] = asyncio.wrap_future(self._drawing)

    async def made(self) -> Made:
        """What the work returned. Whoever stops waiting leaves the line. Raises what the work does, `Refused` 503 where
        the line ends before."""
        try:
            return (await asyncio.shield(self.future))[0]
        except Ended:
            raise _stopping() from None
        except asyncio.CancelledError:
            if self.future.cancelled() and self._line.stopping:
                raise _stopping() from None
            self.leave()
            raise

    def leave(self) -> None:
        """Nobody waits any more. A work that has begun keeps its place until it has heard at its next tick."""
        self._ended.set()
        self.drop()

    def drop(self) -> bool:
        """Whether it was still waiting; then it never begins."""
        return self._drawing.cancel()

    def _tick(self) -> None:
        if self._ended.is_set():
            raise Ended


def _timed(work: Callable[[Tick], Made], tick: Tick) -> tuple[Made, float]:
    start = time.perf_counter()
    return work(tick), time.perf_counter() - start


def _stopping() -> Refused:
    return Refused(503, "the service is stopping", 5)
