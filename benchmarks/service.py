"""The service under load: requests a second, waiting times, memory, beside the bare session.

`python -m benchmarks.service [--clients 50] [--requests 5000] [--sides 512] [--ways]`: writes results/service.json and
docs/service-figures.md. The service is a process of its own on two cores; a request is a JPEG in and a JPEG out. The
bare session and the shares are those of `benchmarks.studio`. `--ways` takes a worker per core, each with one thread,
beside one worker with two threads. Take the figures on a quiet machine.
"""

import argparse
import asyncio
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import mean, median, quantiles

import aiohttp
import psutil

from anime_app.cli.tables import table
from benchmarks.studio import (
    CORES,
    NETWORK,
    ROUNDS,
    Bare,
    Load,
    Server,
    beside_the_server,
    head,
    jpeg,
    shares,
)

RESULTS, PAGE = Path("results/service.json"), Path("docs/service-figures.md")
EVERY = 100  # requests from one look at the memory to the next
WAYS = {"2 workers of 1 thread": (2, 1), "1 worker of 2 threads": (1, 2)}
Figures = dict[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", dest="users", type=int, default=50)
    parser.add_argument("--requests", type=int, default=5000, help="in all, for each size and way")
    parser.add_argument("--sides", type=int, nargs="+", default=[512], help="pixels of square photos")
    parser.add_argument("--ways", action="store_true", help="one worker with two threads, too")
    options = parser.parse_args()
    ways = WAYS if options.ways else dict(list(WAYS.items())[:1])
    found = head(options) | {"load": {}}
    for side in options.sides:
        for name, way in ways.items():
            found["load"][f"{side} px, {name}"] = load(side, options.users, options.requests, *way)
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")
    PAGE.write_text(page(found))
    print(page(found))


@contextmanager
def service(*options: str) -> Iterator[Server]:
    """A service on a free port, on two cores; ended as Ctrl-C would."""
    line = [
        sys.executable,
        "-m",
        "anime_app.cli.command",
        "serve",
        "--port",
        "0",
        "--quiet",
        "--style",
        NETWORK,
        *options,
    ]
    started = subprocess.Popen(line, stderr=subprocess.PIPE, text=True)
    try:
        process = psutil.Process(started.pid)
        process.cpu_affinity(sorted(os.sched_getaffinity(0))[:CORES])
        said = started.stderr.readline()
        if not (address := re.search(r"http://\S+", said)):
            raise RuntimeError(f"the service did not start: {said}{started.stderr.read()}")
        yield Server(address[0], process)
    finally:
        started.terminate()
        started.wait(90)
        started.stderr.close()


def load(side: int, clients: int, requests: int, workers: int, threads: int) -> Figures:
    """Requests a second of clients who ask again as soon as they have their picture."""
    photos, alone, found = [jpeg(side, seed) for seed in range(clients)], Bare(side), Load()
    waiting = ("--workers", str(workers), "--threads", str(threads), "--queue", str(2 * clients))
    with service(*waiting) as running:
        asyncio.run(_crowd(running, photos[:CORES], 2 * CORES, Load()))  # opens the model
        alone.in_turns_with(lambda: asyncio.run(_crowd(running, photos, requests // ROUNDS, found)))
    renamed = {
        name.replace("studio", "service"): value
        for name, value in shares(found.figures(), *alone.figures(), beside_the_server()).items()
    }
    third = max(1, len(found.sizes) // 3)
    times = [1000 * seconds for seconds in found.times]
    return {
        "requests": float(len(times)),
        "errors": float(found.errors),
        "requests/s": len(times) / found.seconds,
        "median, ms": median(times),
        "95 % within, ms": quantiles(times, n=20)[-1],
        "memory, first third, MB": mean(found.sizes[:third]),
        "memory, last third, MB": mean(found.sizes[-third:]),
        "users' CPU, s": found.users,
    } | renamed


async def _crowd(running: Server, photos: list[bytes], requests: int, found: Load) -> None:
    """One turn of a load, added to `found`."""
    left = requests
    timeout = aiohttp.ClientTimeout(total=120)
    connector = aiohttp.TCPConnector(limit=0)

    async def client(session: aiohttp.ClientSession, photo: bytes) -> None:
        nonlocal left
        while left > 0:
            left -= 1
            if left % EVERY == 0:
                found.sizes.append(running.megabytes())
            asked = time.perf_counter()
            try:
                async with session.post("/v1/stylize", data=photo, headers={"content-type": "image/jpeg"}) as answer:
                    good = answer.status == 200 and (await answer.read())[:2] == b"\xff\xd8"
            except (aiohttp.ClientError, TimeoutError):
                good = False
            found.errors += not good
            found.times.append(time.perf_counter() - asked)

    with found.turn(running.process):
        async with aiohttp.ClientSession(running.url, timeout=timeout, connector=connector) as session:
            await asyncio.gather(*(client(session, photo) for photo in photos))


def page(found: dict) -> str:
    """The figures as Markdown, from the results file alone."""
    ways = list(found["load"])
    rows = [("what", *ways)]
    rows += [(name, *(f"{found['load'][way][name]:.3g}" for way in ways)) for name in found["load"][ways[0]]]
    beside = "beside the service, on the same cores" if found["users beside the server"] else "on other cores"
    first = f"`python -m benchmarks.service`, {found['users']} clients {beside}; {found['cpu']}."
    note = """A request is a JPEG in and a JPEG out. The *share of the bare session* is measured: requests a second over
the pictures a second of two sessions of one thread on arrays that are ready, with all that the clients cost where they
run beside the service. The *estimated share* takes the clients' CPU seconds out, as if they sat at other machines."""
    return f"# The service under load\n\n{first}\n\n```\n{table(rows)}\n```\n\n{note}\n"


if __name__ == "__main__":
    main()
