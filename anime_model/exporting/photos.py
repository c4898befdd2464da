"""Pictures for a converter: ranges of INT8 are learnt from some, and every file is compared on others."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from anime_model.demo.scenes import SUBJECTS, render
from anime_model.exporting.order import FormatError
from anime_model.pictures.arrays import PictureError, picture_files, read_picture
from anime_model.pictures.sampling import spread

LEARNT, COMPARED = 16, 8  # pictures
SEED = 900_000  # far from those of the demo's sets


def photos(folder: Path | None, side: int = 384) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Photos to learn ranges from and others to compare with, uint8 [H, W, 3], the long side at most `side` pixels.

    Without a folder they are scenes and faces that the project draws itself. Raises `FormatError` where a folder holds
    fewer than two pictures that can be read.
    """
    if folder is None:
        drawn = [
            render(SEED + number, (side * 3 // 4, side), subject, "photo")
            for number in range((LEARNT + COMPARED) // 2)
            for subject in SUBJECTS
        ]
        return drawn[:LEARNT], drawn[LEARNT:]
    files = picture_files(folder)
    found = list(_read([files[place] for place in spread(len(files), LEARNT + COMPARED)], side)) if files else []
    if len(found) < 2:
        raise FormatError(f"{folder}: holds no two pictures that can be read; --photos names a folder of photos")
    count = min(COMPARED, len(found) // 2)
    compared = [found[place] for place in spread(len(found), count)]
    kept = {id(photo) for photo in compared}
    return [photo for photo in found if id(photo) not in kept], compared


def _read(files: Sequence[Path], side: int) -> Iterator[np.ndarray]:
    for path in files:
        try:
            yield shrunk(read_picture(path), side)
        except PictureError:
            continue  # a folder of photos may hold a broken one


def shrunk(photo: np.ndarray, side: int) -> np.ndarray:
    """The picture with its long side at most `side` pixels."""
    image = Image.fromarray(photo)
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    return np.asarray(image)


def resized(photo: np.ndarray, height: int, width: int) -> np.ndarray:
    return np.asarray(Image.fromarray(photo).resize((width, height), Image.Resampling.LANCZOS))


def batch(photo: np.ndarray) -> np.ndarray:
    """uint8 [H, W, 3] to float32 [1, 3, H, W] in [-1, 1], contiguous."""
    return np.ascontiguousarray(photo.transpose(2, 0, 1), np.float32)[None] / np.float32(127.5) - 1
