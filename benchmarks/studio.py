"""The studio under load: start-up, requests a second, waiting times, memory, the queue's bound.

`python -m benchmarks.studio [--users 50] [--requests 1200] [--sides 512 1024] [--only-load]`: writes
results/studio.json and docs/studio-figures.md, and prints the tables; with `--only-load` it takes the load alone,
prints it, and writes nothing. The server is a process of its own on two cores. A request is what the page does for a
photo that a person puts in: it sends the photo, waits in the line, and gets the drawing that is shown, which up to
1,600 pixels has the photo's full size. *By make* a request is a program's: upload, the event `make` in Gradio's queue,
the file. The bare session is ONNX Runtime alone, as many sessions of one thread as the server draws pictures at once,
on arrays that are ready: no file, no conversion. Load and bare session take turns: a machine's speed drifts within
minutes. Users run on other cores where the machine has any, else beside the server, which then pays for them too.
Processor time is measured for the studio and for the users apart; a second share, an estimate, takes the users' out.
"""

import argparse
import asyncio
import base64
import io
import json
import os
import re
import secrets
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import psutil

from anime_app.cli.tables import table
from anime_model.metrics.latency import cpu_name, instruction_set
from anime_model.runtime.models import SIZE, find_model
from anime_model.runtime.session import open_session
from benchmarks.runtime import batch_of, photo

RESULTS, PAGE = Path("results/studio.json"), Path("docs/studio-figures.md")
NETWORK = "shinkai"
CORES = 2
STARTS = 5
QUEUED = 200
ROUNDS = 6  # turns of the load, each after one of the bare session
LOOK = 2.0  # seconds from one look at the memory to the next: one takes some 10 ms of a core
API, PHOTO = "/gradio_api", "/studio/photo"
Figures = dict[str, float]
MEASURED, ESTIMATED = "share of the bare session", "estimated share, users' CPU taken out"
NOTE = f"""A request is a photo sent, its turn waited for, and the drawing that the page shows, in the photo's
own size. The photo as the page shows it, and the chips of the one that is looked at, are not asked for. *By make* a
request is a program's: an upload, the event `make` in Gradio's queue, the file.

The *{MEASURED}* is measured: requests a second over the bare session's pictures a second, with
all that the users cost where they run beside the server. The *{ESTIMATED}* is computed:
the users' CPU seconds, spread over {CORES} cores, are taken out of the time, as if the users sat at other machines;
what watches the memory is among the users. *CPU of neither* is the share of the cores' time in which they rested or
did something else."""


class Busy(Exception):
    """The queue was full."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--users", type=int, default=50)
    parser.add_argument("--requests", type=int, default=1200, help="of 512 px; of other sizes as many pixels")
    parser.add_argument("--sides", type=int, nargs="+", default=[512, 1024], help="pixels of square photos")
    parser.add_argument("--only-load", action="store_true", help="the load alone, printed and not written")
    options = parser.parse_args()
    if options.only_load:
        print(page({**head(options), "load": loads(options)}))
        return
    found = {**head(options), "start": start_up(), "load": loads(options), "queue": queued(), "bound": bound()}
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")
    PAGE.write_text(page(found))
    print(page(found))


def head(options: argparse.Namespace) -> dict:
    """What the figures hold for."""
    cpu = f"{cpu_name()}, {instruction_set()}, {CORES} cores"
    return {"cpu": cpu, "users beside the server": beside_the_server(), "users": options.users}


def beside_the_server() -> bool:
    """Whether the users have no cores of their own."""
    return len(os.sched_getaffinity(0)) <= CORES


def loads(options: argparse.Namespace) -> dict[str, Figures]:
    """The page's way for each side, and a program's for the first."""
    ways = [(f"{side} px", side, Visitor.shown) for side in options.sides]
    ways.append((f"{options.sides[0]} px, by make", options.sides[0], Visitor.made))
    return {
        name: load(side, options.users, round(options.requests * (512 / side) ** 2), request)
        for name, side, request in ways
    }


# The server, and what it weighs.


@dataclass(frozen=True)
class Server:
    url: str
    process: psutil.Process

    def megabytes(self) -> float:
        """Memory that is this process's own: pages of the packages' files are shared with every other."""
        return self.process.memory_full_info().uss / 1e6


def cpu_seconds(process: psutil.Process) -> float:
    """Processor time of a process until now, on all cores together."""
    times = process.cpu_times()
    return times.user + times.system


@contextmanager
def server(*options: str, **environment: str) -> Iterator[Server]:
    """A studio on a free port, on two cores, with these variables besides its own; ended as Ctrl-C would."""
    line = [sys.executable, "-m", "anime_app.cli.command", "studio", "--port", "0", *options]
    started = subprocess.Popen(line, stderr=subprocess.PIPE, text=True, env=os.environ | environment)
    try:
        process = psutil.Process(started.pid)
        process.cpu_affinity(sorted(os.sched_getaffinity(0))[:CORES])
        said = started.stderr.readline()
        if not (address := re.search(r"http://\S+", said)):
            raise RuntimeError(f"the studio did not start: {said}{started.stderr.read()}")
        yield Server(address[0], process)
    finally:
        started.terminate()
        started.wait(30)
        started.stderr.close()


def start_up() -> Figures:
    """Seconds from the command to the first whole page, and no model is open by then."""
    times, opened = [], []
    for _ in range(STARTS):
        start = time.perf_counter()
        with server() as running:
            asyncio.run(_get(running.url))
            times.append(time.perf_counter() - start)
            opened.append(any("onnxruntime" in mapped.path for mapped in running.process.memory_maps()))
    return {"seconds to the first page": statistics.median(times), "engine loaded by then": float(any(opened))}


async def _get(url: str) -> bytes:
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        answer.raise_for_status()
        return await answer.read()


# Visitors: as the page's own script asks, and as programs do through Gradio's queue.


class Visitor:
    """One person with the page open, or one program."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.session, self.name = session, secrets.token_hex(6)
        self.make: int | None = None

    async def take(self, data: bytes, name: str = "photo.jpg") -> str:
        """The page: the key of a photo."""
        async with self.session.post(PHOTO, params={"name": name}, data=data) as answer:
            answer.raise_for_status()
            return (await answer.json())["key"]

    async def told(self, asked: dict, kind: str = "draw") -> AsyncIterator[dict]:
        """The page: what the server says until the work has ended. Raises `Busy`."""
        async with self.session.post(f"/studio/{kind}", json=asked) as answer:
            async for record in _lines(answer):
                yield record

    async def done(self, asked: dict, kind: str = "draw") -> dict:
        """The page: what comes of it. Raises `Busy`, `RuntimeError` where nothing does."""
        return _done([record async for record in self.told(asked, kind)])

    async def shown(self, data: bytes) -> bytes:
        """The page: a photo in, the drawing of it that is shown. Raises what `done` does."""
        asked = {"name": "photo.jpg", "order": json.dumps({"network": NETWORK})}
        async with self.session.post(PHOTO, params=asked, data=data) as answer:
            made = _done([record async for record in _lines(answer)])
        return base64.b64decode(made["picture"].partition(",")[2])

    async def made(self, data: bytes) -> bytes:
        """A program: a photo in, the file of the drawing out. Raises `Busy`, `RuntimeError`."""
        await self.ask([await self.upload(data)])
        return await self.fetch((await self.drawn())[-1])

    async def upload(self, data: bytes, name: str = "photo.jpg") -> str:
        form = aiohttp.FormData()
        form.add_field("files", data, filename=name, content_type="image/jpeg")
        async with self.session.post(f"{API}/upload", data=form) as answer:
            answer.raise_for_status()
            return (await answer.json())[0]

    async def event(self) -> int:
        """The number of the event `make`."""
        async with self.session.get("/config") as answer:
            events = (await answer.json())["dependencies"]
        return next(event["id"] for event in events if event["api_name"] == "make")

    async def ask(self, paths: list[str], look: str = "plain", strength: float = 1.0, lines: str = "bold") -> str:
        """Joins Gradio's queue; the event's id. Raises `Busy`."""
        if self.make is None:
            self.make = await self.event()
        file = {"path": paths[0], "meta": {"_type": "gradio.FileData"}}
        data = [file, NETWORK, "none" if look == "plain" else look, strength, False, lines, 0, SIZE]
        order = {"data": data, "fn_index": self.make, "session_hash": self.name}
        async with self.session.post(f"{API}/queue/join", json=order) as answer:
            if answer.status == 429:
                raise Busy((await answer.json())["detail"])
            answer.raise_for_status()
            return (await answer.json())["event_id"]

    async def messages(self) -> AsyncIterator[dict]:
        """What the server says until every event of this visitor has ended."""
        async with self.session.get(f"{API}/queue/data", params={"session_hash": self.name}) as answer:
            async for line in answer.content:
                if line.startswith(b"data: "):
                    message = json.loads(line[6:])
                    yield message
                    if message["msg"] == "close_stream":
                        return

    async def drawn(self) -> list[str]:
        """Addresses of the pictures in full size. Raises `RuntimeError` where the server reports an error."""
        found: list[str] = []
        async for message in self.messages():
            if message["msg"] in ("process_generating", "process_completed") and not message["success"]:
                raise RuntimeError(str(message["output"]))
            found += [url for url in _urls(message.get("output")) if url not in found]
        return found

    async def fetch(self, url: str) -> bytes:
        async with self.session.get(url) as answer:
            answer.raise_for_status()
            return await answer.read()


async def _lines(answer: aiohttp.ClientResponse) -> AsyncIterator[dict]:
    """What the server says of a piece of work. Raises `Busy`."""
    if answer.status == 429:
        raise Busy((await answer.json())["detail"])
    answer.raise_for_status()
    rest = b""
    async for part in answer.content.iter_any():  # a line that holds a picture is longer than aiohttp reads one
        *lines, rest = (rest + part).split(b"\n")
        for line in lines:
            yield json.loads(line)


def _done(said: list[dict]) -> dict:
    """What came of it. Raises `RuntimeError` where nothing did."""
    if "done" not in said[-1]:
        raise RuntimeError(str(said[-1]))
    return said[-1]["done"]


def _urls(value: object) -> Iterator[str]:
    """Every file in what an event returns."""
    if isinstance(value, dict):
        if "/file=" in str(value.get("url") or ""):
            yield value["url"][value["url"].index(API) :]
        for part in value.values():
            yield from _urls(part)
    elif isinstance(value, list):
        for part in value:
            yield from _urls(part)


Request = Callable[[Visitor, bytes], Awaitable[bytes]]


@asynccontextmanager
async def visit(url: str) -> AsyncIterator[Visitor]:
    timeout = aiohttp.ClientTimeout(total=None, sock_read=600)
    async with aiohttp.ClientSession(url, timeout=timeout) as session:
        yield Visitor(session)


# Load.


def load(side: int, users: int, requests: int, request: Request) -> Figures:
    """Requests a second of `users` people who ask again as soon as they have their picture."""
    photos, alone, found = [jpeg(side, seed) for seed in range(users)], Bare(side), Load()
    with server("--queue", str(2 * users)) as running:
        asyncio.run(_crowd(running.url, photos[:CORES], CORES, request))  # opens the model
        found.sizes.append(running.megabytes())
        alone.in_turns_with(lambda: asyncio.run(_watched(running, photos, requests // ROUNDS, request, found)))
    figures = found.figures()
    return {**figures, **shares(figures, *alone.figures(), beside_the_server())}


@dataclass
class Load:
    """What was seen in all turns of a load."""

    times: list[float] = field(default_factory=list)  # seconds of every request that was answered
    sizes: list[float] = field(default_factory=list)  # megabytes of the server, the first of them before the load
    errors: int = 0
    seconds: float = 0.0
    studio: float = 0.0  # seconds of the server's processor time
    users: float = 0.0  # and of the users', who are this process, with what watches the memory

    @contextmanager
    def turn(self, server: psutil.Process) -> Iterator[None]:
        """Adds what the block takes: time, and the processor time of both."""
        both = (server, psutil.Process())
        start, spent = time.perf_counter(), [cpu_seconds(process) for process in both]
        yield
        self.seconds += time.perf_counter() - start
        studio, users = (cpu_seconds(process) - then for process, then in zip(both, spent, strict=True))
        self.studio += studio
        self.users += users

    def figures(self) -> Figures:
        p50, p95, p99 = np.percentile(self.times, [50, 95, 99])
        return {
            "requests": len(self.times),
            "errors": self.errors,
            "requests/s": len(self.times) / self.seconds,
            "p50, s": p50,
            "p95, s": p95,
            "p99, s": p99,
            "memory before, MB": self.sizes[0],
            "memory at most, MB": max(self.sizes),
            "studio's CPU, s": self.studio,
            "users' CPU, s": self.users,
        }


def shares(found: Figures, bare_rate: float, bare_cpu: float, beside: bool) -> Figures:
    """The load over the bare session: as it was, and with the users on another machine.

    The second is an estimate: where the users run beside the server, the seconds that they had of its cores are taken
    out of the time. `bare_cpu` is the session's processor time for one picture in seconds.
    """
    seconds, users = found["requests"] / found["requests/s"], found["users' CPU, s"] if beside else 0.0
    return {
        "CPU of neither": 1 - (found["studio's CPU, s"] + users) / (CORES * seconds),
        "studio's CPU, ms/picture": 1000 * found["studio's CPU, s"] / found["requests"],
        "bare session's CPU, ms/picture": 1000 * bare_cpu,
        "bare session, pictures/s": bare_rate,
        MEASURED: found["requests/s"] / bare_rate,
        ESTIMATED: found["requests"] / (seconds - users / CORES) / bare_rate,
    }


async def _watched(running: Server, photos: list[bytes], requests: int, request: Request, found: Load) -> None:
    """One turn of a load, added to `found`."""
    watching = True

    async def watch() -> None:
        while watching:
            found.sizes.append(running.megabytes())
            await asyncio.sleep(LOOK)

    watcher = asyncio.create_task(watch())
    with found.turn(running.process):
        times, errors = await _crowd(running.url, photos, requests, request)
    watching = False
    await watcher
    found.times += times
    found.errors += errors


async def _crowd(
    url: str, photos: list[bytes], requests: int, request: Request = Visitor.shown
) -> tuple[list[float], int]:
    """One user for each photo; seconds of every request that was answered, and the number of those that were not."""
    left, times, errors = requests, [], 0

    async def person(data: bytes) -> None:
        nonlocal left, errors
        async with visit(url) as visitor:
            while left > 0:
                left -= 1
                start = time.perf_counter()
                try:
                    await request(visitor, data)
                    times.append(time.perf_counter() - start)
                except (aiohttp.ClientError, RuntimeError, IndexError, Busy) as error:
                    print(f"error: {error}", file=sys.stderr)
                    errors += 1

    await asyncio.gather(*map(person, photos))
    return times, errors


class Bare:
    """The sessions alone, in as many turns as you like."""

    def __init__(self, side: int) -> None:
        """For square pictures of `side` pixels."""
        self._sessions = [open_session(find_model(NETWORK), 1) for _ in range(CORES)]
        self._batch = batch_of(side, side)
        self._runs = max(4, round(40 * (512 / side) ** 2))
        self.pictures, self.seconds, self.spent = 0, 0.0, 0.0

    def in_turns_with(self, work: Callable[[], object]) -> None:
        """`ROUNDS` times this and `work`, and this once more."""
        for _ in range(ROUNDS):
            self.run()
            work()
        self.run()

    def run(self) -> None:
        """One turn; the picture before it does not count."""
        with ThreadPoolExecutor(CORES) as pool:
            list(pool.map(self._draw, self._sessions, [1] * CORES))
            start, spent = time.perf_counter(), cpu_seconds(psutil.Process())
            list(pool.map(self._draw, self._sessions, [self._runs] * CORES))
            self.seconds += time.perf_counter() - start
            self.spent += cpu_seconds(psutil.Process()) - spent
        self.pictures += CORES * self._runs

    def figures(self) -> tuple[float, float]:
        """Pictures a second, and seconds of processor time for one."""
        return self.pictures / self.seconds, self.spent / self.pictures

    def _draw(self, session: Any, runs: int) -> None:
        for _ in range(runs):
            session.run(None, {"photo": self._batch})


def queued() -> Figures:
    """Memory while `QUEUED` requests wait at once."""
    data = jpeg(512, 0)
    with server("--queue", str(QUEUED)) as running:
        asyncio.run(_crowd(running.url, [data] * CORES, 10))
        before = running.megabytes()
        sizes, made = asyncio.run(_all_at_once(running, data))
    return {
        "queued": QUEUED,
        "drawn": made,
        "memory before, MB": before,
        "memory at most, MB": max(sizes),
        "memory after, MB": sizes[-1],
    }


async def _all_at_once(running: Server, data: bytes) -> tuple[list[float], int]:
    sizes: list[float] = []

    async def person() -> bool:
        async with visit(running.url) as visitor:
            made = await visitor.shown(data)
            sizes.append(running.megabytes())
            return bool(made)

    made = await asyncio.gather(*(person() for _ in range(QUEUED)))
    return [*sizes, running.megabytes()], sum(made)


def bound() -> Figures:
    """What happens past the queue's length: every request is either drawn or told that the studio is busy."""
    waiting, users = 8, 40
    with server("--queue", str(waiting)) as running:
        answers = asyncio.run(_rush(running.url, jpeg(1024, 0), users))
    return {"queue": waiting, "at once": users, "drawn": answers.count("drawn"), "busy": answers.count("busy")}


async def _rush(url: str, data: bytes, users: int) -> list[str]:
    async def person() -> str:
        async with visit(url) as visitor:
            try:
                return "drawn" if await visitor.shown(data) else "nothing"
            except Busy:
                return "busy"

    return await asyncio.gather(*(person() for _ in range(users)))


def jpeg(side: int, seed: int) -> bytes:
    stream = io.BytesIO()
    photo(side, side, seed).save(stream, "JPEG", quality=90)
    return stream.getvalue()


def page(found: dict) -> str:
    """The figures as Markdown, from the results file alone."""
    ways = list(found["load"])
    rows = [("what", *ways)]
    names = list(found["load"][ways[0]])
    rows += [(name, *(f"{found['load'][way][name]:.3g}" for way in ways)) for name in names]
    others = [("what", "figure")] if "start" in found else []
    for part in ("start", "queue", "bound"):
        others += [(f"{part}: {name}", f"{value:.3g}") for name, value in found.get(part, {}).items()]
    beside = "beside the server, on the same cores" if found["users beside the server"] else "on other cores"
    head = f"# The studio under load\n\n`python -m benchmarks.studio`, {found['users']} users {beside}; {found['cpu']}."
    tables = [f"```\n{table(part)}\n```" for part in (rows, others) if part]
    return "\n\n".join((head, tables[0], NOTE, *tables[1:])) + "\n"


if __name__ == "__main__":
    main()
