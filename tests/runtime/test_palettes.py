"""Colour grading against what its three steps must do."""

import numpy as np
import pytest

from anime_model.runtime.palettes import LUMA, PALETTES, Palette, grade

GREYS = np.arange(256, dtype=np.uint8)[:, None, None].repeat(3, axis=2)


def with_palette(monkeypatch, **settings) -> str:
    """A palette of the test's own, under a name that no other test has cached."""
    name = str(sorted(settings.items()))
    monkeypatch.setitem(PALETTES, name, Palette("a test", **settings))
    return name


def colours() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)


def test_a_palette_of_nothing_gives_the_picture_back(monkeypatch):
    assert np.abs(grade(colours(), with_palette(monkeypatch)) - colours()).max() < 1e-3


def test_saturation_keeps_luma_and_greys(monkeypatch):
    for saturation in (0, 0.5, 1.5):
        name = with_palette(monkeypatch, saturation=saturation)
        assert np.abs(grade(colours(), name) @ LUMA - colours() @ LUMA).max() < 1e-2
        assert np.abs(grade(GREYS, name) - GREYS).max() < 1e-2
    assert np.ptp(grade(colours(), with_palette(monkeypatch, saturation=0)), axis=2).max() < 1e-3


def test_gamma_lifts_middle_tones_and_leaves_the_ends(monkeypatch):
    made = grade(GREYS, with_palette(monkeypatch, gamma=(2, 1, 1)))[:, 0]
    assert made[0, 0] == 0
    assert made[255, 0] == pytest.approx(255)
    assert made[64, 0] == pytest.approx(255 * (64 / 255) ** 0.5, abs=0.01)


def test_split_toning_is_whole_at_the_ends(monkeypatch):
    made = grade(GREYS, with_palette(monkeypatch, shadows=(0, 0, 20), highlights=(10, 0, 0)))[:, 0] - GREYS[:, 0]
    assert made[0] == pytest.approx([0, 0, 20])
    assert made[255] == pytest.approx([10, 0, 0], abs=1e-3)
    assert made[127] == pytest.approx([2.5, 0, 5], abs=0.1)


@pytest.mark.parametrize("name", PALETTES)
def test_every_palette_keeps_the_order_of_greys_and_all_but_the_ends_of_the_range(name):
    made = grade(GREYS, name)[:, 0] @ LUMA
    assert (np.diff(made) >= -0.5).all()
    assert made[0] < 40
    assert made[255] > 215


def test_palettes_differ_from_each_other():
    means = [grade(colours(), name).mean(axis=(0, 1)) for name in PALETTES]
    assert min(np.abs(a - b).max() for i, a in enumerate(means) for b in means[:i]) > 2
