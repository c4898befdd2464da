"""Depthwise-separable convolutions in place of standard ones, started from the teacher's own kernels."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from anime_model.compression.stem import merge_stem
from anime_model.networks.architecture import FIRST, Architecture, Layer, free_kernels, separable_layers
from anime_model.networks.generator import ConvUnit, Generator, Separable
from anime_model.recipes.replace_convs import ReplaceSettings


class SurgeryError(ValueError):
    """Surgery that the network does not allow."""


def replace_convs(teacher: Generator, settings: ReplaceSettings, photos: Tensor | None = None) -> Generator:
    """A copy of `teacher`, the chosen layers separable; kernels, norm, activation, padding and tail as in `settings`.

    Every replaced kernel is the rank-1 approximation, input channel by input channel, that is nearest to the teacher's
    (least squares, by SVD). Kept kernels are copied, smaller ones begin as the middle of the teacher's. Norm scales and
    shifts are copied, batch statistics are to be gathered. A strided stem is fitted to what the teacher makes of
    `photos` [N, 3, H, W] in [-1, 1]. Raises `SurgeryError` naming a layer that cannot be replaced or whose kernel has
    no such middle, and where a strided stem has no photos.
    """
    if settings.stem == "strided":
        teacher, settings = _with_strided_stem(teacher, settings, photos)
    check_layers(teacher.arch, settings.layers)
    check_kernels(teacher.arch, settings.kernels)
    student = Generator(student_architecture(teacher.arch, settings))
    with torch.no_grad():
        for name in teacher.arch.layers:
            _copy_layer(teacher.layers[name], student.layers[name])
        _copy_output(teacher, student)
    return student.eval()


def _with_strided_stem(
    teacher: Generator, settings: ReplaceSettings, photos: Tensor | None
) -> tuple[Generator, ReplaceSettings]:
    """The teacher with its stem merged, and the settings that are left for it."""
    if photos is None:
        raise SurgeryError("replace_convs.stem: 'strided' is fitted to photos; give some")
    check_kernels(teacher.arch, settings.kernels)
    kernel = settings.kernels.get(FIRST, teacher.arch.layers[FIRST].kernel)
    others = {name: size for name, size in settings.kernels.items() if name != FIRST}
    return merge_stem(teacher, kernel, photos), replace(settings, kernels=others)


def check_layers(arch: Architecture, layers: Sequence[str]) -> None:
    """Raises `SurgeryError` unless each layer is a standard convolution off the critical path."""
    standard = separable_layers(arch)
    for name in layers:
        if name not in standard:
            raise SurgeryError(f"replace_convs.layers: {name!r} cannot be replaced; choose among {', '.join(standard)}")


def check_kernels(arch: Architecture, kernels: Mapping[str, int]) -> None:
    """Raises `SurgeryError` unless each layer keeps the resolution and has a kernel with a middle of that size."""
    free = free_kernels(arch)
    for name, size in kernels.items():
        if name not in free:
            raise SurgeryError(
                f"replace_convs.kernels: {name!r} has to keep its kernel; choose among {', '.join(free)}"
            )
        if size > (largest := free[name]):
            raise SurgeryError(f"replace_convs.kernels.{name}: {size} is larger than the teacher's {largest}")


def student_architecture(arch: Architecture, settings: ReplaceSettings) -> Architecture:
    def changed(name: str, layer: Layer) -> Layer:
        kind = "separable" if name in settings.layers else layer.kind
        return replace(layer, kind=kind, kernel=settings.kernels.get(name, layer.kernel))

    return replace(
        arch,
        layers={name: changed(name, layer) for name, layer in arch.layers.items()},
        norm=settings.norm,
        activation=settings.activation,
        padding=settings.padding,
        upsample=settings.upsample,
        tail=settings.tail,
        detail=settings.detail,
    )


def rank_one(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Depthwise [I, 1, k, k] and pointwise [O, I, 1, 1] kernels whose product is nearest to `weight` [O, I, k, k].

    For every input channel the O x k*k matrix is cut to its first singular pair (Eckart-Young); the singular value is
    shared evenly, so that neither factor outgrows the other.
    """
    outputs, inputs, height, width = weight.shape
    matrices = weight.permute(1, 0, 2, 3).reshape(inputs, outputs, height * width)
    u, s, v = torch.linalg.svd(matrices, full_matrices=False)
    root = s[:, :1].sqrt()
    depthwise = (root * v[:, 0]).reshape(inputs, 1, height, width)
    pointwise = (root * u[:, :, 0]).T.reshape(outputs, inputs, 1, 1)
    return depthwise, pointwise


def _copy_layer(source: nn.Module, target: nn.Module) -> None:
    if isinstance(target, Separable) and isinstance(source, ConvUnit):
        depthwise, pointwise = rank_one(_middle(source.conv.weight, target.depthwise.conv.weight.shape[-1]))
        target.depthwise.conv.weight.copy_(depthwise)
        target.pointwise.conv.weight.copy_(pointwise)
        _copy_norm(source.norm, target.pointwise.norm)
        return
    units = [(a, b) for a, b in zip(source.modules(), target.modules(), strict=False) if isinstance(a, ConvUnit)]
    for a, b in units:
        weight = _middle(a.conv.weight, b.conv.weight.shape[-1])
        b.conv.load_state_dict(a.conv.state_dict() | {"weight": weight})
        _copy_norm(a.norm, b.norm)


def _middle(weight: Tensor, size: int) -> Tensor:
    cut = (weight.shape[-1] - size) // 2
    return weight[..., cut : cut + size, cut : cut + size]


def _copy_norm(source: nn.Module, target: nn.Module) -> None:
    target.weight.copy_(source.weight)
    target.bias.copy_(source.bias)


def _copy_output(source: Generator, target: Generator) -> None:
    """The sub-pixel output starts as four equal copies: every 2x2 patch has the colour that the teacher gives it.

    A gate that is new starts closed; one that the student has not is left out.
    """
    before, after = (4 if network.arch.tail == "subpixel" else 1 for network in (source, target))
    rows = source.out.weight.repeat_interleave(after // before, dim=0)[: target.out.out_channels]
    target.out.weight.zero_()
    target.out.weight[: len(rows)] = rows
