"""A pixel shuffle in ONNX's two spellings: the same picture, there and back."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from anime_model.networks.onnx_shuffle import (
    shuffling_factor,
    shuffling_kernel,
    use_depth_to_space,
    use_transposed_convolutions,
)

WEIGHTS = Path(__file__).parents[2] / "anime_model/weights"


def network(factor: int, mode: str = "CRD", before: str = "Conv") -> onnx.ModelProto:
    """A convolution, an operator after it, a shuffle."""
    channels = 3 * factor**2
    kernel = np.random.default_rng(2).normal(size=(channels, 3, 3, 3)).astype(np.float32)
    nodes = [helper.make_node("Conv", ["photo", "kernel"], ["map"], pads=[1, 1, 1, 1])]
    constants = [numpy_helper.from_array(kernel, "kernel")]
    if before == "DequantizeLinear":
        constants += [
            numpy_helper.from_array(np.array(0.1, np.float32), "scale"),
            numpy_helper.from_array(np.array(7, np.uint8), "zero"),
        ]
        nodes.append(helper.make_node("QuantizeLinear", ["map", "scale", "zero"], ["whole"]))
        nodes.append(helper.make_node("DequantizeLinear", ["whole", "scale", "zero"], ["last"]))
    elif before != "Conv":
        nodes.append(helper.make_node(before, ["map"], ["last"]))
    nodes.append(helper.make_node("DepthToSpace", [nodes[-1].output[0]], ["anime"], blocksize=factor, mode=mode))
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, None, None]) for name in ("photo", "anime")]
    graph = helper.make_graph(nodes, "shuffle", ends[:1], ends[1:], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def picture(model: onnx.ModelProto, height: int, width: int) -> np.ndarray:
    photo = np.random.default_rng(1).uniform(-1, 1, (1, 3, height, width)).astype(np.float32)
    return onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"photo": photo})[0]


def operators(model: onnx.ModelProto) -> list[str]:
    return [node.op_type for node in model.graph.node]


@pytest.mark.parametrize("factor", [2, 3])
@pytest.mark.parametrize("before", ["Conv", "Relu"])
def test_both_spellings_make_the_same_picture_at_any_size(factor: int, before: str):
    model = network(factor, before=before)
    plain = [picture(model, *size) for size in ((8, 8), (5, 13))]
    given = operators(model)
    use_transposed_convolutions(model)
    onnx.checker.check_model(model, full_check=True)
    assert operators(model) == [*given[:-1], "ConvTranspose"]
    for made, size in zip(plain, ((8, 8), (5, 13)), strict=True):
        np.testing.assert_array_equal(picture(model, *size), made)
    use_depth_to_space(model)
    onnx.checker.check_model(model, full_check=True)
    assert operators(model) == given
    assert [item.name for item in model.graph.initializer] == ["kernel"]
    np.testing.assert_array_equal(picture(model, 5, 13), plain[1])


@pytest.mark.parametrize(
    "model",
    [
        pytest.param(network(2, mode="DCR"), id="channels in another order"),
        pytest.param(network(2, before="DequantizeLinear"), id="a map in 8 bits"),
        pytest.param(network(2, before="Sigmoid"), id="channels that nothing tells"),
    ],
)
def test_what_it_does_not_know_stays(model: onnx.ModelProto):
    before = model.SerializeToString()
    use_transposed_convolutions(model)
    assert model.SerializeToString() == before


def test_a_transposed_convolution_that_computes_stays():
    model = network(2)
    use_transposed_convolutions(model)
    kernel = next(item for item in model.graph.initializer if item.name != "kernel")
    values = numpy_helper.to_array(kernel).copy()
    values[3, 0, 1, 1] = 0.5  # of the last channel of the first group
    kernel.CopyFrom(numpy_helper.from_array(values, kernel.name))
    before = model.SerializeToString()
    use_depth_to_space(model)
    assert model.SerializeToString() == before


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({}, 2),
        ({"strides": [1, 1]}, 0),
        ({"pads": [1, 1, 1, 1]}, 0),
        ({"group": 3}, 0),
        ({"group": 1}, 2),
        ({"kernel_shape": [2, 2]}, 2),
    ],
)
def test_only_a_plain_step_as_wide_as_the_kernel_shuffles(change: dict, found: int):
    assert shuffling_factor(shuffling_kernel(12, 2, 1), {"strides": [2, 2]} | change) == found


@pytest.mark.parametrize(("groups", "found"), [(3, 2), (1, 0), (6, 0)])
def test_a_kernel_of_groups_shuffles_in_as_many(groups: int, found: int):
    assert shuffling_factor(shuffling_kernel(12, 2, 3), {"strides": [2, 2], "group": groups}) == found


def test_a_file_without_groups_is_known_too():
    model = network(2)
    given = model.SerializeToString()
    use_transposed_convolutions(model)
    node, kernel = model.graph.node[-1], model.graph.initializer[-1]
    kernel.CopyFrom(numpy_helper.from_array(shuffling_kernel(12, 2, 1), kernel.name))
    node.attribute.remove(next(item for item in node.attribute if item.name == "group"))
    made = picture(model, 5, 13)
    use_depth_to_space(model)
    np.testing.assert_array_equal(picture(model, 5, 13), made)
    assert operators(model) == operators(onnx.ModelProto.FromString(given))


@pytest.mark.parametrize("file", sorted(WEIGHTS.glob("*.onnx")), ids=lambda file: file.stem)
def test_what_ships_is_spelled_as_onnx_runtime_is_fast_at(file: Path):
    assert "DepthToSpace" not in operators(onnx.load(file))
