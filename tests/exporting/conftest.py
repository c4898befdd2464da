"""Small pictures for converters: a few crops of the photo that the page ships."""

from pathlib import Path

import numpy as np
import pytest

from anime_model.exporting import formats, photos
from anime_model.pictures.arrays import read_picture

SAMPLE = Path("web/public/sample.jpg")
SHIPPED = Path("anime_model/weights/shinkai.onnx")


@pytest.fixture(scope="session")
def sample() -> np.ndarray:
    return photos.shrunk(read_picture(SAMPLE), 160)


@pytest.fixture
def few(sample: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two photos to learn from and three to compare with, small enough for the suite."""
    pieces = [
        np.ascontiguousarray(sample[row : row + 96, column : column + 112]) for row in (0, 40) for column in (0, 48)
    ]
    monkeypatch.setattr(formats, "photos", lambda folder: (pieces[:2], pieces[1:]))
    monkeypatch.setattr(formats, "LEARNT_AT", (96, 112))
