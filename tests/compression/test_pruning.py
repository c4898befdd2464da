import copy

import pytest
import torch

from anime_model.compression.norms import batch_norms, gather_statistics, interleaved_batches, recalibrate_batch_norm
from anime_model.compression.pruning import (
    channel_groups,
    least_widths,
    narrow,
    prune,
    prune_to,
    prune_unstructured,
    sparsity_penalty,
)
from anime_model.compression.separable import replace_convs
from anime_model.metrics.fidelity import psnr
from anime_model.networks.architecture import animeganv2
from anime_model.networks.cost import count_macs, count_parameters
from anime_model.networks.generator import Generator, convolutions
from anime_model.recipes.distillation import DistillSettings
from anime_model.recipes.prune import PruneSettings
from anime_model.recipes.replace_convs import ReplaceSettings
from anime_model.training.loop import Training


@pytest.fixture(params=["published", "strided"])
def separable(photo, request) -> Generator:
    settings = ReplaceSettings(layers=("a2", "b1", "c0", "d0", "e1", "e2"), stem=request.param)
    student = replace_convs(Generator(animeganv2(0.25)), settings, photo)
    with torch.no_grad():
        student.train()(photo)
    return student.eval()


def test_no_pruning_is_the_identity(separable, photo):
    same = prune_to(separable, "parameters", count_parameters(separable.arch))
    assert same.arch == separable.arch
    assert torch.equal(same(photo), separable(photo))


@pytest.mark.parametrize(("budget", "measure"), [("parameters", count_parameters), ("macs", count_macs)])
def test_the_budget_is_met_in_steps_of_eight(separable, photo, budget, measure):
    goal = round(measure(separable.arch) * 0.6)
    pruned = prune_to(separable, budget, goal)
    assert 0.8 * goal < measure(pruned.arch) <= goal
    assert sum(p.numel() for p in pruned.parameters()) == count_parameters(pruned.arch)
    assert all(layer.width % 8 == 0 and layer.hidden % 8 == 0 for layer in pruned.arch.layers.values())
    assert pruned(photo).shape == photo.shape


def test_widths_go_down_to_multiples_of_the_step(separable, photo):
    goal = round(count_macs(separable.arch) * 0.8)
    pruned = prune_to(separable, "macs", goal, step=12)
    widths = [
        (before, after)
        for was, now in zip(separable.arch.layers.values(), pruned.arch.layers.values(), strict=True)
        for before, after in ((was.width, now.width), (was.hidden, now.hidden))
    ]
    changed = [(before, after) for before, after in widths if before != after]
    assert changed
    assert all(after % 12 == 0 and 0 < after < before for before, after in changed)
    assert any((before - after) % 12 for before, after in changed)  # what is over a multiple leaves first
    assert count_macs(pruned.arch) <= goal
    assert pruned(photo).shape == photo.shape


def test_a_budget_of_macs_cuts_where_the_macs_are(separable):
    by_macs = prune_to(separable, "macs", round(count_macs(separable.arch) * 0.6))
    by_size = prune_to(separable, "parameters", round(count_parameters(separable.arch) * 0.6))
    assert count_macs(by_macs.arch) < count_macs(by_size.arch)


def test_pruned_weights_are_slices_of_the_originals(separable):
    pruned = prune_to(separable, "parameters", round(count_parameters(separable.arch) * 0.7))
    for name, conv in convolutions(pruned).items():
        original = separable.get_submodule(name).weight.flatten(2).sum(2)
        for value in conv.weight.flatten(2).sum(2).flatten()[:50]:
            assert (original - value).abs().min() < 1e-6


def test_the_least_important_channels_go_first(separable):
    norm = separable.layers["d1"].norm
    with torch.no_grad():
        norm.weight.fill_(1.0)
        norm.weight[8:16] = 1e-6  # as sparsity training leaves them
    group = next(g for g in channel_groups(separable) if "layers.d1.conv" in g.members)
    assert sorted(group.importance.argsort()[:8].tolist()) == list(range(8, 16))
    assert group.importance.mean() == pytest.approx(1, abs=1e-4)


def test_what_sparsity_training_silenced_leaves(separable):
    """The channels that are left are the others, whose filters they keep."""
    layer = separable.layers["d1"]
    with torch.no_grad():
        layer.norm.weight.fill_(1.0)
        layer.norm.weight[8:16] = 1e-6
    pruned = prune_to(separable, "parameters", count_parameters(separable.arch) - 1)
    kept = [i for i in range(layer.norm.num_features) if not 8 <= i < 16]
    inputs = pruned.layers["d1"].conv.in_channels
    assert pruned.layers["d1"].conv.out_channels == len(kept)
    assert torch.equal(pruned.layers["d1"].conv.weight, layer.conv.weight[kept][:, :inputs])
    assert torch.equal(pruned.layers["d1"].norm.weight, torch.ones(len(kept)))


def test_coupled_channels_of_the_residual_trunk_are_one_group(separable):
    trunk = {f"layers.{name}.project.conv" for name in ("c1", "c2", "c3", "c4")}
    assert any(trunk <= set(group.members) for group in channel_groups(separable))


def test_an_impossible_budget_is_refused(separable):
    with pytest.raises(ValueError, match="cannot go below"):
        prune_to(separable, "parameters", 100)


def test_one_layer_gets_narrower_and_no_other(student, photo):
    """So do those that share its channels; the picture stays near, nearer than without what makes up for the loss."""
    before = student.arch
    reference = copy.deepcopy(student)
    made = narrow(student, reference, photo, {"d0": 24, "c1": 48})
    widths = {name: layer.width for name, layer in made.arch.layers.items()}
    assert widths == {name: layer.width for name, layer in before.layers.items()} | {"d0": 24} | dict.fromkeys(
        ("c1", "c2", "c3", "c4"), 48
    )
    hidden = {name: layer.hidden for name, layer in made.arch.layers.items()}
    assert hidden == {name: layer.hidden for name, layer in before.layers.items()}
    assert made(photo).shape == photo.shape


@pytest.mark.parametrize("widths", [{"d0": 32}, {"d0": 0}, {"z9": 8}])
def test_a_layer_that_cannot_get_narrower_is_named(student, photo, widths):
    with pytest.raises(ValueError, match=next(iter(widths))):
        narrow(student, student, photo, widths)


def test_every_group_keeps_its_share(separable):
    least = least_widths(separable, 0.5)
    pruned = prune_to(separable, "macs", round(count_macs(separable.arch) * 0.6), least)
    before = {group.members[0]: len(group.importance) for group in channel_groups(separable)}
    after = {group.members[0]: len(group.importance) for group in channel_groups(pruned)}
    assert after.keys() == before.keys() == least.keys()
    for member, count in after.items():
        assert before[member] >= count >= least[member] >= before[member] / 2
    with pytest.raises(ValueError, match="cannot go below"):
        prune_to(separable, "macs", round(count_macs(separable.arch) * 0.2), least)


def test_unstructured_pruning_sets_the_smallest_weights_to_zero(separable):
    pruned = prune_unstructured(separable, 0.4)
    conv, original = pruned.layers["d1"].conv.weight, separable.layers["d1"].conv.weight
    zeros = conv == 0
    assert zeros.float().mean() == pytest.approx(0.4, abs=0.01)
    assert original[zeros].abs().max() <= original[~zeros].abs().min()
    assert count_parameters(pruned.arch) == count_parameters(separable.arch)


def test_sparsity_penalty_is_the_sum_of_scales(student):
    scales = [m.weight.detach().abs().sum() for m in student.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert sparsity_penalty(student).item() == pytest.approx(float(sum(scales)))


def test_settled_norms_change_no_picture_now_nor_when_statistics_are_gathered(student):
    """Photos in an order in which neighbours are alike, as those of a folder are."""
    photos = torch.rand(16, 3, 48, 64) * torch.linspace(0.2, 2, 16).reshape(-1, 1, 1, 1) - 1
    with torch.no_grad():
        for norm in batch_norms(student):
            norm.running_mean += 0.3 * torch.rand_like(norm.running_mean)  # as frozen statistics are after training
            norm.running_var *= 2
    wanted = student(photos).detach()
    gathered = copy.deepcopy(student)
    gather_statistics(gathered, interleaved_batches(photos))
    recalibrate_batch_norm(student, interleaved_batches(photos))
    torch.testing.assert_close(student(photos), wanted, rtol=1e-4, atol=1e-4)
    gather_statistics(student, interleaved_batches(photos))
    assert psnr(student(photos), wanted) > psnr(gathered(photos), wanted) + 10


@pytest.mark.parametrize("importance", ["taylor", "l1"])
def test_rounds_reach_the_budget_and_a_resumed_run_repeats_no_cut(lesson, separable, tmp_path, monkeypatch, importance):
    tune = DistillSettings(steps=2, batch=2, crop=32, rate=1e-3, weights={"pixel": 1.0})
    settings = PruneSettings("macs", importance, keep=0.6, rounds=2, sparsity_steps=2, fine_tune=tune)
    training, whole = Training(tmp_path / "scratch"), count_macs(separable.arch)
    first = prune(copy.deepcopy(separable), lesson, settings, training)
    assert [row["phase"] for row in first.rounds if row["round"]] == 2 * ["removed", "fine-tuned"]
    assert first.rounds[2]["macs_512"] <= 0.6**0.5 * whole
    assert first.rounds[-1]["macs_512"] == count_macs(first.generator.arch) <= 0.6 * whole
    monkeypatch.setattr("anime_model.compression.pruning.prune_to", None)  # would fail
    again = prune(copy.deepcopy(separable), lesson, settings, training)
    assert again.rounds == first.rounds
    for key, value in again.generator.state_dict().items():
        assert torch.equal(value, first.generator.state_dict()[key])
    monkeypatch.undo()
    (training.scratch / "cut_2.safetensors").write_bytes(b"")  # what a power failure may leave
    assert prune(copy.deepcopy(separable), lesson, settings, training).rounds == first.rounds
