"""A photo at several scales, and where its drawings lie. numpy and Pillow only."""

from pathlib import Path

import numpy as np
from PIL import Image


def scaled_size(height: int, width: int, scale: float) -> tuple[int, int]:
    """Height and width in pixels at `scale`, at least 1 each."""
    return max(1, round(height * scale)), max(1, round(width * scale))


def scaled(photo: np.ndarray, scale: float) -> np.ndarray:
    """uint8 [H, W, 3] at `scale` of its size (Lanczos), larger ones too."""
    height, width = scaled_size(photo.shape[0], photo.shape[1], scale)
    return np.asarray(Image.fromarray(photo).resize((width, height), Image.Resampling.LANCZOS))


def scaled_crop(photo: Image.Image, scale: float, corner: tuple[int, int], side: int) -> np.ndarray:
    """The square of `side` pixels from `corner` (top, left) of the photo at `scale`: uint8 [side, side, 3].

    The same pixels as those of `scaled`, without the rest of the picture: the filter reads beyond the square.
    """
    height, width = scaled_size(photo.height, photo.width, scale)
    down, across, (top, left) = photo.height / height, photo.width / width, corner
    box = (left * across, top * down, (left + side) * across, (top + side) * down)
    return np.asarray(photo.resize((side, side), Image.Resampling.LANCZOS, box))


def drawing_file(folder: Path, scale: float, photo: Path) -> Path:
    """Where the drawing of a photo at `scale` lies below `folder`.

    JPEG of quality 95 with whole colours: a third of a PNG, faster to read, and the error is far below what any
    student's is. WebP would be smaller still, but halves the colours, which smears the borders of flat areas.
    """
    return folder / f"x{scale:g}" / f"{photo.stem}.jpg"
