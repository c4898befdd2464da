"""The network of an ONNX file in PyTorch: equal to the file on what it takes, a clear line on what it does not."""

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import helper

from anime_model.exporting.network import Levels, network_of, traced
from anime_model.exporting.order import FormatError
from anime_model.exporting.source import read_source
from tests.exporting.conftest import SHIPPED
from tests.tiny_onnx import negative_model, reaching_model, save_model


def both(path, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    photo = np.random.default_rng(0).uniform(-1, 1, (1, 3, *size)).astype(np.float32)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return network_of(read_source(path))(torch.from_numpy(photo)).numpy(), session.run(None, {"photo": photo})[0]


@pytest.mark.parametrize("size", [(64, 64), (32, 60), (20, 8)])
def test_it_computes_what_the_file_computes(tmp_path, size):
    for path in (reaching_model(tmp_path / "tiny.onnx"), SHIPPED):
        made, wanted = both(path, size)
        assert np.abs(made - wanted).max() < 1e-4


def test_constants_are_unfolded_and_nothing_else_is_lost():
    source = read_source("shinkai")
    assert not {"Cast", "Mul", "DequantizeLinear"} & set(source.operators)
    assert source.operators["Conv"] == 35
    photo = np.random.default_rng(1).uniform(-1, 1, (1, 3, 61, 83)).astype(np.float32)
    sessions = [
        onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
        for file in (source.model.SerializeToString(), SHIPPED)
    ]
    made, wanted = (session.run(None, {"photo": photo})[0] for session in sessions)
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
