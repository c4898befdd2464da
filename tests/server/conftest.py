"""The service in this process, on a free port, with a network that turns every level v into 255 - v."""

import io
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

pytest.importorskip("fastapi", reason="the service needs FastAPI: pip install '.[server]'")

from anime_app.listening import listening, url_of
from anime_app.server import work
from anime_app.server.launch import Server, server_of
from anime_app.server.settings import MB, Service
from tests.tiny_onnx import identity_model, negative_model

SERVICE = Service(
    styles=(), workers=2, queue=2, max_upload=1 * MB, held=8 * MB, max_pixels=1_000_000, batch=5, timeout=20,
    upload_seconds=1, header_seconds=1,
)  # fmt: skip


@dataclass(frozen=True)
class Running:
    url: str
    server: Server
    thread: threading.Thread

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])


@pytest.fixture(scope="module")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Running]]:
    """Starts a service with other settings than the tests' own, and ends all of them afterwards."""
    folder: Path = tmp_path_factory.mktemp("styles")
    styles = (negative_model(folder / "ink.onnx", receptive_radius="0"), identity_model(folder / "same.onnx"))
    started: list[tuple[Running, object]] = []

    def start(log: bool = False, **changes) -> Running:
        place = listening("127.0.0.1", 0)
        socket = place.__enter__()
        service = replace(SERVICE, **({"styles": tuple(map(str, styles))} | changes))
        server = server_of(service, "127.0.0.1", log)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [socket]}, daemon=True)
        thread.start()
        running = Running(url_of(socket), server, thread)
        started.append((running, place))
        until(lambda: httpx.get(f"{running.url}/readyz").status_code == 200)
        return running

    yield start
    for running, place in started:
        running.server.should_exit = True
        running.thread.join(30)
        place.__exit__(None, None, None)


@pytest.fixture(scope="module")
def running(serve) -> Running:
    return serve()


@pytest.fixture
def client(running: Running) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=running.url, timeout=30) as client:
        yield client


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """While it is not set, no picture gets done; a drawing that nobody waits for ends."""
    event, draw = threading.Event(), work.Painter.draw

    def slow(self, data, options, tick):
        while not event.wait(0.02):
            tick()
        return draw(self, data, options, tick)

    monkeypatch.setattr(work.Painter, "draw", slow)
    yield event
    event.set()


def until(true: Callable[[], bool], seconds: float = 15) -> None:
    """Waits until something is true."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.02)


def picture(size: tuple[int, int] = (12, 16), kind: str = "PNG", seed: int = 0) -> tuple[bytes, np.ndarray]:
    """The bytes of a file, and its pixels."""
    array = np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, kind)
    return stream.getvalue(), array


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))
