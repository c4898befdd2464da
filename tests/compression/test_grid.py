"""The grid of INT8, and that the exported file computes on the one that was trained."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import onnx
import onnxruntime
import pytest
import torch
from onnx import numpy_helper

from anime_model.compression.export import deployable, export_onnx, run_onnx
from anime_model.compression.grid import (
    FakeQuantizedWeight,
    activation_grid,
    calibrate,
    fake_quantized,
    int8_sums,
    quantizable,
)
from anime_model.compression.qdq import write_qdq
from anime_model.metrics.fidelity import psnr
from anime_model.networks.architecture import Architecture, separable_layers
from anime_model.networks.generator import Generator, fold_batch_norm
from tests.support import lite

PLAIN = lite(upsample="half_pixel")
KINDS = {
    "separable, as what ships": PLAIN.with_layers(
        **{name: replace(PLAIN.layers[name], kind="separable") for name in separable_layers(PLAIN)}
    ),
    "nearest": lite(upsample="nearest"),
    "two upsamplings": lite(tail="resize"),
    "leaky": lite(activation="leaky_relu"),
    "reflecting": lite(padding="reflect"),
}


@pytest.fixture
def folded(student) -> Generator:
    return fold_batch_norm(student).eval()


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


def test_the_smallest_and_the_largest_value_lie_on_the_grid():
    for bounds in ((-1.0, 1.0), (0.0, 6.0), (-0.3, 2.0)):
        scale, zero = activation_grid(bounds)
        assert [(end - zero) * scale for end in (0, 255)] == pytest.approx(bounds, abs=scale)
        assert 0 <= zero <= 255
    assert activation_grid((0.0, 0.0))[0] > 0  # what is always 0 divides by no 0


def test_an_interpolated_map_keeps_the_grid_of_the_map_before_it(folded, photo):
    ranges = calibrate(folded, photo)
    assert ranges["layers.d0.in"] == ranges["layers.c5.out"]
    assert ranges["layers.d1.in"] == ranges["layers.d0.out"]


@pytest.mark.parametrize(
    ("floats", "sums"),
    [
        ((), ["c2", "c3", "c4"]),
        (("layers.c5",), ["c2", "c3"]),  # nothing takes the last sum as INT8
        (("layers.c3.expand",), ["c2", "c3", "c4"]),  # the next sum takes the first
        (("layers.c3.project",), ["c2", "c4"]),  # a float sum between
        (("layers.c1.project",), ["c2", "c3", "c4"]),  # what enters is float, and is rounded for the layer
        (("layers.c1.project", "layers.c2.expand"), ["c3", "c4"]),  # nobody rounds what enters the first
        (("layers.c2.project", "layers.c3.project", "layers.c4.project"), []),
    ],
)
def test_sums_are_int8_where_both_terms_are_and_somebody_takes_them_so(folded, floats, sums):
    assert int8_sums(folded.arch, set(quantizable(folded)) - set(floats)) == sums


def test_a_sum_lies_on_its_grid_for_all_that_take_it(folded, photo):
    ranges, made = calibrate(folded, photo), []
    with torch.no_grad(), fake_quantized(folded, list(quantizable(folded)), ranges, 7):
        handle = folded.layers["c3"].register_forward_hook(lambda layer, entering, leaving: made.append(leaving))
        folded(photo)
    handle.remove()
    steps = made[0] / activation_grid(ranges["layers.c3.sum"])[0]
    torch.testing.assert_close(steps, steps.round(), atol=1e-3, rtol=0)


@pytest.mark.parametrize("floats", [(), ("layers.c1.project",), ("layers.c5",), ("layers.c3.project",)])
def test_the_engine_adds_in_int8_where_training_did(floats, tmp_path):
    network, photo = trained(PLAIN), smooth()
    int8 = set(quantizable(network)) - set(floats)
    export_onnx(network, tmp_path / "float.onnx")
    write_qdq(tmp_path / "float.onnx", tmp_path / "int8.onnx", network.arch, int8, calibrate(network, photo), bits=7)
    ran = Counter(node.op_type for node in engine_graph(tmp_path / "int8.onnx").node)
    sums = len(int8_sums(network.arch, int8))
    assert (ran["QLinearAdd"], ran["Add"]) == (sums, 3 - sums)
    assert ran["QLinearConv"] >= len(int8)


def engine_graph(path: Path) -> onnx.GraphProto:
    """The graph as ONNX Runtime runs it, its pairs joined with what they stand around."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = str(path.with_suffix(".engine.onnx"))
    onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return onnx.load(options.optimized_model_filepath).graph


def trained(arch: Architecture) -> Generator:
    """A folded network whose pictures fill their range, as a trained one's do."""
    torch.manual_seed(0)
    network = Generator(arch).train()
    with torch.no_grad():
        for _ in range(5):
            network(smooth())
        network.out.weight.mul_(12)
    return deployable(network.eval())


def smooth() -> torch.Tensor:
    noise = torch.rand(4, 3, 12, 16, generator=torch.Generator().manual_seed(1))
    return torch.nn.functional.interpolate(noise, size=(48, 64), mode="bicubic").clamp(0, 1) * 2 - 1


@pytest.mark.parametrize("kind", KINDS)
def test_the_file_computes_what_training_computed(kind, tmp_path):
    """Both round at the same places to the same values; only sums that fall on the other side of a half differ.

    Layer after layer these make up to a third of the values one step larger or smaller. Another grid moves nearly all.
    """
    network, photo = trained(KINDS[kind]), smooth()
    ranges, units = calibrate(network, photo), list(quantizable(network))
    export_onnx(network, tmp_path / "float.onnx")
    step = activation_grid(ranges["out.out"])[0]  # a tanh makes it no larger
    for int8 in (
        units,
        ["layers.c1.project", *units[units.index("layers.c2.expand") :]],
        [units[units.index("out") - 8], "out"],
    ):
        write_qdq(tmp_path / "float.onnx", tmp_path / "int8.onnx", network.arch, int8, ranges, bits=7)
        with torch.no_grad(), fake_quantized(network, int8, ranges, 7):
            wanted = network(photo[:1])
        apart = (run_onnx(tmp_path / "int8.onnx", photo[:1]) - wanted).abs()
        assert apart.max() <= 4 * step, int8
        assert (apart < 1e-4).float().mean() > (0.98 if len(int8) == 2 else 0.66), int8
        assert not torch.equal(wanted, network(photo[:1]))


@pytest.mark.parametrize("bits", [7, 8])
def test_weights_in_the_file_are_those_that_training_rounded(folded, photo, tmp_path, bits):
    export_onnx(folded, tmp_path / "float.onnx")
    units = quantizable(folded)
    write_qdq(tmp_path / "float.onnx", tmp_path / "int8.onnx", folded.arch, units, calibrate(folded, photo), bits)
    held = {
        tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load(tmp_path / "int8.onnx").graph.initializer
    }
    for name, unit in units.items():
        weight = (unit if name == "out" else unit.conv).weight.detach()
        stored = held[f"{name}.weight_quantized"] * held[f"{name}.weight_scale"].reshape(-1, 1, 1, 1)
        torch.testing.assert_close(torch.from_numpy(stored), FakeQuantizedWeight(bits)(weight), atol=1e-7, rtol=1e-6)


def test_the_file_knows_no_other_scale_than_the_trained_ones(folded, photo, tmp_path):
    ranges = calibrate(folded, photo)
    export_onnx(folded, tmp_path / "float.onnx")
    write_qdq(tmp_path / "float.onnx", tmp_path / "int8.onnx", folded.arch, list(quantizable(folded)), ranges, bits=7)
    graph = onnx.load(tmp_path / "int8.onnx").graph
    held = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    pairs = [node.input for node in graph.node if node.op_type == "QuantizeLinear"]
    grids = {(float(held[scale]), int(held[zero])) for _, scale, zero in pairs}
    learned = {activation_grid(bounds) for bounds in ranges.values()}
    assert len(pairs) > 25
    assert grids <= {(float(torch.tensor(scale)), zero) for scale, zero in learned}


def test_only_what_lies_between_int8_maps_is_quantized(folded, photo, tmp_path):
    """The interpolation after a float layer stays float, and with it the blocked layout of the engine."""
    network, every = folded, tuple(quantizable(folded))
    export_onnx(network, tmp_path / "float.onnx")
    for units, kind in (((), 0), (("layers.d0",), 0), (every, 1)):
        ranges = calibrate(network, photo[:1])
        write_qdq(tmp_path / "float.onnx", tmp_path / "int8.onnx", network.arch, units, ranges, bits=7)
        graph = onnx.load(tmp_path / "int8.onnx").graph
        makers = {name: node.op_type for node in graph.node for name in node.output}
        resized = [node for node in graph.node if node.op_type == "Resize"]
        assert len(resized) >= 1
        assert sum(makers[node.input[0]] == "DequantizeLinear" for node in resized) == kind * len(resized)


def test_a_bias_far_larger_than_its_kernel_fits(photo, tmp_path):
    network = trained(PLAIN)
    with torch.no_grad():
        network.layers["a1"].conv.weight[0] *= 1e-12
        network.layers["a1"].conv.bias[0] = 0.7
    ranges, source, target = calibrate(network, photo), tmp_path / "float.onnx", tmp_path / "int8.onnx"
    export_onnx(network, source)
    write_qdq(source, target, network.arch, ["layers.a1"], ranges, bits=7)
    assert psnr(run_onnx(target, photo[:1]), network(photo[:1]).detach()) > 35
