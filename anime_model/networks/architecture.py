"""What a generator is made of: one description that a checkpoint carries and a network is built from."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Self

KINDS = ("standard", "separable", "inverted")
CHOICES = {
    "norm": ("group", "batch", "none"),
    "activation": ("leaky_relu", "relu"),
    "padding": ("reflect", "zeros"),
    "upsample": ("bilinear", "half_pixel", "nearest"),
    "tail": ("resize", "subpixel"),
    "detail": ("drawn", "gated"),
}
LARGEST = 2**16  # channels, kernel or stride of a layer that anybody could have meant
WIDTH_STEP = 8  # widths in multiples of 8 keep the vector units full


class ArchitectureError(ValueError):
    """A description that no generator can be built from."""


@dataclass(frozen=True)
class Layer:
    """One layer: a standard convolution, a depthwise-separable one, or an inverted residual block.

    `width` is the number of channels that leave it and `hidden` that of the expansion inside an inverted block.
    """

    kind: str
    width: int
    kernel: int = 3
    stride: int = 1
    hidden: int = 0
    residual: bool = False


@dataclass(frozen=True)
class Architecture:
    """A photo-to-anime generator: layers in the order in which they run, by name, and what they share.

    The first letter of a name is its block, as in AnimeGANv2: `a` and `b` halve the resolution, `c` holds the inverted
    residual blocks, `d` runs after the first upsampling and `e` after the second. With the sub-pixel tail, `e` runs at
    half resolution and depth-to-space makes the picture. Upsampling is "bilinear" with aligned corners, as published,
    bilinear between "half_pixel" centres, where a pixel's place does not depend on the picture's size, so that tiles of
    a picture equal the whole, or "nearest". `int8` names the convolutions that run in INT8.

    `detail` is "drawn" where every pixel comes from the maps alone, as published, or "gated": the network draws a
    fourth channel; the photo times this channel is added to the colours. Fine texture need not pass through the trunk.
    """

    layers: Mapping[str, Layer]
    norm: str = "group"
    activation: str = "leaky_relu"
    padding: str = "reflect"
    upsample: str = "bilinear"
    tail: str = "resize"
    detail: str = "drawn"
    int8: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        for key, choices in CHOICES.items():
            if getattr(self, key) not in choices:
                raise ArchitectureError(f"architecture.{key} is {getattr(self, key)!r}: choose one of {choices}")
        for name, layer in self.layers.items():
            sizes = layer.width, layer.kernel, layer.stride
            right = all(type(size) is int and 1 <= size <= LARGEST for size in sizes) and type(layer.hidden) is int
            if layer.kind not in KINDS or name[:1] not in tuple("abcde") or not right or layer.hidden < 0:
                raise ArchitectureError(f"architecture.layers.{name} cannot be built: {layer}")

    def block(self, letter: str) -> list[str]:
        """Names of the layers in block `letter`."""
        return [name for name in self.layers if name[0] == letter]

    def with_layers(self, **changes: Layer) -> Self:
        return replace(self, layers={**self.layers, **changes})

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Raises `ArchitectureError` for a text that describes no architecture."""
        try:
            fields = json.loads(text)
            layers = {name: Layer(**layer) for name, layer in fields.pop("layers").items()}
            return cls(layers=layers, **{**fields, "int8": tuple(fields.get("int8", ()))})
        except (TypeError, KeyError, AttributeError, RecursionError, json.JSONDecodeError) as error:
            raise ArchitectureError(f"not an architecture: {error}") from error


def output_channels(arch: Architecture) -> int:
    """Of the last convolution: three colours and a gate if there is one, four times as many before depth-to-space."""
    return (4 if arch.detail == "gated" else 3) * (4 if arch.tail == "subpixel" else 1)


FIRST, HALVING = "a0", "a1"  # the layers that a strided stem makes one of
CRITICAL = (FIRST,)  # the first layer; the last, `out`, is a 1x1 convolution and has nothing to separate


def separable_layers(arch: Architecture) -> list[str]:
    """Standard convolutions that may become separable."""
    return [name for name, layer in arch.layers.items() if layer.kind == "standard" and name not in CRITICAL]


def free_kernels(arch: Architecture) -> dict[str, int]:
    """Layers that may get a smaller kernel, and the size that they have: those that keep the resolution."""
    return {name: layer.kernel for name, layer in arch.layers.items() if layer.kind != "inverted" and layer.stride == 1}


def animeganv2(width: float = 1.0) -> Architecture:
    """The generator of AnimeGANv2 as published (2,143,552 parameters at `width` 1), every layer `width` times as wide.

    Source: Chen, Liu, Chen, "AnimeGAN: A Novel Lightweight GAN for Photo Animation", ISICA 2019, version 2 of its code.
    """

    def scaled(channels: int) -> int:
        return max(WIDTH_STEP, round(channels * width / WIDTH_STEP) * WIDTH_STEP)

    def standard(channels: int, kernel: int = 3, stride: int = 1) -> Layer:
        return Layer("standard", scaled(channels), kernel, stride)

    def inverted(channels_in: int, residual: bool = True) -> Layer:
        return Layer("inverted", scaled(256), hidden=2 * scaled(channels_in), residual=residual)

    return Architecture(
        layers={
            "a0": standard(32, kernel=7),
            "a1": standard(64, stride=2),
            "a2": standard(64),
            "b0": standard(128, stride=2),
            "b1": standard(128),
            "c0": standard(128),
            "c1": inverted(128, residual=False),
            "c2": inverted(256),
            "c3": inverted(256),
            "c4": inverted(256),
            "c5": standard(128),
            "d0": standard(128),
            "d1": standard(128),
            "e0": standard(64),
            "e1": standard(64),
            "e2": standard(32, kernel=7),
        }
    )
