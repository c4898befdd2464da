import pytest
import torch
from torch.nn import functional as F

from anime_model.compression.separable import SurgeryError, replace_convs
from anime_model.compression.stem import merge_stem
from anime_model.networks.architecture import animeganv2
from anime_model.networks.cost import count_macs, count_parameters, receptive_radius
from anime_model.networks.generator import Generator, fold_batch_norm
from anime_model.recipes.replace_convs import ReplaceSettings

PLAIN = ReplaceSettings(
    layers=(), norm="batch", activation="relu", padding="reflect", tail="resize", upsample="half_pixel"
)


@pytest.fixture
def network() -> Generator:
    """Folded, its first convolution never below nought, so that both together are linear."""
    folded = fold_batch_norm(replace_convs(Generator(animeganv2(0.25)), PLAIN)).eval()
    folded.layers["a0"].conv.bias.data.fill_(30.0)
    return folded


def test_where_nothing_is_cut_off_the_merged_layer_is_the_two(network):
    """Two linear convolutions are one of the size of both, less one: 7 + 3 - 1. Grey edges need no padding's help."""
    torch.manual_seed(0)
    photos = F.pad(torch.rand(6, 3, 32, 32) * 2 - 1, (8, 8, 8, 8))
    merged = merge_stem(network, 9, photos)
    new, old = merged.layers["a0"](photos), network.layers["a1"](network.layers["a0"](photos))
    torch.testing.assert_close(new, old, atol=2e-3, rtol=1e-3)
    assert old.std((0, 2, 3)).max() > 0.05


def test_a_smaller_kernel_is_the_best_there_is(network):
    """Least squares: the error is at right angles to every tap, and no step away is better."""
    torch.manual_seed(0)
    photos = F.avg_pool2d(torch.rand(4, 3, 66, 66), 3, 1) * 2 - 1
    merged = merge_stem(network, 5, photos)
    wanted = network.layers["a1"].conv(network.layers["a1"].pad(network.layers["a0"](photos)))
    unit = merged.layers["a0"]

    def error() -> float:
        return float((unit.conv(unit.pad(photos)) - wanted).square().mean().detach())

    best = error()
    for _ in range(5):
        change = torch.randn_like(unit.conv.weight) * 0.01
        unit.conv.weight.data += change
        assert error() > best
        unit.conv.weight.data -= change


@pytest.mark.parametrize("kernel", [3, 5, 7])
@pytest.mark.parametrize("size", [(32, 32), (33, 47), (8, 9)])
@pytest.mark.parametrize("padding", ["zeros", "reflect"])
def test_pictures_keep_their_size_and_place(kernel, size, padding):
    settings = ReplaceSettings(layers=("a2",), kernels={"a0": kernel}, stem="strided", padding=padding, tail="resize")
    photos = torch.rand(2, 3, 32, 32)
    student = replace_convs(Generator(animeganv2(0.125)), settings, photos).eval()
    assert list(student.layers)[:2] == ["a0", "a2"]
    assert student(torch.rand(1, 3, *size)).shape == (1, 3, *size)
    seen = torch.zeros(1, 3, 32, 32, requires_grad=True)
    student.layers["a0"].conv(student.layers["a0"].pad(seen))[..., 8, 8].sum().backward()
    rows = seen.grad.abs().sum((0, 1, 3)).nonzero().flatten()
    assert (int(rows.min()), int(rows.max())) == (17 - kernel // 2, 17 + kernel // 2), "centred where 3x3 was"


def test_costs_follow_the_description():
    settings = ReplaceSettings(layers=("a2",), kernels={"a0": 5}, stem="strided")
    student = replace_convs(Generator(animeganv2(0.25)), settings, torch.rand(2, 3, 32, 32)).eval()
    assert count_parameters(student.arch) == sum(p.numel() for p in student.parameters())
    whole = replace_convs(Generator(animeganv2(0.25)), ReplaceSettings(layers=("a2",), kernels={"a0": 5}))
    saved = count_macs(whole.arch, 64) - count_macs(student.arch, 64)
    full, half = 64**2, 32**2
    assert saved == 25 * 3 * 8 * full + 9 * 8 * 16 * half - 25 * 3 * 16 * half
    assert receptive_radius(student.arch) <= receptive_radius(whole.arch)


def test_a_pixel_beyond_the_receptive_radius_changes_nothing():
    settings = ReplaceSettings(("a2", "d0"), {"a0": 7}, stem="strided", upsample="half_pixel")
    student = replace_convs(Generator(animeganv2(0.125)), settings, torch.rand(2, 3, 32, 32)).eval()
    radius = receptive_radius(student.arch)
    photo = torch.rand(1, 3, 16, 2 * radius + 48, requires_grad=True)
    column = radius + 20
    student(photo)[..., column].sum().backward()
    reached = photo.grad.abs().sum((0, 1, 2)).nonzero().flatten()
    assert column - radius <= int(reached.min()) < int(reached.max()) <= column + radius


def test_what_cannot_be_merged_is_named(network):
    photos = torch.rand(1, 3, 16, 16)
    with pytest.raises(ValueError, match="one already"):
        merge_stem(merge_stem(network, 3, photos), 3, photos)
    with pytest.raises(SurgeryError, match=r"replace_convs\.stem"):
        replace_convs(Generator(animeganv2(0.125)), ReplaceSettings(layers=(), stem="strided"))
    settings = ReplaceSettings(layers=("a1",), stem="strided")
    with pytest.raises(SurgeryError, match="'a1' cannot be replaced"):
        replace_convs(Generator(animeganv2(0.125)), settings, photos)
