"""A style that ships, photos, and what a folder holds."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

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
