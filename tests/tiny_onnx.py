"""Models of a few nodes, as the exporter's files look from outside."""

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

PIXELS = ["N", 3, "H", "W"]


def save_model(
    path: Path, nodes: list, constants: dict, metadata: dict[str, str] | None = None, opset: int = 17
) -> Path:
    """`constants`: the initializers by name, numbers or arrays."""
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, PIXELS) for name in ("photo", "anime")]
    values = [numpy_helper.from_array(np.asarray(value, np.float32), name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "tiny", ends[:1], ends[1:], values)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)
    helper.set_model_props(model, metadata or {})
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, path)
    return path


def identity_model(path: Path, **metadata: str) -> Path:
    return save_model(path, [helper.make_node("Identity", ["photo"], ["anime"])], {}, metadata)


def negative_model(path: Path, **metadata: str) -> Path:
    """Every level v becomes 255 - v."""
    return save_model(path, [helper.make_node("Neg", ["photo"], ["anime"])], {}, metadata)


def reaching_model(path: Path, say: bool = True) -> Path:
    """Halves the picture twice with 3x3 convolutions that see neighbours, and enlarges it again: reaches 14 pixels."""
    kernels = np.random.default_rng(0).normal(0, 0.4, (3, 3, 3, 3, 3))
    halve = {"strides": [2, 2], "pads": [1, 1, 1, 1]}
    nodes = [
        helper.make_node("Conv", ["photo", "k0"], ["a"], **halve),
        helper.make_node("Conv", ["a", "k1"], ["b"], **halve),
        helper.make_node("Conv", ["b", "k2"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("Resize", ["c", "", "scales"], ["d"], mode="linear"),
        helper.make_node("Tanh", ["d"], ["anime"]),
    ]
    constants = {f"k{index}": kernel for index, kernel in enumerate(kernels)} | {"scales": [1, 1, 4, 4]}
    return save_model(path, nodes, constants, {"receptive_radius": "14"} if say else {})


def foreign_model(
    path: Path,
    nodes: list,
    constants: dict | None = None,
    shape: tuple = (1, "h", "w", 3),
    out: tuple | None = None,
    kinds: tuple[int, int] = (TensorProto.FLOAT, TensorProto.FLOAT),
    **metadata: str,
) -> Path:
    """A network as others publish them, from `x` to `y`. Constants that are arrays keep their kind of number."""
    ends = (("x", kinds[0], shape), ("y", kinds[1], out or shape))
    x, y = (helper.make_tensor_value_info(name, kind, dims) for name, kind, dims in ends)
    arrays = {name: np.asarray(value) for name, value in (constants or {}).items()}
    values = [
        numpy_helper.from_array(array.astype(np.float32) if array.dtype == np.float64 else array, name)
        for name, array in arrays.items()
    ]
    domains = sorted({node.domain for node in nodes} - {""})
    opsets = [helper.make_opsetid("", 17), *(helper.make_opsetid(domain, 1) for domain in domains)]
    graph = helper.make_graph(nodes, "foreign", [x], [y], values)
    model = helper.make_model(graph, opset_imports=opsets, ir_version=9)
    helper.set_model_props(model, metadata)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, path)
    return path


def shipped(folder: Path, *names: str) -> Path:
    """A weights folder with styles that change nothing, with cards."""
    for name in names:
        card = json.dumps({"style": name, "parameters": 0, "fid": 1.5, "cpu": "none"})
        identity_model(folder / f"{name}.onnx", receptive_radius="0", card=card)
    return folder
