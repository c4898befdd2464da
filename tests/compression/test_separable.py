from dataclasses import replace

import pytest
import torch

from anime_model.compression.norms import gather_statistics
from anime_model.compression.separable import (
    SurgeryError,
    rank_one,
    replace_convs,
)
from anime_model.networks.architecture import animeganv2
from anime_model.networks.generator import Generator, Separable, with_gate
from anime_model.recipes.replace_convs import ReplaceSettings

SAME = {"norm": "group", "activation": "leaky_relu", "padding": "reflect", "tail": "resize"}


def test_nothing_replaced_is_the_identity(photo):
    teacher = Generator(animeganv2(0.25)).eval()
    student = replace_convs(teacher, ReplaceSettings(layers=(), **SAME))
    assert torch.equal(student(photo), teacher(photo))


def test_a_separable_kernel_is_found_exactly():
    depthwise, pointwise = torch.randn(6, 1, 3, 3), torch.randn(8, 6, 1, 1)
    product = pointwise * depthwise.transpose(0, 1)
    d, p = rank_one(product)
    torch.testing.assert_close(p * d.transpose(0, 1), product, atol=1e-5, rtol=1e-4)


def test_rank_one_is_the_nearest():
    """Eckart-Young: what is left over are the other singular values."""
    weight = torch.randn(8, 6, 3, 3)
    d, p = rank_one(weight)
    left = (weight - p * d.transpose(0, 1)).square().sum((0, 2, 3))
    values = torch.linalg.svdvals(weight.permute(1, 0, 2, 3).flatten(2))
    torch.testing.assert_close(left, values[:, 1:].square().sum(1))


def test_surgery_is_on_a_copy_and_says_what_it_is(photo):
    teacher = Generator(animeganv2(0.25)).eval()
    before = teacher(photo)
    student = replace_convs(teacher, ReplaceSettings(layers=("a2", "e2")))
    assert isinstance(student.layers["e2"], Separable)
    assert student.arch.layers["e2"].kind == "separable"
    assert (student.arch.norm, student.arch.tail) == ("batch", "subpixel")
    assert torch.equal(teacher(photo), before)


@pytest.mark.parametrize("tail", ["subpixel", "resize"])
def test_a_gate_is_closed_at_first(photo, tail):
    """So is that of a teacher which has none; one that it has is kept."""
    teacher = Generator(animeganv2(0.25)).eval()
    settings = ReplaceSettings(layers=("a2", "e2"), tail=tail)
    plain, gated = (replace_convs(teacher, replace(settings, detail=detail)) for detail in ("drawn", "gated"))
    torch.testing.assert_close(gated(photo), plain(photo))
    opened = with_gate(teacher)
    torch.nn.init.ones_(opened.out.weight[3:])
    kept = replace_convs(opened, replace(settings, detail="gated"))
    rows = 4 if tail == "subpixel" else 1
    assert torch.equal(kept.out.weight[-rows:], torch.ones_like(kept.out.weight[-rows:]))
    torch.testing.assert_close(replace_convs(opened, settings)(photo), plain(photo))


@pytest.mark.parametrize("layers", [(), ("e2",)])
def test_a_smaller_kernel_is_the_middle_of_the_larger_one(layers):
    teacher = Generator(animeganv2(0.125))
    teacher.layers["e2"].conv.weight.data[..., (0, 1, 5, 6), :] = 0
    teacher.layers["e2"].conv.weight.data[..., (0, 1, 5, 6)] = 0
    whole, small = (
        replace_convs(teacher, ReplaceSettings(layers, kernels, norm="group", padding="zeros"))
        for kernels in ({}, {"e2": 3})
    )
    assert small.arch.layers["e2"].kernel == 3
    picture = torch.rand(1, 3, 32, 32)
    torch.testing.assert_close(small(picture), whole(picture), atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize(("name", "size"), [("z9", 3), ("e2", 9), ("b1", 5), ("c1", 1), ("b0", 1)])
def test_kernels_that_are_no_middle_are_refused(name, size):
    with pytest.raises(SurgeryError, match=name):
        replace_convs(Generator(animeganv2(0.125)), ReplaceSettings((), {name: size}))


@pytest.mark.parametrize("layer", ["a0", "c1", "out", "z9"])
def test_critical_and_unknown_layers_are_refused(layer):
    with pytest.raises(SurgeryError, match=layer):
        replace_convs(Generator(animeganv2(0.25)), ReplaceSettings(layers=(layer,)))


def test_statistics_are_those_of_the_pictures(student, photo):
    seen = []
    student.layers["a0"].conv.register_forward_hook(lambda _, __, out: seen.append(out.mean((0, 2, 3))))
    gather_statistics(student, [photo[:1], photo[1:]])
    torch.testing.assert_close(student.layers["a0"].norm.running_mean, torch.stack(seen).mean(0))
    assert student.layers["a0"].norm.momentum == 0.1


def test_svd_start_is_nearer_to_the_teacher_than_noise(photo):
    teacher = Generator(animeganv2(0.25)).eval()
    started = replace_convs(teacher, ReplaceSettings(layers=("c0", "d0", "d1", "e0"), **SAME))
    noise = Generator(started.arch).eval()
    with torch.no_grad():
        wanted = teacher(photo)
        assert (started(photo) - wanted).square().mean() < (noise(photo) - wanted).square().mean()
