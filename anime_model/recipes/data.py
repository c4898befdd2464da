"""Pictures: where they are, and the sizes that they are brought down to."""

import re
from dataclasses import field
from typing import Annotated

from pydantic import AfterValidator, Field

from anime_model.recipes.fields import NAME, PLAIN_PATH, Seed, Whole, part, section
from anime_model.recipes.reading import short


def folder_name(name: str) -> str:
    if not re.fullmatch(NAME, name):
        raise ValueError(
            f"{short(name)} must be a folder name of small letters, digits, '-' and '_' that begins with a letter and "
            "has 40 characters at most"
        )
    return name


def plain_path(path: str) -> str:
    """It becomes an argument of a shell command."""
    if not re.fullmatch(PLAIN_PATH, path):
        raise ValueError(f"{short(path)} must be a path of letters, digits, '/', '.', '_' and '-' only")
    return path


Folder = Annotated[str, AfterValidator(folder_name)]
PlainPath = Annotated[str, AfterValidator(plain_path)]
Side = Annotated[Whole, Field(ge=16, le=4096)]


@section
class GeneratedSettings:
    """The pictures that the project draws itself, for each of `data.generate`."""

    photos: Annotated[Whole, Field(ge=8, le=100_000, description="photos to learn from")] = 260
    frames: Annotated[Whole, Field(ge=8, le=100_000, description="frames of the style")] = 100
    test: Annotated[Whole, Field(ge=2, le=10_000, description="test photos")] = 24
    short_side: Annotated[Whole, Field(ge=32, le=1024, description="their short side in pixels")] = 160


@section
class DataSettings:
    """Folders, and sizes in pixels."""

    photos: Annotated[PlainPath, Field(description="folder with `train/` and `test/<set>/`")]
    frames: Annotated[PlainPath, Field(description="folder with one folder for each style")]
    generate: Annotated[
        tuple[Folder, ...], Field(description="folders under `data/` whose pictures the project draws itself first")
    ]
    photo_size: Annotated[Side, Field(description="short side of photos to learn from; nothing is scaled up")] = 288
    test_size: Annotated[Side, Field(description="short side of photos to measure with")] = 512
    frame_size: Annotated[Side, Field(description="short side of frames")] = 720
    smallest: Annotated[
        Whole, Field(ge=8, le=4096, description="pictures with a shorter side are set aside, in pixels")
    ] = 64
    generated: Annotated[GeneratedSettings, Field(description="what is drawn")] = field(
        default_factory=GeneratedSettings
    )


@part
class Generated:
    """Of `data`, what the stage reads that draws."""

    generated: GeneratedSettings = field(default_factory=GeneratedSettings)


@part
class GenerateStage:
    seed: Seed
    data: Generated


@part
class PrepareStage:
    data: DataSettings
