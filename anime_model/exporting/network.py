"""The network of an ONNX file in PyTorch: what the converters that start from PyTorch are given.

It takes multiples of 4: the file's steps that cut odd sizes off do nothing there and are left out.
"""

import warnings
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from anime_model.exporting.order import FormatError
from anime_model.exporting.source import Source

Attributes = dict[str, object]


class Network(nn.Module):
    """float32 [1, 3, H, W] in [-1, 1] to the same. Raises `FormatError` for an operator that it has no equal of."""

    def __init__(self, source: Source) -> None:
        from onnx import numpy_helper

        super().__init__()
        constants = {
            item.name: torch.from_numpy(numpy_helper.to_array(item).copy()) for item in source.model.graph.initializer
        }
        self.steps, self.aliases = [], {}
        for node in source.model.graph.node:
            if node.op_type == "Slice" and not _of_channels(node, constants):
                self._leave_out(source, node, constants)
            elif node.op_type != "Shape":
                self.steps.append(_step(source, node, constants))
        for number, (_, _, weights, _) in enumerate(self.steps):
            for place, weight in enumerate(weights):
                self.register_buffer(f"w{number}_{place}", weight)
        self.kept = [len(weights) for _, _, weights, _ in self.steps]
        self.steps = [(run, maps, output) for run, maps, _, output in self.steps]

    def forward(self, photo: Tensor) -> Tensor:
        made = {"photo": photo}
        for number, (run, maps, output) in enumerate(self.steps):
            weights = [getattr(self, f"w{number}_{place}") for place in range(self.kept[number])]
            made[output] = run([made[self._name(name)] for name in maps], weights)
        return made[self._name("anime")]

    def _name(self, name: str) -> str:
        while name in self.aliases:
            name = self.aliases[name]
        return name

    def _leave_out(self, source: Source, node, constants: dict[str, Tensor]) -> None:
        start, axis = (constants.get(node.input[place]) for place in (1, 3))
        if start is None or axis is None or start.any() or int(axis.min()) < 2 or node.input[2] in constants:
            raise _unknown(source, node)
        self.aliases[node.output[0]] = node.input[0]


def _of_channels(node, constants: dict[str, Tensor]) -> bool:
    """Whether a Slice takes whole channels, one after the other, between two that are fixed in the file."""
    start, end, axis, *step = (constants.get(name) for name in node.input[1:])
    fixed = start is not None and end is not None and axis is not None
    return fixed and axis.tolist() == [1] and all(one is not None and one.tolist() == [1] for one in step)


def _step(source: Source, node, constants: dict[str, Tensor]) -> tuple[Callable, list[str], list[Tensor], str]:
    """How a node is computed, the names of the maps that it takes, its constants, and the name of what it makes."""
    import onnx

    attributes = {item.name: onnx.helper.get_attribute_value(item) for item in node.attribute}
    values = [constants[name] for name in node.input if name in constants]
    maps = [name for name in node.input if name and name not in constants]
    make = OPERATORS.get(node.op_type)
    run = make(attributes, values) if make else None
    if run is None:
        raise _unknown(source, node)
    return run, maps, values if node.op_type == "Conv" else [], node.output[0]


def _unknown(source: Source, node) -> FormatError:
    return FormatError(
        f"{source.path}: operator {node.op_type} ({node.output[0]}) has no equal here;"
        " the formats onnx and openvino take every operator of an ONNX file"
    )


def _conv(attributes: Attributes, values: list[Tensor]) -> Callable | None:
    top, left, bottom, right = attributes.get("pads", [0, 0, 0, 0])
    stride, groups = attributes.get("strides", [1, 1]), attributes.get("group", 1)
    if not values or attributes.get("auto_pad", b"NOTSET") != b"NOTSET" or {*attributes.get("dilations", [1])} != {1}:
        return None
    # sides are multiples of the stride: zeros that no step reaches are left out; phones have an operator for the rest
    bottom -= (top + bottom - values[0].shape[2]) % stride[0]
    right -= (left + right - values[0].shape[3]) % stride[1]
    even = (top, left) == (bottom, right)

    def run(maps: list[Tensor], weights: list[Tensor]) -> Tensor:
        photo = maps[0] if even else F.pad(maps[0], (left, right, top, bottom))
        padding = (top, left) if even else 0
        return F.conv2d(photo, weights[0], weights[1] if len(weights) > 1 else None, stride, padding, groups=groups)

    return run


def _resize(attributes: Attributes, values: list[Tensor]) -> Callable | None:
    mode = attributes.get("mode", b"nearest").decode()
    where = attributes.get("coordinate_transformation_mode", b"half_pixel")
    scales = [value.tolist() for value in values if value.is_floating_point() and value.numel() == 4]
    wanted = {"linear": (b"half_pixel",), "nearest": (b"asymmetric",)}
    if len(scales) != 1 or scales[0][2] != scales[0][3] or where not in wanted.get(mode, ()):
        return None
    options = {"mode": "bilinear", "align_corners": False} if mode == "linear" else {"mode": "nearest"}
    return lambda maps, weights: F.interpolate(maps[0], scale_factor=scales[0][2], **options)


def _shuffle(attributes: Attributes, values: list[Tensor]) -> Callable | None:
    if attributes.get("mode") != b"CRD":
        return None
    return lambda maps, weights: F.pixel_shuffle(maps[0], attributes["blocksize"])


def _channels(attributes: Attributes, values: list[Tensor]) -> Callable | None:
    start, end = int(values[0]), int(values[1])
    return lambda maps, weights: maps[0][:, start:end]


OPERATORS: dict[str, Callable[[Attributes, list[Tensor]], Callable | None]] = {
    "Conv": _conv,
    "Resize": _resize,
    "DepthToSpace": _shuffle,
    "Relu": lambda attributes, values: lambda maps, weights: F.relu(maps[0]),
    "LeakyRelu": lambda attributes, values: lambda maps, weights: F.leaky_relu(maps[0], attributes.get("alpha", 0.01)),
    "Add": lambda attributes, values: None if values else lambda maps, weights: maps[0] + maps[1],
    "Mul": lambda attributes, values: None if values else lambda maps, weights: maps[0] * maps[1],
    "Slice": _channels,
    "Tanh": lambda attributes, values: lambda maps, weights: torch.tanh(maps[0]),
    "Identity": lambda attributes, values: lambda maps, weights: maps[0],
}


class NamedEnds(nn.Module):
    """A network that calls its picture `anime`."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, photo: Tensor) -> dict[str, Tensor]:
        return {"anime": self.network(photo)}


class Levels(nn.Module):
    """A network whose picture has the levels 0 to 255."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, photo: Tensor) -> Tensor:
        return (self.network(photo) + 1) * 127.5


def network_of(source: Source) -> Network:
    """Ready to be traced: evaluation mode, no gradients."""
    return Network(source).eval().requires_grad_(False)


def traced(network: nn.Module, size: tuple[int, int]) -> torch.jit.ScriptModule:
    """TorchScript, with its weights as constants."""
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it is deprecated: Core ML's and ncnn's converters start from it
        return torch.jit.freeze(torch.jit.trace(network, torch.zeros(1, 3, *size), check_trace=False).eval())
