"""Channels that leave the network."""

from dataclasses import field
from typing import Annotated, Literal

from pydantic import Field

from anime_model.recipes.distillation import DistillSettings
from anime_model.recipes.fields import Number, Seed, Share, Steps, Whole, part, section
from anime_model.recipes.training import Perceptual, TrainingSettings


@section
class PruneSettings:
    """Rounds of pruning, and training after each."""

    budget: Annotated[
        Literal["parameters", "macs"], Field(description="`parameters` makes the file smaller, `macs` the time shorter")
    ] = "parameters"
    importance: Annotated[
        Literal["taylor", "l1"],
        Field(
            description="which channels leave first: `taylor`, those that change the picture least, while the others "
            "make up for them by least squares; `l1`, those of the least norm, as in the article"
        ),
    ] = "taylor"
    keep: Annotated[
        Number, Field(ge=0.05, le=1, description="share of the budget's measure that is left after the last round")
    ] = 0.6
    group_keep: Annotated[
        Share, Field(description="least share of its channels that any group keeps, so that none becomes a bottleneck")
    ] = 0.3
    round_to: Annotated[
        Whole,
        Field(
            ge=1,
            le=64,
            description="what the widths are multiples of: 8 fills the vectors of AVX2, 16 those of AVX-512, where a "
            "width of 24 takes the time of 32",
        ),
    ] = 8
    rounds: Annotated[Whole, Field(ge=1, le=50, description="in so many steps")] = 3
    sparsity: Annotated[
        Share, Field(description="weight of the penalty on norm scales in the training before the first round")
    ] = 1e-4
    sparsity_steps: Annotated[Steps, Field(description="how long that training is")] = 1000
    unstructured: Annotated[
        Number,
        Field(ge=0, le=0.99, description="share of weights that the comparison with `l1_unstructured` sets to zero"),
    ] = 0.4
    fine_tune: Annotated[DistillSettings, Field(description="training after each round; see `distillation`")] = field(
        default_factory=DistillSettings
    )
    import_file: Annotated[
        dict[str, str],
        Field(description="by style: a network that a search has found (docs/search.md), taken instead of pruning"),
    ] = field(default_factory=dict)
    import_md5: Annotated[dict[str, str], Field(description="by style: its md5")] = field(default_factory=dict)


@part
class PruneStage:
    seed: Seed
    perceptual: Perceptual
    training: TrainingSettings
    distillation: DistillSettings
    prune: PruneSettings
