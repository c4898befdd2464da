"""The blind pictures of a panel: drawn once, timed, and made alike from outside."""

import io
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import numpy as np
from PIL import Image

from anime_app.panel.store import Drawn
from anime_model.pictures.arrays import read_picture
from anime_model.runtime.stylizer import Stylizer

SIDE = 640  # pixels of the longer side: two fit beside each other on a screen, and 50 pairs into a session
QUALITY = 92
REPEATS = 3
BLOCK = 65_535  # bytes of a JPEG comment, its own length included
MARK = b"\xff\xfe"


def draw_panel(
    photos: Sequence[tuple[str, Path]], models: Sequence[Path], threads: int, say: Callable[[int, int], None]
) -> list[Drawn]:
    """What every model makes of every photo, all files equally long. `say(done, total)` hears of each picture.

    A picture's milliseconds are the median of three runs from pixels to pixels, after one that warms up. Raises
    `PictureError` for a photo that cannot be read and `ModelError` for a model that cannot be used.
    """
    stylizers = [Stylizer(model, threads) for model in models]
    found, done = [], 0
    for name, path in photos:
        photo = fitted(read_picture(path))
        made = []
        for stylizer in stylizers:
            made.append(_timed(stylizer, photo))
            done += 1
            say(done, len(photos) * len(models))
        found.append((name, photo, made))
    files = [[jpeg(photo), *(jpeg(picture) for picture, _ in made)] for _, photo, made in found]
    length = max(len(data) for row in files for data in row) + 4 + 32  # at least 32 random bytes in each
    return [
        Drawn(name, alike(row[0], length), [alike(data, length) for data in row[1:]], [ms for _, ms in made])
        for (name, _, made), row in zip(found, files, strict=True)
    ]


def fitted(photo: np.ndarray) -> np.ndarray:
    """uint8 RGB [H, W, 3] with at most `SIDE` pixels along the longer side."""
    image = Image.fromarray(photo)
    image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    return np.asarray(image)


def jpeg(picture: np.ndarray) -> bytes:
    """A JPEG file with nothing in it but the picture: no name, date or program."""
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "JPEG", quality=QUALITY, subsampling=0)
    return stream.getvalue()


def alike(data: bytes, length: int) -> bytes:
    """The JPEG file `data` made `length` bytes long by random comments, so that its size says nothing about its maker.

    A comment has at least four bytes, so `length` must be `len(data)` or at least four more.
    """
    missing, comments = length - len(data), []
    while missing:
        size = min(missing, BLOCK + 2)
        if 0 < missing - size < 4:  # what is left must hold a comment too
            size -= 4
        comments.append(MARK + (size - 2).to_bytes(2) + os.urandom(size - 4))
        missing -= size
    return data[:2] + b"".join(comments) + data[2:]


def _timed(stylizer: Stylizer, photo: np.ndarray) -> tuple[np.ndarray, float]:
    picture, times = stylizer(photo), []
    for _ in range(REPEATS):
        start = time.perf_counter()
        stylizer(photo)
        times.append(1000 * (time.perf_counter() - start))
    return picture, median(times)
