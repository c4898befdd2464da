"""What a request of the page hears while its work waits and goes on, and how it ends."""

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable

import pytest

pytest.importorskip("gradio", reason="the studio needs Gradio: pip install '.[studio]'")

from anime_app.line import Line
from anime_app.studio import jobs
from anime_app.studio.jobs import Progress, Told
from anime_app.studio.workshop import Gone


class Asker:
    """One request, without a network between."""

    def __init__(self, line: Line, work: Callable[[Progress], dict], known: dict | None = None) -> None:
        self.sent: list[dict] = []
        self.gone = asyncio.Event()
        told = Told(line, work, "a.jpg", "<b>busy</b>", known)
        self.answered = asyncio.create_task(told({"type": "http"}, self._receive, self._send))

    async def _receive(self) -> dict:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: dict) -> None:
        self.sent.append(message)

    @property
    def status(self) -> int:
        return self.sent[0]["status"]

    @property
    def said(self) -> list[dict]:
        return [json.loads(message["body"]) for message in self.sent[1:]]


@pytest.fixture(autouse=True)
def hurried(monkeypatch):
    monkeypatch.setattr(jobs, "RATE", 0.05)
    monkeypatch.setattr(jobs, "EVERY", 0.02)


def with_line(work: Callable[[Line], Awaitable[None]], most: int = 8) -> None:
    """Runs a coroutine function with a line of one worker."""

    async def run() -> None:
        line = Line(1, most)
        try:
            await work(line)
        finally:
            line.stop(at_once=True)
            line.close()

    asyncio.run(run())


def held(event: threading.Event) -> Callable[[Progress], dict]:
    """A work that ends with the event, or when nobody waits for it."""

    def work(progress: Progress) -> dict:
        while not event.wait(0.005):
            progress.tell(0.5)
        return {"made": True}

    return work


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0.005)


def test_the_place_comes_first_then_the_progress_then_the_end():
    async def check(line: Line) -> None:
        first, second, third = (threading.Event() for _ in range(3))
        askers = [Asker(line, held(event)) for event in (first, second, third)]
        await until(lambda: len(askers[2].sent) > 2)
        assert [asker.said[-1].get("ahead") for asker in askers[1:]] == [1, 2]
        first.set()
        await until(lambda: {"ahead": 1} in askers[2].said)
        await until(lambda: "progress" in askers[1].said[-1])
        second.set()
        third.set()
        await asyncio.gather(*(asker.answered for asker in askers))
        for asker in askers[1:]:
            kinds = [next(iter(record)) for record in asker.said]
            assert kinds == sorted(kinds, key=["ahead", "progress", "done"].index)
            assert asker.said[-1]["done"] == {"made": True}
            assert [message["more_body"] for message in asker.sent[1:]] == [True] * (len(kinds) - 1) + [False]
        assert {"share": 0.5} in [record.get("progress") for record in askers[1].said]

    with_line(check)


def test_a_full_line_says_that_it_is_busy_and_when_to_come_again():
    async def check(line: Line) -> None:
        event = threading.Event()
        askers = [Asker(line, held(event)) for _ in range(3)]
        await askers[2].answered
        assert askers[2].status == 429
        assert dict(askers[2].sent[0]["headers"])[b"retry-after"] == b"1"
        assert askers[2].said == [{"detail": "<b>busy</b>"}]
        event.set()
        await asyncio.gather(*(asker.answered for asker in askers))
        assert [asker.status for asker in askers[:2]] == [200, 200]

    with_line(check, most=1)


def test_what_is_known_comes_before_all_else_and_also_where_the_line_is_full():
    async def check(line: Line) -> None:
        event = threading.Event()
        going, full = (Asker(line, held(event), {"key": name}) for name in "ab")
        await full.answered
        assert (full.status, full.said) == (429, [{"key": "b", "detail": "<b>busy</b>"}])
        await until(lambda: going.said)
        assert going.said[0] == {"key": "a"}, "before the work has ended"
        event.set()
        await going.answered
        assert going.said[-1]["done"] == {"made": True}

    with_line(check, most=0)


def test_who_goes_away_leaves_the_line_and_ends_the_work():
    async def check(line: Line) -> None:
        began: list[str] = []

        def second(progress: Progress) -> dict:
            began.append("second")
            return {}

        going, waiting = Asker(line, held(threading.Event())), Asker(line, second)
        await until(lambda: waiting.sent)
        waiting.gone.set()
        await waiting.answered
        await until(lambda: (line.running, line.waiting) == (1, 0))
        going.gone.set()
        await going.answered
        await until(lambda: line.running == 0)
        assert began == []
        assert not [record for record in going.said if "done" in record]

    with_line(check)


def test_at_the_end_who_waits_and_who_is_drawn_is_told():
    async def check(line: Line) -> None:
        askers = [Asker(line, held(threading.Event())) for _ in range(2)]
        await until(lambda: all(asker.sent for asker in askers))
        line.stop(at_once=True)
        await asyncio.gather(*(asker.answered for asker in askers))
        assert [asker.said[-1] for asker in askers] == [{"stopping": True}] * 2
        late = Asker(line, held(threading.Event()))
        await late.answered
        assert late.status == 503

    with_line(check)


def test_at_the_end_nobody_waits_for_a_tile_that_takes_long():
    """A work hears that nobody waits at its next tick; the answer does not wait for it."""
    tile = threading.Event()

    def long(progress: Progress) -> dict:
        tile.wait(30)
        progress.tell(0.5)
        return {"made": True}

    async def check(line: Line) -> None:
        asker = Asker(line, long)
        await until(lambda: asker.sent)
        line.stop(at_once=True)
        try:
            async with asyncio.timeout(5):
                await asker.answered
        finally:
            tile.set()
        assert asker.said[-1] == {"stopping": True}
        assert not asker.sent[-1]["more_body"]

    with_line(check)


def failing(error: Exception) -> Callable[[Progress], dict]:
    def work(progress: Progress) -> dict:
        raise error

    return work


def test_what_fails_is_one_line_in_both_languages_and_frees_its_place(caplog):
    async def check(line: Line) -> None:
        for error, said in (
            (Gone(), {"gone": True}),
            (MemoryError(), {"problem": ["not enough memory", "内存不足"]}),
            (ValueError("a.jpg: damaged"), {"problem": ["damaged", "damaged"]}),
            (KeyError("secret"), {"problem": ["the picture could not be made", "图片生成失败"]}),
        ):
            asker = Asker(line, failing(error))
            await asker.answered
            assert asker.said == [said]
            assert line.running == 0

    with_line(check)
    assert [record.exc_info[0] for record in caplog.records] == [KeyError], "what nobody foresaw is for the log"
