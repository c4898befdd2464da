"""A network with all that the released ones have, but no width a multiple of 4: for tests of the page's kernels."""

import numpy as np
from onnx import NodeProto, TensorProto, helper, numpy_helper

SAME, HALVED = (1, 1, 1, 1), (0, 0, 2, 2)  # padding of depthwise layers


def narrow_model() -> bytes:
    """The file of a network of noise: 16 channels at the end, as every network has, 5 to 18 before."""
    graph = Graph()
    node, conv, rounded, separable = graph.node, graph.conv, graph.rounded, graph.separable
    half = separable(node("Relu", conv("photo", (5, 3, 5, 5), stride=2, pads=(1, 1, 3, 3))), 5, 13)
    entry = rounded(separable(half, 13, 11, stride=2), 0.02, 0)
    wide = rounded(conv(entry, (18, 11, 1, 1), entry=0.02), 0.015, 0)
    deep = rounded(conv(wide, (18, 1, 3, 3), pads=SAME, entry=0.015), 0.015, 0)
    same = rounded(conv(deep, (11, 18, 1, 1), entry=0.015), 0.025, 120)
    total = rounded(node("Add", entry, same), 0.03, 100)
    last = rounded(conv(total, (11, 11, 1, 1), entry=0.03), 0.03, 125)
    quarter = separable(node("Add", total, last), 11, 7)
    scales = graph.constant(np.array([1, 1, 2, 2], np.float32))
    double = node("Resize", quarter, "", scales, mode="linear", coordinate_transformation_mode="half_pixel")
    made = node("DepthToSpace", conv(separable(double, 7, 6), (16, 6, 1, 1)), blocksize=2, mode="CRD")
    graph.gated(made)
    return graph.model()


class Graph:
    """Nodes and constants as they come; every method returns the name of what it made."""

    def __init__(self) -> None:
        self.random = np.random.default_rng(3)
        self.nodes: list[NodeProto] = []
        self.weights: list[TensorProto] = []

    def constant(self, value: np.ndarray) -> str:
        self.weights.append(numpy_helper.from_array(value, f"constant{len(self.weights)}"))
        return self.weights[-1].name

    def node(self, operator: str, *inputs: str, **attributes) -> str:
        self.nodes.append(helper.make_node(operator, inputs, [f"value{len(self.nodes)}"], **attributes))
        return self.nodes[-1].output[0]

    def rounded(self, name: str, scale: float, zero: int) -> str:
        grid = self.constant(np.array(scale, np.float32)), self.constant(np.array(zero, np.uint8))
        return self.node("DequantizeLinear", self.node("QuantizeLinear", name, *grid), *grid)

    def conv(self, name: str, shape: tuple[int, ...], stride: int = 1, pads=(0, 0, 0, 0), entry: float = 0) -> str:
        """`entry` is the scale of an input of 8 bits, whose layer has weights and bias of integers."""
        kernel = self.random.normal(0, 1.2 / np.sqrt(np.prod(shape[1:])), shape).astype(np.float32)
        bias = self.random.normal(0, 0.1, shape[0]).astype(np.float32)
        scale = np.abs(kernel).max(axis=(1, 2, 3)) / 127
        whole = self.constant(np.rint(kernel / scale[:, None, None, None]).astype(np.int8))
        if entry:
            steps = (entry * scale).astype(np.float32)
            weight = self.node("DequantizeLinear", whole, self.constant(scale), axis=0)
            whole_bias = self.constant(np.rint(bias / steps).astype(np.int32))
            summand = self.node("DequantizeLinear", whole_bias, self.constant(steps), axis=0)
        else:
            floats = self.node("Cast", whole, to=TensorProto.FLOAT)
            weight = self.node("Mul", floats, self.constant(scale[:, None, None, None]))
            summand = self.constant(bias)
        attributes = {"strides": [stride] * 2, "pads": pads, "kernel_shape": shape[2:]}
        return self.node("Conv", name, weight, summand, group=shape[0] if shape[1] == 1 else 1, **attributes)

    def separable(self, name: str, before: int, after: int, stride: int = 1) -> str:
        deep = self.conv(name, (before, 1, 3, 3), stride, SAME if stride == 1 else HALVED)
        return self.node("Relu", self.conv(deep, (after, before, 1, 1)))

    def gated(self, made: str) -> str:
        """Cut to the photo's size, three colours + the fourth channel * the photo, tanh."""
        zero, one, three, end = (self.constant(np.array([number])) for number in (0, 1, 3, 2**63 - 1))
        for axis in (2, 3):
            length = self.node("Shape", "photo", start=axis, end=axis + 1)
            made = self.node("Slice", made, zero, length, self.constant(np.array([axis])), one)
        gate = self.node("Mul", self.node("Slice", made, three, end, one, one), "photo")
        return self.node("Tanh", self.node("Add", self.node("Slice", made, zero, three, one, one), gate))

    def model(self) -> bytes:
        """The file; what was made last is the picture."""
        shape = [1, 3, "height", "width"]
        ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("photo", "anime")]
        self.nodes[-1].output[0] = "anime"
        graph = helper.make_graph(self.nodes, "narrow", ends[:1], ends[1:], self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
        return model.SerializeToString()
