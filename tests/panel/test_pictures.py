"""Blind pictures: drawn by the model, and alike from outside."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from anime_app.panel.pictures import SIDE, alike, draw_panel, jpeg
from tests.tiny_onnx import identity_model, negative_model


def decoded(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))


def test_pictures_are_the_models_and_of_one_length(tmp_path: Path):
    rng = np.random.default_rng(0)
    noise, flat = rng.integers(0, 256, (90, 120, 3), np.uint8), np.full((1400, 700, 3), 60, np.uint8)
    for name, photo in (("noise", noise), ("flat", flat)):
        Image.fromarray(photo).save(tmp_path / f"{name}.png")
    models = [identity_model(tmp_path / "same.onnx"), negative_model(tmp_path / "negative.onnx")]
    heard = []
    drawn = draw_panel(
        [("a", tmp_path / "noise.png"), ("b", tmp_path / "flat.png")], models, 1, lambda *at: heard.append(at)
    )
    assert heard == [(1, 4), (2, 4), (3, 4), (4, 4)]
    files = [data for photo in drawn for data in (photo.photo, *photo.pictures)]
    assert len({len(data) for data in files}) == 1
    assert len(set(files)) == len(files)
    assert decoded(drawn[1].photo).shape == (SIDE, SIDE // 2, 3)
    assert np.abs(decoded(drawn[1].pictures[0]).astype(int) - 60).max() <= 2
    assert np.abs(decoded(drawn[1].pictures[1]).astype(int) - 195).max() <= 2
    assert all(milliseconds > 0 for photo in drawn for milliseconds in photo.milliseconds)


def test_any_length_from_four_more_on_can_be_made():
    picture = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    data = jpeg(picture)
    for more in (0, 4, 5, 65_536, 65_537, 65_538, 65_539, 65_540, 65_541, 65_542, 140_000):
        longer = alike(data, len(data) + more)
        assert len(longer) == len(data) + more
        assert np.array_equal(decoded(longer), decoded(data))


def test_files_hold_no_words():
    image = Image.open(io.BytesIO(jpeg(np.zeros((8, 8, 3), np.uint8))))
    assert not image.getexif()
    assert set(image.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
