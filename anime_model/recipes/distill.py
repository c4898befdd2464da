"""The long distillation of the pruned network."""

from dataclasses import field
from typing import Annotated

from pydantic import Field

from anime_model.recipes.distillation import DistillSettings
from anime_model.recipes.fields import Seed, part, section
from anime_model.recipes.training import Perceptual, TrainingSettings


@section
class FullDistillSettings:
    """From the full teacher."""

    fine_tune: Annotated[DistillSettings, Field(description="the training; see `distillation`")] = field(
        default_factory=DistillSettings
    )


@part
class DistillStage:
    seed: Seed
    perceptual: Perceptual
    training: TrainingSettings
    distillation: DistillSettings
    distill: FullDistillSettings
