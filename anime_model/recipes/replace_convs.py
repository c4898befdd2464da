"""Depthwise-separable convolutions in the teacher's place."""

from dataclasses import field
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from anime_model.networks.architecture import CHOICES
from anime_model.recipes.distillation import DistillSettings
from anime_model.recipes.fields import Seed, Whole, part, section
from anime_model.recipes.training import Perceptual, TrainingSettings


def _odd(size: int) -> int:
    if size < 1 or size % 2 == 0:
        raise ValueError(f"{size} must be an odd number from 1 up")
    return size


Kernel = Annotated[Whole, AfterValidator(_odd)]


@section
class ReplaceSettings:
    """Layers are named as in AnimeGANv2, such as `c0`; what is not about single layers is for the whole network."""

    layers: Annotated[
        tuple[str, ...],
        Field(description="the standard convolutions that become separable; the first and the last layer stay"),
    ]
    kernels: Annotated[
        dict[str, Kernel],
        Field(description="a smaller kernel than the teacher's for some layers, of an odd size, such as `{e2: 3}`"),
    ] = field(default_factory=dict)
    norm: Annotated[
        Literal[CHOICES["norm"]], Field(description="`batch`, which folds into the convolution before it")
    ] = "batch"
    activation: Annotated[Literal[CHOICES["activation"]], Field(description="`relu` saturates INT8 less")] = "relu"
    padding: Annotated[Literal[CHOICES["padding"]], Field(description="`reflect` passes over memory once more")] = (
        "zeros"
    )
    upsample: Annotated[
        Literal[CHOICES["upsample"]],
        Field(description="`bilinear` as published, `half_pixel` where tiles of a large picture must equal the whole"),
    ] = "bilinear"
    tail: Annotated[
        Literal[CHOICES["tail"]],
        Field(
            description="`subpixel` computes the last block at half resolution, several times faster than `resize`, "
            "which is as published"
        ),
    ] = "subpixel"
    detail: Annotated[
        Literal[CHOICES["detail"]],
        Field(
            description="`gated` lets the network draw a fourth channel; the photo times this channel is added to what "
            "is drawn, so that fine texture need not pass through the layers; `drawn` is as published"
        ),
    ] = "drawn"
    stem: Annotated[
        Literal["published", "strided"],
        Field(
            description="`strided` makes one convolution with stride 2 of the first two, `a0` and `a1`, with the "
            "kernel of `a0`: full resolution is a fifth of a lite network's time"
        ),
    ] = "published"
    fine_tune: Annotated[DistillSettings, Field(description="training after it; see `distillation`")] = field(
        default_factory=DistillSettings
    )


@part
class ReplaceStage:
    seed: Seed
    perceptual: Perceptual
    training: TrainingSettings
    distillation: DistillSettings
    replace_convs: ReplaceSettings
