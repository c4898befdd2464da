"""A model that ships, as converters want it: float32 throughout, nothing computed from constants, ends checked."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from anime_model.exporting.order import FormatError
from anime_model.runtime.models import find_model
from anime_model.runtime.session import first_line, open_session


@dataclass(frozen=True)
class Source:
    """`model` is an `onnx.ModelProto` whose 8-bit weights are unfolded: what the file at `path` computes, but for the
    rounding of its INT8 layers' maps. Each format rounds in its own way, or not at all. A pixel shuffle is a
    DepthToSpace and a slice has one axis, whichever way the file spells them."""

    path: Path
    model: object

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def operators(self) -> Counter[str]:
        return Counter(node.op_type for node in self.model.graph.node)


def read_source(model: str | Path) -> Source:
    """A style that ships, an ONNX file of this project, or a registered model.

    Raises `FileNotFoundError`, `ModelError`, `FormatError`.
    """
    import onnx

    from anime_model.networks.onnx_spelling import spell_for_converters

    path = find_model(model)
    open_session(path, 1)  # says in one line what is no model of ours
    try:
        read = _without_rounding(_unfolded(onnx.load(path)))
        spell_for_converters(read)
        return Source(path, read)
    except Exception as error:  # onnx raises whatever its parsers raise
        raise FormatError(f"{path}: cannot be read ({first_line(error)})") from error


def _unfolded(model):
    """The same network; what its nodes make of constants alone is computed here, once."""
    from onnx import numpy_helper
    from onnx.reference import ReferenceEvaluator

    graph = model.graph
    known = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    left = []
    for node in graph.node:
        if node.op_type == "Constant" or (node.input and all(name in known or not name for name in node.input)):
            made = ReferenceEvaluator(node, opsets={item.domain: item.version for item in model.opset_import})
            found = made.run(None, {name: known[name] for name in node.input if name})
            known |= dict(zip(node.output, map(np.asarray, found), strict=True))
        else:
            left.append(node)
    return _of(model, left, [numpy_helper.from_array(value, name) for name, value in known.items()])


def _without_rounding(model):
    """The same network without the pairs of QuantizeLinear and DequantizeLinear that its maps go through.

    A pair whose zero is its smallest whole number also cuts off what is negative, in place of the Relu that quantizers
    leave out: there it becomes that Relu.
    """
    from onnx import helper, numpy_helper

    graph = model.graph
    rounded = {node.output[0]: node for node in graph.node if node.op_type == "QuantizeLinear"}
    if any(name in rounded for node in graph.node if node.op_type != "DequantizeLinear" for name in node.input):
        return model  # computed in whole numbers between the pairs: converters say what they cannot
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    positive = {node.output[0] for node in graph.node if node.op_type == "Relu"}
    ends = {end.name for end in graph.output}
    left, renamed = [], {}
    for node in graph.node:
        for place, name in enumerate(node.input):
            node.input[place] = renamed.get(name, name)
        if node.op_type == "DequantizeLinear" and node.input[0] in rounded:
            given, _, *zero = rounded[node.input[0]].input
            cuts = given not in positive and _is_least(constants[zero[0]] if zero else np.uint8(0))
            if cuts or node.output[0] in ends:
                left.append(helper.make_node("Relu" if cuts else "Identity", [given], [node.output[0]]))
            else:
                renamed[node.output[0]] = given
        elif node.op_type != "QuantizeLinear":
            left.append(node)
    return _of(model, left, list(graph.initializer))


def _is_least(zero: np.ndarray) -> bool:
    """Whether a pair's zero is the smallest number of its kind, so that nothing negative is left."""
    return bool((zero == np.iinfo(zero.dtype).min).all())


def _of(model, nodes: list, constants: list):
    """The model with these nodes, and those of the constants that they read."""
    graph = model.graph
    used = {name for node in nodes for name in node.input} | {end.name for end in graph.output}
    del graph.node[:], graph.initializer[:], graph.value_info[:]
    graph.node.extend(nodes)
    graph.initializer.extend(tensor for tensor in constants if tensor.name in used)
    return model


def named_nodes(model) -> None:
    """Gives every node a name of its own, which quantization finds nodes by."""
    for number, node in enumerate(model.graph.node):
        node.name = f"{node.op_type}_{number}"
