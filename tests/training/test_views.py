import math
import random

import pytest
import torch

from anime_model.training.views import Variety, Views, vary

STILL = Variety(
    scale=(1.0, 1.0),
    sharpness=(0, 0, 0),
    gamma=(0, 0, 0),
    contrast=(0, 1, 1),
    shift=(0, 0, 0),
    saturation=(0, 1, 1),
    tint=(0, 0),
    noise=(0, 0, 0),
    stripes=(0, 2, 2),
)


def slope(height: int, width: int) -> torch.Tensor:
    """Red grows with the column, green with the row, both by 2 levels a pixel; a picture of one's place."""
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return torch.stack([columns * 2, rows * 2, torch.zeros_like(rows)]).to(torch.uint8)


def test_views_are_of_one_photo_and_never_of_the_padding_beside_it():
    torch.manual_seed(0)
    bright = [torch.full((3, 40, 60), 200, dtype=torch.uint8), torch.full((3, 90, 30), 200, dtype=torch.uint8)]
    views = Views(bright, variety=STILL).draw(64, 24)
    assert views.shape == (64, 3, 24, 24)
    torch.testing.assert_close(views, torch.full_like(views, 200 / 127.5 - 1), atol=0.01, rtol=0)


def test_scale_and_mirror():
    torch.manual_seed(0)
    for scale in (1.0, 2.0):
        views = Views([slope(100, 100)], variety=Variety(**{**vars(STILL), "scale": (scale, scale)}))
        step = views.draw(32, 32).mul(127.5)[:, 0].diff(dim=2).mean((1, 2))
        wanted = 2 * 32 / 31 / scale
        torch.testing.assert_close(step.abs(), torch.full_like(step, wanted), atol=0.05, rtol=0)
        assert (step > 0).any(), "some as they are"
        assert (step < 0).any(), "some mirrored"


def test_a_photo_smaller_than_the_view_is_enlarged():
    torch.manual_seed(0)
    assert Views([slope(20, 30)], variety=STILL).draw(2, 64).shape == (2, 3, 64, 64)


def test_weights_say_how_often():
    torch.manual_seed(0)
    two = [torch.full((3, 20, 20), level, dtype=torch.uint8) for level in (0, 255)]
    bright = Views(two, torch.tensor([0.2, 0.8]), STILL).draw(500, 4).mean((1, 2, 3)) > 0
    assert 0.72 < float(bright.float().mean()) < 0.88


def test_fixed_views_are_the_middle_as_it_is():
    views = Views([slope(31, 61)]).fixed(4, 31)
    torch.testing.assert_close((views[0] + 1) * 127.5, slope(31, 61)[:, :, 15:46].float(), atol=0.1, rtol=0)


def test_light_changes_for_a_share_and_stays_in_range():
    torch.manual_seed(0)
    photo = torch.rand(200, 3, 16, 16) * 2 - 1
    varied = vary(photo, Variety())
    assert varied.abs().max() <= 1
    kept = (varied - photo).abs().amax((1, 2, 3)) < 1e-4
    assert 0.02 < float(kept.float().mean()) < 0.35
    torch.testing.assert_close(vary(photo, STILL), photo, atol=1e-5, rtol=0)


def test_sharpness_is_an_unsharp_mask():
    edge = torch.zeros(1, 3, 9, 9)
    edge[..., 5:] = 0.5
    sharper = vary(edge, Variety(**{**vars(STILL), "sharpness": (1, 1.0, 1.0)}))
    softer = vary(edge, Variety(**{**vars(STILL), "sharpness": (1, -0.6, -0.6)}))
    assert sharper[0, 0, 4, 5] > edge[0, 0, 4, 5] > softer[0, 0, 4, 5]


def test_stripes_are_a_wave_in_a_part_of_the_view():
    random.seed(2)
    torch.manual_seed(2)
    grey = torch.zeros(60, 3, 64, 80)
    changed = vary(grey, Variety(**{**vars(STILL), "stripes": (0.5, 4.0, 4.0)}))
    striped = changed[changed.abs().amax((1, 2, 3)) > 0.05]
    assert 15 < len(striped) < 45
    assert (striped.abs().amax((1, 2, 3)) > 0.05).all()
    for one in striped:
        touched = (one.abs() > 1e-3).float().mean()
        assert 0.04 < float(touched) < 0.3, (
            "a rectangle from a quarter to a half of each side, but for the wave's noughts"
        )
        assert torch.equal(one[0], one[1]), "grey"
        assert abs(float(one.mean())) < 0.02, "as much lighter as darker"
        strength = torch.fft.rfft2(one[0]).abs()
        row, column = divmod(int(strength.argmax()), strength.shape[1])
        turns = math.hypot(min(row, 64 - row) / 64, column / 80)
        assert 1 / turns == pytest.approx(4, rel=0.2), "pixels from one stripe to the next"
