"""A network small enough to count by hand, as the ONNX file that an export makes."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

PARAMETERS = 8 * 3 * 9 + 8 + 3 * 8 * 9 + 3
MACS_PER_PIXEL = 8 * 3 * 9 / 4 + 3 * 8 * 9  # the first convolution halves both sides


def tiny_onnx(path: Path, *, seed: int = 0, int8: bool = False) -> Path:
    """photo [1, 3, H, W] to anime of the same shape; two convolutions, the weights of the first in INT8 if asked."""
    draw = np.random.default_rng(seed)
    shapes = {"w0": (8, 3, 3, 3), "b0": (8,), "w1": (3, 8, 3, 3), "b1": (3,)}
    values = {name: draw.normal(0, 0.2, shape).astype(np.float32) for name, shape in shapes.items()}
    values["scales"] = np.array([1, 1, 2, 2], np.float32)
    nodes = [
        helper.make_node("Conv", ["photo", "w0" + "_float" * int8, "b0"], ["c0"], pads=[1] * 4, strides=[2, 2]),
        helper.make_node("Resize", ["c0", "", "scales"], ["r0"], mode="nearest"),
        helper.make_node("Conv", ["r0", "w1", "b1"], ["c1"], pads=[1] * 4),
        helper.make_node("Tanh", ["c1"], ["anime"]),
    ]
    if int8:
        values["step"] = np.float32(values["w0"].std() / 40) * np.ones(8, np.float32)
        values["zero"] = np.zeros(8, np.int8)
        values["w0"] = (values["w0"] / values["step"][0]).round().clip(-127, 127).astype(np.int8)
        nodes.insert(0, helper.make_node("DequantizeLinear", ["w0", "step", "zero"], ["w0_float"], axis=0))
    tensors = [numpy_helper.from_array(np.asarray(value), name) for name, value in values.items()]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, "H", "W"]) for name in ("photo", "anime")]
    model = helper.make_model(
        helper.make_graph(nodes, "tiny", ends[:1], ends[1:], tensors), opset_imports=[helper.make_opsetid("", 18)]
    )
    model.ir_version = 10
    onnx.save(model, path)
    return path


def identity_onnx(path: Path) -> Path:
    """A network that changes nothing."""
    return _save([helper.make_node("Identity", ["photo"], ["anime"])], [1, 3, "H", "W"], path)


def nhwc_onnx(path: Path) -> Path:
    """A negative of a picture whose channels come last, as in published networks."""
    return _save([helper.make_node("Neg", ["photo"], ["anime"])], [1, "H", "W", 3], path)


def _save(nodes: list, shape: list, path: Path) -> Path:
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("photo", "anime")]
    graph = helper.make_graph(nodes, "tiny", ends[:1], ends[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 10
    onnx.save(model, path)
    return path
