"""What may happen to a picture: sizes stay, chance repeats, and more strength does more."""

import random
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from anime_model.training import distortions
from anime_model.training.distortions import DISTORTIONS


@pytest.fixture
def picture() -> Image.Image:
    coarse = np.random.default_rng(0).integers(0, 256, (12, 14, 3), np.uint8)
    return Image.fromarray(coarse).resize((70, 60), Image.BICUBIC)


@pytest.mark.parametrize("change", DISTORTIONS, ids=lambda change: change.__name__)
@pytest.mark.parametrize("strength", [0.0, 0.5, 1.0])
def test_gives_a_picture_of_the_same_kind_again_and_again(
    picture: Image.Image, change: Callable[..., Image.Image], strength: float
) -> None:
    first, again = (change(picture, strength, random.Random(3)) for _ in range(2))
    assert (first.mode, first.size) == ("RGB", picture.size)
    assert np.array_equal(np.asarray(first), np.asarray(again))


@pytest.mark.parametrize("change", DISTORTIONS, ids=lambda change: change.__name__)
def test_full_strength_changes_more_than_a_little(picture: Image.Image, change: Callable[..., Image.Image]) -> None:
    def change_by(strength: float) -> float:
        changed = np.asarray(change(picture, strength, random.Random(3)), np.float32)
        return float(np.abs(changed - np.asarray(picture, np.float32)).mean())

    assert change_by(1.0) > change_by(0.05)


@pytest.mark.parametrize("size", [(20, 300), (64, 64), (200, 90)])
def test_crop_has_the_size_asked_for(size: tuple[int, int]) -> None:
    rng = random.Random(0)
    crops = [distortions.crop(Image.new("RGB", size), 48, rng) for _ in range(20)]
    assert {crop.size for crop in crops} == {(48, 48)}


def test_batch_spans_minus_one_to_one() -> None:
    batch = distortions.to_batch([Image.new("RGB", (4, 3), "black"), Image.new("RGB", (4, 3), "white")])
    assert batch.shape == (2, 3, 3, 4)
    assert batch[0].unique().tolist() == [-1]
    assert batch[1].unique().tolist() == [1]
