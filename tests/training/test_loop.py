from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from anime_model.pictures.arrays import write_picture
from anime_model.training.data import DataError, Pictures, Sampler, to_float, to_uint8
from anime_model.training.loop import Training, TrainingError, cosine, update_average


def fit(scratch: Path, steps: int = 40, stop_at: int | None = None) -> tuple[nn.Module, list]:
    """A tiny regression; `stop_at` raises in the middle as a kill would, `save_every` 0 saves after every step."""
    torch.manual_seed(3)
    network = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Linear(8, 1))
    optimizer = torch.optim.Adam(network.parameters(), 1e-2)

    def take_step(step: int) -> dict[str, torch.Tensor]:
        if step == stop_at:
            raise KeyboardInterrupt
        x = torch.randn(16, 4, generator=torch.Generator().manual_seed(step))
        loss = (network(x) - x.sum(1, keepdim=True)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return {"loss": loss.detach()}

    training = Training(scratch, save_every=0, log_every=5)
    curve = training.fit("tiny", steps, take_step, {"network": network}, {"adam": optimizer})
    return network, curve


@pytest.mark.parametrize("stop_at", [0, 1, 17, 39])
def test_a_broken_run_ends_as_an_unbroken_one(tmp_path, stop_at):
    whole, curve = fit(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path / "broken", stop_at=stop_at)
    resumed, resumed_curve = fit(tmp_path / "broken")
    assert resumed_curve == curve
    for a, b in zip(whole.state_dict().values(), resumed.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_a_finished_run_is_not_run_again(tmp_path):
    fit(tmp_path)
    _, curve = fit(tmp_path, stop_at=0)  # would raise if any step were taken
    assert curve[-1]["step"] == 40


def test_a_torn_resume_file_is_not_used(tmp_path):
    whole, _ = fit(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path / "torn", stop_at=20)
    file = tmp_path / "torn/tiny.safetensors"
    file.write_bytes(file.read_bytes()[:100])
    resumed, _ = fit(tmp_path / "torn")
    assert torch.equal(whole[0].weight, resumed[0].weight)


def test_a_loss_that_is_not_finite_stops_with_its_name(tmp_path):
    with pytest.raises(TrainingError, match=r"nan_run: loss is not finite at step 10"):
        Training(tmp_path).fit("nan_run", 20, lambda _: {"loss": torch.tensor(float("nan"))}, {}, {})


@pytest.mark.parametrize("what", ["loss", "weights"])
def test_a_state_that_is_not_finite_is_not_saved(tmp_path, what: str):
    """It would end every later run at the same step, though what spoiled it was a moment's."""
    torch.manual_seed(3)

    def run(spoilt: int | None) -> int:
        network = nn.Linear(2, 1)
        done = []

        def take_step(step: int) -> dict[str, torch.Tensor]:
            done.append(step)
            if step == spoilt and what == "weights":
                network.weight.data.fill_(float("nan"))
            return {"loss": torch.tensor(float("nan") if step == spoilt and what == "loss" else 1.0)}

        optimizer = torch.optim.Adam(network.parameters())
        training = Training(tmp_path, save_every=0, log_every=10)
        training.fit("tiny", 20, take_step, {"network": network}, {"adam": optimizer})
        return done[0]

    said = (
        "tiny: loss is not finite at step 13" if what == "loss" else "weights of the network are not finite at step 13"
    )
    with pytest.raises(TrainingError, match=said):
        run(12)
    assert run(None) == 12, "it goes on from the last good step"


def test_progress_reaches_the_listener(tmp_path):
    heard = []
    training = Training(tmp_path, on_step=lambda *call: heard.append(call), log_every=4)
    training.fit("x", 10, lambda step: {"loss": torch.tensor(float(step))}, {}, {})
    assert [(step, total) for step, total, _ in heard] == [(4, 10), (8, 10), (10, 10)]


def test_cosine_rises_then_falls():
    rates = [cosine(step, 100, 1.0, warm_up=10, floor=0.1) for step in range(101)]
    assert rates[0] == 0.1
    assert max(rates) == rates[10] == 1.0
    assert rates[100] == pytest.approx(0.1)


def test_average_follows_and_copies_buffers():
    network, average = nn.BatchNorm1d(2), nn.BatchNorm1d(2)
    nn.init.constant_(network.weight, 3.0)
    network.running_mean.fill_(5.0)
    for step in range(4000):
        update_average(average, network, step)
    torch.testing.assert_close(average.weight.data, network.weight.data)
    assert torch.equal(average.running_mean, network.running_mean)


@pytest.mark.parametrize(("step", "left"), [(0, 0.1), (90, 0.91), (10_000, 0.998)])
def test_the_average_keeps_less_of_the_past_at_the_start(step, left):
    network, average = nn.Linear(1, 1), nn.Linear(1, 1)
    nn.init.constant_(network.weight, 0.0)
    nn.init.constant_(average.weight, 1.0)
    update_average(average, network, step)
    assert average.weight.item() == pytest.approx(left, abs=1e-6)


@pytest.fixture
def folder(tmp_path) -> Path:
    draw = np.random.default_rng(0)
    for index in range(5):
        write_picture(tmp_path / "p" / f"{index}.png", draw.integers(0, 255, (40, 50 + index, 3), np.uint8))
    return tmp_path / "p"


def test_crops_depend_on_seed_and_step_alone(folder):
    pictures = Pictures(folder)
    sampler = Sampler(pictures, batch=3, size=32, seed=7)
    assert torch.equal(sampler(5), Sampler(pictures, 3, 32, 7)(5))
    assert not torch.equal(sampler(5), sampler(6))
    assert not torch.equal(sampler(5), Sampler(pictures, 3, 32, 7, rank=1)(5))
    assert sampler(0).shape == (3, 3, 32, 32)


def test_too_small_a_folder_is_named(folder):
    with pytest.raises(DataError, match=str(folder)):
        Pictures(folder, smallest=64)


def test_number_formats_round_trip():
    values = torch.arange(256, dtype=torch.uint8)
    assert torch.equal(to_uint8(to_float(values)), values)
