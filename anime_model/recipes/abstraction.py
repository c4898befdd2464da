"""A drawing of a photo that no network makes."""

from typing import Annotated

from pydantic import Field

from anime_model.recipes.fields import Number, Share, Whole, section


@section
class AbstractionSettings:
    """The drawing that a teacher holds on to instead of the photo: `anime_model/training/abstraction.py`."""

    rounds: Annotated[
        Whole, Field(ge=0, le=20, description="of a bilateral filter, which makes areas flat; 0 is the photo itself")
    ] = 0
    range: Annotated[
        Number, Field(ge=0.001, le=10, description="difference in colour, Y from 0 to 1, that still counts as one area")
    ] = 0.05
    lines: Annotated[Share, Field(description="strength of dark lines")] = 0.9
    sharpen: Annotated[Number, Field(ge=0, le=5, description="factor by which borders are sharpened")] = 1.0
    palette: Annotated[Share, Field(description="share of the way from the photos' colours to those of the frames")] = (
        0.0
    )
