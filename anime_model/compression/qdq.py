"""INT8 in an ONNX file: QuantizeLinear / DequantizeLinear pairs on the grid that the network was trained on.

Engines join each pair with the operation between and compute it in INT8.
"""

from collections.abc import Collection
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper

from anime_model.compression.grid import Ranges, activation_grid, int8_sums, weight_limit, weight_scales
from anime_model.networks.architecture import Architecture

LARGEST_BIAS = 2**30  # of a bias in whole steps, which has 32 bits


def unit_of(node: onnx.NodeProto) -> str:
    """The name of the unit that a float Conv node came from, by its kernel: `layers.a0.conv.weight` to `layers.a0`."""
    return node.input[1].removesuffix(".weight").removesuffix(".conv")


def write_qdq(source: Path, target: Path, arch: Architecture, int8: Collection[str], ranges: Ranges, bits: int) -> None:
    """The float ONNX file `source` of a network of `arch` with the units `int8`, and what lies between them, in INT8.

    Weights are symmetric per output channel, activations affine per tensor in `ranges`, as `grid.fake_quantized` rounds
    them.
    """
    model = onnx.load(source)
    _Writer(model.graph, ranges, bits, int8_sums(arch, int8)).write(int8)
    onnx.save(model, target)


class _Writer:
    """A graph while its nodes are walked in order; `held` knows the maps that are INT8, with their scale and zero."""

    def __init__(self, graph: onnx.GraphProto, ranges: Ranges, bits: int, sums: Collection[str]) -> None:
        self.graph, self.ranges, self.bits, self.sums = graph, ranges, bits, sums
        self.constants = {tensor.name: tensor for tensor in graph.initializer}
        self.units = {node.output[0]: unit_of(node) for node in graph.node if node.op_type == "Conv"}
        self.takers: dict[str, list[onnx.NodeProto]] = {}
        for node in graph.node:
            for name in node.input:
                self.takers.setdefault(name, []).append(node)
        self.held: dict[str, tuple[float, int]] = {}
        self.nodes: list[onnx.NodeProto] = []

    def write(self, int8: Collection[str]) -> None:
        """Replaces the graph's nodes."""
        dropped: set[str] = set()
        for node in self.graph.node:
            if node.name in dropped:
                continue
            if node.op_type == "Conv" and unit_of(node) in int8:
                if relu := self._relu_after(node):
                    dropped.add(relu.name)
                    node.output[0] = relu.output[0]  # rounding to a range that starts at 0 is a ReLU
                self._write_conv(node)
            elif layer := self._int8_sum(node):
                self._write_made(node, activation_grid(self.ranges[f"layers.{layer}.sum"]))
            elif self._passes_on(node, int8):
                self._write_made(node, self.held[node.input[0]])
            else:
                self.nodes.append(node)
        del self.graph.node[:]
        self.graph.node.extend(self.nodes)
        used = {name for node in self.nodes for name in node.input}
        for tensor in [tensor for tensor in self.graph.initializer if tensor.name not in used]:
            self.graph.initializer.remove(tensor)

    def _relu_after(self, conv: onnx.NodeProto) -> onnx.NodeProto | None:
        takers = self.takers.get(conv.output[0], [])
        return takers[0] if len(takers) == 1 and takers[0].op_type == "Relu" else None

    def _int8_sum(self, node: onnx.NodeProto) -> str | None:
        """The residual layer whose sum a node makes, if in INT8."""
        if node.op_type != "Add" or node.input[1] not in self.units:
            return None
        layer = self.units[node.input[1]].removeprefix("layers.").removesuffix(".project")
        return layer if layer in self.sums else None

    def _passes_on(self, node: onnx.NodeProto, int8: Collection[str]) -> bool:
        """Whether a node hands an INT8 map on as one: an interpolation for an INT8 unit, and any depth-to-space."""
        if node.op_type not in ("Resize", "DepthToSpace") or node.input[0] not in self.held:
            return False
        takers = self.takers[node.output[0]]
        return node.op_type == "DepthToSpace" or any(n.op_type == "Conv" and unit_of(n) in int8 for n in takers)

    def _write_conv(self, conv: onnx.NodeProto) -> None:
        unit = unit_of(conv)
        entry = activation_grid(self.ranges[f"{unit}.in"])
        if (source := conv.input[0]) not in self.held:
            conv.input[0] = self._pair(source, f"{unit}.entry", entry)
            for taker in self.takers[source]:
                if self._int8_sum(taker):
                    taker.input[0] = conv.input[0]
        weight, *rest = (numpy_helper.to_array(self.constants[name]) for name in conv.input[1:])
        bias = rest[0] if rest else np.zeros(len(weight), np.float32)
        scales = self._kernel_scales(weight, bias, entry[0])
        limit = weight_limit(self.bits)
        whole = np.clip(np.round(weight / scales.reshape(-1, 1, 1, 1)), -limit, limit).astype(np.int8)
        conv.input[1] = self._constant(f"{unit}.weight", whole, scales)
        if len(conv.input) > 2:
            steps = scales * np.float32(entry[0])
            conv.input[2] = self._constant(f"{unit}.bias", np.round(bias / steps).astype(np.int32), steps)
        self._write_made(conv, activation_grid(self.ranges[f"{unit}.out"]))

    def _kernel_scales(self, weight: np.ndarray, bias: np.ndarray, entry_scale: float) -> np.ndarray:
        """The steps [O] of a kernel; longer where a bias far larger than its kernel would not fit into 32 bits."""
        scales = weight_scales(torch.from_numpy(weight.copy()), self.bits).numpy()
        return np.maximum(scales, np.abs(bias) / (entry_scale * LARGEST_BIAS)).astype(np.float32)

    def _constant(self, name: str, whole: np.ndarray, scales: np.ndarray) -> str:
        """Stores whole numbers with one of `scales` for each output channel; returns the name of their values."""
        zeros = np.zeros(len(whole), whole.dtype)
        parts = {f"{name}_quantized": whole, f"{name}_scale": scales, f"{name}_zero_point": zeros}
        self.graph.initializer.extend(numpy_helper.from_array(value, part) for part, value in parts.items())
        self.nodes.append(helper.make_node("DequantizeLinear", list(parts), [f"{name}_dequantized"], axis=0))
        return f"{name}_dequantized"

    def _write_made(self, node: onnx.NodeProto, grid: tuple[float, int]) -> None:
        """Adds `node`, its output rounded to `grid` for all that take it."""
        name = node.output[0]
        node.output[0] = f"{name}_float"
        self.nodes.append(node)
        self._pair(f"{name}_float", name, grid)
        self.held[name] = grid

    def _pair(self, source: str, name: str, grid: tuple[float, int]) -> str:
        """QuantizeLinear and DequantizeLinear from the map `source` to the map `name`."""
        scale, zero = f"{name}_scale", f"{name}_zero_point"
        self.graph.initializer.append(numpy_helper.from_array(np.float32(grid[0]).reshape(()), scale))
        self.graph.initializer.append(numpy_helper.from_array(np.uint8(grid[1]).reshape(()), zero))
        self.nodes.append(helper.make_node("QuantizeLinear", [source, scale, zero], [f"{name}_quantized"]))
        self.nodes.append(helper.make_node("DequantizeLinear", [f"{name}_quantized", scale, zero], [name]))
        return name
