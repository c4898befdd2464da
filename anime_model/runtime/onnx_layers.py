"""What an ONNX file holds, read from its bytes: convolutions, parameters, operators, metadata. Needs no `onnx` package.

ONNX files are protocol buffers; only the dozen fields that are wanted here are read, by their numbers in `onnx.proto`.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path

from anime_model.runtime.session import ModelError

FLOAT, UINT8, INT8, INT32, FLOAT16 = 1, 2, 3, 6, 10
KINDS = {FLOAT: "float32", UINT8: "uint8", INT8: "int8", INT32: "int32", FLOAT16: "float16"}
Value = int | bytes


@dataclass(frozen=True)
class OnnxConv:
    """One convolution: its kernel's shape [outputs, inputs of one group, height, width], groups, and kind of number."""

    shape: tuple[int, ...]
    groups: int
    strides: int
    kind: str
    parameters: int


@dataclass(frozen=True)
class Graph:
    """A model's file: `operators` counts nodes by type, `opset` is the version of the standard operators."""

    bytes: int
    producer: str
    opset: int
    convs: list[OnnxConv]
    operators: Counter[str]
    metadata: dict[str, str]

    @property
    def parameters(self) -> int:
        """Kernels and biases of all convolutions; scales and zero points of INT8 are not counted."""
        return sum(conv.parameters for conv in self.convs)


def read_graph(path: Path) -> Graph:
    """Raises `ModelError` where `path` is no ONNX file, `OSError` where it cannot be read."""
    data = Path(path).read_bytes()
    try:
        model = _message(data)
        graph = _message(model[7][0])
        opset = {_text(item.get(1, [b""])[0]): item[2][0] for item in map(_message, model[8])}
        pairs = (_message(item) for item in model.get(14, []))
        metadata = {_text(pair[1][0]): _text(pair.get(2, [b""])[0]) for pair in pairs}
        nodes = [_message(node) for node in graph.get(1, [])]
        tensors = {_text(tensor[8][0]): tensor for tensor in map(_message, graph.get(5, []))}
        producer = _text(model.get(2, [b""])[0])
        operators = Counter(_text(node[4][0]) for node in nodes)
        return Graph(len(data), producer, opset[""], list(_convs(nodes, tensors)), operators, metadata)
    except (KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
        raise ModelError(f"{path}: not an ONNX model") from error


def _convs(nodes: list[dict], tensors: dict[str, dict]) -> Iterator[OnnxConv]:
    sources = {_text(node[2][0]): node for node in nodes}
    for node in nodes:
        if _text(node[4][0]) == "Conv":
            values = [_constant(_text(name), sources, tensors) for name in node[1][1:]]
            shapes = [tuple(_numbers(value.get(1, []))) for value in values if value]
            if len(shapes[0]) != 4:
                raise ValueError("a convolution of pictures has a kernel of four dimensions")
            attributes = {_text(item[1][0]): item for item in map(_message, node.get(5, []))}
            groups = attributes["group"][3][0] if "group" in attributes else 1
            strides = next(_numbers(attributes["strides"][8])) if "strides" in attributes else 1
            kind = KINDS.get(values[0][2][0], "other")
            yield OnnxConv(shapes[0], groups, strides, kind, sum(map(prod, shapes)))


def _constant(name: str, sources: dict[str, dict], tensors: dict[str, dict]) -> dict | None:
    """The tensor that a name stands for, behind the DequantizeLinear, or Cast and Mul, of 8-bit weights."""
    for _ in sources:  # as many steps as there are nodes: a damaged graph may run in a circle
        if name in tensors or not sources.get(name, {}).get(1):
            break
        name = _text(sources[name][1][0])
    return tensors.get(name)


def _message(data: bytes) -> dict[int, list[Value]]:
    """The fields of a message by number: integers, or the bytes of texts, tensors and messages inside it."""
    fields: dict[int, list[Value]] = {}
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        if key & 7 == 0:
            value, at = _varint(data, at)
        elif key & 7 in (1, 5):
            size = 8 if key & 7 == 1 else 4
            value, at = data[at : at + size], at + size
        elif key & 7 == 2:
            size, at = _varint(data, at)
            value, at = data[at : at + size], at + size
        else:
            raise ValueError("no protocol buffer")
        if at > len(data):
            raise ValueError("cut off")
        fields.setdefault(key >> 3, []).append(value)
    return fields


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """An integer of seven bits a byte, the lowest first, and where the next field begins."""
    value = 0
    for shift in range(0, 70, 7):
        byte = data[at]
        value |= (byte & 127) << shift
        at += 1
        if byte < 128:
            return value, at
    raise ValueError("no integer")


def _numbers(values: list[Value]) -> Iterator[int]:
    """A repeated integer, whose values may be one by one or packed into bytes."""
    for value in values:
        if isinstance(value, int):
            yield value
        else:
            at = 0
            while at < len(value):
                number, at = _varint(value, at)
                yield number


def _text(value: Value) -> str:
    return value.decode()
