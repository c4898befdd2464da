"""Frames that a published network draws, for a style that has no film."""

from pathlib import Path

import numpy as np
import pytest

from anime_model.pictures.arrays import read_picture, write_picture
from tests.tiny_onnx import identity_model
from tools import draw_frames


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for index in range(7):
        write_picture(tmp_path / f"faces/{index}.png", np.full((96, 120 + index, 3), 30 * index, np.uint8))
    return tmp_path / "faces"


@pytest.fixture
def network(tmp_path: Path) -> str:
    return str(identity_model(tmp_path / "network.onnx"))


def test_the_wanted_number_is_drawn_evenly_spread_at_one_size(tmp_path, photos, network):
    out = tmp_path / "frames"
    draw_frames.main([network, str(photos), "3", str(out)])
    made = {file.name: read_picture(file) for file in out.iterdir()}
    assert sorted(made) == ["faces-0.png", "faces-2.png", "faces-4.png"]
    assert {name: (picture.shape[0], int(picture.mean())) for name, picture in made.items()} == {
        "faces-0.png": (512, 0),
        "faces-2.png": (512, 60),
        "faces-4.png": (512, 120),
    }


def test_frames_that_are_there_stay(tmp_path, photos, network):
    other = np.full((9, 9, 3), 7, np.uint8)
    write_picture(tmp_path / "frames/faces-0.png", other)
    draw_frames.main([network, str(photos), "2", str(tmp_path / "frames")])
    assert (read_picture(tmp_path / "frames/faces-0.png") == other).all()
    assert read_picture(tmp_path / "frames/faces-3.png").shape[0] == 512


@pytest.mark.parametrize(
    ("count", "told"), [("8", "faces: holds 7 pictures, 8 are asked for"), ("many", "a number of photos is expected")]
)
def test_a_number_that_cannot_be_is_refused(tmp_path, photos, network, count, told):
    with pytest.raises(ValueError, match=told):
        draw_frames.main([network, str(photos), count, str(tmp_path / "frames")])
    assert not (tmp_path / "frames").exists()
