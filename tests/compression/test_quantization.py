import pytest
import torch

from anime_model.compression.quantization import (
    FakeQuantizedWeight,
    Int8Plan,
    Int8Trial,
    calibrate,
    fake_quantized,
    protected,
    quantizable,
    quantize,
    sensitivity,
)
from anime_model.metrics.fidelity import psnr
from anime_model.networks.generator import Generator, fold_batch_norm
from anime_model.recipes.distillation import DistillSettings
from anime_model.recipes.quantize import QuantizeSettings
from anime_model.training.loop import Training


@pytest.fixture
def folded(student) -> Generator:
    return fold_batch_norm(student).eval()


def times(network: Generator) -> dict[str, tuple[float, float]]:
    """Every unit twice as fast in INT8."""
    return dict.fromkeys(quantizable(network), (1.0, 0.5))


def test_ranges_hold_every_value_that_passes(folded, photo):
    ranges = calibrate(folded, photo)
    assert ranges["layers.a0.in"] == (pytest.approx(float(photo.min())), pytest.approx(float(photo.max())))
    assert all(low <= 0 <= high for low, high in ranges.values())
    assert ranges["layers.a1.out"][0] == 0  # after a ReLU


@pytest.mark.parametrize("bits", [7, 8])
def test_rounded_weights_lie_on_the_grid_of_their_channel(bits):
    weight = torch.randn(4, 3, 3, 3)
    limit = 2 ** (bits - 1) - 1
    rounded = FakeQuantizedWeight(bits)(weight)
    steps = rounded / (weight.abs().flatten(1).amax(1) / limit).view(-1, 1, 1, 1)
    torch.testing.assert_close(steps, steps.round(), atol=1e-4, rtol=0)
    assert steps.abs().max() == pytest.approx(limit, abs=1e-3)


def test_gradients_pass_straight_through():
    weight = torch.randn(4, 3, 1, 1, requires_grad=True)
    FakeQuantizedWeight(8)(weight).sum().backward()
    assert torch.equal(weight.grad, torch.ones_like(weight))


def test_the_network_is_plain_float_again_after_the_context(folded, photo):
    before, keys = folded(photo), set(folded.state_dict())
    with fake_quantized(folded, list(quantizable(folded)), calibrate(folded, photo), 7):
        assert not torch.equal(folded(photo), before)
    assert torch.equal(folded(photo), before)
    assert set(folded.state_dict()) == keys


def test_eight_bits_are_nearer_than_seven(folded, photo):
    names, ranges, wanted = list(quantizable(folded)), calibrate(folded, photo), folded(photo)
    found = {}
    for bits in (5, 7, 8):
        with fake_quantized(folded, names, ranges, bits):
            found[bits] = psnr(folded(photo), wanted).item()
    assert found[5] < found[7] < found[8]


def test_units_go_back_to_float_until_the_picture_bears_the_rest(folded, photo):
    trial, names = Int8Trial(folded, photo, 7), list(quantizable(folded))
    alone = {name: trial.psnr([name]) for name in names}
    bound = trial.psnr(names) + 3
    kept = protected(names, times(folded), alone, lambda left: trial.psnr(left) >= bound)
    assert 0 < len(kept) < len(names)
    assert trial.psnr(kept) >= bound
    gone = set(names) - set(kept)
    assert max(alone[name] for name in gone) <= min(alone[name] for name in kept)  # all save the same time


def test_time_that_is_saved_weighs_against_harm(folded):
    names = list(quantizable(folded))[:2]
    alone = dict.fromkeys(names, 40.0)
    saved = {names[0]: (1.0, 0.9), names[1]: (2.0, 0.5)}
    assert protected(names, saved, alone, lambda left: len(left) < 2) == (names[1],)
    assert protected(names, saved, alone, lambda left: False) == ()


def test_the_table_says_why_a_layer_runs_in_float():
    plan = Int8Plan(dict.fromkeys("abc", (1.0, 0.5)), {"a": 60.0, "b": 40.0, "c": 60.0}, int8=("c",))
    rows = {row["layer"]: row for row in sensitivity(plan, QuantizeSettings(psnr=52))}
    assert {name: row["runs_in"] for name, row in rows.items()} == {"a": "float", "b": "float", "c": "int8"}
    assert "not faster" in rows["a"]["reason"]
    assert "falls under 52 dB" in rows["b"]["reason"]
    assert rows["c"]["reason"] == ""
    named = sensitivity(plan, QuantizeSettings(keep_float=("a", "b"), psnr=52))
    assert [row["reason"] for row in named] == ["named in the recipe", "named in the recipe", ""]


@pytest.mark.parametrize("towards", ["teacher", "student"])
def test_fine_tuning_goes_towards_the_pictures_that_the_recipe_names(tmp_path, student, lesson, towards):
    """Two random networks with strong colours: each step towards the one leads away from the other."""
    with torch.no_grad():
        for network in (student, lesson.teacher):
            network.out.weight *= 40
    fine_tune = DistillSettings(steps=25, rate=6e-5, batch=2, crop=32, weights={"pixel": 1.0}, freeze_norm=True)
    settings = QuantizeSettings(calibration=4, weight_bits=7, towards=towards, fine_tune=fine_tune)
    names = tuple(quantizable(student))
    plan = Int8Plan(dict.fromkeys(names, (1.0, 0.5)), dict.fromkeys(names, 60.0), int8=names)
    figures = quantize(student, lesson, settings, plan, Training(tmp_path / "scratch")).figures
    assert figures["qat_psnr"] > figures["ptq_psnr"]
    assert (figures["ptq_psnr"] > figures["float_psnr"] + 3) == (towards == "student")
