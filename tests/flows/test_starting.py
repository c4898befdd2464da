"""Where `anime compress` begins: the nearest of the styles that ship."""

import numpy as np
import pytest

from anime_model.pictures.arrays import write_picture
from anime_model.reference.probe import open_reference
from anime_model.runtime.models import styles
from flows.starting import Start, apart, nearest, starts


@pytest.fixture
def files(tmp_path):
    noise = np.random.default_rng(0)
    for index in range(3):
        levels = np.kron(noise.integers(0, 255, (8, 12, 3)), np.ones((12, 12, 1))).astype(np.uint8)
        write_picture(tmp_path / f"{index}.png", levels)
    return sorted(tmp_path.glob("*.png"))


@pytest.mark.parametrize("style", sorted(styles()))
def test_a_styles_own_network_is_nearest_to_itself(style, files):
    start, far, photos_far = nearest(open_reference(styles()[style]), files, starts())
    assert start == Start(style)
    assert photos_far > 10 * far, "it draws the same but for the border, which a stylizer mirrors and a reference pads"


def test_what_has_no_checkpoints_is_no_start(tmp_path, files):
    assert starts(tmp_path) == {}
    (tmp_path / "models/teachers").mkdir(parents=True)
    (tmp_path / Start("shinkai").teacher).touch()
    assert starts(tmp_path) == {}, "a teacher alone is none"
    with pytest.raises(FileNotFoundError, match=r"models/teachers, models/under_way: no style has checkpoints"):
        nearest(open_reference(styles()["shinkai"]), files, {})


def test_lines_count_beside_colours():
    flat = np.full((16, 16, 3), 100, np.uint8)
    lined = flat.copy()
    lined[:, ::4] = 60  # ten levels darker in the mean
    assert apart(flat, flat) == 0
    assert apart(flat, flat - 10) == pytest.approx(10)
    assert apart(flat, lined) > 2 * apart(flat, flat - 10) * 0.9
