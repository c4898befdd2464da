"""Slices in an ONNX graph in two spellings: one of several axes at once, and one for each axis, one after the other.

An exporter writes the second, and an engine copies the map for each of them. Converters for other engines know it
better.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import onnx
from onnx import helper, numpy_helper

Constants = Mapping[str, np.ndarray]


class Cut(NamedTuple):
    """One axis of a slice, in steps of 1: the names of its start and its end, each one whole number in a vector."""

    axis: int
    start: str
    end: str


def join_slices(model: onnx.ModelProto) -> None:
    """Makes, in place, one Slice of each that follows others which cut along other axes."""
    graph = model.graph
    constants = {item.name: numpy_helper.to_array(item) for item in graph.initializer}
    found: dict[str, tuple[str, list[Cut]]] = {}  # by what a slice makes: the whole map, and all cuts since
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        cut = _cut(node, constants)
        whole, before = found.get(node.input[0], (node.input[0], [])) if cut else ("", [])
        if cut is None or cut.axis in {one.axis for one in before}:
            nodes.append(node)
            continue
        found[node.output[0]] = whole, [*before, cut]
        nodes.extend(_joined(graph, node, *found[node.output[0]], constants) if before else [node])
    _keep_used(graph, nodes)


def split_slices(model: onnx.ModelProto) -> None:
    """The way back, in place: a Slice for each axis of those that cut several, the last axis first."""
    graph = model.graph
    constants = {item.name: numpy_helper.to_array(item) for item in graph.initializer}
    makers = {name: node for node in graph.node for name in node.output}
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        cuts = _cuts(graph, node, constants, makers) if node.op_type == "Slice" and len(node.input) == 4 else []
        whole = node.input[0] if node.input else ""
        for cut in reversed(cuts):
            made = node.output[0] if cut is cuts[0] else f"{node.output[0]}.{cut.axis}"
            axis = f"{node.output[0]}.axis{cut.axis}"
            graph.initializer.append(numpy_helper.from_array(np.array([cut.axis], np.int64), axis))
            nodes.append(helper.make_node("Slice", [whole, cut.start, cut.end, axis], [made], name=made))
            whole = made
        if not cuts:
            nodes.append(node)
    _keep_used(graph, nodes)


def _cuts(
    graph: onnx.GraphProto, node: onnx.NodeProto, constants: Constants, makers: Mapping[str, onnx.NodeProto]
) -> list[Cut]:
    """What a slice of several axes cuts off, in order of its axes; nothing where the file does not tell."""
    axes = constants.get(node.input[3])
    if axes is None or len(axes) < 2 or axes.min() < 0:
        return []
    starts, ends = (_parts(graph, node.input[place], constants, makers) for place in (1, 2))
    if len(starts) != len(axes) or len(ends) != len(axes):
        return []
    return sorted(Cut(*parts) for parts in zip(axes.tolist(), starts, ends, strict=True))


def _parts(graph: onnx.GraphProto, name: str, constants: Constants, makers: Mapping[str, onnx.NodeProto]) -> list[str]:
    """The names of single whole numbers that make a vector; new constants go into the graph."""
    if name not in constants:
        maker = makers.get(name)
        return list(maker.input) if maker is not None and maker.op_type == "Concat" else []
    parts = [f"{name}.{place}" for place in range(len(constants[name]))]
    for part, value in zip(parts, constants[name], strict=True):
        graph.initializer.append(numpy_helper.from_array(value.reshape(1), part))
    return parts


def _cut(node: onnx.NodeProto, constants: Constants) -> Cut | None:
    """The axis, start and end of a slice along one axis in steps of 1; None of any other node."""
    if node.op_type != "Slice" or len(node.input) < 4:
        return None
    axes, steps = constants.get(node.input[3]), constants.get(node.input[4]) if len(node.input) > 4 else np.ones(1)
    if axes is None or steps is None or axes.shape != (1,) or axes[0] < 0 or steps.tolist() != [1]:
        return None
    return Cut(int(axes[0]), node.input[1], node.input[2])


def _joined(
    graph: onnx.GraphProto, node: onnx.NodeProto, whole: str, cuts: list[Cut], constants: Constants
) -> list[onnx.NodeProto]:
    """The nodes that cut `whole` as `node` and those before it do; constants go into the graph."""
    cuts, made, nodes = sorted(cuts), node.output[0], []
    ends = [("starts", [cut.start for cut in cuts]), ("ends", [cut.end for cut in cuts])]
    for part, names in ends:
        if all(name in constants for name in names):
            value = np.concatenate([constants[name] for name in names])
            graph.initializer.append(numpy_helper.from_array(value, f"{made}.{part}"))
        else:
            nodes.append(helper.make_node("Concat", names, [f"{made}.{part}"], axis=0))
    axes = np.array([cut.axis for cut in cuts], np.int64)
    graph.initializer.append(numpy_helper.from_array(axes, f"{made}.axes"))
    taken = [whole, *(f"{made}.{part}" for part in ("starts", "ends", "axes"))]
    return [*nodes, helper.make_node("Slice", taken, [made], name=node.name)]


def _keep_used(graph: onnx.GraphProto, nodes: list[onnx.NodeProto]) -> None:
    """The graph of these nodes, without slices, their sides and constants that nothing takes."""
    used, kept = {end.name for end in graph.output}, []
    for node in reversed(nodes):
        if node.op_type not in ("Slice", "Concat") or node.output[0] in used:
            kept.append(node)
            used.update(node.input)
    del graph.node[:]
    graph.node.extend(reversed(kept))
    for tensor in [tensor for tensor in graph.initializer if tensor.name not in used]:
        graph.initializer.remove(tensor)
