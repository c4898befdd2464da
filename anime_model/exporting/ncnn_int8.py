"""ncnn's INT8: what its tools ncnn2table and ncnn2int8 do, which the wheel does not have.

A layer's weights are whole numbers by one scale for each output channel, its input is one scale for all. The scales
stand behind its bias in the .bin, and the key 8 of the layer in the .param says that they are there. Formats:
https://github.com/Tencent/ncnn/wiki/param-and-model-file-structure, and `Convolution::load_model`.
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from anime_model.exporting.order import FormatError

CONVOLUTIONS = {"Convolution": 2, "ConvolutionDepthWise": 1}  # and what the key 8 says of them
OUTPUTS, BIAS, WEIGHTS, GROUPS, SCALES = 0, 5, 6, 7, 8
EIGHT_BITS = struct.pack("<I", 0x000D4B38)  # before weights that are int8
MOST = 127


@dataclass
class Layer:
    """One line of a .param: `values` are its keys, as they are written."""

    kind: str
    name: str
    ends: list[str]
    bottom: str
    values: dict[int, str]

    def number(self, key: int) -> int:
        return int(self.values.get(key, "0"))

    def line(self) -> str:
        keys = " ".join(f"{key}={value}" for key, value in self.values.items())
        return f"{self.kind:<24} {self.name:<24} {' '.join(self.ends)} {keys}".rstrip()


def in_eight_bits(param: Path, weights: Path, pictures: Sequence[np.ndarray]) -> None:
    """Rewrites both files, float32 until now: every convolution in 8 bits, input ranges from `pictures`."""
    head, layers = read_param(param)
    convs = [layer for layer in layers if layer.kind in CONVOLUTIONS]
    ranges = _ranges(param, weights, {layer.bottom for layer in convs}, pictures)
    data, at, made = weights.read_bytes(), 0, []
    for layer in convs:
        kernel, bias, at = _floats(data, at, layer)
        made.append(_packed(kernel, bias, ranges[layer.bottom], layer))
        layer.values[SCALES] = str(CONVOLUTIONS[layer.kind])
    if at != len(data):
        raise FormatError(f"{param}: a layer other than a convolution has weights, which INT8 is not made of here")
    weights.write_bytes(b"".join(made))
    param.write_text("\n".join([*head, *(layer.line() for layer in layers)]) + "\n")


def read_param(path: Path) -> tuple[list[str], list[Layer]]:
    """The two lines before the layers, and the layers."""
    head, lines = (lines := path.read_text().splitlines())[:2], lines[2:]
    return head, [_layer(line.split()) for line in lines if line.strip()]


def _layer(words: list[str]) -> Layer:
    inputs, outputs = int(words[2]), int(words[3])
    ends, keys = words[2 : 4 + inputs + outputs], words[4 + inputs + outputs :]
    return Layer(words[0], words[1], ends, ends[2] if inputs else "", dict(_pairs(keys)))


def _pairs(words: list[str]) -> Iterator[tuple[int, str]]:
    for word in words:
        key, _, value = word.partition("=")
        yield int(key), value


def _floats(data: bytes, at: int, layer: Layer) -> tuple[np.ndarray, np.ndarray, int]:
    """The kernel [outputs, numbers], the bias, and where the next layer's begin."""
    if data[at : at + 4] != b"\0\0\0\0":
        raise FormatError(f"ncnn layer {layer.name}: its weights are no float32 numbers")
    count, outputs = layer.number(WEIGHTS), layer.number(OUTPUTS)
    kernel = np.frombuffer(data, "<f4", count, at + 4).reshape(outputs, -1)
    at += 4 + 4 * count
    bias = np.frombuffer(data, "<f4", outputs * layer.number(BIAS), at)
    return kernel, bias, at + bias.nbytes


def _packed(kernel: np.ndarray, bias: np.ndarray, largest: float, layer: Layer) -> bytes:
    if layer.kind == "ConvolutionDepthWise" and layer.number(GROUPS) != layer.number(OUTPUTS):
        raise FormatError(f"ncnn layer {layer.name}: grouped, and not depthwise")
    scales = MOST / np.maximum(np.abs(kernel).max(axis=1), 1e-9)
    whole = np.clip(np.rint(kernel * scales[:, None]), -MOST, MOST).astype(np.int8).tobytes()
    whole += b"\0" * (-len(whole) % 4)
    ends = np.concatenate([scales, [MOST / max(largest, 1e-9)]]).astype("<f4")
    return EIGHT_BITS + whole + bias.tobytes() + ends.tobytes()


def _ranges(param: Path, weights: Path, names: set[str], pictures: Sequence[np.ndarray]) -> dict[str, float]:
    """The largest value of each blob over the pictures, positive or negative."""
    import ncnn

    network = ncnn.Net()
    network.opt.lightmode = False
    network.load_param(str(param))
    network.load_model(str(weights))
    largest = dict.fromkeys(names, 0.0)
    for picture in pictures:
        with network.create_extractor() as work:
            work.input("in0", ncnn.Mat(np.ascontiguousarray(picture[0])).clone())
            for name in names:
                largest[name] = max(largest[name], float(np.abs(np.array(work.extract(name)[1])).max()))
    return largest
