"""Photos to compare on: the test photos of the last run, and what a person puts in."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from anime_model.pictures import images
from anime_model.pictures.arrays import PictureError
from anime_model.pictures.message import about, message_of, with_values

SIDE = 1024  # pixels of the longer side that is drawn
THUMB = 148
MOST = 12


@dataclass(frozen=True)
class Sample:
    """One photo by its name; `key` is what the page knows of it."""

    key: str
    name: str
    path: Path


def run_photos(project: Path | None) -> list[Sample]:
    """The photos that the evaluation of any style kept, every name once, by set and name."""
    found: dict[str, Sample] = {}
    for path in sorted((project or Path("nowhere")).glob("artifacts/*/evaluation/pictures/*/*/photo.jpg")):
        group, name = path.parts[-3:-1]
        found.setdefault(f"{group}/{name}", Sample(f"{group}/{name}", f"{group} {name}", path))
    return [found[key] for key in sorted(found)]


def spread(samples: Sequence[Sample], most: int = MOST) -> list[Sample]:
    """At most `most` of them, evenly over the whole."""
    if len(samples) <= most:
        return list(samples)
    return [samples[index * len(samples) // most] for index in range(most)]


def read_photo(path: Path, max_pixels: int) -> np.ndarray:
    """uint8 RGB [H, W, 3], the first frame, upright, at most `SIDE` pixels along the longer side. Raises
    `PictureError`, whose message begins with the file's name and has no folder in it."""
    try:
        frame = images.decode(path, max_pixels).frames[0]
    except (ValueError, OSError) as error:
        raise PictureError(_named(path, message_of(error))) from error
    if frame.mode == "RGBA":
        frame = Image.alpha_composite(Image.new("RGBA", frame.size, "white"), frame)
    frame = frame.convert("RGB")
    frame.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    return np.asarray(frame)


def _named(path: Path, said: str) -> str:
    """A message about a file, by the file's name alone."""
    said = with_values(said, lambda value: " ".join(value.split()).replace(str(path), path.name))
    return said if said.startswith(f"{path.name}: ") else about(path.name, said)


def data_url(picture: np.ndarray, quality: int = 92) -> str:
    """uint8 RGB [H, W, 3] as an address that holds the whole JPEG file: nothing is served or left on disk."""
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "JPEG", quality=quality, subsampling=0)
    return as_url(stream.getvalue())


def as_url(jpeg: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"


def thumbnail(picture: np.ndarray) -> str:
    """A small square of its middle, as an address."""
    return data_url(middle(picture, THUMB), 80)


def middle(picture: np.ndarray, side: int) -> np.ndarray:
    """The largest square in the middle of uint8 [H, W, 3], as uint8 [side, side, 3]."""
    image = Image.fromarray(picture)
    short = min(image.size)
    left, top = (image.width - short) // 2, (image.height - short) // 2
    box = (left, top, left + short, top + short)
    return np.asarray(image.resize((side, side), Image.Resampling.LANCZOS, box=box, reducing_gap=2))
