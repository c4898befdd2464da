"""Every member of a family is a network of its own, equal to what its slice of the largest draws."""

import random
from dataclasses import replace

import pytest
import torch

from anime_model.compression.block_times import BlockTime, LatencyTable, time_blocks
from anime_model.compression.family import (
    DEPTH,
    Family,
    Space,
    as_network,
    axes,
    in_order,
    member,
    sandwich,
    slices,
    widen,
    with_statistics,
)
from anime_model.compression.family_file import FAMILY, grow, open_family, resized, save_family
from anime_model.compression.family_judge import Judge, split_held_out
from anime_model.compression.family_training import family_step, train_family
from anime_model.compression.norms import gather_statistics
from anime_model.compression.separable import replace_convs
from anime_model.metrics.fidelity import psnr
from anime_model.networks.architecture import ArchitectureError, animeganv2
from anime_model.networks.checkpoint import CheckpointError, save_generator
from anime_model.networks.cost import count_macs, count_parameters
from anime_model.networks.generator import Generator, fold_batch_norm
from anime_model.networks.perceptual import load_perceptual
from anime_model.recipes.replace_convs import ReplaceSettings
from anime_model.training.imitation import PictureLoss

REPLACED = ("a2", "b0", "b1", "c0", "c5", "d0", "d1", "e0", "e1", "e2")


@pytest.fixture
def lite(photo) -> Generator:
    """As the stages make it: separable, with batch norms that have seen photos, sub-pixel tail."""
    torch.manual_seed(0)
    settings = ReplaceSettings(
        layers=REPLACED, stem="strided", tail="subpixel", detail="gated", upsample="half_pixel", kernels={"e2": 3}
    )
    student = replace_convs(Generator(animeganv2(0.125)), settings, photo)
    gather_statistics(student, [photo])
    return student.eval()


@pytest.fixture
def space(lite) -> Space:
    return Space.around(lite.arch, 0.5, 2)


@pytest.fixture
def family(lite, space) -> Family:
    """Its largest member is trained in every weight: nothing hides behind zeros."""
    large = widen(fold_batch_norm(lite), space)
    with torch.no_grad():
        for parameter in large.parameters():
            parameter += 0.02 * torch.randn_like(parameter)
        large.out.bias.zero_()
    return Family(large, space)


def test_axes_name_every_tensor_once(lite, space):
    for network in (lite, Generator(space.largest), fold_batch_norm(lite)):
        names = [name for name, _ in axes(network.arch)]
        assert sorted(names) == sorted(key for key in network.state_dict() if "num_batches" not in key)


def test_growing_changes_no_picture(lite, space, photo):
    large = widen(fold_batch_norm(lite), space)
    assert large.arch.layers == space.largest.layers
    assert torch.allclose(large(photo), lite(photo), atol=1e-5)


def test_new_channels_learn(lite, space, photo):
    """Read with weights of zero, but not dead: after two steps of any loss they change the picture."""
    large = widen(fold_batch_norm(lite), space)
    before = {name: value.clone() for name, value in large.state_dict().items()}
    optimizer = torch.optim.SGD(large.parameters(), 0.1)
    for _ in range(3):
        optimizer.zero_grad()
        (large(photo) - 1).square().mean().backward()
        optimizer.step()
    for name in ("layers.a0.conv.weight", "layers.c2.expand.conv.weight", "layers.e2.pointwise.conv.weight"):
        new = slice(len(lite.state_dict()[name]), None)
        changes = (large.state_dict()[name][new] - before[name][new]).abs().amax(dim=(1, 2, 3))
        assert (changes > 0).float().mean() >= 0.5, name  # the others are where ReLU is 0 for all of the photo


@pytest.mark.parametrize("place", [0, -1])
def test_the_ends_hold_all_widths(space, place):
    arch = space.architecture(space.end(place))
    assert (len(arch.layers) == len(space.largest.layers)) == (place == -1)
    assert all(layer.width % 8 == 0 and layer.hidden % 8 == 0 for layer in arch.layers.values())


def test_members_are_what_their_slices_draw(family, photo):
    source = random.Random(3)
    for choice in [family.space.end(0), *(family.space.random(source) for _ in range(4))]:
        arch = replace(family.space.architecture(choice), norm="none")
        alone = Generator(arch)
        alone.load_state_dict({key: value.clone() for key, value in slices(family.network.state_dict(), arch).items()})
        assert torch.allclose(alone(photo), family(photo, choice), atol=1e-6)
        assert count_parameters(arch) == sum(value.numel() for value in alone.parameters())


def test_a_member_has_the_middle_of_a_kernel(family):
    widest = family.network.state_dict()["layers.e1.depthwise.conv.weight"]
    arch = replace(family.space.architecture(family.space.end(-1) | {"e1.kernel": 5}), norm="none")
    assert torch.equal(
        slices(family.network.state_dict(), arch)["layers.e1.depthwise.conv.weight"], widest[..., 1:6, 1:6]
    )


def test_depth_leaves_the_last_blocks_out(family):
    arch = family.space.architecture(family.space.end(-1) | {DEPTH: 1})
    assert [name for name in arch.layers if name[0] == "c"] == ["c0", "c1", "c2", "c5"]
    assert family.space.choice_of(arch)[DEPTH] == 1


def test_choices_come_back_from_an_architecture(family):
    source = random.Random(1)
    for _ in range(20):
        arch = family.space.architecture(family.space.random(source))
        assert family.space.architecture(family.space.choice_of(arch)) == arch


@pytest.mark.parametrize("wrong", [{"a0": 9}, {"e0.kernel": 4}, {DEPTH: 9}, {"c2.hidden": 0}])
def test_what_is_not_offered_is_named(space, wrong):
    with pytest.raises(
        ArchitectureError, match=f"family: {next(iter(wrong))} {next(iter(wrong.values()))} is not one of"
    ):
        space.architecture(space.end(-1) | wrong)


def test_gradients_reach_only_the_slice(family, photo):
    family(photo, family.space.end(0)).square().mean().backward()
    gradient = family.network.layers["a2"].pointwise.conv.weight.grad
    small = family.space.end(0)
    inside, outside = gradient[: small["a2"], : small["a0"]], gradient[small["a2"] :]
    assert inside.abs().sum() > 0
    assert outside.abs().sum() == 0


def test_order_keeps_the_picture_and_puts_the_best_first(lite, photo):
    teacher = Generator(animeganv2(0.25))
    ordered = in_order(lite, teacher, photo)
    assert (ordered(photo) - lite(photo)).abs().mean() < 1e-4  # a random network amplifies rounding
    lame = {key: value.clone() for key, value in ordered.state_dict().items()}
    first, last = lame["out.weight"].clone(), lame["out.weight"].clone()
    first[:, 0], last[:, -1] = 0, 0
    changes = []
    for weight in (first, last):
        ordered.load_state_dict(lame | {"out.weight": weight})
        changes.append((ordered(photo) - lite(photo)).abs().mean().item())
    assert changes[0] > changes[1]


def test_a_member_gets_the_means_of_the_largest(family, photo):
    """Behind each norm, whatever the slice has lost."""
    network = with_statistics(as_network(family.network).eval(), photo)
    small = member(network, family.space.architecture(family.space.end(0)), photo)
    seen = {}
    for key, net in (("large", network), ("small", small)):
        handle = net.layers["a0"].norm.register_forward_hook(
            lambda module, entering, leaving, key=key: seen.update({key: leaving})
        )
        net(photo)
        handle.remove()
    width = seen["small"].shape[1]
    assert torch.allclose(seen["small"].mean((0, 2, 3)), seen["large"].mean((0, 2, 3))[:width], atol=0.02)


def test_a_whole_member_is_the_family(family, photo):
    network = with_statistics(as_network(family.network).eval(), photo)
    whole = member(network, family.space.largest, photo)
    assert psnr(whole(photo), family(photo, family.space.end(-1))) > 30  # variances are estimated in two ways


def test_a_family_comes_back_from_its_file(family, tmp_path, photo):
    save_family(tmp_path / "family.safetensors", family, seconds=3)
    back = open_family(tmp_path / "family.safetensors")
    assert back.space.choices == family.space.choices
    choice = family.space.random(random.Random(5))
    assert torch.allclose(back(photo, choice), family(photo, choice), atol=1e-5)


def test_a_network_in_other_widths(lite, family, tmp_path, photo):
    """Wider: the same picture. Narrower: every width near what was asked for, all blocks, the least kernels."""
    file = tmp_path / "lite.safetensors"
    save_generator(file, lite)
    wide = resized(file, 2, lambda given: given, photo)
    assert wide.arch.layers["d0"].width == 2 * lite.arch.layers["d0"].width
    assert wide.arch.layers["e0"].kernel == 7
    assert psnr(wide(photo), lite(photo)) > 30
    small = resized(file, 0.5, lambda given: given, photo)
    assert small.arch.layers.keys() == lite.arch.layers.keys()
    assert small.arch.layers["e0"].kernel == lite.arch.layers["e0"].kernel == 3
    for name, layer in small.arch.layers.items():
        assert abs(layer.width - lite.arch.layers[name].width / 2) <= 8
    assert count_macs(small.arch) < count_macs(lite.arch) / 2
    save_family(file, family)
    slice_ = resized(file, 0.5, lambda given: given, photo)
    choice = family.space.times(0.5, family.space.largest)
    assert slice_.arch.layers == family.space.architecture(choice).layers
    assert psnr(slice_(photo), family(photo, choice)) > 30


def test_widths_that_a_family_has_not_are_refused(family):
    with pytest.raises(ArchitectureError, match=r"3 times a0 is \d+ channels; the family has \d+ to \d+"):
        family.space.times(3, family.space.largest)


@pytest.mark.parametrize("note", [{}, {FAMILY: "[]"}, {FAMILY: '{"a0": 3}'}, {FAMILY: '{"a0": [8, 16]}'}])
def test_a_file_without_a_family_is_one_line(tmp_path, family, note):
    file = tmp_path / "lite.safetensors"
    save_generator(file, as_network(family.network), **note)
    if note == {FAMILY: '{"a0": [8, 16]}'}:
        save_generator(file, Generator(animeganv2(0.125)), **note)
    with pytest.raises(CheckpointError, match=r"lite.safetensors: holds no family of networks"):
        open_family(file)


def test_training_brings_the_smallest_nearer(lite, photo):
    torch.manual_seed(1)
    wanted = lite(photo).detach()
    family = grow(lite, lambda views: lite(views).detach(), photo, 0.5, 1.5)
    smallest = family.space.end(0)

    def apart() -> float:
        with torch.no_grad():
            return float((family(photo, smallest) - wanted).abs().mean())

    before = apart()
    loss = PictureLoss(load_perceptual("embedded", ("relu1_1",)))
    step = family_step(family, lambda: (photo, wanted), loss, seed=0, bf16=False)
    optimizer = torch.optim.Adam(family.parameters(), 5e-3)
    for _ in range(30):
        optimizer.zero_grad()
        total, parts = step(0)
        total.backward()
        optimizer.step()
    assert set(parts) == {"largest", "smallest", "between"}
    assert apart() < 0.9 * before


def test_every_member_pays_for_its_own_gate(family, photo):
    loss = PictureLoss(load_perceptual("embedded", ("relu1_1",)))

    def parts(gate_cost: float) -> dict[str, float]:
        with torch.no_grad():
            found = family_step(family, lambda: (photo, photo), loss, 0, False, gate_cost)(0)[1]
        return {name: float(value) for name, value in found.items()}

    free, paid = parts(0.0), parts(0.5)
    for name, place in (("largest", -1), ("smallest", 0)):
        arch = family.space.architecture(family.space.end(place))
        alone = Generator(replace(arch, norm="none"))
        alone.load_state_dict(
            {key: value.detach() for key, value in slices(family.network.state_dict(), alone.arch).items()}
        )
        opened = []
        alone.out.register_forward_hook(
            lambda module, given, made, kept=opened: kept.append(made[:, -made.shape[1] // 4 :])
        )
        with torch.no_grad():
            alone(photo)
        assert paid[name] - free[name] == pytest.approx(0.5 * float(opened[0].abs().mean()), rel=1e-3), name
        assert paid[name] > free[name]


def test_training_gives_the_average_and_no_bias_at_the_end(family, photo):
    loss = PictureLoss(load_perceptual("embedded", ("relu1_1",)))
    trained = train_family(family, lambda: (photo, photo), loss, seconds=0.5, seed=0, bf16=False)
    assert trained.space == family.space
    assert trained.network.out.bias.abs().max() == 0


def test_a_sandwich_has_both_ends(space):
    found = sandwich(space, random.Random(0), between=2)
    assert found[0] == space.end(-1)
    assert found[1] == space.end(0)
    assert len(found) == 4


def test_held_out_photos_are_not_trained_on(tmp_path):
    files = [tmp_path / f"{place}.jpg" for place in range(40)]
    train, apart = split_held_out(files, 8)
    assert len(apart) == 8
    assert not set(train) & set(apart)
    assert len(split_held_out(files[:4], 8)[1]) == 1


def test_foreseen_times_are_those_of_the_fit():
    """What is a sum of reads, writes and products comes back exactly, for widths that were not measured too."""

    def ms(inputs: int, width: int) -> float:
        return 0.5 + 0.1 * (inputs // 16) * (width // 16) + 0.02 * 9 * (inputs // 16)

    rows = [BlockTime("a2", i, o, 0, 3, ms(i, o)) for i in (16, 32, 64, 96) for o in (16, 32, 64, 96)]
    rows += [BlockTime("a0", 3, width, 0, 5, width / 16) for width in (16, 32, 64)]
    rows += [BlockTime("out", width, 3, 0, 1, 0.25) for width in (16, 32, 64)]
    table = LatencyTable(rows)
    layers = animeganv2().layers
    arch = replace(animeganv2(), layers={"a0": replace(layers["a0"], width=48), "a2": replace(layers["a2"], width=80)})
    assert table(arch) == pytest.approx(48 / 16 + ms(48, 80) + 0.25, rel=1e-6)


@pytest.mark.slow
def test_blocks_are_timed_and_members_judged(family, photo):
    rows = time_blocks(family.space, 64, 1, members=3)
    assert {row.layer for row in rows} >= {"a0", "e2", "out"}
    judge = Judge(family, photo, lambda views: views, lambda a, b: (a - b).abs().mean((1, 2, 3)), LatencyTable(rows))
    large, small = judge(family.space.end(-1)), judge(family.space.end(0))
    assert large.ms > small.ms > 0
    assert large.bytes > small.bytes == 4 * count_parameters(judge.network(family.space.end(0)).arch)
    assert 0 < large.lpips < 2
    assert count_macs(family.space.largest) > count_macs(judge.network(family.space.end(0)).arch)
