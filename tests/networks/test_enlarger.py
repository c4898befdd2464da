from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from anime_model.networks.checkpoint import CheckpointError
from anime_model.networks.enlarger import Enlarger, load_enlarger, save_enlarger
from anime_model.training.enlarger import REDUCTIONS, blur, doubled, halve, jpeg, pairs, split, train_step


def noise(*shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.mark.parametrize(("factor", "smooths"), [(2, 0.15), (4, 0.25)])
def test_it_is_very_small_and_begins_as_a_plain_enlargement(factor: int, smooths: float):
    enlarger, picture = Enlarger(factor=factor), noise(1, 3, 20, 26)
    assert sum(weight.numel() for weight in enlarger.parameters()) <= 20_000
    inside = slice(4 * factor, -4 * factor)
    made = F.pixel_shuffle(enlarger.skip(picture), factor)[..., inside, inside]
    assert F.l1_loss(F.avg_pool2d(made, factor), picture[..., 4:-4, 4:-4]) < smooths, "in place"
    line = torch.linspace(-0.5, 0.5, 26).expand(1, 3, 20, 26)
    ramp = F.pixel_shuffle(enlarger.skip(line), factor)[0, 0, 10 * factor, inside]
    assert torch.allclose(ramp.diff(), torch.full_like(ramp.diff(), 1 / 25 / factor), atol=1e-5), "a ramp stays one"


@pytest.mark.parametrize("factor", [2, 4])
def test_a_colour_depends_on_its_radius_and_no_farther(factor: int):
    enlarger, picture = Enlarger(factor=factor).eval(), torch.zeros(1, 3, 41, 41, requires_grad=True)
    place = slice(20 * factor, 21 * factor)
    enlarger(picture + noise(1, 3, 41, 41))[0, :, place, place].sum().backward()
    reach = picture.grad[0].abs().sum(0).nonzero()
    assert (reach - 20).abs().max() == enlarger.radius


@pytest.mark.parametrize("kind", REDUCTIONS)
def test_halving_keeps_place_and_brightness(kind: str):
    ramp = torch.linspace(-1, 1, 64).expand(1, 3, 64, 64)
    small = halve(ramp, kind)
    assert small.shape == (1, 3, 32, 32)
    assert torch.allclose(small[..., 8:-8], F.avg_pool2d(ramp, 2)[..., 8:-8], atol=1e-3)


def test_disturbances_keep_a_flat_colour_and_change_noise():
    flat, busy = torch.full((1, 3, 32, 32), 0.25), noise(1, 3, 32, 32)
    for disturb in (lambda picture: blur(picture, 0.8), lambda picture: jpeg(picture, 70)):
        assert torch.allclose(disturb(flat), flat, atol=0.02)
        assert (disturb(busy) - busy).abs().mean() > 0.02
        assert disturb(busy).shape == busy.shape
    assert (jpeg(busy, 95) - busy).abs().mean() < (jpeg(busy, 50) - busy).abs().mean()


def test_steps_bring_the_answers_nearer():
    torch.manual_seed(0)
    stripes = (torch.arange(300) // 7 % 2 * 200 + 20).to(torch.uint8).expand(3, 300, 300).contiguous()
    frames, enlarger, draw = [stripes, stripes.transpose(1, 2).contiguous()], Enlarger(8, 2), np.random.default_rng(0)
    answer, given = pairs(enlarger, frames, 8, 96, draw)
    assert answer.shape == (8, 3, 96, 96)
    assert given.shape == (8, 3, 48, 48)
    answer, given = pairs(Enlarger(8, 2, factor=4), frames, 8, 192, draw, before=enlarger)
    assert answer.shape == (8, 3, 192, 192)
    assert given.shape == (8, 3, 48, 48)
    optimizer = torch.optim.Adam(enlarger.parameters(), 4e-3)
    losses = [float(train_step(enlarger, optimizer, frames, 4, 80, np.random.default_rng(0))) for _ in range(40)]
    assert losses[-1] < 0.8 * losses[0], "the same pairs again and again are learned"


def test_frames_held_out_are_never_trained_on():
    train, held = split([f"{index:02d}.jpg" for index in range(40)])
    assert len(held) == 5
    assert not set(train) & set(held)


def test_what_is_doubled_before_has_its_border_continued():
    flat = torch.full((1, 3, 24, 32), 0.5)
    made = doubled(Enlarger(8, 2), flat)
    assert made.shape == (1, 3, 48, 64)
    assert (made - 0.5).abs().max() < 0.05


@pytest.mark.parametrize("factor", [2, 4])
def test_a_checkpoint_comes_back_and_others_are_named(tmp_path: Path, factor: int):
    enlarger, path = Enlarger(8, 2, factor), tmp_path / "e.safetensors"
    save_enlarger(path, enlarger, steps=3)
    loaded, notes = load_enlarger(path)
    assert notes == {"steps": 3}
    assert torch.equal(loaded(noise(1, 3, 9, 9)), enlarger(noise(1, 3, 9, 9)))
    path.write_bytes(b"no tensors")
    with pytest.raises(CheckpointError, match=r"e\.safetensors: cannot be read as an enlarger"):
        load_enlarger(path)
