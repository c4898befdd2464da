"""Pruning by what the picture loses, and kernels that make up for what has left."""

import copy
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from anime_model.compression.importance import Evidence, observe
from anime_model.compression.pruning import ChannelGroup, channel_groups, prune_to
from anime_model.compression.separable import gather_statistics, replace_convs
from anime_model.evaluation.fidelity import psnr
from anime_model.networks.checkpoint import load_generator
from anime_model.networks.cost import count_macs
from anime_model.networks.generator import Generator
from anime_model.recipe import ReplaceSettings
from anime_model.training.losses import to_yuv


@pytest.fixture
def squares() -> Tensor:
    """Soft squares of many colours."""
    draw = torch.Generator().manual_seed(4)
    return F.interpolate(torch.rand(8, 3, 6, 6, generator=draw) * 1.6 - 0.8, size=64, mode="bilinear")


@pytest.fixture
def pair(squares) -> tuple[Generator, Generator]:
    """A student and its teacher, which was trained to give photos back."""
    teacher = load_generator(Path("models/warm_up.safetensors"))
    settings = ReplaceSettings(layers=("d0", "e1"), activation="leaky_relu", upsample="bilinear", tail="resize")
    student = replace_convs(teacher, settings)
    gather_statistics(student, squares.split(4))
    return student, teacher


def group_of(name: str, student: Generator, evidence: Evidence) -> ChannelGroup:
    return next(group for group in channel_groups(student, evidence) if name in group.members)


def colour_error(made: Tensor, wanted: Tensor) -> float:
    """Of U and V, over what there is of them."""
    made, wanted = to_yuv(made)[:, 1:], to_yuv(wanted)[:, 1:]
    return float((made - wanted).square().mean() / wanted.square().mean())


def test_the_picture_survives_where_a_norm_would_take_its_colours(pair, squares):
    student, teacher = pair
    goal = round(count_macs(student.arch) * 0.8)
    cut = {
        "l1": prune_to(student, "macs", goal),
        "taylor": prune_to(student, "macs", goal, evidence=observe(student, teacher, squares)),
    }
    for network in cut.values():
        gather_statistics(network, squares.split(4))
    with torch.no_grad():
        wanted = student(squares)
        lost = {name: colour_error(network(squares), wanted) for name, network in cut.items()}
        near = {name: float(psnr(network(squares), wanted)) for name, network in cut.items()}
    assert 5 * lost["taylor"] < lost["l1"]
    assert near["taylor"] > near["l1"] + 6


def test_a_channel_that_nobody_reads_is_worth_nothing(pair, squares):
    student, teacher = pair
    with torch.no_grad():
        student.layers["d0"].depthwise.conv.weight[8:16] = 0  # what c5's channels 8 ... 15 go to
        student.layers["c5"].conv.weight[8:16] *= 10
    group = group_of("layers.c5.conv", student, observe(student, teacher, squares))
    assert sorted(group.importance.argsort()[:8].tolist()) == list(range(8, 16))
    assert group.importance[8:16].max() == 0 < group.importance[:8].min()


def test_the_importance_of_a_channel_is_the_slope_of_the_loss(pair, squares):
    """Beside the finite difference that a factor on one channel makes."""
    student, teacher = pair
    group = group_of("layers.e2.conv", student, observe(student, teacher, squares))
    channel, step = int(group.importance.argmax()), 1e-2
    errors = []
    for factor in (1 - step, 1 + step):
        scaled = copy.deepcopy(student)
        with torch.no_grad():
            scaled.out.weight[:, channel] *= factor  # the only reader of e2
            errors.append((scaled(squares) - teacher(squares)).abs().mean((1, 2, 3)))
    slope = (errors[1] - errors[0]) / (2 * step)
    assert group.importance[channel] == pytest.approx(float(slope.square().mean()), rel=0.05)


def test_channels_stand_in_for_one_that_repeats_them(pair, squares):
    student, teacher = pair
    conv = student.layers["e2"].conv
    unit = student.layers["e1"].pointwise
    with torch.no_grad():
        for value in (
            unit.conv.weight,
            unit.norm.weight,
            unit.norm.bias,
            unit.norm.running_mean,
            unit.norm.running_var,
        ):
            value[3] = value[5]
    wanted = student(squares).detach()
    evidence = observe(student, teacher, squares)
    before = conv.weight.detach().clone()
    evidence.stand_in("layers.e2.conv", conv, [3])
    added = conv.weight.detach() - before
    torch.testing.assert_close(added[:, 5], before[:, 3], rtol=0.05, atol=1e-3)
    with torch.no_grad():
        conv.weight[:, 3] = 0
        assert psnr(student(squares), wanted) > 40


def test_looking_changes_nothing(pair, squares):
    student, teacher = pair
    before = {key: value.clone() for key, value in student.state_dict().items()}
    observe(student.train(), teacher, squares)
    assert student.training
    assert all(torch.equal(value, before[key]) for key, value in student.state_dict().items())
    assert all(parameter.grad is None for parameter in student.parameters())
