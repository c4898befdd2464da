from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anime_model.runtime import smoothing
from anime_model.runtime.smoothing import smoothed
from anime_model.runtime.stylizer import Stylizer
from tests.tiny_onnx import identity_model


def texture(contrast: int, height: int = 90, width: int = 120) -> np.ndarray:
    """Noise around grey; uint8 [height, width, 3]."""
    noise = np.random.default_rng(0).integers(-contrast, contrast + 1, (height, width, 1))
    return np.repeat(128 + noise, 3, axis=2).astype(np.uint8)


def test_faint_texture_goes_and_strong_detail_stays():
    faint, strong = texture(8), texture(100)
    assert smoothed(faint).std() < 0.5 * faint.std()
    assert np.abs(smoothed(strong).astype(int) - strong).mean() < 0.1 * np.abs(strong - 128.0).mean()


def test_an_edge_stays_sharp_and_in_its_place_while_its_sides_are_smoothed():
    photo = texture(8)
    photo[:, 60:] += 80
    made = smoothed(photo).astype(int)
    assert np.diff(made.mean((0, 2)))[59] > 60, "a plain mean would leave 16 of its 80 levels"
    assert made[:, :50].std() < 0.5 * photo[:, :50].std()


@pytest.mark.parametrize("height", [255, 256, 262, 700])
def test_bands_are_as_the_whole(height: int, monkeypatch):
    photo = np.random.default_rng(0).integers(90, 140, (height, 41, 3), np.uint8)
    banded = smoothed(photo)
    monkeypatch.setattr(smoothing, "BAND", 10**6)
    assert np.array_equal(banded, smoothed(photo))


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (9, 1), (2, 3)])
def test_tiny_and_flat_pictures_stay_what_they_are(shape: tuple[int, int]):
    photo = np.full((*shape, 3), (10, 200, 90), np.uint8)
    assert np.array_equal(smoothed(photo), photo)


def test_only_what_is_made_small_is_smoothed(tmp_path: Path):
    stylizer = Stylizer(identity_model(tmp_path / "m.onnx"), stroke=96)
    photo = texture(8, 96, 130)
    assert np.array_equal(stylizer(photo), photo), "no larger than the working size: the network sees it as it is"
    large = np.asarray(Image.fromarray(photo).resize((260, 192), Image.Resampling.BICUBIC))
    sketch = stylizer.sketch(Image.fromarray(large))
    assert sketch.shape == photo.shape
    assert sketch.std() < 0.6 * photo.std()
    assert np.array_equal(stylizer(large, stroke=0), large)
