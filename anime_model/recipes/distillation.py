"""How a student learns from the teacher: what the stages that distil share, and what each sets for itself."""

from dataclasses import field
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from anime_model.recipes.fields import Batch, Crop, Flag, Number, Rate, Share, Steps, Weight, section
from anime_model.recipes.training import Layers

DISTILL_LOSSES = ("pixel", "content", "style", "edges", "colour", "feature", "gate")


@section
class DistillSettings:
    """A recipe gives what the stages share in `distillation`, and each stage's own in its `fine_tune`."""

    steps: Annotated[Steps, Field(description="how long it trains; each stage has its own")] = 0
    rate: Annotated[Rate, Field(description="learning rate, falling by a cosine; each stage has its own")] = 1e-3
    batch: Annotated[Batch, Field(description="crops in one step")] = 8
    crop: Annotated[Crop, Field(description="side of the crops to train on")] = 256
    weights: Annotated[
        dict[Literal[DISTILL_LOSSES], Weight],
        Field(
            description="of the losses; `pixel` is needed, 0 leaves another one out; `edges` sees soft lines, `colour` "
            "wide casts, `gate` is what a gate lets through, which without a weight lets the photo through"
        ),
    ] = field(default_factory=dict)
    kl_share: Annotated[
        Number, Field(ge=0, le=0.95, description="the part of the loss that the KL term makes, held exactly and logged")
    ] = 0.2
    temperature: Annotated[Number, Field(ge=0.1, le=100, description="of the KL term")] = 3.0
    content_layers: Annotated[Layers, Field(description="maps of the perceptual network for the content loss")] = (
        "relu2_1",
        "relu3_1",
    )
    style_layers: Annotated[Layers, Field(description="its maps for the style loss")] = ("relu2_1", "relu3_1")
    compile: Annotated[Flag, Field(description="compile the networks first: faster on a GPU, slower on a CPU")] = False
    reference_share: Annotated[
        Share,
        Field(
            description="share of the crops whose target is the published network's own picture instead of the "
            "teacher's, for styles of `teacher.reference`"
        ),
    ] = 0.0
    critic: Annotated[
        Number,
        Field(
            ge=0,
            le=10,
            description="length of a discriminator's gradient in the picture beside the losses' own: crisp lines in "
            "long trainings; 0 leaves it out",
        ),
    ] = 0.0
    freeze_norm: Annotated[
        Flag, Field(description="train with the statistics that batch norms will have afterwards")
    ] = False

    @model_validator(mode="after")
    def _learns_from_pixels(self) -> Self:
        if self.steps and not self.weights.get("pixel"):
            raise ValueError("distillation needs weights.pixel above 0; set distillation.weights.pixel")
        return self
