from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anime_model.pictures.arrays import read_picture, write_picture
from anime_model.reference.drawing import draw_photos
from anime_model.reference.scales import drawing_file, scaled, scaled_crop


@dataclass
class Inverter:
    """Stands in for a network; dies after `most` pictures."""

    most: int = 100
    seen: list = field(default_factory=list)

    def __call__(self, picture: np.ndarray) -> np.ndarray:
        if len(self.seen) == self.most:
            raise KeyboardInterrupt
        self.seen.append(picture.shape)
        return 255 - picture


@pytest.fixture
def photos(tmp_path) -> Path:
    for index in range(3):
        write_picture(tmp_path / f"photos/{index}.jpg", np.full((20 + index, 30, 3), 40 * index, np.uint8))
    return tmp_path / "photos"


def test_every_photo_is_drawn_at_every_scale(tmp_path, photos):
    steps = []
    count = draw_photos(Inverter(), photos, tmp_path / "out", (0.8, 1.5), lambda *step: steps.append(step))
    files = sorted(path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.jpg"))
    assert files == [f"x{scale}/{index}.jpg" for scale in ("0.8", "1.5") for index in range(3)]
    assert count == 6
    assert [step[:2] for step in steps] == [(done, 6) for done in range(1, 7)]
    assert steps[-1][2]["minutes_left"] == 0
    drawn = read_picture(tmp_path / "out/x1.5/2.jpg")
    assert drawn.shape == (33, 45, 3)
    assert np.abs(drawn.astype(int) - (255 - 80)).max() <= 2


def test_a_broken_run_draws_only_what_is_missing(tmp_path, photos):
    with pytest.raises(KeyboardInterrupt):
        draw_photos(Inverter(most=4), photos, tmp_path / "out", (0.8, 1.5), lambda *step: None)
    rest, steps = Inverter(), []
    draw_photos(rest, photos, tmp_path / "out", (0.8, 1.5), lambda *step: steps.append(step[0]))
    assert (len(rest.seen), steps) == (2, [5, 6])
    again = Inverter(most=0)
    assert draw_photos(again, photos, tmp_path / "out", (0.8, 1.5), lambda *step: None) == 6


@pytest.mark.parametrize("scale", [0.8, 1.0, 1.15, 1.6])
def test_a_crop_of_a_scaled_photo_is_that_of_the_whole(scale):
    photo = np.random.default_rng(0).integers(0, 256, (50, 61, 3), np.uint8)
    whole = scaled(photo, scale)
    cut = scaled_crop(Image.fromarray(photo), scale, (3, 5), 32)
    assert np.abs(cut.astype(int) - whole[3:35, 5:37]).max() <= 1


def test_whole_colours_are_kept():
    """A red line beside a blue one keeps its colour: chroma is not halved."""
    assert drawing_file(Path("a"), 1.6, Path("photos/x-1.jpg")) == Path("a/x1.6/x-1.jpg")
