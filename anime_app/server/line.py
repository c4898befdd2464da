"""The one line in which requests wait: bounded, fair, told when it ends."""

import asyncio
import math
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from anime_app.bounds import Refused

Made = TypeVar("Made")
Tick = Callable[[], None]
LONGEST = 120  # seconds, of what a client is told to wait
WEIGHT = 0.1  # of the newest picture in the mean of their seconds


class Ended(Exception):
    """Raised inside a drawing that nobody waits for any more."""


class Line:
    """At most `workers` works at once, each in a thread, and at most `most` that wait. For one event loop."""

    def __init__(self, workers: int, most: int) -> None:
        self.workers, self.most, self.running, self.seconds = workers, most, 0, 0.5
        self.stopping = False
        self._waiting: deque[asyncio.Future] = deque()
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="draws")

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    @property
    def full(self) -> bool:
        return self.running >= self.workers and self.waiting >= self.most

    def again(self) -> int:
        """Seconds after which a client may come again: what those before it will take."""
        return min(LONGEST, max(1, math.ceil((self.waiting + self.running) * self.seconds / self.workers)))

    async def run(self, work: Callable[[Tick], Made], seconds: float, queued: bool = False) -> Made:
        """What `work` returns; it calls the function that it gets often, which raises where nobody waits any more.

        `queued`: one that has its place already, as the second picture of a batch. Raises `Refused`: 429 where the line
        is full, 503 where it ends, 504 after `seconds`.
        """
        try:
            async with asyncio.timeout(seconds):
                await self._turn(queued)
                return await self._work(work)
        except TimeoutError as error:
            raise Refused(504, f"not drawn within {seconds:g} s", self.again()) from error

    def stop(self) -> None:
        """Takes nobody new and tells those who wait; what is being drawn goes on."""
        self.stopping = True
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_exception(_stopping())

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    async def _turn(self, queued: bool) -> None:
        if self.stopping:
            raise _stopping()
        if self.running < self.workers and not self._waiting:
            self.running += 1
            return
        if self.waiting >= self.most and not queued:
            raise Refused(429, f"{self.waiting} requests are waiting already", self.again())
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn in self._waiting:
                self._waiting.remove(turn)
            elif turn.done() and not turn.cancelled() and not turn.exception():
                self._leave()  # the turn came at the moment in which nobody wanted it any more
            raise

    async def _work(self, work: Callable[[Tick], Made]) -> Made:
        ended, start = threading.Event(), time.perf_counter()

        def tick() -> None:
            if ended.is_set():
                raise Ended

        drawing = asyncio.get_running_loop().run_in_executor(self._pool, work, tick)
        drawing.add_done_callback(lambda done: self._done(done, start))
        try:
            return await asyncio.shield(drawing)
        except asyncio.CancelledError:
            ended.set()  # the thread keeps its place until it has heard
            raise

    def _done(self, done: asyncio.Future, start: float) -> None:
        if not done.cancelled() and not done.exception():
            self.seconds += WEIGHT * (time.perf_counter() - start - self.seconds)
        self._leave()

    def _leave(self) -> None:
        """Hands the place to the next who still waits."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self.running -= 1


def _stopping() -> Refused:
    return Refused(503, "the service is stopping", 5)
