"""The one line in which requests wait: bounded, fair, told when it ends."""

import asyncio
import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

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
        self._there: set[Future] = set()  # drawn and waiting
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
        """Seconds after which a client may come again: what those before it will take."""
        return min(LONGEST, max(1, math.ceil(len(self._there) * self.seconds / self.workers)))

    async def run(self, work: Callable[[Tick], Made], seconds: float, queued: bool = False) -> Made:
        """What `work` returns; it calls the function that it gets often, which raises where nobody waits any more.

        `queued`: one that has its place already, as the second picture of a batch. Raises `Refused`: 429 where the line
        is full, 503 where it ends, 504 after `seconds`.
        """
        if self.stopping:
            raise _stopping()
        if self.full and not queued:
            raise Refused(429, f"{self.waiting} requests are waiting already", self.again())
        try:
            async with asyncio.timeout(seconds):
                return await self._made(work)
        except TimeoutError as error:
            raise Refused(504, f"not drawn within {seconds:g} s", self.again()) from error

    def stop(self) -> None:
        """Takes nobody new and tells those who wait; what is being drawn goes on."""
        self.stopping = True
        for drawing in self._there:
            drawing.cancel()  # one that has begun cannot be

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    async def _made(self, work: Callable[[Tick], Made]) -> Made:
        ended = threading.Event()

        def tick() -> None:
            if ended.is_set():
                raise Ended

        drawing = self._pool.submit(_timed, work, tick)
        self._there.add(drawing)
        timed = asyncio.wrap_future(drawing)
        timed.add_done_callback(lambda done: self._leave(drawing, done))
        try:
            return (await asyncio.shield(timed))[0]
        except asyncio.CancelledError:
            if timed.cancelled() and self.stopping:
                raise _stopping() from None
            ended.set()  # a thread that has begun keeps its place until it has heard
            drawing.cancel()
            raise

    def _leave(self, drawing: Future, done: asyncio.Future) -> None:
        self._there.discard(drawing)
        if not done.cancelled() and not done.exception():
            self.seconds += WEIGHT * (done.result()[1] - self.seconds)


def _timed(work: Callable[[Tick], Made], tick: Tick) -> tuple[Made, float]:
    start = time.perf_counter()
    return work(tick), time.perf_counter() - start


def _stopping() -> Refused:
    return Refused(503, "the service is stopping", 5)
