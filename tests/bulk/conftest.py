"""A style that ships, photos, what a folder holds, Ray's part played in this process, and the command in its own."""

import hashlib
import io
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import ClassVar

import fsspec
import numpy as np
import pyarrow as pa
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from PIL import Image

from anime_app.bulk import cluster
from anime_app.bulk.plan import Task, blocks
from anime_app.bulk.worker import Brief, Worker
from anime_model.runtime import film_parts, models, video
from tests.tiny_onnx import negative_model

ROOT = Path(__file__).parents[2]
PATIENCE = 300  # seconds for Ray to start or to see that a node is gone, on a busy machine


@pytest.fixture(autouse=True)
def weights(tmp_path: Path, monkeypatch) -> Path:
    """One style ships, `ink`; the tests work in a folder of their own."""
    folder = tmp_path / ".weights"
    negative_model(folder / "ink.onnx", receptive_radius="0")
    monkeypatch.setattr(models, "WEIGHTS", folder)
    monkeypatch.chdir(tmp_path)
    return folder


def photo(path: str | Path, seed: int = 0, size: tuple[int, int] = (12, 16)) -> Path:
    path = Path(path)
    array = np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)
    return path


def digests(folder: str | Path) -> dict[str, str]:
    """Every file that is not hidden, by its name below the folder, with a digest of its bytes."""
    files = [path for path in Path(folder).rglob("*") if path.is_file()]
    found = {path.relative_to(folder): path for path in files}
    return {
        str(name): hashlib.sha256(path.read_bytes()).hexdigest()
        for name, path in sorted(found.items())
        if not any(part.startswith(".") for part in name.parts)
    }


def played(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Ray's part, played by a worker in this process; how many tasks each run gives it."""
    counts: list[int] = []

    @contextmanager
    def started(address: str | None, threads: int, workers: int | None) -> Iterator[int]:
        yield workers or 1

    def rows(tasks: list[Task], brief: Brief, workers: int) -> Iterator[pa.Table]:
        counts.append(len(tasks))
        made = Worker(brief)
        for block in blocks(tasks, 3):
            yield made(block)

    monkeypatch.setattr(cluster, "started", started)
    monkeypatch.setattr(cluster, "rows", rows)
    return counts


def environment(before: str = "", **others: str) -> dict[str, str]:
    """For a process that finds the project first, and runs `before` when it meets the stylizer."""
    place = Path(f".site-{secrets.token_hex(4)}").absolute()
    place.mkdir()
    hook = f"""
import sys
if any(name in " ".join(sys.orig_argv) for name in ("default_worker.py", "anime_app")):
    from anime_model.pictures import images
    from anime_model.runtime.stylizer import Stylizer
    {before or "pass"}
"""
    (place / "sitecustomize.py").write_text(hook)
    path = os.pathsep.join([str(place), str(ROOT)])
    return os.environ | {"PYTHONPATH": path, "RAY_USAGE_STATS_ENABLED": "0"} | others


def stylize(*arguments: str, env: dict[str, str], weights: Path) -> subprocess.Popen:
    program = f"""
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a test run in the background inherits an ignored one
from pathlib import Path
from anime_model.runtime import models
models.WEIGHTS = Path({str(weights)!r})
from anime_app.cli.command import main
sys.exit(main(["stylize", *{list(arguments)!r}, "--engine", "ray"]))
"""
    line = [sys.executable, "-c", program, "anime_app"]
    return subprocess.Popen(line, env=env, stderr=subprocess.PIPE, text=True)


def ended(process: subprocess.Popen) -> tuple[int, list[str]]:
    said = process.communicate(timeout=PATIENCE * 2)[1]
    return process.returncode, said.splitlines()


class Shelf(MemoryFileSystem):
    """A storage in this process, without whole objects: a file is there as soon as it is opened, as on SFTP."""

    protocol = "shelf"
    store: ClassVar[dict] = {}
    pseudo_dirs: ClassVar[list] = [""]
    room: ClassVar[int | None] = None  # bytes that it still takes

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return super()._strip_protocol(path.removeprefix("shelf://"))

    def _open(self, path: str, mode: str = "rb", **options):
        """Every reader has a file of its own, as on any storage: fsspec's share one, with one position for all."""
        opened = super()._open(path, mode, **options)
        return io.BytesIO(opened.getvalue()) if mode == "rb" else opened

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **options) -> None:
        if Shelf.room is not None and path.endswith(".part") and len(value) > Shelf.room:
            super().pipe_file(path, value[: Shelf.room], **options)
            raise OSError(28, "No space left on device")
        super().pipe_file(path, value, **options)


@pytest.fixture
def shelf() -> Iterator[Shelf]:
    """An empty storage at `shelf://`."""
    fsspec.register_implementation("shelf", Shelf, clobber=True)
    yield Shelf()
    Shelf.store.clear()
    Shelf.pseudo_dirs[:] = [""]
    Shelf.room = None


def repeatable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Films by an encoder that makes the same bytes each time, in parts of a few frames."""
    monkeypatch.setattr(video, "H264", (video.H264[0], video.H264[1] | {"x264-params": "mbtree=0"}))
    monkeypatch.setattr(film_parts, "LEAST", 6)
    monkeypatch.setattr(film_parts, "MOST", 15)


def film(path: str | Path, seed: int = 0, frames: int = 28, every: int = 7) -> Path:
    """Noise over a square that moves, with a sound; a keyframe `every` so many frames."""
    av = pytest.importorskip("av")
    path, random = Path(path), np.random.default_rng(seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    options = {"g": str(every), "keyint_min": str(every), "sc_threshold": "0"}
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        voice = out.add_stream("aac", rate=48000, layout="mono")
        for index in range(frames):
            picture = random.integers(90, 94, (96, 128, 3), np.uint8)
            picture[20:60, 2 * index : 2 * index + 40] = 200
            frame = av.VideoFrame.from_ndarray(picture, "rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = index, Fraction(1, 25)
            out.mux(stream.encode(frame))
            tone = av.AudioFrame.from_ndarray(np.full((1, 1920), index * 100, np.int16), format="s16", layout="mono")
            tone.sample_rate, tone.pts, tone.time_base = 48000, index * 1920, Fraction(1, 48000)
            out.mux(voice.encode(tone))
        out.mux(stream.encode(None))
        out.mux(voice.encode(None))
    return path
