"""What is made of a photo and its drawing together: both beside each other, one wiped into the other, many in a zip."""

import zipfile
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from anime_app.studio.names import numbered
from anime_model.pictures import images

WIPE_SIDE = 640  # pixels of the longer side of an animation
STEPS = 14  # of its way from the photo to the drawing
STEP, REST = 60, 1100  # milliseconds of one step, and of the photo and the drawing by themselves
LINE = 3  # pixels of the white line between both


def pair_of(photo: Image.Image, drawing: Image.Image) -> Image.Image:
    """Before | after: one picture of twice the width."""
    both = Image.new(photo.mode, (photo.width * 2, photo.height))
    both.paste(photo, (0, 0))
    both.paste(drawing, (photo.width, 0))
    return both


def wipe(photo: Image.Image, drawing: Image.Image, icc: bytes | None) -> images.Picture:
    """An animation that goes from the photo to the drawing and back, for ever."""
    before, after = (_small(image) for image in (photo, drawing))
    there = [_between(before, after, step / STEPS) for step in range(STEPS + 1)]
    frames = [*there, *there[-2:0:-1]]
    durations = [REST if index in (0, STEPS) else STEP for index in range(len(frames))]
    return images.Picture(frames, "GIF", icc, durations=durations, loop=0)


def _small(image: Image.Image) -> Image.Image:
    if image.mode == "RGBA":
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    small = image.convert("RGB")
    small.thumbnail((WIPE_SIDE, WIPE_SIDE), Image.Resampling.LANCZOS, reducing_gap=2)
    return small


def _between(before: Image.Image, after: Image.Image, share: float) -> Image.Image:
    made, place = before.copy(), round(before.width * (1 - share))
    made.paste(after.crop((place, 0, *after.size)), (place, 0))
    if 0 < place < before.width:
        made.paste("white", (max(0, place - LINE // 2), 0, min(before.width, place + LINE // 2 + 1), before.height))
    return made


def pack(files: Sequence[tuple[str, Path]], target: Path) -> Path:
    """A zip of files under these names; they are compressed already."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name, (_, file) in zip(numbered(name for name, _ in files), files, strict=True):
            archive.write(file, name)
    return target
