"""The cut of a picture: every pixel is made once, whatever the sizes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anime_model.runtime.tiles import MARGIN, MULTIPLE, border, plan, stylize_tiles, stylize_whole

side = st.integers(1, 300)


@settings(max_examples=60, deadline=None)
@given(side, side, st.integers(0, 40), st.integers(0, 60_000), st.integers(3, 4))
def test_every_pixel_is_made_once_from_what_was_there_before(length, breadth, radius, most, channels):
    picture = np.random.default_rng(0).integers(0, 128, (length, breadth, channels), np.uint8)
    before, count = picture.copy(), np.zeros((length, breadth), int)

    def read(start: int, into: np.ndarray) -> None:
        into[:] = picture[start : start + len(into)]

    def write(start: int, first: int, tile: np.ndarray) -> None:
        box = slice(start, start + tile.shape[0]), slice(first, first + tile.shape[1])
        picture[box] = tile
        count[box] += 1

    def run(photo: np.ndarray) -> np.ndarray:
        assert photo.shape[0] % MULTIPLE == photo.shape[1] % MULTIPLE == 0
        assert photo[..., :3].max() < 128, "a tile must not see what another has made"
        return photo + np.uint8(128)

    stylize_tiles(read, write, plan(length, breadth, radius, most), run, channels)
    assert (count == 1).all()
    assert np.array_equal(picture, before + np.uint8(128))


@pytest.mark.parametrize("most", [40_000, 200_000, 1_000_000])
def test_a_run_of_the_network_stays_within_its_pixels(most):
    for length, breadth in ((10_000, 10_000), (4000, 3000), (100_000, 200)):
        cut = plan(length, breadth, 58, most)
        read = [min(size, core + 2 * cut.overlap) for size, core in ((length, cut.long), (breadth, cut.short))]
        assert read[0] * read[1] <= most


def test_edges_of_the_picture_get_a_margin_and_cuts_do_not():
    assert border(40) == (MARGIN, MARGIN)
    assert border(41) == (MARGIN, MARGIN + 3)
    assert border(40, before=False) == (0, MARGIN)
    assert border(40, False, False) == (0, 0)


@pytest.mark.parametrize("radius", [1, 6])
@pytest.mark.parametrize(("length", "breadth"), [(300, 90), (90, 300), (203, 301)])
def test_a_tile_sees_as_far_as_a_colour_depends(length, breadth, radius):
    """The largest value within `radius`: one pixel too few on any side of a tile would show."""
    picture = np.random.default_rng(0).integers(0, 256, (length, breadth, 3), np.uint8)
    made = np.empty_like(picture)

    def largest(photo: np.ndarray) -> np.ndarray:
        sides = (2 * radius + 1, 2 * radius + 1)
        padded = np.pad(photo, ((radius, radius), (radius, radius), (0, 0)))
        return np.lib.stride_tricks.sliding_window_view(padded, sides, (0, 1)).max((-2, -1))

    def read(start: int, into: np.ndarray) -> None:
        into[:] = picture[start : start + len(into)]

    def write(start: int, first: int, tile: np.ndarray) -> None:
        made[start : start + tile.shape[0], first : first + tile.shape[1]] = tile

    cut = plan(length, breadth, radius, 10_000)
    assert cut.long < length or cut.short < breadth
    stylize_tiles(read, write, cut, largest)
    assert np.array_equal(made, stylize_whole(picture, largest))
