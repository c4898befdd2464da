import pytest
import torch

from anime_model.compression.quantization import (
    FakeQuantizedWeight,
    calibrate,
    fake_quantized,
    quantizable,
    sensitivity,
)
from anime_model.evaluation.fidelity import psnr
from anime_model.networks.generator import Generator, fold_batch_norm
from anime_model.recipe import QuantizeSettings


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


def test_slow_layers_stay_float(folded, photo):
    settings = QuantizeSettings(psnr=0)
    fast = set(quantizable(folded)) - {"layers.a0", "out"}
    rows = sensitivity(folded, photo, calibrate(folded, photo), times(folded), fast, settings)
    assert {row["layer"] for row in rows if row["runs_in"] == "float"} == {"layers.a0", "out"}
    assert len(rows) == len(quantizable(folded))


def test_layers_go_back_to_float_until_the_picture_is_near_enough(folded, photo):
    names, ranges, wanted = list(quantizable(folded)), calibrate(folded, photo), folded(photo)

    def quality(layers: list[str]) -> float:
        with fake_quantized(folded, layers, ranges, 7):
            return psnr(folded(photo), wanted).item()

    bound = quality(names) + 3
    rows = sensitivity(folded, photo, ranges, times(folded), names, QuantizeSettings(psnr=bound))
    kept = [row["layer"] for row in rows if row["runs_in"] == "int8"]
    assert 0 < len(kept) < len(names)
    assert quality(kept) >= bound


def test_the_recipe_can_name_the_float_layers(folded, photo):
    settings = QuantizeSettings(keep_float=("layers.a0",), psnr=99)
    rows = sensitivity(folded, photo, calibrate(folded, photo), times(folded), (), settings)
    assert [row["layer"] for row in rows if row["runs_in"] == "float"] == ["layers.a0"]
