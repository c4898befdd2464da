"""The gates between a network and its users."""

from typing import Annotated

from pydantic import Field

from anime_model.recipes.fields import Number, Whole, section

Ratio = Annotated[Number, Field(ge=0.1, le=100)]


@section
class PromoteSettings:
    """What a network passes before it becomes the champion; `null` takes a gate away. A new bound changes no stage."""

    bytes: Annotated[Whole | None, Field(ge=1, le=10**10, description="largest file")] = None
    latency_p95_ms: Annotated[
        Number | None,
        Field(ge=0.001, le=10**7, description="slowest 95th percentile in ms, on the machine that decides"),
    ] = None
    latency_ratio: Annotated[
        Ratio | None,
        Field(
            description="time as a multiple of the champion's: the median over pairs of runs; refused where its whole "
            "95 % interval is above"
        ),
    ] = 1.5
    fid: Annotated[Number | None, Field(ge=0, le=10**6, description="largest FID to the style's frames")] = None
    fid_ratio: Annotated[
        Ratio | None, Field(description="the same as a multiple of the champion's on the same pictures")
    ] = 1.05
    lpips: Annotated[Number | None, Field(ge=0, le=10, description="largest LPIPS to the present teacher")] = None
    lpips_ratio: Annotated[Ratio | None, Field(description="the same as a multiple of the champion's")] = 1.05
    psnr: Annotated[Number | None, Field(ge=0, le=100, description="smallest PSNR (dB) to the present teacher")] = 20.0
    style_share: Annotated[
        Number | None,
        Field(
            ge=0.01,
            le=10,
            description="largest FID to the style's frames as a share of the untouched photos', on the test set "
            "`scenes`, or on all sets where there is none of that name",
        ),
    ] = 0.9
    lpips_photo: Annotated[
        Number | None,
        Field(ge=0, le=10, description="smallest LPIPS to the untouched photo: nearer to it, it is still a photo"),
    ] = 0.05
    panel: Annotated[
        Number | None, Field(ge=1, le=5, description="smallest mean of people's ratings, where the version has any")
    ] = 3.0
