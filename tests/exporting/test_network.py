"""The network of an ONNX file in PyTorch: equal to the file on what it takes, a clear line on what it does not."""

from collections import Counter

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import helper

from anime_model.compression.export import export_onnx
from anime_model.exporting.network import Levels, network_of, traced
from anime_model.exporting.order import FormatError
from anime_model.exporting.source import read_source
from anime_model.networks.generator import Generator
from tests.exporting.conftest import SHIPPED
from tests.support import lite
from tests.tiny_onnx import negative_model, reaching_model, save_model


def both(path, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """The picture of the PyTorch network and that of its source in ONNX Runtime."""
    photo, source = np.random.default_rng(0).uniform(-1, 1, (1, 3, *size)).astype(np.float32), read_source(path)
    return network_of(source)(torch.from_numpy(photo)).numpy(), run(source.model, photo)


def run(model: onnx.ModelProto, photo: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"photo": photo})[0]


@pytest.mark.parametrize("size", [(64, 64), (32, 60), (20, 8)])
def test_it_computes_what_the_file_computes(tmp_path, size):
    for path in (reaching_model(tmp_path / "tiny.onnx"), SHIPPED):
        made, wanted = both(path, size)
        assert np.abs(made - wanted).max() < 1e-4


@pytest.mark.parametrize("tail", ["subpixel", "resize"])
def test_a_gate_is_computed_as_in_the_file(tmp_path, tail):
    network = Generator(lite(detail="gated", tail=tail, upsample="half_pixel")).eval()
    export_onnx(network, tmp_path / "gated.onnx")
    made, wanted = both(tmp_path / "gated.onnx", (64, 40))
    assert np.abs(made - wanted).max() < 1e-4


def test_constants_are_unfolded_and_nothing_else_is_lost():
    source = read_source("shinkai")
    assert not {"Cast", "QuantizeLinear", "DequantizeLinear"} & set(source.operators)
    constants = {tensor.name for tensor in source.model.graph.initializer}
    products = [node for node in source.model.graph.node if node.op_type == "Mul"]
    assert not any(constants & set(node.input) for node in products)  # a gate's is one of two maps
    shipped = Counter(node.op_type for node in onnx.load(SHIPPED).graph.node)
    assert source.operators["Conv"] == shipped["Conv"]
    photo = np.random.default_rng(1).uniform(-1, 1, (1, 3, 61, 83)).astype(np.float32)
    sessions = [
        onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
        for file in (source.model.SerializeToString(), SHIPPED)
    ]
    made, wanted = (session.run(None, {"photo": photo})[0] for session in sessions)
    assert np.square(made - wanted).mean() < 4 * 10**-4  # 40 dB: the file rounds the maps of its INT8 layers


@pytest.mark.parametrize(("zero", "cut"), [(0, True), (100, False)])
@pytest.mark.parametrize("last", [True, False])
def test_pairs_that_round_maps_leave_the_cut_that_they_stand_for(tmp_path, zero, cut, last):
    """A quantizer leaves out a Relu before a pair whose zero is its smallest number."""
    pair = [
        helper.make_node("Conv", ["photo", "k"], ["a"], pads=[1, 1, 1, 1]),
        helper.make_node("QuantizeLinear", ["a", "scale", "zero"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["anime" if last else "d"]),
    ]
    rest = [] if last else [helper.make_node("Conv", ["d", "k"], ["anime"], pads=[1, 1, 1, 1])]
    kernel = np.random.default_rng(3).normal(0, 0.3, (3, 3, 3, 3)).astype(np.float32)
    path = save_model(tmp_path / "pairs.onnx", pair + rest, {"k": kernel, "scale": 0.04})
    model = onnx.load(path)
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.uint8(zero), "zero"))
    onnx.save(model, path)
    photo = np.random.default_rng(4).uniform(-1, 1, (1, 3, 24, 32)).astype(np.float32)
    made, rounded = run(read_source(path).model, photo), run(model, photo)
    wanted = torch.nn.functional.conv2d(torch.from_numpy(photo), torch.from_numpy(kernel), padding=1)
    wanted = wanted.relu() if cut else wanted
    wanted = wanted if last else torch.nn.functional.conv2d(wanted, torch.from_numpy(kernel), padding=1)
    assert np.abs(made - wanted.numpy()).max() < 1e-5
    assert 0 < np.abs(made - rounded).max() < 0.5 * np.abs(made).max()


@pytest.mark.parametrize("pads", [(1, 1, 1, 1), (1, 1, 3, 3), (0, 0, 2, 2), (2, 2, 2, 2), (1, 0, 2, 3)])
@pytest.mark.parametrize("side", [3, 5])
def test_a_convolution_with_a_stride_reads_the_zeros_that_the_file_reads(tmp_path, pads, side):
    kernel = np.random.default_rng(5).normal(0, 0.3, (3, 3, side, side))
    nodes = [
        helper.make_node("Conv", ["photo", "k"], ["a"], strides=[2, 2], pads=list(pads)),
        helper.make_node("Resize", ["a", "", "scales"], ["anime"], mode="nearest",
                         coordinate_transformation_mode="asymmetric"),
    ]  # fmt: skip
    path = save_model(tmp_path / "stride.onnx", nodes, {"k": kernel, "scales": [1, 1, 2, 2]})
    made, wanted = both(path, (24, 32))
    assert made.shape == wanted.shape
    assert np.abs(made - wanted).max() < 1e-5


def test_traced_it_takes_other_sizes():
    script = traced(network_of(read_source("shinkai")), (64, 96))
    assert script(torch.zeros(1, 3, 32, 20)).shape == (1, 3, 32, 20)


def test_levels_are_those_of_a_picture():
    assert Levels(torch.nn.Identity())(torch.tensor([-1.0, 0.0, 1.0])).tolist() == [0.0, 127.5, 255.0]


@pytest.mark.parametrize(
    "node",
    [
        helper.make_node("Sin", ["photo"], ["anime"]),
        helper.make_node("Conv", ["photo", "k"], ["anime"], auto_pad="SAME_UPPER"),
        helper.make_node("Conv", ["photo", "k"], ["anime"], dilations=[2, 2], pads=[2, 2, 2, 2]),
        helper.make_node("Resize", ["photo", "", "scales"], ["anime"], mode="cubic"),
        helper.make_node("Resize", ["photo", "", "scales"], ["anime"], coordinate_transformation_mode="align_corners"),
        helper.make_node("Slice", ["photo", "one", "end", "axes"], ["anime"]),
        helper.make_node("Add", ["photo", "one_float"], ["anime"]),
    ],
)  # fmt: skip
def test_an_operator_without_an_equal_is_named(tmp_path, node):
    constants = {"k": np.zeros((3, 3, 3, 3)), "scales": [1, 1, 1, 1], "one_float": [1.0]}
    path = save_model(
        tmp_path / "odd.onnx", [node], {key: value for key, value in constants.items() if key in node.input}
    )
    model = onnx.load(path)
    for name, value in {"one": [1], "end": [9], "axes": [2]}.items():
        if name in node.input:
            model.graph.initializer.append(onnx.numpy_helper.from_array(np.array(value, np.int64), name))
    onnx.save(model, path)
    with pytest.raises(
        FormatError, match=rf"odd.onnx: operator {node.op_type} .* the formats onnx and openvino"
    ) as told:
        network_of(read_source(path))
    assert "\n" not in str(told.value)


def test_what_is_no_model_of_ours_is_refused(tmp_path):
    (tmp_path / "none.onnx").write_bytes(b"nothing like it")
    with pytest.raises(ValueError, match=r"none\.onnx: ONNX Runtime cannot open it"):
        read_source(tmp_path / "none.onnx")
    with pytest.raises(FileNotFoundError):
        read_source("no-such-style")
    assert read_source(negative_model(tmp_path / "neg.onnx")).name == "neg"
