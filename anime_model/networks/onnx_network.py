"""A published ONNX network as a PyTorch module: batches of pictures, on any device, inside a training.

ONNX Runtime draws one picture after another on the CPU. A training on a GPU wants its targets there, as many as it
trains on. The operators are those of the published photo-to-anime networks; any other is refused by name.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper
from torch import Tensor, nn
from torch.nn import functional as F

Value: TypeAlias = Tensor | float | None
Attributes: TypeAlias = Mapping[str, Any]  # what the operator's definition says


class OnnxNetworkError(ValueError):
    """A graph that this module cannot run; the message names the file and the operator."""


class OnnxNetwork(nn.Module):
    """Photo to anime: [N, 3, H, W] in [-1, 1] to the same, H and W multiples of what the network halves.

    Networks that want [1, H, W, 3] are turned, and what they take of one picture (means, reshapes) they take of each.
    """

    def __init__(self, path: Path) -> None:
        """Raises `OnnxNetworkError` for a graph with an operator or an attribute that is not known here."""
        super().__init__()
        graph = onnx.load(path).graph
        self._keep_constants(graph)
        self._nodes = [(node.op_type, list(node.input), node.output[0], _attributes(node)) for node in graph.node]
        if unknown := sorted({kind for kind, *_ in self._nodes} - OPERATORS.keys()):
            raise OnnxNetworkError(f"{path}: {', '.join(unknown)} cannot run in PyTorch here; let ONNX Runtime draw")
        self._entry, self._exit = graph.input[0].name, graph.output[0].name
        self._channels_last = graph.input[0].type.tensor_type.shape.dim[3].dim_value == 3
        self._last_use = {name: place for place, (_, names, *_) in enumerate(self._nodes) for name in names}

    def _keep_constants(self, graph: onnx.GraphProto) -> None:
        self._constants: dict[str, object] = {}
        for item in graph.initializer:
            value = torch.from_numpy(np.array(numpy_helper.to_array(item)))
            if value.is_floating_point() and value.numel() > 1:
                self._constants[item.name] = name = f"weight_{len(self._constants)}"
                self.register_buffer(name, value.float())
            elif value.is_floating_point():
                self._constants[item.name] = float(value) if value.numel() else None
            else:
                self._constants[item.name] = value

    def forward(self, photo: Tensor) -> Tensor:
        maps: dict[str, Any] = {self._entry: photo.permute(0, 2, 3, 1) if self._channels_last else photo}
        for place, (kind, names, made, attributes) in enumerate(self._nodes):
            arguments = [self._value(name, maps) for name in names]
            maps[made] = OPERATORS[kind](len(photo), attributes, *arguments)
            for name in names:  # free what nobody reads any more
                if self._last_use[name] == place and name != self._entry:
                    maps.pop(name, None)
        anime = maps[self._exit]
        return anime.permute(0, 3, 1, 2) if self._channels_last else anime

    def _value(self, name: str, maps: Mapping[str, Value]) -> Value:
        if not name or name in maps:
            return maps.get(name)
        value = self._constants[name]
        return getattr(self, value) if isinstance(value, str) else value


def _attributes(node: onnx.NodeProto) -> Attributes:
    return {item.name: helper.get_attribute_value(item) for item in node.attribute}


def _numbers(value: Tensor) -> list[int]:
    return [int(number) for number in value.reshape(-1).tolist()]


def _need(right: bool, what: str) -> None:
    if not right:
        raise OnnxNetworkError(f"the graph has {what}, which cannot run in PyTorch here; let ONNX Runtime draw")


def _pad(count: int, attributes: Attributes, x: Tensor, pads: Tensor, value: Value = None) -> Tensor:
    """Reflection, over the two sides that are padded: the last two, or the middle ones of [N, H, W, C]."""
    _need(attributes.get("mode") == b"reflect", f"padding of mode {attributes.get('mode', b'constant')!r}")
    before, after = (_numbers(half) for half in pads.chunk(2))
    if before[1] or after[1]:
        turned = F.pad(x.permute(0, 3, 1, 2), (before[2], after[2], before[1], after[1]), mode="reflect")
        return turned.permute(0, 2, 3, 1)
    return F.pad(x, (before[3], after[3], before[2], after[2]), mode="reflect")


def _conv(count: int, attributes: Attributes, x: Tensor, weight: Tensor, bias: Value = None) -> Tensor:
    top, left, *rest = attributes.get("pads", [0, 0, 0, 0])
    _need([top, left] == (rest or [0, 0]), "a convolution padded on one side only")
    _need(attributes.get("auto_pad", b"NOTSET") == b"NOTSET", "a convolution that is padded by itself")
    _need(isinstance(weight, Tensor), "a convolution of one weight")
    bias = x.new_tensor([bias]) if isinstance(bias, float) else bias  # constants of one value are kept as such
    steps, spread = attributes.get("strides", [1, 1]), attributes.get("dilations", [1, 1])
    return F.conv2d(x, weight, bias, steps, (top, left), spread, attributes.get("group", 1))


def _reshape(count: int, attributes: Attributes, x: Tensor, shape: Tensor) -> Tensor:
    """To `shape`, which was written for one picture, for each of `count` of them."""
    sizes = _numbers(shape)
    if -1 not in sizes and int(np.prod(sizes)) != x.numel():
        sizes[0] *= count
    return x.reshape(sizes)


def _resize(
    count: int, attributes: Attributes, x: Tensor, roi: Value = None, scales: Any = None, sizes: Value = None
) -> Tensor:
    """Doubles height and width: bilinear between "asymmetric" places, output 2i from i, 2i + 1 from between."""
    mode = attributes.get("mode"), attributes.get("coordinate_transformation_mode")
    _need(mode == (b"linear", b"asymmetric"), f"a resize of mode {mode}")
    wanted = _numbers(sizes)[2:] if isinstance(sizes, Tensor) else [scales[2] * x.shape[2], scales[3] * x.shape[3]]
    _need([2 * side for side in x.shape[2:]] == wanted, "a resize other than by 2")
    for side in (2, 3):
        after = torch.cat([x.narrow(side, 1, x.shape[side] - 1), x.narrow(side, x.shape[side] - 1, 1)], side)
        x = torch.stack([x, (x + after) / 2], side + 1).flatten(side, side + 1)
    return x


def _slice(
    count: int, attributes: Attributes, x: Tensor, start: Tensor, stop: Tensor, axes: Value = None, steps: Value = None
) -> Tensor:
    _need(x.ndim == 1, "a slice of a picture")
    _need(steps is None or _numbers(steps) == [1], "a slice in steps")
    return x[_numbers(start)[0] : _numbers(stop)[0]]


def _gather(count: int, attributes: Attributes, x: Tensor, index: Tensor) -> Tensor:
    _need(attributes.get("axis", 0) == 0, "a choice along another side than the first")
    return x[index.long()]


OPERATORS: dict[str, Callable[..., Value]] = {
    "Pad": _pad,
    "Conv": _conv,
    "Reshape": _reshape,
    "Resize": _resize,
    "Slice": _slice,
    "Gather": _gather,
    "Transpose": lambda count, attributes, x: x.permute(*attributes["perm"]),
    "GlobalAveragePool": lambda count, attributes, x: x.mean((2, 3), keepdim=True),
    "Add": lambda count, attributes, a, b: a + b,
    "Sub": lambda count, attributes, a, b: a - b,
    "Mul": lambda count, attributes, a, b: a * b,
    "Div": lambda count, attributes, a, b: a / b,
    "Sqrt": lambda count, attributes, x: x.sqrt(),
    "Reciprocal": lambda count, attributes, x: x.reciprocal(),
    "LeakyRelu": lambda count, attributes, x: F.leaky_relu(x, attributes.get("alpha", 0.01)),
    "Tanh": lambda count, attributes, x: x.tanh(),
    "Softmax": lambda count, attributes, x: x.softmax(attributes.get("axis", -1)),
    "ReduceSum": lambda count, attributes, x, axes: x.sum(_numbers(axes), keepdim=bool(attributes.get("keepdims", 1))),
    "Shape": lambda count, attributes, x: torch.tensor(x.shape),
    "Cast": lambda count, attributes, x: x.to(_NUMBERS[attributes["to"]]),
    "Squeeze": lambda count, attributes, x, axes: x.squeeze(_numbers(axes)[0]),
    "Unsqueeze": lambda count, attributes, x, axes: x.unsqueeze(_numbers(axes)[0]),
    "Concat": lambda count, attributes, *parts: torch.cat(parts, attributes["axis"]),
}
_NUMBERS: dict[int, torch.dtype] = {1: torch.float32, 6: torch.int32, 7: torch.int64}  # of onnx.TensorProto.DataType
