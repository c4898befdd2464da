"""How a teacher learns a published network's own pictures."""

from dataclasses import field
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from anime_model.recipes.fields import STEPS, Batch, Crop, Number, Rate, Steps, Weight, Whole, section
from anime_model.recipes.training import Layers

PAIRS_LOSSES = ("pixel", "content", "style", "edges", "colour", "gate")


def _growing(crops: tuple[int, ...]) -> tuple[int, ...]:
    if not crops or list(crops) != sorted(crops):
        raise ValueError("name at least one size, small ones first")
    return crops


def _any_weight(weights: dict[str, float]) -> dict[str, float]:
    if not any(weights.values()):
        raise ValueError("at least one above 0")
    return weights


@section
class PairsSettings:
    """Photos and the published network's pictures of them; Adam, its rate falling by a cosine.

    The norms of the teacher and of most published networks see the whole picture: the last crops are nearly all of it.
    """

    steps: Annotated[Whole, Field(ge=1, le=STEPS, description="steps on the published network's pictures")] = 4000
    rate: Annotated[Rate, Field(description="learning rate, falling by a cosine")] = 1e-3
    batch: Annotated[Batch, Field(description="crops in one step")] = 4
    crops: Annotated[
        tuple[Crop, ...],
        AfterValidator(_growing),
        Field(description="sides of the crops in pixels, small ones first, each for an equal share of the steps"),
    ] = (160, 208, 256)
    weights: Annotated[
        dict[Literal[PAIRS_LOSSES], Weight],
        AfterValidator(_any_weight),
        Field(
            description="of the losses; 0 leaves one out, one of them is needed; with `gate` the teacher gets a gate "
            "for the photo's own pixels, as `replace_convs.detail` has it, and this is what it costs"
        ),
    ] = field(default_factory=lambda: {"pixel": 4.0, "content": 1.0, "style": 0.2})
    content_layers: Annotated[Layers, Field(description="maps of the perceptual network for the content loss")] = (
        "relu1_1",
        "relu2_1",
        "relu3_1",
    )
    style_layers: Annotated[Layers, Field(description="its maps for the style loss")] = ("relu2_1", "relu3_1")
    clip: Annotated[Number, Field(ge=0, le=1e6, description="the norm that gradients are cut to; 0 never")] = 1.0
    average: Annotated[
        Number, Field(ge=0, le=0.99999, description="how slowly the average of the weights, the result, follows them")
    ] = 0.999
    frames_steps: Annotated[
        Steps,
        Field(
            description="steps against the frames afterwards, with the teacher's own weights and rates, holding on to "
            "the published network's pictures"
        ),
    ] = 0
