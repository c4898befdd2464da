"""What an architecture costs, counted from its description: parameters and multiply-accumulates."""

from collections.abc import Iterator
from dataclasses import dataclass

from anime_model.networks.architecture import Architecture, output_channels

# Picture side over map side, by block; the sub-pixel tail runs `e` and the output at half resolution.
SCALE_IN = {"a": 1, "b": 2, "c": 4, "d": 2, "e": 1}


@dataclass(frozen=True)
class Conv:
    """One convolution: its module's name, channels, groups, kernel, the scale of its output, its parameters."""

    name: str
    inputs: int
    outputs: int
    kernel: int
    groups: int
    scale: int
    parameters: int

    @property
    def weights(self) -> int:
        return self.inputs // self.groups * self.outputs * self.kernel**2


def conv_costs(arch: Architecture) -> Iterator[Conv]:
    """Every convolution of the generator, in order; `parameters` counts its bias and its norm too."""
    channels, scale = 3, 1
    for name, layer in arch.layers.items():
        scale = _scale(arch, name[0], scale) * layer.stride
        yield from _layer_convs(arch, name, channels, scale)
        channels = layer.width
    subpixel = arch.tail == "subpixel"
    outputs, bias = output_channels(arch), arch.norm == "none"
    yield Conv("out", channels, outputs, 1, 1, 2 if subpixel else 1, outputs * (channels + bias))


def count_parameters(arch: Architecture) -> int:
    return sum(conv.parameters for conv in conv_costs(arch))


def count_macs(arch: Architecture, size: int = 512) -> int:
    """Multiply-accumulates of the convolutions for one `size` x `size` picture."""
    return sum(conv.weights * (size // conv.scale) ** 2 for conv in conv_costs(arch))


def count_traffic(arch: Architecture, size: int = 512) -> int:
    """Bytes that convolutions move in 32-bit float for one picture: input and weights read, output written, once."""
    values = 0
    for conv in conv_costs(arch):
        entering = conv.inputs * (size // _scale_in(arch, conv)) ** 2
        values += entering + conv.outputs * (size // conv.scale) ** 2 + conv.weights
    return 4 * values


def receptive_radius(arch: Architecture) -> int:
    """Pixels to each side of a pixel that its colour in the made picture can depend on.

    Only with batch norm or none: group norm makes every pixel depend on the whole picture.
    """
    radius, scale = 0, 1
    for conv in conv_costs(arch):
        radius += scale if conv.scale < scale else 0  # an interpolation reaches one pixel of the smaller map further
        scale_in, scale = _scale_in(arch, conv), conv.scale
        radius += conv.kernel // 2 * scale_in + (scale_in if scale_in < scale else 0)
    return radius + (1 if arch.tail == "subpixel" else 0)


def _scale_in(arch: Architecture, conv: Conv) -> int:
    """The scale of the map that a convolution reads: half of its own where it halves the picture."""
    layer = arch.layers.get(conv.name.split(".")[1]) if "." in conv.name else None
    return conv.scale // 2 if layer and layer.stride == 2 and conv.kernel > 1 else conv.scale


def _scale(arch: Architecture, block: str, scale: int) -> int:
    """The scale at which a block starts; `a` and `b` halve it on their own."""
    if block in "ab":
        return scale
    return 2 if block == "e" and arch.tail == "subpixel" else SCALE_IN[block]


def _layer_convs(arch: Architecture, name: str, inputs: int, scale: int) -> Iterator[Conv]:
    layer, prefix = arch.layers[name], f"layers.{name}"
    if layer.kind == "standard":
        yield _conv(arch, f"{prefix}.conv", inputs, layer.width, layer.kernel, 1, scale)
    elif layer.kind == "separable":
        weights = inputs * layer.kernel**2
        yield Conv(f"{prefix}.depthwise.conv", inputs, inputs, layer.kernel, inputs, scale, weights)
        yield _conv(arch, f"{prefix}.pointwise.conv", inputs, layer.width, 1, 1, scale)
    else:
        yield _conv(arch, f"{prefix}.expand.conv", inputs, layer.hidden, 1, 1, scale)
        depthwise = f"{prefix}.depthwise.conv"
        yield _conv(arch, depthwise, layer.hidden, layer.hidden, layer.kernel, layer.hidden, scale, bias=True)
        yield _conv(arch, f"{prefix}.project.conv", layer.hidden, layer.width, 1, 1, scale)


def _conv(
    arch: Architecture, name: str, inputs: int, outputs: int, kernel: int, groups: int, scale: int, bias: bool = False
) -> Conv:
    bias = bias or arch.norm == "none"
    extra = outputs * bias + 2 * outputs * (arch.norm != "none")
    return Conv(name, inputs, outputs, kernel, groups, scale, inputs // groups * outputs * kernel**2 + extra)
