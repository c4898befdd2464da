"""The photo-to-anime generator, built from its architecture."""

from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_weights

from anime_model.networks.architecture import Architecture, Layer, output_channels


class ConvUnit(nn.Module):
    """Padding, convolution, norm and activation, each left out where the architecture has none."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        arch: Architecture,
        *,
        kernel: int = 3,
        stride: int = 1,
        groups: int = 1,
        bias: bool = False,
        plain: bool = False,
    ) -> None:
        """`plain` leaves out norm and activation."""
        super().__init__()
        self.pad, padding = _padding(arch, kernel, stride)
        normed = arch.norm != "none" and not plain
        bias = bias or (arch.norm == "none" and not plain)
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups, bias=bias)
        self.norm = _norm(arch.norm, outputs) if normed else nn.Identity()
        self.activation = nn.Identity() if plain else _activation(arch.activation)

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.norm(self._convolved(self.pad(x))))

    def _convolved(self, x: Tensor) -> Tensor:
        """The gradient of a large depthwise kernel takes a CPU four times as long in bfloat16 as in 32 bits."""
        slow = self.conv.groups > 1 and self.conv.kernel_size[0] > 3
        if slow and torch.is_autocast_enabled("cpu"):
            with torch.autocast("cpu", enabled=False):
                return self.conv(x.float())
        return self.conv(x)


class ReflectionPad(nn.ReflectionPad2d):
    """Reflection padding in the number format of its input: autocast would have it in 32 bits on a CPU, for a copy."""

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            return super().forward(x)


class Separable(nn.Module):
    """Depthwise then pointwise convolution with nothing between, so that a rank-1 factorisation is exact (Xception)."""

    def __init__(self, inputs: int, layer: Layer, arch: Architecture) -> None:
        super().__init__()
        self.depthwise = ConvUnit(
            inputs, inputs, arch, kernel=layer.kernel, stride=layer.stride, groups=inputs, plain=True
        )
        self.pointwise = ConvUnit(inputs, layer.width, arch, kernel=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.pointwise(self.depthwise(x))


class InvertedResidual(nn.Module):
    """Pointwise expansion, depthwise convolution (3x3 as published), linear pointwise projection (MobileNetV2)."""

    def __init__(self, inputs: int, layer: Layer, arch: Architecture) -> None:
        super().__init__()
        self.expand = ConvUnit(inputs, layer.hidden, arch, kernel=1)
        self.depthwise = ConvUnit(layer.hidden, layer.hidden, arch, kernel=layer.kernel, groups=layer.hidden, bias=True)
        self.project = ConvUnit(layer.hidden, layer.width, arch, kernel=1)
        self.project.activation = nn.Identity()
        self.residual = layer.residual

    def forward(self, x: Tensor) -> Tensor:
        out = self.project(self.depthwise(self.expand(x)))
        return x + out if self.residual else out


class Generator(nn.Module):
    """Photo to anime: [N, 3, H, W] in [-1, 1] to the same shape and range, for H and W from 8 up."""

    def __init__(self, arch: Architecture) -> None:
        super().__init__()
        self.arch = arch
        self.layers = nn.ModuleDict()
        channels = 3
        for name, layer in arch.layers.items():
            self.layers[name] = _layer(channels, layer, arch)
            channels = layer.width
        self.out = nn.Conv2d(channels, output_channels(arch), 1, bias=arch.norm == "none")

    def features(self, photo: Tensor) -> dict[str, Tensor]:
        """Maps that leave the blocks `b`, `c` and `d`, and the picture as `anime`."""
        half = self._block("a", photo)
        b = self._block("b", half)
        c = self._block("c", b)
        d = self._block("d", self._upsample(c, half))
        if self.arch.tail == "subpixel":
            anime = F.pixel_shuffle(self.out(self._block("e", d)), 2)
        else:
            anime = self.out(self._block("e", self._upsample(d, photo)))
        if self.arch.tail == "subpixel" or self._fixed_factor():
            anime = anime[..., : photo.shape[-2], : photo.shape[-1]]
        if self.arch.detail == "gated":
            anime = anime[:, :3] + anime[:, 3:] * photo
        return {"b": b, "c": c, "d": d, "anime": torch.tanh(anime)}

    def forward(self, photo: Tensor) -> Tensor:
        return self.features(photo)["anime"]

    def _block(self, letter: str, x: Tensor) -> Tensor:
        for name in self.arch.block(letter):
            x = self.layers[name](x)
        return x

    def _fixed_factor(self) -> bool:
        """Whether a map is doubled and the picture cut off at the end: engines keep their blocked layout through it.

        Zero padding rounds odd sizes up, so that the doubled map covers the picture; published reflection does not.
        """
        return self.arch.upsample != "bilinear" and self.arch.padding == "zeros"

    def _upsample(self, x: Tensor, like: Tensor) -> Tensor:
        size = {"scale_factor": 2.0} if self._fixed_factor() else {"size": like.shape[-2:]}
        if self.arch.upsample == "nearest":
            return F.interpolate(x, **size, mode="nearest")
        return F.interpolate(x, **size, mode="bilinear", align_corners=self.arch.upsample == "bilinear")


def convolutions(generator: nn.Module) -> dict[str, nn.Conv2d]:
    """Every convolution of a network by its module name, in the order in which it was built."""
    return {name: module for name, module in generator.named_modules() if isinstance(module, nn.Conv2d)}


@torch.no_grad()
def with_gate(generator: Generator) -> Generator:
    """An equal network whose detail is gated, itself if it is: a new gate is closed until it has trained."""
    if generator.arch.detail == "gated":
        return generator
    gated = Generator(replace(generator.arch, detail="gated"))
    state = gated.state_dict() | generator.state_dict()
    for name, own in gated.out.named_parameters():
        drawn = state[f"out.{name}"]
        state[f"out.{name}"] = torch.cat([drawn, torch.zeros_like(own[len(drawn) :])])
    gated.load_state_dict(state)
    return gated.train(generator.training)


def fold_batch_norm(generator: Generator) -> Generator:
    """An equal network without norms: every batch norm folded into the weight and bias of its convolution."""
    if generator.arch.norm != "batch":
        raise ValueError(f"only batch norm folds into a convolution; this network has norm {generator.arch.norm!r}")
    folded = Generator(replace(generator.arch, norm="none"))
    state = generator.state_dict()
    units = {name: unit for name, unit in generator.named_modules() if isinstance(unit, ConvUnit)}
    for name, unit in units.items():
        if isinstance(unit.norm, nn.BatchNorm2d):
            weight, bias = _folded(unit)
            state[f"{name}.conv.weight"], state[f"{name}.conv.bias"] = weight, bias
    state["out.bias"] = torch.zeros(generator.out.out_channels)
    folded.load_state_dict({key: value for key, value in state.items() if ".norm." not in key})
    return folded.train(generator.training)


def unfold_batch_norm(folded: Generator, arch: Architecture) -> Generator:
    """An equal network of `arch`, which has batch norms: the opposite of `fold_batch_norm`.

    Norms pass on what they get and add the biases. A bias of the output convolution has no place there and is dropped:
    keep it at 0 where a folded network trains on.
    """
    network = Generator(arch)
    state, own = network.state_dict(), folded.state_dict()
    state |= {key: value for key, value in own.items() if key in state}
    for name, unit in network.named_modules():
        if isinstance(unit, ConvUnit) and isinstance(unit.norm, nn.BatchNorm2d):
            bias = own[f"{name}.conv.bias"]
            state[f"{name}.norm.weight"], state[f"{name}.norm.bias"] = torch.ones_like(bias), bias
            state[f"{name}.norm.running_mean"] = torch.zeros_like(bias)
            state[f"{name}.norm.running_var"] = torch.full_like(bias, 1 - unit.norm.eps)
            if unit.conv.bias is not None:
                state[f"{name}.conv.bias"] = torch.zeros_like(bias)
    network.load_state_dict(state)
    return network.train(folded.training)


def _folded(unit: ConvUnit) -> tuple[Tensor, Tensor]:
    norm = unit.norm
    return fuse_conv_bn_weights(
        unit.conv.weight, unit.conv.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
    )


def _layer(inputs: int, layer: Layer, arch: Architecture) -> nn.Module:
    if layer.kind == "standard":
        return ConvUnit(inputs, layer.width, arch, kernel=layer.kernel, stride=layer.stride)
    return (Separable if layer.kind == "separable" else InvertedResidual)(inputs, layer, arch)


def _padding(arch: Architecture, kernel: int, stride: int) -> tuple[nn.Module, int]:
    """The padding layer and the convolution's own padding.

    A halving layer of 3x3 pads at the right and the bottom only, as published; larger ones have the same middle. There
    is one column more where a map is doubled without being told a size: an even size never reads it, an odd one is then
    rounded up, so that what is drawn covers the whole picture.
    """
    reflect = arch.padding == "reflect"
    if stride == 2:
        more = not reflect or arch.tail == "subpixel"
        before, after = kernel // 2 - 1, kernel // 2 + more
        return (ReflectionPad if reflect else nn.ZeroPad2d)((before, after, before, after)), 0
    if reflect and kernel > 1:
        return ReflectionPad(kernel // 2), 0
    return nn.Identity(), kernel // 2


def _norm(kind: str, channels: int) -> nn.Module:
    return nn.GroupNorm(1, channels) if kind == "group" else nn.BatchNorm2d(channels)


def _activation(kind: str) -> nn.Module:
    return nn.LeakyReLU(0.2) if kind == "leaky_relu" else nn.ReLU()
