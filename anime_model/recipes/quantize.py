"""INT8 where it pays."""

from dataclasses import field
from typing import Annotated, Literal

from pydantic import Field

from anime_model.recipes.distillation import DistillSettings
from anime_model.recipes.fields import Number, Seed, Threads, Whole, part, section
from anime_model.recipes.training import Perceptual, TrainingSettings


@section
class QuantizeSettings:
    """INT8 runs where it makes the whole network faster while the picture stays near enough to the float network's."""

    weight_bits: Annotated[
        Literal[7, 8],
        Field(description="7 is safe on CPUs without VNNI, whose sums of two products saturate; 8 is nearer to float"),
    ] = 7
    calibration: Annotated[
        Whole, Field(ge=1, le=4096, description="crops that the ranges of activations are measured on")
    ] = 16
    psnr: Annotated[
        Number,
        Field(ge=0, le=100, description="dB to the float picture at least; layers go back to float until it is"),
    ] = 34.0
    slower: Annotated[
        Number,
        Field(
            ge=0, le=100, description="layers are tried whose own INT8 time is at most so many times their float time"
        ),
    ] = 1.0
    timing_size: Annotated[
        Whole, Field(ge=64, le=4096, description="side in pixels of the picture that layers are timed with")
    ] = 512
    keep_float: Annotated[
        tuple[str, ...] | None,
        Field(description="the layers that stay float, such as `layers.a0` and `out`, instead of measuring"),
    ] = None
    towards: Annotated[
        Literal["teacher", "student"],
        Field(description="whose pictures `fine_tune` learns: the teacher's, or those of the student before rounding"),
    ] = "teacher"
    fine_tune: Annotated[
        DistillSettings, Field(description="training with rounded weights and activations; see `distillation`")
    ] = field(default_factory=DistillSettings)


@part
class Timing:
    """Of `evaluate`, what layers are timed with."""

    latency_threads: Threads


@part
class QuantizeStage:
    seed: Seed
    perceptual: Perceptual
    training: TrainingSettings
    distillation: DistillSettings
    quantize: QuantizeSettings
    evaluate: Timing
