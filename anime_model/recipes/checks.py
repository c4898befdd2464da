"""What the data must be like before a retraining."""

from typing import Annotated

from pydantic import Field

from anime_model.recipes.fields import Share, Whole, section


@section
class CheckSettings:
    """Anything outside stops it. A new bound changes no stage."""

    photos: Annotated[Whole, Field(ge=4, le=10_000_000, description="fewest usable pictures in photos/train")] = 16
    test: Annotated[Whole, Field(ge=2, le=10_000_000, description="fewest in each test set")] = 2
    frames: Annotated[Whole, Field(ge=4, le=10_000_000, description="fewest of each style")] = 8
    unusable: Annotated[
        Share,
        Field(description="largest share of pictures that cannot be read or are smaller than `data.smallest`"),
    ] = 0.02
    shrunk: Annotated[
        Share, Field(description="largest share of a group's pictures that may be gone since the last retraining")
    ] = 0.2
    twins: Annotated[
        Whole,
        Field(
            ge=0,
            le=10_000_000,
            description="most test photos that look like a train photo or its mirror image (perceptual hash, then "
            "correlation of the pictures made tiny)",
        ),
    ] = 0
    twin_bits: Annotated[
        Whole, Field(ge=0, le=32, description="bits of 64 by which the hashes of such two may differ")
    ] = 8
    shift: Annotated[
        Share,
        Field(
            description="largest Kolmogorov-Smirnov distance of colour, brightness, contrast, saturation, size or "
            "shape from the last retraining's pictures"
        ),
    ] = 0.25
