import math

import pytest
import torch

from anime_model.training import losses
from anime_model.training.yuv import to_yuv


def test_yuv_of_known_colours():
    white, red = torch.ones(1, 3, 1, 1), torch.tensor([1.0, -1.0, -1.0]).view(1, 3, 1, 1)
    assert to_yuv(white).flatten().tolist() == pytest.approx([1, 0, 0], abs=1e-4)
    assert to_yuv(red).flatten().tolist() == pytest.approx([0.299, -0.14713, 0.615], abs=1e-5)


def test_gram_of_orthogonal_channels():
    features = torch.zeros(1, 2, 1, 2)
    features[0, 0, 0, 0] = features[0, 1, 0, 1] = 2.0
    assert torch.equal(losses.gram(features)[0], torch.eye(2) * 4 / 4)


def test_equal_inputs_cost_nothing():
    picture = torch.rand(2, 3, 16, 16) * 2 - 1
    maps = {"relu2_1": torch.rand(2, 8, 4, 4)}
    assert losses.content(maps, maps, ("relu2_1",)) == 0
    assert losses.style(maps, maps, ("relu2_1",)) == 0
    assert losses.style_paired(maps, maps, ("relu2_1",)) == 0
    assert losses.colour(picture, picture) == 0
    assert losses.channel_kl(maps["relu2_1"], maps["relu2_1"]) == pytest.approx(0, abs=1e-6)


def test_style_sees_through_shuffled_pictures_and_batches():
    maps = torch.rand(4, 8, 4, 4)
    shuffled = maps.flip(0).flatten(2)[:, :, torch.randperm(16)].view_as(maps)
    assert losses.style({"m": maps}, {"m": shuffled}, ("m",)) == pytest.approx(0, abs=1e-6)
    assert losses.style_paired({"m": maps}, {"m": maps.flip(0)}, ("m",)) > 0.01


def test_channel_kl_of_two_channels_by_hand():
    student, teacher = torch.zeros(1, 2, 1, 1), torch.tensor([3.0, 0.0]).view(1, 2, 1, 1)
    p = 1 / (1 + math.exp(-1))  # softmax of (3, 0) at temperature 3
    by_hand = 9 * (p * math.log(2 * p) + (1 - p) * math.log(2 * (1 - p)))
    assert losses.channel_kl(student, teacher, 3.0) == pytest.approx(by_hand, rel=1e-5)


def test_discriminator_loss_is_least_when_it_tells_all_apart():
    ones, zeros = torch.ones(1, 1, 2, 2), torch.zeros(1, 1, 2, 2)
    assert losses.discriminator_loss(ones, zeros, zeros, zeros) == 0
    assert losses.discriminator_loss(zeros, ones, ones, ones) == pytest.approx(3.1)
    assert losses.adversarial(ones) == 0


def test_total_variation_of_a_step():
    picture = torch.zeros(1, 3, 2, 2)
    picture[..., 1] = 1.0
    assert losses.total_variation(picture) == 1.0
