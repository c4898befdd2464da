"""The abstraction of a photo: flat areas, kept borders, dark lines; no rounds, no change."""

import pytest
import torch

from anime_model.recipes.teacher import AbstractionSettings
from anime_model.training.abstraction import ColourTransfer, abstract
from anime_model.training.losses import from_yuv, to_yuv

SAME = ColourTransfer(torch.ones(2, 1, 1), torch.zeros(2, 1, 1))
PLAIN = AbstractionSettings(rounds=3, lines=0, sharpen=0)


def border(low: float = -0.6, high: float = 0.6, noise: float = 0.0) -> torch.Tensor:
    """A picture that is dark on the left and light on the right."""
    picture = torch.full((1, 3, 48, 48), low)
    picture[..., 24:] = high
    return picture + noise * torch.randn(picture.shape, generator=torch.Generator().manual_seed(1))


def test_no_rounds_leave_the_photo_alone():
    photo = border()
    assert abstract(photo, AbstractionSettings(), SAME) is photo


def test_yuv_and_back():
    picture = torch.rand(2, 3, 8, 8) * 2 - 1
    torch.testing.assert_close(from_yuv(to_yuv(picture)), picture, atol=1e-5, rtol=0)


def test_one_colour_stays_as_it_is():
    grey = torch.full((1, 3, 32, 32), 0.3)
    torch.testing.assert_close(abstract(grey, AbstractionSettings(rounds=2), SAME), grey, atol=1e-4, rtol=0)


def test_grain_goes_and_a_border_stays():
    made = abstract(border(noise=0.05), PLAIN, SAME)
    left, right = made[..., 4:20], made[..., 28:44]
    assert left.std() < 0.05 / 4
    assert right.std() < 0.05 / 4
    assert (made[..., 26] - made[..., 21]).mean() == pytest.approx(1.2, abs=0.05)


def test_without_a_bound_on_colours_it_is_a_blur():
    """The oracle: with a range far beyond all differences, the bilateral weights are those of the distance alone."""
    made = abstract(border(), AbstractionSettings(rounds=1, range=10, lines=0, sharpen=0), SAME)
    row = made[0, 0, 24]
    assert row[20] > -0.6 + 0.01
    assert row.diff().min() > -1e-5
    assert (row + row.flip(0)).abs().max() < 1e-4


def test_a_line_runs_along_the_dark_side_of_a_border():
    dark = to_yuv(abstract(border(-0.2, 0.6), PLAIN, SAME))[0, 0, 24]
    lined = to_yuv(abstract(border(-0.2, 0.6), AbstractionSettings(rounds=3, sharpen=0), SAME))[0, 0, 24]
    assert (dark - lined)[20:24].max() > 0.1
    assert (dark - lined)[26:40].abs().max() < 1e-4
    assert (dark - lined)[:14].abs().max() < 1e-3


def test_sharpening_steepens_a_border():
    soft = torch.nn.functional.avg_pool2d(border(), 5, 1, 2)
    plain = abstract(soft, PLAIN, SAME)[0, 0, 24]
    sharp = abstract(soft, AbstractionSettings(rounds=3, lines=0), SAME)[0, 0, 24]
    assert sharp.diff().max() > plain.diff().max() * 1.2


def test_a_palette_brings_photos_to_the_frames_mean_and_spread():
    draw = torch.Generator().manual_seed(1)
    photos = [torch.randint(40, 90, (3, 64, 64), generator=draw, dtype=torch.uint8) for _ in range(3)]
    frames = [torch.randint(60, 200, (3, 64, 64), generator=draw, dtype=torch.uint8) for _ in range(3)]
    chroma = [to_yuv(torch.stack(side)[..., ::8, ::8].float() / 127.5 - 1)[:, 1:] for side in (photos, frames)]
    for share in (0.0, 0.5, 1.0):
        palette = ColourTransfer.between(photos, frames, share)
        moved = chroma[0] * palette.scale + palette.shift
        for statistic in (torch.mean, torch.std):
            start, end, found = (statistic(values, (0, 2, 3)) for values in (*chroma, moved))
            torch.testing.assert_close(found, start + share * (end - start), atol=1e-3, rtol=0)
