"""One-click palettes: colour grading of a finished picture, so that one network gives several looks.

A palette is three steps that film grading has: a curve for each channel (a table of 256 entries), a saturation
matrix that keeps luma, and split toning, which adds one colour to the shadows and another to the highlights.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np

from anime_model.pictures.message import Message

LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601, as in the colour loss of AnimeGANv2
Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Palette:
    """How a look is graded: `gamma` over 1 lifts middle tones of a channel, `contrast` turns curves about middle grey.

    `shadows` and `highlights` are RGB levels of 255, added in full to black and to white and fading out to the middle.
    """

    about: str
    gamma: Colour = (1, 1, 1)
    contrast: float = 1
    saturation: float = 1
    shadows: Colour = (0, 0, 0)
    highlights: Colour = (0, 0, 0)


PALETTES = {
    "hayao": Palette("soft light, warm greens", (1.05, 1.1, 0.98), 0.96, 1.12, (4, 8, 0), (6, 4, -8)),
    "shinkai": Palette("deep blue skies, clear light", (0.97, 1.03, 1.14), 1.06, 1.28, (-4, 0, 14), (6, 2, 4)),
    "paprika": Palette("strong contrast, warm reds", (1.08, 0.97, 0.94), 1.14, 1.2, (6, -2, 4), (8, 2, -6)),
    "hosoda": Palette("bright, flat, sky-white", (1.08, 1.1, 1.12), 0.92, 0.96, (4, 6, 10), (0, 2, 4)),
    "sakura": Palette("pale pink spring", (1.14, 1.04, 1.1), 0.9, 0.92, (12, 2, 10), (6, -4, 2)),
    "dusk": Palette("violet shadows, orange light", (1.02, 0.96, 1.02), 1.05, 1.1, (8, -4, 24), (14, 2, -18)),
    "retro": Palette("faded cels of the eighties", (1.06, 1.02, 0.94), 0.88, 0.82, (14, 8, 6), (2, 0, -16)),
    "noir": Palette("black and white, hard light", (1, 1, 1), 1.2, 0, (0, 0, 0), (0, 0, 0)),
}


def grade(picture: np.ndarray, palette: str) -> np.ndarray:
    """uint8 RGB [H, W, 3] to float32 [H, W, 3] of the same range (not clipped yet), graded as `palette` says.

    Raises `ValueError` for a palette that there is not.
    """
    curves, matrix, tones = _tables(palette)
    curved = np.empty(picture.shape, np.float32)
    for channel in range(3):
        curved[..., channel] = curves[channel][picture[..., channel]]
    luma = (curved @ LUMA).clip(0, 255).astype(np.uint8)
    return curved @ matrix.T + tones[luma]


@cache
def _tables(name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The curves [3, 256], the saturation matrix [3, 3] and the tint of every luma [256, 3], all float32."""
    check_palette(name)
    palette = PALETTES[name]
    levels = np.linspace(0, 1, 256, dtype=np.float32)
    curves = np.stack([(levels ** (1 / gamma) - 0.5) * palette.contrast + 0.5 for gamma in palette.gamma]) * 255
    matrix = palette.saturation * np.eye(3) + (1 - palette.saturation) * LUMA
    tones = np.outer((1 - levels) ** 2, palette.shadows) + np.outer(levels**2, palette.highlights)
    return curves.clip(0, 255).astype(np.float32), matrix.astype(np.float32), tones.astype(np.float32)


def check_palette(name: str | None) -> None:
    """Raises `ValueError`, naming the palettes that there are, for another name; None is no palette."""
    if name is not None and name not in PALETTES:
        raise ValueError(Message("no palette {name!r}: there is {choices}", name=name, choices=", ".join(PALETTES)))
