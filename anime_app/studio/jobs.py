"""Long work that waits in a line, says how far it is, and ends when nobody waits for it any more.

The answer to a request for such work is lines of JSON: what is known before it, `{"ahead": 3}` while it waits,
`{"progress": {...}, "seconds": 1.2}` while it goes on, and at the end `{"done": {...}, "seconds": 2.3}`,
`{"gone": true}` (the photo has been cleared away), `{"problem": [English, Chinese]}` or `{"stopping": true}` (the
studio ends). Seconds are those of the work.
"""

import asyncio
import json
import logging
import time
from collections.abc import Callable

from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from anime_app.bounds import Refused, left
from anime_app.line import Ended, Line, Tick, Turn
from anime_app.studio.reasons import reason
from anime_app.studio.workshop import Gone

RATE = 2.0  # seconds between two words on the place in the line
EVERY = 0.25  # seconds between two words on how the work goes
HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}  # a proxy must not gather the lines


class Progress:
    """What a piece of work says while it runs. For one event loop, and the thread of the work."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.begun = self._loop.create_future()
        self.state: dict = {}

    def begin(self, tick: Tick) -> None:
        """In the work's thread. `tick` raises where nobody waits any more."""
        self.tick, self._start = tick, time.perf_counter()
        self._loop.call_soon_threadsafe(self.begun.set_result, None)

    def tell(self, share: float | None = None, **more: object) -> None:
        """`share` of the work is done, from 0 to 1. Raises where nobody waits any more."""
        self.tick()
        self.state = {**self.state, "share": share, **more}

    def record(self) -> dict:
        """For the page, once the work has begun."""
        return {"progress": self.state, "seconds": round(time.perf_counter() - self._start, 3)}


Work = Callable[[Progress], dict]


class Told(Response):
    """The answer of `work`, which waits in `line`; `name` is what a problem calls the photo.

    `known` is what is said first of all, if anything. Where the line is full the answer is status 429 with that and
    `busy`, HTML for people. Who goes away leaves the line.
    """

    media_type = "application/x-ndjson"

    def __init__(self, line: Line, work: Work, name: str, busy: str, known: dict | None = None) -> None:
        self.line, self.work, self.name, self.busy, self.known = line, work, name, busy, known or {}
        self.status_code, self.background = 200, None
        self.init_headers(HEADERS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        progress = Progress()

        def work(tick: Tick) -> dict:
            progress.begin(tick)
            return self.work(progress)

        try:
            turn = self.line.enter(work)
        except Refused as refusal:
            return await self._refused(refusal)(scope, receive, send)
        leaving = asyncio.ensure_future(left(receive))
        try:
            await self._tell(turn, progress, leaving, send)
        finally:
            leaving.cancel()
            turn.leave()

    async def _tell(self, turn: Turn[dict], progress: Progress, leaving: asyncio.Future, send: Send) -> None:
        start = {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}

        async def say(record: dict, more: bool = True) -> None:
            nonlocal start
            if start:
                await send(start)
                start = {}
            body = json.dumps(record).encode() + b"\n"
            await send({"type": "http.response.body", "body": body, "more_body": more})

        ends = {turn.future, leaving}
        if self.known:
            await say(self.known)
        while not progress.begun.done() and (ahead := self.line.ahead(turn)):
            await say({"ahead": ahead})
            if await _first(ends | {progress.begun}, RATE) & ends:
                break
        while not await _first(ends, EVERY):
            if self.line.stopping:  # the work itself hears of it at its next tick, which may be after the grace
                return await say({"stopping": True}, more=False)
            if progress.begun.done():
                await say(progress.record())
        if turn.future.done():
            await say(self._last(turn), more=False)

    def _last(self, turn: Turn[dict]) -> dict:
        try:
            made, seconds = turn.future.result()
        except (Ended, asyncio.CancelledError):
            return {"stopping": True}
        except Gone:
            return {"gone": True}
        except (ValueError, OSError, MemoryError) as error:  # PictureError, VideoError and ModelError are among them
            return {"problem": reason(self.name, error)}
        except Exception as error:
            logging.getLogger(__name__).error("a picture could not be made", exc_info=error)
            return {"problem": reason(self.name, ValueError("the picture could not be made"))}
        return {"done": made, "seconds": round(seconds, 3)}

    def _refused(self, refusal: Refused) -> Response:
        said = self.busy if refusal.status == 429 else str(refusal)
        return JSONResponse({**self.known, "detail": said}, refusal.status, {"retry-after": str(refusal.again)})


async def _first(ends: set[asyncio.Future], seconds: float) -> set[asyncio.Future]:
    """Those that are done; waits for the first of them, `seconds` at most."""
    return (await asyncio.wait(ends, timeout=seconds, return_when=asyncio.FIRST_COMPLETED))[0]
