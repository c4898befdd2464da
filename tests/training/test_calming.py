"""Skin is smoothed, and nothing else."""

import numpy as np
import pytest
import torch

from anime_model.training.calming import STEPS, calmed, flattened, skin

SKIN = [(224, 172, 150), (141, 85, 60), (90, 56, 40)]
OTHERS = [(90, 140, 220), (60, 120, 50), (128, 128, 128), (250, 250, 250), (20, 20, 30)]


def flat(colour: tuple[int, int, int], side: int = 40) -> torch.Tensor:
    return (torch.tensor(colour) / 127.5 - 1).view(1, 3, 1, 1).expand(1, 3, side, side).clone()


def noisy(colour: tuple[int, int, int]) -> torch.Tensor:
    return flat(colour) + 0.05 * torch.randn(1, 3, 40, 40)


@pytest.mark.parametrize("weight", [0.05, 0.2])
def test_total_variation_falls_as_in_scikit_image(weight):
    restoration = pytest.importorskip("skimage.restoration", reason="scikit-image is an extra")
    photo = torch.rand(2, 3, 20, 24) * 2 - 1
    made = flattened(photo, weight)
    for each, given in zip(made, photo, strict=True):
        values = ((given + 1) / 2).double().numpy()
        wanted = restoration.denoise_tv_chambolle(values, weight=weight, channel_axis=0, eps=0, max_num_iter=STEPS)
        assert np.abs(each.numpy() - (wanted * 2 - 1)).max() < 0.004
    assert (made - photo).abs().mean() > 0.1


def test_an_edge_stays_and_the_sides_are_flat():
    photo = torch.cat([flat((60, 60, 60)), flat((200, 200, 200))], dim=3)
    made = flattened(photo + 0.05 * torch.randn_like(photo), 0.06)
    assert made[..., 45:].std() < 0.02 > made[..., :35].std()
    assert (made[..., 40] - made[..., 39]).mean() > 0.9 * (photo[..., 40] - photo[..., 39]).mean()


@pytest.mark.parametrize("colour", SKIN)
def test_what_has_the_colour_of_skin_is_smoothed(colour):
    assert skin(flat(colour)).min() == 1
    photo = noisy(colour)
    assert calmed(photo, torch.tensor([0.06])).std(dim=(2, 3)).max() < 0.4 * photo.std(dim=(2, 3)).min()


@pytest.mark.parametrize("colour", OTHERS)
def test_all_else_stays_as_it_is(colour):
    photo = noisy(colour)
    assert skin(flat(colour)).max() == 0
    photo = flat(colour)
    photo[..., 10:12] -= 0.04
    assert torch.equal(calmed(photo, torch.tensor([0.06])), photo)


def test_the_border_of_skin_fades():
    share = skin(torch.cat([flat(SKIN[0]), flat(OTHERS[0])], dim=3))[0, 0, 20]
    assert share[0] == 1
    assert share[-1] == 0
    assert (share.diff() <= 0).all()
    assert len(share[(share > 0) & (share < 1)]) >= 6


def test_each_picture_has_a_weight_of_its_own():
    photos = torch.cat([noisy(SKIN[0])] * 3)
    made = calmed(photos, torch.tensor([0.0, 0.03, 0.1]))
    assert torch.equal(made[0], photos[0])
    assert made[2].std() < made[1].std() < made[0].std()
    assert calmed(photos, torch.zeros(3)) is photos
