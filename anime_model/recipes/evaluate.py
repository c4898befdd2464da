"""What is measured, and how."""

from typing import Annotated, Literal

from pydantic import Field

from anime_model.metrics.names import FEATURES, NETS
from anime_model.recipes.fields import Threads, Whole, part, section


@section
class EvaluateSettings:
    """The networks of the metrics, and the protocol of the latency."""

    latency_threads: Annotated[Threads, Field(description="threads of the engine while latency is measured")]
    features: Annotated[
        Literal[FEATURES],
        Field(description="of FID and KID: `inception-2048` is the published layer, `embedded` needs no download"),
    ] = "embedded"
    lpips: Annotated[Literal[NETS], Field(description="network of LPIPS; `embedded` needs no download")] = "embedded"
    latency_size: Annotated[Whole, Field(ge=32, le=8192, description="side in pixels of the measured picture")] = 512
    latency_repeats: Annotated[Whole, Field(ge=3, le=10_000, description="rounds in which all variants take turns")] = (
        20
    )
    pictures: Annotated[
        Whole, Field(ge=1, le=64, description="pictures of each test set that are kept for reports and the studio")
    ] = 4


@part
class EvaluateStage:
    evaluate: EvaluateSettings
