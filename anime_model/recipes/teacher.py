"""The teacher: its width, how it is trained, or where it is taken from."""

from dataclasses import field
from typing import Annotated, Literal

from pydantic import Field

from anime_model.recipes.abstraction import AbstractionSettings
from anime_model.recipes.fields import Batch, Crop, Flag, Number, Rate, Seed, Steps, Weight, Whole, part, section
from anime_model.recipes.pairs import PairsSettings
from anime_model.recipes.reference import ReferenceHints, Scales
from anime_model.recipes.training import Layers, Perceptual, TrainingSettings

TEACHER_LOSSES = ("adversarial", "content", "style", "colour", "variation")


@section
class TeacherSettings:
    """Weights are those of the losses, rates are Adam's."""

    width: Annotated[
        Number,
        Field(ge=0.125, le=4, description="1 is AnimeGANv2 as published; 0.5 trains about four times faster"),
    ] = 1.0
    discriminator: Annotated[
        Literal["patch", "projected"],
        Field(
            description="`patch` as published, or `projected`: heads on the maps of the perceptual network, which "
            "learn from far fewer pictures"
        ),
    ] = "patch"
    discriminator_width: Annotated[Whole, Field(ge=8, le=512, description="channels of its first layer")] = 64
    abstraction: Annotated[
        AbstractionSettings, Field(description="what the content and colour losses hold on to instead of the photo")
    ] = field(default_factory=AbstractionSettings)
    colour_pool: Annotated[
        Whole,
        Field(
            ge=1,
            le=32,
            description="side in pixels of the squares whose mean colours the colour loss compares after the warm-up: "
            "tints are noticed, lines and texture are free",
        ),
    ] = 1
    crop: Annotated[Crop, Field(description="side of the crops to train on")] = 256
    batch: Annotated[Batch, Field(description="crops in one step")] = 8
    warm_up_steps: Annotated[Steps, Field(description="steps with the content and colour losses alone, first")] = 1000
    steps: Annotated[Steps, Field(description="steps against the discriminator")] = 20000
    warm_up_rate: Annotated[Rate, Field(description="learning rate of the warm-up")] = 2e-4
    rate: Annotated[Rate, Field(description="learning rate after it")] = 1e-4
    discriminator_rate: Annotated[Rate, Field(description="learning rate of the discriminator")] = 2e-4
    weights: Annotated[
        dict[Literal[TEACHER_LOSSES], Weight],
        Field(
            description="`adversarial` and `style` draw, `content` and `colour` hold on to the photo; 0 leaves one out"
        ),
    ] = field(default_factory=dict)
    losses: Annotated[
        Literal["relative", "published"],
        Field(
            description="`published`: style, colour and variation as in AnimeGANv2's `tools/ops.py`, so that its "
            "weights hold: coloured pictures against grey frames, a Huber loss from 1 on, half the squares, a warm-up "
            "on content alone. `relative`: the style loss sees grey versions of both and is relative to the frames' "
            "own size, so that one weight fits every layer, and small tints cost more"
        ),
    ] = "relative"
    smooth_weight: Annotated[
        Weight,
        Field(
            description="weight of the edge-smoothed frames beside 1 of the frames, for the discriminator: 0.1 in "
            "AnimeGAN; in version 2 0.67 (Hayao: 0.8 to 1.2), 0.59 (Shinkai: 1.0 to 1.7), 0.005 (Paprika)"
        ),
    ] = 0.1
    content_layers: Annotated[Layers, Field(description="maps of the perceptual network for the content loss")] = (
        "relu3_1",
    )
    style_layers: Annotated[Layers, Field(description="its maps for the style loss")] = ("relu2_1", "relu3_1")
    snapshots: Annotated[
        Whole,
        Field(
            ge=1,
            le=100,
            description="states that are kept in `artifacts/<style>/teacher/snapshots/` and shown side by side; copy "
            "one elsewhere and import it to choose it",
        ),
    ] = 6
    compile: Annotated[Flag, Field(description="compile the networks first: faster on a GPU, slower on a CPU")] = False
    carry_colours: Annotated[
        Flag,
        Field(
            description="four channels of every layer carry the colours at the start; new weights learn them late "
            "otherwise, and a generator that has lost a colour finds it again"
        ),
    ] = False
    warm_start: Annotated[
        str,
        Field(description="a checkpoint of the same width to begin from, such as one that went through the warm-up"),
    ] = ""
    warm_start_md5: Annotated[str, Field(description="its md5, so that a changed file is noticed")] = ""
    import_file: Annotated[
        dict[str, str],
        Field(
            description="by style: a published AnimeGANv2 `.pt` or a checkpoint of this project that is taken instead "
            "of training one"
        ),
    ] = field(default_factory=dict)
    import_md5: Annotated[dict[str, str], Field(description="by style: its md5")] = field(default_factory=dict)
    reference: Annotated[
        dict[str, str],
        Field(
            description="by style: a published network (ONNX) that all are compared with, and whose own pictures of "
            "the train photos a teacher learns from, as `pairs` says, unless it is imported"
        ),
    ] = field(default_factory=dict)
    reference_md5: Annotated[dict[str, str], Field(description="by style: its md5")] = field(default_factory=dict)
    reference_hints: Annotated[
        dict[str, ReferenceHints],
        Field(description="by style: how it takes pictures, only where neither its file nor a probe can tell"),
    ] = field(default_factory=dict)
    scales: Annotated[
        Scales,
        Field(
            description="how large the photos are when it draws them, as multiples of their size: lines and texture "
            "depend on it; `[]` draws none, where teachers are imported"
        ),
    ] = (0.8, 1.15, 1.6)
    pairs: Annotated[PairsSettings, Field(description="how its pictures are learnt")] = field(
        default_factory=PairsSettings
    )


@part
class TeacherStage:
    seed: Seed
    perceptual: Perceptual
    training: TrainingSettings
    teacher: TeacherSettings


@part
class ReferenceStage:
    training: TrainingSettings
    teacher: TeacherSettings
