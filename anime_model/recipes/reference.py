"""Published networks that teachers learn from: what neither their files nor a probe of them can tell."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from anime_model.recipes.fields import Number, Whole, section
from anime_model.reference.names import LAYOUTS, ORDERS, RANGES


def _each_once(scales: tuple[float, ...]) -> tuple[float, ...]:
    if len(set(scales)) != len(scales):
        raise ValueError("name each scale once")
    return scales


Scales = Annotated[tuple[Annotated[Number, Field(ge=0.1, le=8)], ...], AfterValidator(_each_once)]


@section
class ReferenceHints:
    """Empty and 0 leave it to the file and the probe."""

    layout: Annotated[Literal["", *LAYOUTS], Field(description="where the channels stand in what it takes")] = ""
    values: Annotated[Literal["", *RANGES], Field(description="levels of black and white that it takes")] = ""
    values_out: Annotated[Literal["", *RANGES], Field(description="levels that it gives")] = ""
    channels: Annotated[
        Literal["", *ORDERS], Field(description="order of the colours; `rgb` where its file says nothing else")
    ] = ""
    multiple: Annotated[Whole, Field(ge=0, le=4096, description="what height and width must be multiples of")] = 0
