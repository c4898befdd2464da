"""The same graph in ONNX Runtime and in PyTorch makes the same pictures."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from anime_model.networks.onnx_network import OnnxNetwork, OnnxNetworkError

TEACHERS = Path(__file__).parents[3] / "shared/teachers"


def save(path: Path, nodes: list, constants: dict[str, np.ndarray]) -> Path:
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, "h", "w", 3]) for name in ("photo", "anime")]
    values = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "tiny", ends[:1], ends[1:], values)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=9), path)
    return path


def published_like(path: Path) -> Path:
    """Channels last, reflected borders, halved, a norm over the picture whose means are reshaped, doubled again."""
    draw = np.random.default_rng(0)
    constants = {
        "border": np.array([0, 1, 1, 0, 0, 1, 1, 0]),
        "down": draw.normal(0, 0.3, (4, 3, 3, 3)).astype(np.float32),
        "bias": draw.normal(0, 0.3, 4).astype(np.float32),
        "up": draw.normal(0, 0.3, (3, 4, 1, 1)).astype(np.float32),
        "shape": np.array([1, 4, 1, 1]),
        "small": np.array(1e-3, np.float32),
        "empty": np.array([], np.float32),
        "twice": np.array([1, 1, 2, 2], np.float32),
        "first": np.array([0]),
        "two": np.array([2]),
        "doubled": np.array([2, 2]),
    }
    nodes = [
        helper.make_node("Pad", ["photo", "border"], ["padded"], mode="reflect"),
        helper.make_node("Transpose", ["padded"], ["turned"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["turned", "down", "bias"], ["half"], strides=[2, 2], kernel_shape=[3, 3]),
        helper.make_node("GlobalAveragePool", ["half"], ["pooled"]),
        helper.make_node("Reshape", ["pooled", "shape"], ["mean"]),
        helper.make_node("Sub", ["half", "mean"], ["apart"]),
        helper.make_node("Mul", ["apart", "apart"], ["square"]),
        helper.make_node("GlobalAveragePool", ["square"], ["variance"]),
        helper.make_node("Add", ["variance", "small"], ["safe"]),
        helper.make_node("Sqrt", ["safe"], ["deviation"]),
        helper.make_node("Div", ["apart", "deviation"], ["normal"]),
        helper.make_node("LeakyRelu", ["normal"], ["active"], alpha=0.2),
        helper.make_node(
            "Resize",
            ["active", "empty", "twice"],
            ["large"],
            mode="linear",
            coordinate_transformation_mode="asymmetric",
        ),
        helper.make_node("Conv", ["large", "up"], ["colours"], strides=[1, 1], kernel_shape=[1, 1]),
        helper.make_node("Tanh", ["colours"], ["squeezed"]),
        helper.make_node("Transpose", ["squeezed"], ["anime"], perm=[0, 2, 3, 1]),
    ]
    used = {name for node in nodes for name in node.input}
    return save(path, nodes, {name: value for name, value in constants.items() if name in used})


def assert_as_onnx_runtime(path: Path, size: tuple[int, int], tolerance: float) -> None:
    photos = torch.rand(3, 3, *size) * 2 - 1
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    entry = session.get_inputs()[0].name
    wanted = [session.run(None, {entry: photo.permute(1, 2, 0)[None].numpy()})[0][0] for photo in photos]
    with torch.no_grad():
        made = OnnxNetwork(path)(photos).permute(0, 2, 3, 1).numpy()
    np.testing.assert_allclose(made, np.stack(wanted), atol=tolerance)


def test_a_batch_is_drawn_as_picture_after_picture(tmp_path: Path):
    assert_as_onnx_runtime(published_like(tmp_path / "net.onnx"), (16, 24), 1e-5)


@pytest.mark.skipif(not TEACHERS.is_dir(), reason="published networks are not here")
@pytest.mark.parametrize("style", ["hayao", "shinkai", "cute"])
def test_published_networks(style: str):
    assert_as_onnx_runtime(TEACHERS / f"{style}.onnx", (48, 64), 1e-3)


def test_an_unknown_operator_is_named(tmp_path: Path):
    path = save(tmp_path / "odd.onnx", [helper.make_node("Erf", ["photo"], ["anime"])], {})
    with pytest.raises(OnnxNetworkError, match=r"odd\.onnx: Erf cannot run"):
        OnnxNetwork(path)


def test_another_padding_is_refused(tmp_path: Path):
    pads = {"border": np.array([0, 1, 1, 0, 0, 1, 1, 0])}
    path = save(tmp_path / "net.onnx", [helper.make_node("Pad", ["photo", "border"], ["anime"])], pads)
    with pytest.raises(OnnxNetworkError, match="constant"):
        OnnxNetwork(path)(torch.zeros(1, 3, 8, 8))


@pytest.mark.parametrize(
    ("attributes", "weight", "bias"),
    [
        pytest.param({"pads": [1] * 4}, (1, 3, 3, 3), 0.7, id="a bias of one value"),
        pytest.param({"pads": [2] * 4, "dilations": [2, 2]}, (3, 3, 3, 3), 0.7, id="dilations"),
        pytest.param({}, (3, 3, 1, 1), None, id="no attributes at all"),
    ],
)
def test_a_convolution_is_that_of_the_operator(tmp_path: Path, attributes: dict, weight: tuple[int, ...], bias):
    constants = {"weight": np.random.default_rng(0).normal(size=weight).astype(np.float32)}
    constants |= {"bias": np.full(weight[0], bias, np.float32)} if bias is not None else {}
    nodes = [
        helper.make_node("Transpose", ["photo"], ["first"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["first", *constants], ["made"], **attributes),
        helper.make_node("Transpose", ["made"], ["anime"], perm=[0, 2, 3, 1]),
    ]
    assert_as_onnx_runtime(save(tmp_path / "net.onnx", nodes, constants), (8, 10), 1e-5)


def test_what_pads_itself_is_refused(tmp_path: Path):
    nodes = [
        helper.make_node("Transpose", ["photo"], ["first"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["first", "weight"], ["anime"], auto_pad="SAME_UPPER"),
    ]
    path = save(tmp_path / "net.onnx", nodes, {"weight": np.ones((3, 3, 3, 3), np.float32)})
    with pytest.raises(OnnxNetworkError, match="a convolution that is padded by itself"):
        OnnxNetwork(path)(torch.zeros(1, 3, 8, 8))
