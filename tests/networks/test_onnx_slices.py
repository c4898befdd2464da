"""Slices of one axis each, and of several at once: the same picture, there and back."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from anime_model.networks.onnx_slices import join_slices, split_slices

VECTORS = {"zero": [0], "one": [1], "two": [2], "three": [3], "minus": [-1], "all": [2**63 - 1], "long": [40]}


def network(*slices: tuple[str, ...], anime: str = "mask") -> onnx.ModelProto:
    """`half` has half the photo's height, in a vector of its own; slices as (input, start, end, axis, step, output)."""
    nodes = [
        helper.make_node("Shape", ["photo"], ["height"], start=2, end=3),
        helper.make_node("Div", ["height", "two"], ["half"]),
        *(helper.make_node("Slice", list(one[:-1]), [one[-1]], name=one[-1]) for one in slices),
    ]
    constants = [numpy_helper.from_array(np.array(value, np.int64), name) for name, value in VECTORS.items()]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, None, None, None]) for name in ("photo", anime)]
    graph = helper.make_graph(nodes, "slices", ends[:1], ends[1:], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


CROP = ("photo", "zero", "half", "two", "one", "low"), ("low", "two", "long", "three", "one", "crop")
MASK = "crop", "three", "all", "one", "one", "mask"


def picture(model: onnx.ModelProto, height: int = 9, width: int = 13) -> np.ndarray:
    photo = np.random.default_rng(1).uniform(-1, 1, (1, 4, height, width)).astype(np.float32)
    return onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"photo": photo})[0]


def outputs(model: onnx.ModelProto) -> list[str]:
    return [node.output[0] for node in model.graph.node if node.op_type == "Slice"]


def test_slices_of_slices_become_one_and_more_again():
    model = network(*CROP, MASK)
    made = picture(model)
    assert made.shape == (1, 1, 4, 11)
    join_slices(model)
    onnx.checker.check_model(model, full_check=True)
    assert outputs(model) == ["mask"]
    np.testing.assert_array_equal(picture(model), made)
    join_slices(model)
    assert outputs(model) == ["mask"]
    split_slices(model)
    onnx.checker.check_model(model, full_check=True)
    assert outputs(model) == ["mask.3", "mask.2", "mask"]
    assert "Concat" not in {node.op_type for node in model.graph.node}
    np.testing.assert_array_equal(picture(model), made)
    join_slices(model)
    np.testing.assert_array_equal(picture(model, 20, 8), picture(network(*CROP, MASK), 20, 8))


def test_what_another_node_takes_stays():
    model = network(*CROP, MASK, anime="low")
    join_slices(model)
    assert outputs(model) == ["low"]
    model = network(*CROP, MASK)
    model.graph.node.append(helper.make_node("Relu", ["crop"], ["crop_relu"]))
    made = picture(model)
    join_slices(model)
    assert outputs(model) == ["crop", "mask"]
    np.testing.assert_array_equal(picture(model), made)


@pytest.mark.parametrize(
    "second",
    [
        pytest.param(("low", "one", "long", "two", "one", "mask"), id="the same axis again"),
        pytest.param(("low", "zero", "long", "three", "two", "mask"), id="steps of two"),
        pytest.param(("low", "zero", "long", "minus", "one", "mask"), id="an axis from the end"),
        pytest.param(("low", "zero", "long", "half", "one", "mask"), id="an axis that is computed"),
    ],
)
def test_what_it_cannot_join_stays(second: tuple[str, ...]):
    model = network(CROP[0], second)
    nodes = [node.SerializeToString() for node in model.graph.node]
    join_slices(model)
    assert [node.SerializeToString() for node in model.graph.node] == nodes
