"""The grid of INT8: which values weights and activations may take, and a network that computes on it in float.

One grid stands for training and for the file: `fake_quantized` rounds where `qdq.write_qdq` puts a QuantizeLinear, with
the same scales and zero points (Jacob et al., "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference", CVPR 2018).
"""

import contextlib
from collections.abc import Callable, Collection, Iterator

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from anime_model.networks.architecture import Architecture
from anime_model.networks.generator import ConvUnit, Generator

Range = tuple[float, float]
Ranges = dict[str, Range]  # by point: `UNIT.in`, `UNIT.out`, `LAYER.sum`
LEVELS = 255  # steps of an activation, which is unsigned and has 8 bits
SMALLEST = 1e-8  # step of what is always 0
PARTS = {
    "standard": ("",),
    "separable": (".depthwise", ".pointwise"),
    "inverted": (".expand", ".depthwise", ".project"),
}


def quantizable(generator: Generator) -> dict[str, nn.Module]:
    """The units that can run in INT8, by name: a convolution with its activation, and the output convolution."""
    units = {name: unit for name, unit in generator.named_modules() if isinstance(unit, ConvUnit)}
    return {**units, "out": generator.out}


def weight_limit(bits: int) -> int:
    """The largest whole number of a weight; with 7 bits no sum of two products saturates (`vpmaddubsw`)."""
    return 2 ** (bits - 1) - 1


def weight_scales(weight: Tensor, bits: int) -> Tensor:
    """The step [O] of each output channel of a kernel [O, I, h, w]: symmetric, the largest weight is the last value."""
    return weight.detach().abs().flatten(1).amax(1).clamp_min(SMALLEST) / weight_limit(bits)


def activation_grid(bounds: Range) -> tuple[float, int]:
    """Scale and zero point (0 ... 255) of an activation whose values lie within `bounds`, which hold 0."""
    low, high = bounds
    scale = max((high - low) / LEVELS, SMALLEST)
    return scale, max(0, min(LEVELS, round(-low / scale)))


@torch.no_grad()
def calibrate(generator: Generator, pictures: Tensor) -> Ranges:
    """Smallest and largest value, zero included, at every point of a network for `pictures` [N, 3, H, W] in [-1, 1].

    Points: what enters (`UNIT.in`) and leaves (`UNIT.out`) every unit, and the sums (`LAYER.sum`) of residual layers. A
    unit after an upsampling gets the range of the map before it, to which an interpolation keeps: engines interpolate
    an INT8 map on its own grid.
    """
    ranges: Ranges = {}
    hooks = [module.register_forward_hook(_recorder(ranges, name, 0)) for name, module in _entries(generator).items()]
    hooks += [module.register_forward_hook(_recorder(ranges, name, 1)) for name, module in _exits(generator).items()]
    for batch in pictures.split(4):
        generator(batch)
    for hook in hooks:
        hook.remove()
    return ranges


def _recorder(ranges: Ranges, point: str, side: int) -> Callable[[nn.Module, tuple[Tensor], Tensor], None]:
    """A hook that widens the range of `point` by what enters (side 0) or leaves (side 1) its module."""

    def record(_: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
        value = (inputs[0], output)[side]
        low, high = ranges.get(point, (0.0, 0.0))
        ranges[point] = (min(low, float(value.min())), max(high, float(value.max())))

    return record


def _entries(generator: Generator) -> dict[str, nn.Module]:
    """The module that takes in each unit's map, by point; those after an upsampling get theirs from `_exits`."""
    late = {f"{unit}.in" for unit in upsampled_units(generator.arch).values()}
    return {f"{name}.in": unit for name, unit in quantizable(generator).items() if f"{name}.in" not in late}


def _exits(generator: Generator) -> dict[str, nn.Module]:
    """The module that the value of each point leaves."""
    exits = {f"{name}.out": exit_module(unit) for name, unit in quantizable(generator).items()}
    exits |= {f"layers.{name}.sum": generator.layers[name] for name in residual_layers(generator.arch)}
    return exits | {f"{unit}.in": generator.layers[name] for name, unit in upsampled_units(generator.arch).items()}


def exit_module(unit: nn.Module) -> nn.Module:
    """What an INT8 unit's rounded output leaves: itself, or its convolution before a leaky ReLU, which stays float."""
    return unit.conv if isinstance(unit, ConvUnit) and isinstance(unit.activation, nn.LeakyReLU) else unit


def residual_layers(arch: Architecture) -> list[str]:
    return [name for name, layer in arch.layers.items() if layer.kind == "inverted" and layer.residual]


def layer_units(arch: Architecture, name: str) -> list[str]:
    """Names of a layer's units in the order in which they run."""
    return [f"layers.{name}{part}" for part in PARTS[arch.layers[name].kind]]


def running_order(arch: Architecture) -> list[str]:
    """Names of the layers in the order in which they run."""
    return [name for letter in "abcde" for name in arch.block(letter)]


def upsampled_units(arch: Architecture) -> dict[str, str]:
    """The unit that takes in an upsampled map, by the layer that makes the map: after block `c`, and `d` where the tail
    resizes.
    """
    order, found = running_order(arch), {}
    for letter in "cd" if arch.tail == "resize" else "c":
        before = [name for name in order if name[0] <= letter]
        after = order[len(before) :]
        if before:
            found[before[-1]] = layer_units(arch, after[0])[0] if after else "out"
    return found


def int8_sums(arch: Architecture, int8: Collection[str]) -> list[str]:
    """Residual layers whose sum is made in INT8 when the units `int8` are: both terms are INT8 and so is what takes it.

    A map that enters a layer is INT8 where the layer before hands on such a one, or where the layer's first unit rounds
    it. Any other sum would be wrapped in changes of number format that cost more than it does.
    """
    order, possible, held = running_order(arch), [], False
    for name in order:  # `held`: whether the map that enters the layer is INT8
        first, last = layer_units(arch, name)[0] in int8, layer_units(arch, name)[-1] in int8
        if name in residual_layers(arch):
            held = (held or first) and last
            possible += [name] if held else []
        else:
            held = last and (arch.activation == "relu" or arch.layers[name].kind == "inverted")
    kept, taken = [], "out" in int8
    for name in reversed(order):
        kept += [name] if name in possible and taken else []
        taken = layer_units(arch, name)[0] in int8 or name in kept
    return kept[::-1]


class FakeQuantizedWeight(nn.Module):
    """Per-channel symmetric rounding of a kernel to `bits` bits; gradients pass straight through."""

    def __init__(self, bits: int) -> None:
        super().__init__()
        self.bits, self.limit = bits, weight_limit(bits)

    def forward(self, weight: Tensor) -> Tensor:
        scale = weight_scales(weight, self.bits)
        zero = torch.zeros_like(scale, dtype=torch.int32)
        return torch.fake_quantize_per_channel_affine(weight, scale, zero, 0, -self.limit, self.limit)


@contextlib.contextmanager
def fake_quantized(generator: Generator, names: Collection[str], ranges: Ranges, bits: int) -> Iterator[Generator]:
    """Within the context the named units of `generator` compute as INT8 would; afterwards it is plain float again."""
    units, sums, hooks = quantizable(generator), int8_sums(generator.arch, names), []
    entries = units | {f"layers.{name}.expand": generator.layers[name] for name in sums}  # a sum takes what is rounded
    for name in names:
        hooks.append(entries[name].register_forward_pre_hook(_round_input(ranges[f"{name}.in"])))
        hooks.append(exit_module(units[name]).register_forward_hook(_round_output(ranges[f"{name}.out"])))
        parametrize.register_parametrization(_conv(units[name]), "weight", FakeQuantizedWeight(bits))
    for name in sums:
        hooks.append(generator.layers[name].register_forward_hook(_round_output(ranges[f"layers.{name}.sum"])))
    try:
        yield generator
    finally:
        for hook in hooks:
            hook.remove()
        for name in names:
            parametrize.remove_parametrizations(_conv(units[name]), "weight", leave_parametrized=False)


def _conv(unit: nn.Module) -> nn.Conv2d:
    return unit.conv if isinstance(unit, ConvUnit) else unit


def _rounded(x: Tensor, bounds: Range) -> Tensor:
    return torch.fake_quantize_per_tensor_affine(x, *activation_grid(bounds), 0, LEVELS)


def _round_input(bounds: Range) -> Callable[[nn.Module, tuple[Tensor]], tuple[Tensor]]:
    return lambda _, inputs: (_rounded(inputs[0], bounds),)


def _round_output(bounds: Range) -> Callable[[nn.Module, tuple[Tensor], Tensor], Tensor]:
    return lambda _, inputs, output: _rounded(output, bounds)
