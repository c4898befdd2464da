"""Pruning by what the picture loses, and kernels that make up for what has left."""

import copy
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from anime_model.compression.importance import ChannelStatistics, collect_statistics
from anime_model.compression.norms import gather_statistics
from anime_model.compression.pruning import ChannelGroup, channel_groups, prune_to
from anime_model.compression.separable import replace_convs
from anime_model.metrics.fidelity import psnr
from anime_model.networks.checkpoint import load_generator
from anime_model.networks.cost import count_macs
from anime_model.networks.generator import Generator
from anime_model.recipes.replace_convs import ReplaceSettings
from benchmarks.pruning import Alone, Chance, colour_error


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


@pytest.fixture
def statistics(pair, squares) -> ChannelStatistics:
    return collect_statistics(*pair, squares)


def group_of(name: str, student: Generator, statistics: ChannelStatistics) -> ChannelGroup:
    return next(group for group in channel_groups(student, statistics) if name in group.members)


@pytest.fixture
def cut(pair, squares) -> Callable[[ChannelStatistics | None], Generator]:
    """Prunes the student to a share of its MACs."""

    def prune(statistics: ChannelStatistics | None) -> Generator:
        network = prune_to(pair[0], "macs", round(count_macs(pair[0].arch) * 0.7), statistics=statistics)
        gather_statistics(network, squares.split(4))
        return network

    return prune


def test_the_picture_survives_where_a_norm_takes_its_colours(cut, statistics, pair, squares):
    wanted = pair[0](squares)
    by_taylor, by_norm = cut(statistics)(squares), cut(None)(squares)
    assert 5 * colour_error(by_taylor, wanted) < colour_error(by_norm, wanted)
    assert psnr(by_taylor, wanted) > psnr(by_norm, wanted) + 6


def test_slopes_choose_better_than_chance(cut, statistics, pair, squares):
    wanted = pair[0](squares)
    draws = [psnr(cut(Chance(statistics.gates, statistics.covariances))(squares), wanted).item() for _ in range(3)]
    assert psnr(cut(statistics)(squares), wanted) > sum(draws) / len(draws) + 2


def test_stand_ins_bring_the_picture_nearer(cut, statistics, pair, squares):
    wanted = pair[0](squares)
    without = psnr(cut(Alone(statistics.gates, statistics.covariances))(squares), wanted)
    assert psnr(cut(statistics)(squares), wanted) > without + 3


def test_a_channel_that_nobody_reads_is_worth_nothing(pair, squares):
    student, teacher = pair
    with torch.no_grad():
        student.layers["d0"].depthwise.conv.weight[8:16] = 0  # what c5's channels 8 ... 15 go to
        student.layers["c5"].conv.weight[8:16] *= 10
    group = group_of("layers.c5.conv", student, collect_statistics(student, teacher, squares))
    assert sorted(group.importance.argsort()[:8].tolist()) == list(range(8, 16))
    assert group.importance[8:16].max() == 0 < group.importance[:8].min()


@pytest.mark.parametrize(
    ("member", "units"),
    [
        ("layers.e2.conv", ["e2"]),  # read by the output, which no norm follows: the whole channel counts
        ("layers.c5.conv", ["c5"]),  # read by a depthwise convolution
        ("layers.c3.expand.conv", ["c3.depthwise"]),  # what leaves an inverted block's inside
        ("layers.c1.project.conv", ["c1.project", "c2.project", "c3.project", "c4.project"]),  # the residual stream
    ],
)
def test_importance_is_the_slope_of_the_loss(pair, squares, member, units):
    """Beside the finite difference that a factor on one channel makes, wherever the channel is made."""
    student, teacher = pair
    group = group_of(member, student, collect_statistics(student, teacher, squares))
    channel = int(group.importance.argmax())
    means = {} if units == ["e2"] else {unit: mean_of(student, unit, squares) for unit in units}
    step = 1e-2
    with torch.no_grad():
        errors = [
            (scaled(student, units, means, channel, factor)(squares) - teacher(squares)).abs().mean((1, 2, 3))
            for factor in (1 - step, 1 + step)
        ]
    slope = (errors[1] - errors[0]) / (2 * step)
    assert group.importance[channel] == pytest.approx(float(slope.square().mean()), rel=0.1)


def mean_of(student: Generator, unit: str, photos: Tensor) -> Tensor:
    kept = []
    handle = student.layers.get_submodule(unit).register_forward_hook(lambda *call: kept.append(call[2]))
    student(photos)
    handle.remove()
    return kept[0].mean((0, 2, 3), keepdim=True).detach()


def scaled(student: Generator, units: Sequence[str], means: dict, channel: int, factor: float) -> Generator:
    """A copy in which `factor` acts on one channel's deviation from its mean, where the units make it."""
    student = copy.deepcopy(student)

    def hook(mean: Tensor | float) -> Callable:
        def scale(module: nn.Module, entering: tuple, leaving: Tensor) -> Tensor:
            factors = torch.ones(1, leaving.shape[1], 1, 1)
            factors[:, channel] = factor
            return mean + (leaving - mean) * factors

        return scale

    for unit in units:
        student.layers.get_submodule(unit).register_forward_hook(hook(means.get(unit, 0.0)))
    return student


@pytest.mark.parametrize(("name", "centred"), [("layers.e2.conv", True), ("out", False)])
def test_covariances_are_around_the_mean_only_where_a_norm_takes_it_off(pair, statistics, squares, name, centred):
    student, kept = pair[0], []
    student.get_submodule(name).register_forward_pre_hook(lambda module, entering: kept.append(entering[0]))
    student(squares)
    found = kept[0].detach().transpose(0, 1).flatten(1)
    assert found.mean(1).abs().max() > 0.1  # so that the two differ
    wanted = torch.cov(found, correction=0) if centred else found @ found.T / found.shape[1]
    torch.testing.assert_close(statistics.covariances[name].float(), wanted, rtol=1e-3, atol=1e-4)


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
    statistics = collect_statistics(student, teacher, squares)
    before = conv.weight.detach().clone()
    statistics.compensate("layers.e2.conv", conv, [3])
    added = conv.weight.detach() - before
    torch.testing.assert_close(added[:, 5], before[:, 3], rtol=0.05, atol=1e-3)
    with torch.no_grad():
        conv.weight[:, 3] = 0
        assert psnr(student(squares), wanted) > 40


def test_looking_changes_nothing(pair, squares):
    student, teacher = pair
    before = {key: value.clone() for key, value in student.state_dict().items()}
    collect_statistics(student.train(), teacher, squares)
    assert student.training
    assert all(torch.equal(value, before[key]) for key, value in student.state_dict().items())
    assert all(parameter.grad is None for parameter in student.parameters())
