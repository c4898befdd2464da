"""Where training runs. Every stage that trains reads it."""

from typing import Annotated, Literal

from pydantic import Field

from anime_model.networks.names import LAYERS, PERCEPTUAL
from anime_model.recipes.fields import Number, Whole, section

Perceptual = Literal[PERCEPTUAL]
Layers = tuple[Literal[LAYERS], ...]


@section
class TrainingSettings:
    """In the words of Lightning Fabric."""

    accelerator: Annotated[
        Literal["auto", "cpu", "cuda", "mps"], Field(description="the processor; `auto` takes a GPU where there is one")
    ] = "auto"
    devices: Annotated[
        Whole,
        Field(
            ge=1,
            le=64,
            description="how many of them; above 1, as many processes are started, each with a whole `batch`",
        ),
    ] = 1
    threads: Annotated[
        Whole,
        Field(
            ge=1,
            le=1024,
            description="of the CPU, for each process; results repeat bit for bit only with the same number",
        ),
    ] = 2
    precision: Annotated[
        Literal["auto", "32-true", "bf16-mixed", "16-mixed"],
        Field(description="`auto` takes bf16 where the processor multiplies in it; elsewhere bf16 is ten times slower"),
    ] = "32-true"
    save_every: Annotated[
        Number, Field(ge=0, le=86_400, description="seconds between two saves that a broken run goes on from")
    ] = 20.0
