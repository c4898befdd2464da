"""At which working size a network that changes shapes, such as eyes, does so most.

It knows faces of a certain size in pixels: larger ones stay as they are, smaller ones become soft. How large they are
in a photo nobody knows, so a few sizes are drawn, and the one is kept at which the most of the picture has changed.
"""

import math
from itertools import count, takewhile

import numpy as np

STEP = math.sqrt(2)  # between two working sizes
WORTH = 1.1  # times the change of a smaller drawing, which takes half the time, that a larger one has to reach
GIVEN_UP = 0.8  # of the kept drawing's change: below it, larger ones are not tried
CELL = 8  # pixels of the sides of what counts as a shape at least
AROUND = 7  # cells to each side in which a tint is no shape
LEVELS = 3 * 127.5 * CELL**2  # of a cell's sum of channels, for each unit of a network's range


def strokes(first: int, most: int, short: int) -> list[int]:
    """Working sizes in steps of the root of two, from `first` to `most`, those below a picture's `short` side."""
    steps = (round(first * STEP**step) for step in count())
    return list(takewhile(lambda stroke: stroke <= max(first, most) and stroke < short, steps))


def changed_shapes(photo: np.ndarray, made: np.ndarray) -> float:
    """How much of a picture, both uint8 RGB [H, W, 3] from 16 pixels up, has got other shapes: 0 where none.

    Cells of the added grey, without their surroundings' mean, squared; means of 2 x 2 of them squared again, so that a
    part which changes as much as eyes do outweighs the many that change a little; their mean over the picture.
    `anime_model.training.imitation.changed_shapes` is where they are.
    """
    height, width = (side // (2 * CELL) * 2 for side in photo.shape[:2])
    cells = np.empty((height, width), np.int64)
    for row in range(height):  # at once, it would be 16 bytes a pixel
        lines = np.s_[row * CELL : (row + 1) * CELL, : width * CELL]
        added = made[lines].sum(2, dtype=np.int64) - photo[lines].sum(2, dtype=np.int64)
        cells[row] = added.reshape(CELL, width, CELL).sum((0, 2))
    sums, counts = _sums_around(cells), _sums_around(np.ones_like(cells))
    moved = ((cells - sums / counts) / LEVELS) ** 2
    return float((moved.reshape(height // 2, 2, width // 2, 2).mean((1, 3)) ** 2).mean())


def _sums_around(cells: np.ndarray) -> np.ndarray:
    """Sums over `AROUND` cells to each side; there are none beyond the border. Integers, so that no order matters."""
    for axis in (0, 1):
        places = np.arange(cells.shape[axis])
        until = np.insert(np.cumsum(cells, axis), 0, 0, axis)
        last, first = np.minimum(places + AROUND + 1, len(places)), np.maximum(places - AROUND, 0)
        cells = until.take(last, axis) - until.take(first, axis)
    return cells
