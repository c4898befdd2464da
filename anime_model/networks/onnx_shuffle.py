"""The pixel shuffle of an ONNX graph in two spellings: DepthToSpace, and a transposed convolution that makes the same.

ONNX Runtime's DepthToSpace moves single values in one thread. A transposed convolution with a kernel of ones and zeros
moves them in a matrix product, a small one for each colour, up to several times as fast, and gives the same values.
Converters for other engines, and quantizers, know DepthToSpace better.
"""

from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper


def use_transposed_convolutions(model: onnx.ModelProto) -> None:
    """Replaces, in place, each DepthToSpace (mode CRD) of what a convolution makes, in floats.

    One of a map in 8 bits stays: engines move that map as it is.
    """
    graph = model.graph
    makers = {name: node for node in graph.node for name in node.output}
    constants = {item.name: item for item in graph.initializer}
    for place, node in enumerate(graph.node):
        if node.op_type != "DepthToSpace" or _attributes(node).get("mode") != b"CRD":
            continue
        factor, channels = _attributes(node)["blocksize"], _channels(node.input[0], makers, constants)
        if channels is None:
            continue
        name, groups = f"{node.output[0]}.kernel", channels // factor**2
        graph.initializer.append(numpy_helper.from_array(shuffling_kernel(channels, factor, groups), name))
        replaced = helper.make_node(
            "ConvTranspose",
            [node.input[0], name],
            list(node.output),
            name=node.name,
            strides=[factor, factor],
            group=groups,
        )
        graph.node[place].CopyFrom(replaced)


def use_depth_to_space(model: onnx.ModelProto) -> None:
    """The way back, in place: each such transposed convolution as the DepthToSpace that it stands for."""
    graph = model.graph
    constants = {item.name: item for item in graph.initializer}
    for place, node in enumerate(graph.node):
        if node.op_type != "ConvTranspose" or len(node.input) != 2 or node.input[1] not in constants:
            continue
        kernel = constants[node.input[1]]
        factor = shuffling_factor(numpy_helper.to_array(kernel), _attributes(node))
        if factor:
            graph.node[place].CopyFrom(
                helper.make_node(
                    "DepthToSpace", [node.input[0]], list(node.output), name=node.name, blocksize=factor, mode="CRD"
                )
            )
            graph.initializer.remove(kernel)


def shuffling_kernel(channels: int, factor: int, groups: int) -> np.ndarray:
    """float32 [channels, channels / factor**2 / groups, factor, factor], which takes channel c * factor**2 + i * factor
    + j of a place to channel c at (i, j) of its square; a group of channels at a time."""
    together = channels // groups
    one = np.eye(together, dtype=np.float32).reshape(together, together // factor**2, factor, factor)
    return np.tile(one, (groups, 1, 1, 1))


def shuffling_factor(kernel: np.ndarray, attributes: dict[str, Any]) -> int:
    """By how much a transposed convolution with this kernel and these attributes shuffles; 0 where it does not."""
    channels, outputs, factor, width = kernel.shape if kernel.ndim == 4 else (0, 0, 0, 1)
    groups = attributes.get("group", 1)
    plain = attributes.get("strides") == [factor, factor] and not {*attributes} - {"strides", "kernel_shape", "group"}
    if not plain or factor != width or channels != outputs * groups * factor**2:
        return 0
    return factor if np.array_equal(kernel, shuffling_kernel(channels, factor, groups)) else 0


def _channels(name: str, makers: dict[str, onnx.NodeProto], constants: dict[str, onnx.TensorProto]) -> int | None:
    """How many channels a map has: those of the convolution behind it. None where it is another node's."""
    maker = makers.get(name)
    while maker is not None and maker.op_type in ("Add", "Relu"):
        maker = makers.get(maker.input[0])
    return _outputs(maker.input[1], makers, constants) if maker is not None and maker.op_type == "Conv" else None


def _outputs(weight: str, makers: dict[str, onnx.NodeProto], constants: dict[str, onnx.TensorProto]) -> int | None:
    """The first side of a kernel, which may be unfolded from 8 bits by nodes (`pack_weights`)."""
    while weight not in constants:
        if weight not in makers:
            return None
        weight = makers[weight].input[0]
    return constants[weight].dims[0]


def _attributes(node: onnx.NodeProto) -> dict[str, Any]:
    return {item.name: helper.get_attribute_value(item) for item in node.attribute}
