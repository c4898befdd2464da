"""Kernels rounded for what the layers make, against rounding to the nearest."""

import pytest
import torch
from torch import nn

from anime_model.compression.export import deployable
from anime_model.compression.rounding import LIMIT, round_kernel, rounded, second_moments
from anime_model.metrics.fidelity import psnr
from anime_model.networks.generator import convolutions


def nearest(weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    steps = weight.abs().flatten(1).amax(1) / LIMIT
    return (weight / steps.view(-1, 1, 1, 1)).round() * steps.view(-1, 1, 1, 1), steps


@pytest.mark.parametrize("groups", [1, 2, 6])
def test_moments_are_those_of_what_a_kernel_sees(groups):
    conv = nn.Conv2d(6, 12, 3, stride=2, padding=1, groups=groups, bias=False)
    photo = torch.randn(3, 6, 11, 14)
    moments = second_moments(conv, photo)
    kernels = conv.weight.detach().double().reshape(groups, 12 // groups, -1)
    foreseen = torch.einsum("gok,gkl,gol->go", kernels, moments, kernels).flatten()
    torch.testing.assert_close(conv(photo).double().square().mean((0, 2, 3)), foreseen, rtol=1e-5, atol=1e-6)


def test_inputs_that_have_nothing_in_common_are_rounded_to_the_nearest():
    weight = torch.randn(5, 4, 3, 3)
    wanted, steps = nearest(weight)
    found = round_kernel(weight, torch.diag(torch.rand(36) + 0.5).double()[None], steps)
    torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize(("groups", "kernel"), [(1, 1), (1, 3), (16, 3)], ids=["pointwise", "standard", "depthwise"])
def test_what_is_rounded_off_one_input_is_made_up_for_by_the_others(groups, kernel):
    mixed = torch.nn.functional.interpolate(torch.randn(4, 4, 9, 9), size=(32, 32), mode="bilinear")
    entering = nn.Conv2d(4, 16, 1)(mixed).detach() + 0.02 * torch.randn(4, 16, 32, 32)
    conv = nn.Conv2d(16, 32, kernel, groups=groups, bias=False).requires_grad_(False)
    wanted, weight = conv(entering), conv.weight.clone()
    errors = []
    plain, steps = nearest(weight)
    for kernels in (plain, round_kernel(weight, second_moments(conv, entering), steps)):
        conv.weight.copy_(kernels)
        errors.append((conv(entering) - wanted).square().mean())
    assert errors[1] < 0.6 * errors[0]


def test_a_rounded_network_keeps_its_pictures_and_its_grid(student, photo):
    network = deployable(student)
    before = {name: conv.weight.clone() for name, conv in convolutions(network).items()}
    packed, steps = rounded(network, photo, skip=["layers.a0", "out"])
    found = convolutions(packed)
    for name, weight in before.items():
        assert torch.equal(convolutions(network)[name].weight, weight)  # the original is left alone
        if name in ("layers.a0.conv", "out"):
            assert torch.equal(found[name].weight, weight)
        else:
            whole = found[name].weight / steps[name].view(-1, 1, 1, 1)
            torch.testing.assert_close(whole, whole.round(), atol=1e-3, rtol=0)
            assert whole.abs().max() <= LIMIT + 1e-3
    assert set(steps) == set(before) - {"layers.a0.conv", "out"}
    assert psnr(packed(photo), network(photo)) > 45


def test_an_input_that_is_always_zero_does_no_harm():
    conv = nn.Conv2d(3, 4, 1, bias=False).requires_grad_(False)
    entering = torch.randn(2, 3, 8, 8)
    entering[:, 1] = 0
    _, steps = nearest(conv.weight)
    assert torch.isfinite(round_kernel(conv.weight, second_moments(conv, entering), steps)).all()
    assert torch.isfinite(round_kernel(conv.weight, second_moments(conv, 0 * entering), steps)).all()
