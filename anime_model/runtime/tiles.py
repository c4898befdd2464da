"""Pictures of any size through a network that wants multiples of 4, in tiles where a picture is big.

A network sees artificial values at the edge of its input, so a picture is reflected by a margin that is cut off again.
Inside the picture a tile reads as many pixels around itself as its colours can depend on, from an origin that is a
multiple of 4 (the network halves the resolution twice): tiled and whole are then the same picture within rounding.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

MULTIPLE = 4  # the network halves the resolution twice
MARGIN = 4  # pixels of reflected border, cut off again: 8 and 16 draw no better edge
Run = Callable[[np.ndarray], np.ndarray]
Read = Callable[[int, np.ndarray], None]
Write = Callable[[int, int, np.ndarray], None]


@dataclass(frozen=True)
class Cut:
    """How a picture [length, breadth] is cut: cores of `long` x `short` pixels, each read with `overlap` around it."""

    length: int
    breadth: int
    overlap: int
    long: int
    short: int

    @property
    def pixels(self) -> int:
        """What the network computes in all, overlaps and margins included."""
        sides = (_spans(self.length, self.long), _spans(self.breadth, self.short))
        read = [
            sum(self.window(span, size)[1] - self.window(span, size)[0] for span in spans)
            for spans, size in zip(sides, (self.length, self.breadth), strict=True)
        ]
        return read[0] * read[1]

    def window(self, span: tuple[int, int], size: int) -> tuple[int, int]:
        """What is read for the core `span` of a side of `size` pixels."""
        return max(0, span[0] - self.overlap), min(size, span[1] + self.overlap)


def plan(length: int, breadth: int, radius: int, most: int) -> Cut:
    """The cut that computes the fewest pixels with at most `most` in one run of the network.

    `radius`: pixels to each side that a colour depends on. A tile's core is at least 64 x 64 pixels, whatever `most`.
    """
    overlap = _up(radius)
    found = []
    for parts in range(1, breadth // 64 + 2):
        short = _up(-(-breadth // parts))
        across = min(breadth, short + 2 * overlap) + 2 * MARGIN
        long = (most // across - 2 * overlap) // MULTIPLE * MULTIPLE
        if long >= 64 or short <= 64:
            found.append(Cut(length, breadth, overlap, max(64, long), short))
    return min(found, key=lambda plan: plan.pixels)


def stylize_whole(photo: np.ndarray, run: Run, edges: tuple[bool, bool, bool, bool] = (True,) * 4) -> np.ndarray:
    """uint8 [H, W, 3] through `run` (uint8 [h, w, 3] of multiples of 4 to uint8 of the same size), any H and W from 1.

    `edges`: whether the top, bottom, left and right of `photo` are edges of the picture, which get a margin.
    """
    height, width, _ = photo.shape
    above, below = border(height, edges[0], edges[1])
    left, right = border(width, edges[2], edges[3])
    made = run(np.pad(photo, ((above, below), (left, right), (0, 0)), mode="reflect"))
    return made[above : above + height, left : left + width]


def stylize_tiles(read: Read, write: Write, cut: Cut, run: Run, channels: int = 3) -> None:
    """A picture in bands along its first side, each in tiles along its second.

    `read(start, into)` fills `into`, uint8 [rows, breadth, channels], from row `start` on; `write(start, first, tile)`
    puts a finished tile at row `start` and column `first`. Both may be of the same picture: rows are read before they
    are overwritten.
    """
    kept = np.empty((0, cut.breadth, channels), np.uint8)
    for start, stop in _spans(cut.length, cut.long):
        top, bottom = cut.window((start, stop), cut.length)
        band = np.empty((bottom - top, cut.breadth, channels), np.uint8)
        band[: start - top] = kept
        read(start, band[start - top :])
        for first, last in _spans(cut.breadth, cut.short):
            left, right = cut.window((first, last), cut.breadth)
            edges = (top == 0, bottom == cut.length, left == 0, right == cut.breadth)
            made = stylize_whole(band[:, left:right], run, edges)
            write(start, first, made[start - top : stop - top, first - left : last - left])
        kept = band[max(0, stop - cut.overlap) - top : stop - top].copy()


def border(size: int, before: bool = True, after: bool = True) -> tuple[int, int]:
    """Pixels to add before and after `size`: the margin at an edge of the picture, and what the next multiple needs."""
    first, last = MARGIN * before, MARGIN * after
    return first, last + -(size + first + last) % MULTIPLE


def _spans(size: int, step: int) -> Iterator[tuple[int, int]]:
    return ((start, min(size, start + step)) for start in range(0, size, step))


def _up(value: int) -> int:
    return -(-value // MULTIPLE) * MULTIPLE
