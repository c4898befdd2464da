"""Colours get through new weights and through a generator that has lost one axis of them."""

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from anime_model.networks.architecture import animeganv2
from anime_model.networks.checkpoint import load_generator
from anime_model.networks.generator import Generator
from anime_model.training.colours import CARRIERS, carry_colours
from anime_model.training.yuv import to_yuv


@pytest.fixture
def squares() -> Tensor:
    """Soft squares of many colours."""
    draw = torch.Generator().manual_seed(4)
    return F.interpolate(torch.rand(6, 3, 6, 6, generator=draw) * 1.6 - 0.8, size=64, mode="bilinear")


def likeness(made: Tensor, photo: Tensor) -> tuple[float, float]:
    """Correlation of U, and of V, in what is made and in the photo."""
    a, b = (to_yuv(picture)[:, 1:].transpose(0, 1).flatten(1) for picture in (made, photo))
    return tuple(float(torch.corrcoef(torch.stack([a[i], b[i]]))[0, 1]) for i in (0, 1))


@torch.no_grad()
def test_new_weights_give_the_colours_back(squares):
    torch.manual_seed(2)
    generator = Generator(animeganv2(0.5)).eval()
    without = likeness(generator(squares), squares)
    carry_colours(generator, squares[:4])
    carried = likeness(generator(squares), squares)  # the last two were not seen
    assert min(carried) > 0.75
    assert min(carried) > max(without) + 0.2


@torch.no_grad()
def test_what_a_trained_generator_knew_it_still_knows(squares):
    """One that sees and paints grey alone keeps its brightness and gains the colours."""
    generator = load_generator(Path("models/warm_up.safetensors"))
    first, last = generator.layers["a0"].conv.weight, generator.out.weight
    first.copy_(first.mean(1, keepdim=True).expand_as(first))
    last.copy_(last.mean(0, keepdim=True).expand_as(last))
    before = generator(squares)
    assert to_yuv(before)[:, 1:].abs().max() < 1e-3
    carry_colours(generator, squares[:4])
    after = generator(squares)
    luma = torch.stack([to_yuv(picture)[:, 0].flatten() for picture in (before, after)])
    assert torch.corrcoef(luma)[0, 1] > 0.95
    assert min(likeness(after, squares)) > 0.9


def test_other_channels_can_learn_from_the_carriers(squares):
    """The columns that nobody reads yet get a gradient."""
    generator = Generator(animeganv2(0.25))
    carry_colours(generator, squares[:2])
    F.l1_loss(generator(squares[:2]), squares[:2]).backward()
    for name in ("a2", "b1", "d1", "e2"):
        weight = generator.layers[name].conv.weight
        unread = (weight == 0).all((2, 3)).sum(0) > len(weight) / 2
        assert unread.sum() == CARRIERS
        assert weight.grad[:, unread].abs().sum((0, 2, 3)).min() > 0


def test_grey_photos_are_refused(squares):
    with pytest.raises(ValueError, match="grey"):
        carry_colours(Generator(animeganv2(0.125)), squares.mean(1, keepdim=True).expand_as(squares))
