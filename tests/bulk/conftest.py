"""A style that ships, photos, and what a folder holds."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
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
from anime_model.runtime import models
from tests.tiny_onnx import negative_model


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
    def started(address: str | None, cores: int) -> Iterator[int]:
        yield cores

    def rows(tasks: list[Task], brief: Brief, workers: int) -> Iterator[pa.Table]:
        counts.append(len(tasks))
        made = Worker(brief)
        for block in blocks(tasks, 3):
            yield made(block)

    monkeypatch.setattr(cluster, "started", started)
    monkeypatch.setattr(cluster, "rows", rows)
    return counts


class Shelf(MemoryFileSystem):
    """A storage in this process, without whole objects: a file is there as soon as it is opened, as on SFTP."""

    protocol = "shelf"
    store: ClassVar[dict] = {}
    pseudo_dirs: ClassVar[list] = [""]
    room: ClassVar[int | None] = None  # bytes that it still takes

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return super()._strip_protocol(path.removeprefix("shelf://"))

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
