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


def test_content_is_the_mean_absolute_difference_over_all_layers():
    made, photo = (
        {"a": torch.full((1, 2, 2, 2), 3.0), "b": torch.zeros(1, 1)},
        {"a": torch.ones(1, 2, 2, 2), "b": torch.ones(1, 1)},
    )
    assert losses.content(made, photo, ("a", "b")) == (2 + 1) / 2


def test_style_is_relative_to_the_frames_own_size():
    frames = {"m": torch.rand(2, 4, 6, 6) + 0.1}
    for factor in (0.5, 3.0):  # a Gram matrix grows with the square
        made = {"m": factor * frames["m"]}
        for loss in (losses.style, losses.style_paired):
            assert loss(made, frames, ("m",)) == pytest.approx(abs(factor**2 - 1), rel=1e-4)
        grams = losses.gram(frames["m"])
        assert losses.style_published(made, frames, ("m",)) == pytest.approx(
            abs(factor**2 - 1) * float(grams.mean()), rel=1e-4
        )


@pytest.mark.parametrize(("tint", "cost"), [(0.2, 0.1), (-0.4, 0.2)])
def test_a_change_of_brightness_costs_what_it_changes(tint, cost):
    """Y goes from 0 to 1 where pictures go from -1 to 1."""
    grey = torch.zeros(1, 3, 8, 8)
    assert losses.colour(grey + tint, grey) == pytest.approx(cost, abs=1e-4)
    assert losses.colour(grey + tint, grey, pool=4) == pytest.approx(cost, abs=1e-4)
    assert losses.colour_published(grey + tint, grey) == pytest.approx(cost, abs=1e-4)


def test_a_tint_costs_more_than_brightness_alone_and_more_than_in_the_published_loss():
    grey, red = torch.zeros(1, 3, 8, 8), torch.zeros(1, 3, 8, 8)
    red[:, 0] = 0.2
    y, u, v = (to_yuv(red) - to_yuv(grey))[0, :, 0, 0].tolist()
    bent = [abs(x) - 0.01 if abs(x) > 0.02 else x**2 / 0.04 for x in (u, v)]
    by_hand = abs(y) + sum(bent)
    assert losses.colour(red, grey) == pytest.approx(by_hand, rel=1e-4)
    published = abs(y) + sum(x**2 / 2 for x in (u, v))
    assert losses.colour_published(red, grey) == pytest.approx(published, rel=1e-4)


def test_a_student_that_says_nothing_is_wrong_by_all_there_is():
    assert losses.relative_l2(torch.zeros(2, 3), torch.rand(2, 3)) == pytest.approx(1)


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
    right = (ones, zeros, zeros, zeros)
    assert losses.discriminator_loss(*right) == 0
    for place, weight in enumerate((1, 1, 1, 0.59)):
        wrong = [1 - logits if i == place else logits for i, logits in enumerate(right)]
        assert losses.discriminator_loss(*wrong, smooth_weight=0.59) == pytest.approx(weight)
        further = [2 * (1 - logits) - logits if i == place else logits for i, logits in enumerate(right)]
        assert losses.discriminator_loss(*further, smooth_weight=0.59) == pytest.approx(4 * weight)


def test_the_generator_wants_its_pictures_taken_for_real():
    ones = torch.ones(1, 1, 2, 2)
    assert [float(losses.adversarial(value * ones)) for value in (1, 0, -1)] == [0, 1, 4]


def test_total_variation_of_a_step():
    picture = torch.zeros(1, 3, 2, 2)
    picture[..., 1] = 1.0
    assert losses.total_variation(picture) == 1.0
