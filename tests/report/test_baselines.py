from pathlib import Path

import numpy as np
import pytest

from anime_model.pictures.arrays import write_picture
from anime_model.report import baselines
from anime_model.report.baselines import filter_of


def plain(colour: tuple[int, int, int]) -> np.ndarray:
    """One colour with a little of its neighbours, uint8 [32, 32, 3]."""
    noise = np.random.default_rng(sum(colour)).integers(-20, 21, (32, 32, 3))
    return (np.array(colour) + noise).clip(0, 255).astype(np.uint8)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Grey photos and blue frames."""
    for index in range(3):
        write_picture(tmp_path / f"photos/train/{index}.png", plain((120, 120, 120 + index)))
        write_picture(tmp_path / f"frames/{index}.png", plain((60, 80, 190 + index)))
    return tmp_path


def test_the_filter_flattens_and_goes_to_the_frames_palette(data: Path):
    photo = plain((120, 120, 120))
    made = filter_of(data)(photo)
    assert (made.shape, made.dtype) == (photo.shape, np.uint8)
    blue, red = (made[..., channel].mean() - photo[..., channel].mean() for channel in (2, 0))
    assert blue > 10 > -10 > red
    steps = [np.abs(np.diff(picture.mean(2), axis=1)).mean() for picture in (made, photo)]
    assert steps[0] < steps[1], "flat"


def test_a_palette_is_read_from_a_bounded_number_of_pictures(data: Path, monkeypatch: pytest.MonkeyPatch):
    read = []
    monkeypatch.setattr(baselines, "PICTURES", 2)
    monkeypatch.setattr(baselines, "read_picture", lambda file: (read.append(file.parent.name), plain((9, 9, 9)))[1])
    filter_of(data)
    assert sorted(read) == ["frames", "frames", "train", "train"]
