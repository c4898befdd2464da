"""The line, and clients that are slow, huge, gone or too many: each gets an answer or is cut off in bounded time."""

import asyncio
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import httpx
import pytest

from anime_app.bounds import Refused
from anime_app.line import Ended, Line
from anime_app.server.settings import MB
from tests.server.conftest import picture, until

STYLIZE = "/v1/stylize"
PATIENCE = 15  # seconds: far over every bound of the tests' service, and far under the suite's own


def line_test(work):
    """Runs a coroutine function with a line of one worker and one place."""

    async def run() -> None:
        line = Line(1, 1)
        try:
            await work(line)
        finally:
            line.close()

    asyncio.run(run())


def held(event: threading.Event):
    """A work that ends with the event, or when nobody waits for it."""

    def work(tick) -> str:
        while not event.wait(0.01):
            tick()
        return "done"

    return work


def test_past_its_bound_the_line_says_when_to_come_again():
    async def check(line: Line) -> None:
        event = threading.Event()
        works = [asyncio.create_task(line.run(held(event), 20)) for _ in range(2)]
        await asyncio.sleep(0.05)
        assert (line.running, line.waiting, line.full) == (1, 1, True)
        with pytest.raises(Refused) as refusal:
            await line.run(held(event), 20)
        assert (refusal.value.status, refusal.value.again >= 1) == (429, True)
        event.set()
        assert await asyncio.gather(*works) == ["done", "done"]
        assert (line.running, line.waiting) == (0, 0)

    line_test(check)


def test_who_stops_waiting_leaves_the_line_and_ends_the_work():
    async def check(line: Line) -> None:
        ended = threading.Event()

        def work(tick) -> None:
            try:
                held(threading.Event())(tick)
            except Ended:
                ended.set()
                raise

        drawn, waits = (asyncio.create_task(line.run(work, 20)) for _ in range(2))
        await asyncio.sleep(0.05)
        waits.cancel()
        await asyncio.sleep(0.05)
        assert (line.running, line.waiting) == (1, 0)
        drawn.cancel()
        assert await asyncio.to_thread(ended.wait, 10)
        assert await line.run(lambda tick: "next", 20) == "next"
        assert line.running == 0

    line_test(check)


def test_what_takes_too_long_is_told_and_its_place_is_free_again():
    async def check(line: Line) -> None:
        with pytest.raises(Refused) as refusal:
            await line.run(held(threading.Event()), 0.1)
        assert refusal.value.status == 504
        assert await line.run(lambda tick: "next", 20) == "next"

    line_test(check)


def test_at_the_end_who_waits_is_told_and_who_is_drawn_is_drawn():
    async def check(line: Line) -> None:
        event = threading.Event()
        drawn, waits = (asyncio.create_task(line.run(held(event), 20)) for _ in range(2))
        await asyncio.sleep(0.05)
        line.stop()
        for late in (waits, asyncio.create_task(line.run(held(event), 20))):
            with pytest.raises(Refused) as refusal:
                await late
            assert refusal.value.status == 503
        event.set()
        assert await drawn == "done"

    line_test(check)


def test_a_work_that_fails_gives_its_place_back():
    async def check(line: Line) -> None:
        for _ in range(3):
            with pytest.raises(ZeroDivisionError):
                await line.run(lambda tick: 1 / 0, 20)
        assert line.running == 0

    line_test(check)


def test_beyond_the_queue_people_are_told_when_to_come_again(running, gate):
    data = picture()[0]
    with ThreadPoolExecutor(8) as crowd:
        asked = [crowd.submit(httpx.post, running.url + STYLIZE, content=data, timeout=30) for _ in range(8)]
        until(lambda: sum(one.done() for one in asked) == 4)
        refused = [one.result() for one in asked if one.done()]
        assert {answer.status_code for answer in refused} == {429}
        assert all(1 <= int(answer.headers["retry-after"]) <= 120 for answer in refused)
        assert httpx.get(f"{running.url}/healthz").status_code == 200
        gate.set()
        assert sorted(one.result().status_code for one in asked) == [200] * 4 + [429] * 4


def test_a_client_that_goes_away_leaves_the_queue(running, gate):
    line = running.server.line
    clients = [connected(running, body(running, picture()[0])) for _ in range(4)]
    until(lambda: (line.running, line.waiting) == (2, 2))
    for client in clients:
        client.close()
    until(lambda: (line.running, line.waiting) == (0, 0))
    gate.set()
    assert httpx.post(running.url + STYLIZE, content=picture()[0]).status_code == 200


def body(running, data: bytes, length: int | None = None) -> bytes:
    said = len(data) if length is None else length
    return f"POST {STYLIZE} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {said}\r\n\r\n".encode() + data


def connected(running, first: bytes = b"") -> socket.socket:
    client = socket.create_connection(("127.0.0.1", running.port), timeout=PATIENCE)
    client.sendall(first)
    return client


def last_words(client: socket.socket) -> bytes:
    """All that comes until the server closes the connection, which it must within the patience."""
    said = b""
    try:
        while block := client.recv(1 << 16):
            said += block
    except ConnectionResetError:
        pass
    return said


@pytest.mark.parametrize("first", [b"", b"POST /v1/stylize HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: "])
def test_a_head_that_never_ends_is_cut_off(running, first):
    with connected(running, first) as client:
        assert last_words(client) == b""


@pytest.mark.parametrize(
    "first",
    [
        b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Long: ",
        b"GET /",
        b"POST /v1/stylize HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Trailer: ",
        b"POST /v1/stylize HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n1;x=",
    ],
    ids=["header", "address", "trailer", "size of a chunk"],
)
def test_a_line_that_never_ends_is_cut_off_before_it_fills_the_memory(serve, first):
    running = serve(header_seconds=PATIENCE, upload_seconds=PATIENCE)
    sent = 0
    with connected(running, first) as client, suppress(BrokenPipeError, ConnectionResetError):
        while sent < 100 * MB:
            client.sendall(b"x" * 10_000)
            sent += 10_000
    assert sent < 10 * MB  # what lay in the sockets' buffers among it
    assert httpx.get(f"{running.url}/healthz").status_code == 200


def test_a_body_in_the_smallest_chunks_and_one_request_after_the_other_are_let_in(running):
    data = picture()[0]
    chunks = b"".join(b"1\r\n" + data[place : place + 1] + b"\r\n" for place in range(len(data))) + b"0\r\n\r\n"
    head = f"POST {STYLIZE} HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    last = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    with connected(running, head + chunks + body(running, data) + last) as client:
        assert re.findall(rb"HTTP/1.1 (\d+)", last_words(client)) == [b"200"] * 3


def test_a_head_that_drips_is_cut_off_too(running):
    with connected(running, b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n") as client:
        start = time.monotonic()
        with suppress(BrokenPipeError, ConnectionResetError):
            while time.monotonic() - start < PATIENCE:
                client.sendall(b"X-A: b\r\n")
                time.sleep(0.1)
        assert time.monotonic() - start < PATIENCE


def test_a_second_head_on_the_same_connection_is_cut_off_too(running):
    whole = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    with connected(running, whole) as client:
        assert client.recv(1 << 16).startswith(b"HTTP/1.1 200")
        client.sendall(whole[:20])
        assert b"200" not in last_words(client)


def test_a_body_that_drips_is_refused_and_holds_no_place(running):
    with connected(running, body(running, b"\x89PNG", 1000)) as client:
        assert last_words(client).startswith(b"HTTP/1.1 408")
    assert running.server.line.running == 0


def test_a_length_that_lies_is_answered(running):
    data = picture()[0]
    with connected(running, body(running, data, len(data) + 500)) as client:
        client.shutdown(socket.SHUT_WR)
        assert not last_words(client).startswith(b"HTTP/1.1 200")
    for length in (-5, 10**30, "x"):
        with connected(running, body(running, data, length)) as client:
            assert re.match(rb"HTTP/1.1 4\d\d", last_words(client))


def test_what_is_too_large_is_refused_by_what_it_says_and_by_what_it_is(running):
    with connected(running, body(running, b"", 10**9)) as client:
        assert last_words(client).startswith(b"HTTP/1.1 413")
    with httpx.Client(base_url=running.url, timeout=PATIENCE) as client:
        assert client.post(STYLIZE, content=b"\0" * (MB + 1000)).status_code == 413  # as a form it might pass

        def endless():
            while True:
                yield b"\0" * 100_000

        with suppress(httpx.TransportError):  # it closed while we still sent
            assert client.post(STYLIZE, content=endless()).status_code == 413
    assert httpx.get(f"{running.url}/healthz").status_code == 200


def test_bodies_in_memory_are_bounded(serve):
    running = serve(held=2 * MB, upload_seconds=5)
    holding = [connected(running, body(running, b"\0" * 900_000, MB)) for _ in range(2)]
    time.sleep(0.3)
    answer = httpx.post(running.url + STYLIZE, content=b"\0" * 900_000, timeout=PATIENCE)
    assert (answer.status_code, "retry-after" in answer.headers) == (429, True)
    for client in holding:
        client.close()
    until(lambda: httpx.post(running.url + STYLIZE, content=picture()[0]).status_code == 200)


SERVE = [sys.executable, "-m", "anime_app.cli.command", "serve", "--port", "0"]


@pytest.mark.slow
def test_a_service_whose_model_cannot_be_opened_ends_and_names_it(tmp_path):
    bad = tmp_path / "bad.onnx"
    bad.write_bytes(b"no model")
    done = subprocess.run([*SERVE, "--style", str(bad)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    address, reason = done.stderr.splitlines()
    assert address.startswith("anime serve: http://127.0.0.1:")
    assert reason.startswith(f"anime: {bad}: ONNX Runtime cannot open it as a model")


@pytest.mark.slow
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_command_starts_and_ends_cleanly(number, status):
    line = [*SERVE, "--quiet", "--style", "shinkai"]
    heard = lambda: signal.signal(number, signal.SIG_DFL)  # noqa: E731 - a background shell lets its children ignore it
    started = subprocess.Popen(line, stderr=subprocess.PIPE, text=True, preexec_fn=heard)
    url = started.stderr.readline().split()[2]
    assert httpx.post(url + STYLIZE, content=picture((64, 64))[0], timeout=60).status_code == 200
    started.send_signal(number)
    assert (started.communicate(timeout=60)[1], started.returncode) == ("", status)
