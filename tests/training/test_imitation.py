import math

import pytest
import torch
from torch import nn

from anime_model.networks.generator import Generator, fold_batch_norm
from anime_model.networks.perceptual import load_perceptual
from anime_model.training.critic import Critic
from anime_model.training.gate_cost import GateCost
from anime_model.training.imitation import Learner, Nearness, PictureLoss, Pool, changed_shapes
from anime_model.training.loop import TrainingError
from tests.support import lite


def test_equal_pictures_are_at_distance_nought_and_others_farther_by_every_part():
    torch.manual_seed(0)
    loss = PictureLoss(load_perceptual("embedded", ("relu1_1", "relu2_1", "relu3_1")))
    wanted = torch.rand(2, 3, 32, 32) * 2 - 1
    near, far = (wanted + size * torch.randn_like(wanted) for size in (0.02, 0.3))
    nought, parts = loss(wanted, wanted)
    assert float(nought) == pytest.approx(0, abs=1e-5)
    assert set(parts) == {"pixel", "content", "direction", "style", "edges", "colour"}
    for name in parts:
        assert 0 < float(loss(near, wanted)[1][name]) < float(loss(far, wanted)[1][name]), name


def test_the_total_is_the_weighted_sum():
    torch.manual_seed(0)
    weights = Nearness(pixel=3, content=0.5, direction=2, style=0.25)
    loss = PictureLoss(load_perceptual("embedded", ("relu2_1", "relu3_1")), weights)
    total, parts = loss(torch.rand(1, 3, 32, 32), torch.rand(1, 3, 32, 32))
    assert float(total) == pytest.approx(sum(getattr(weights, name) * float(parts[name]) for name in parts), rel=1e-4)


def one_weight(target: float, rate: float = 0.05, **more) -> Learner:
    network = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(network.weight)

    def step(done: float):
        loss = (network.weight - target).square().sum()
        return loss, {"apart": loss}

    return Learner(network, step, rate, log_every=10, **more)


def test_the_clock_ends_a_training_that_has_learned():
    rows, kept = [], []
    learner = one_weight(0.7, on_row=lambda seconds, row: rows.append(row), on_save=lambda net: kept.append(net))
    average = learner.run(1.5)
    assert float(average.weight.detach()) == pytest.approx(0.7, abs=0.02)
    assert rows[-1]["loss"] < rows[0]["loss"]
    assert kept[-1] is average


def test_what_was_broken_off_goes_on_where_its_rate_was():
    """Three of four seconds are over: the rate is that of the last quarter, whatever this run's own clock says."""
    seen: list[float] = []
    learner = one_weight(0.7)
    step = learner.step
    learner.step = lambda done: (seen.append(done), step(done))[1]
    learner.run(0.2, before=0.6)
    assert seen[0] == pytest.approx(0.75, abs=0.05)
    assert seen[-1] == pytest.approx(1.0, abs=0.05)
    assert seen == sorted(seen)


def test_a_loss_that_is_no_number_ends_it():
    with pytest.raises(TrainingError, match="not finite at step 10"):
        one_weight(float("nan")).run(5)


def test_weights_that_are_no_numbers_never_replace_those_that_are():
    """Losses are looked at every hundred steps, and files saved every minute, which comes first on a slow machine."""
    kept = []
    learner = one_weight(0.7, on_save=lambda net: kept.append(float(net.weight)), save_every=0.0)
    step = learner.step

    def diverging(done: float):
        loss, parts = step(done)
        return (loss * float("nan"), parts) if len(kept) == 5 else (loss, parts)

    learner.step, learner.log_every = diverging, 10**6
    with pytest.raises(TrainingError, match="the weights of the average are not finite at step 6"):
        learner.run(20)
    assert len(kept) == 5
    assert all(map(math.isfinite, kept))


def test_a_pool_keeps_pairs_together_and_renews_itself():
    made = iter(range(1, 1000))

    def draw():
        level = next(made) / 500 - 1
        return torch.full((1, 3, 4, 4), level), torch.full((1, 3, 4, 4), -level)

    torch.manual_seed(0)
    pool = Pool(draw, size=20, first=10, renew=2)
    batches = [pool.batch(5, 4) for _ in range(100)]
    for photo, wanted in batches:
        torch.testing.assert_close(photo, -wanted, atol=0.01, rtol=0)
    assert len(pool) == 20
    assert float(batches[-1][0].max()) > float(batches[0][0].max()), "new pairs come"
    assert float(batches[-1][0].min()) > float(batches[0][0].min()), "old ones go"


def test_a_share_of_a_pools_parts_lies_where_shapes_change():
    """The target has another tint everywhere and another shape in one place: a square of 20 pixels near a corner."""
    torch.manual_seed(0)
    photo = torch.rand(1, 3, 256, 320) * 0.2
    made = photo * 0.5 + 0.3
    made[..., 190:210, 40:60] -= 0.6
    changes = changed_shapes(photo[0], made[0])
    assert changes.shape == (16, 20)
    assert divmod(int(changes.argmax()), 20) in {(row, column) for row in (11, 12) for column in (2, 3)}
    for focus, least, most in ((0.0, 0.02, 0.3), (0.7, 0.6, 0.85), (1.0, 0.95, 1.0)):
        pool = Pool(lambda: (photo, made), 1, 1, 0, focus)
        parts = [pool.batch(1, 96) for _ in range(150)]
        assert all(part.shape == (1, 3, 96, 96) for pair in parts for part in pair)
        seen = [bool((target[0, 0] < photo_part[0, 0] * 0.5 + 0.1).any()) for photo_part, target in parts]
        assert least <= sum(seen) / len(seen) <= most, focus


def test_a_pool_gives_whole_pairs_of_any_size_together():
    """Every wanted picture is the photo's negative, and brighter to the right: so mirroring shows."""
    sizes, made = ((16, 48), (32, 16), (48, 32)), []

    def draw() -> tuple[torch.Tensor, torch.Tensor]:
        height, width = sizes[len(made) % len(sizes)]
        photo = torch.linspace(-1, 1, width).expand(1, 3, height, width) * torch.linspace(0.5, 1, height)[:, None]
        made.append(photo)
        return photo, -photo

    torch.manual_seed(0)
    pool = Pool(draw, size=6, first=3, renew=1)
    whole = [pool.whole() for _ in range(200)]
    assert {tuple(photo.shape) for photo, _ in whole} == {(1, 3, *size) for size in sizes}
    for photo, wanted in whole:
        torch.testing.assert_close(photo, -wanted, atol=1 / 127, rtol=0)
        assert (float(photo.min()), float(photo.max())) == (-1, 1)
    mirrored = sum(bool(photo[0, 0, 0, 0] > 0) for photo, _ in whole)
    assert 70 < mirrored < 130
    assert len(made) == 3 + 200 // 10, "whole pairs count as batches do: one new before every tenth"
    assert len(pool) == 6


def test_a_critic_learns_what_is_wanted_and_turns_the_gradient_towards_it():
    torch.manual_seed(0)
    critic = Critic(0.5, torch.device("cpu"), 8, 2e-3)
    photo = torch.rand(4, 3, 32, 32) * 2 - 1
    wanted, made = (photo > 0).float(), torch.full_like(photo, 0.5)  # hard edges, and their mean
    learned = [float(critic.learn(made, wanted)) for _ in range(60)]
    assert learned[-1] < 0.3 < learned[0]
    picture = torch.nn.Parameter(made.clone())

    def distance(given):
        return (given - 0.4).square().mean(), {"pixel": (given - 0.4).abs().mean()}

    total, parts = critic.with_share(picture, distance)
    assert float(total.detach()) == pytest.approx(0.01, rel=1e-3)
    assert set(parts) == {"pixel", "adversarial"}
    total.backward()
    plain = torch.autograd.grad(distance(leaf := made.clone().requires_grad_(True))[0], leaf)[0]
    turn = picture.grad - plain
    assert float(turn.norm() / plain.norm()) == pytest.approx(0.5, rel=1e-3)
    before = float(parts["adversarial"].detach())
    after = critic.with_share(picture - 0.3 * turn / turn.abs().max(), distance)[1]["adversarial"]
    assert float(after.detach()) < before


def test_a_gate_costs_what_it_lets_through_and_training_closes_it():
    torch.manual_seed(0)
    network = fold_batch_norm(Generator(lite(detail="gated")).eval())
    torch.nn.init.zeros_(network.out.weight)
    with torch.no_grad():
        network.out.bias[:12], network.out.bias[12:] = 3.0, -0.5
    cost, photo = GateCost(0.3, network), torch.rand(1, 3, 16, 20) * 2 - 1
    network(photo)
    total, parts = cost.added(torch.tensor(1.0), {"pixel": torch.tensor(2.0)})
    assert total.item() == pytest.approx(1 + 0.3 * 0.5)
    assert {name: part.item() for name, part in parts.items()} == {"pixel": 2.0, "gate": 0.5}
    total.backward()
    assert network.out.bias.grad[:12].abs().max() == 0  # the colours are free
    assert network.out.bias.grad[12:].max() < 0  # a gate under nought rises
