"""What the report's and the studio's charts are drawn with: scales, round ticks, frames with grids, room for labels.

Positions are pixels, y downwards. What is drawn is SVG text: words are HTML already, and escaped where they are names.
Colours and sizes of letters are the page's own, by the classes `grid`, `tick` and `axis`.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")
Point = tuple[float, float]
Box = tuple[float, float, float, float]  # left, top, right, bottom
Tick = tuple[float, str]  # its place, and what stands there
STEPS = (1, 2, 5, 10)


@dataclass(frozen=True)
class LinearScale:
    """Values from `low` to `high` at pixels from `start` to `end`."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        return self.start + (value - self.low) / ((self.high - self.low) or 1) * (self.end - self.start)


@dataclass(frozen=True)
class LogScale(LinearScale):
    """The same by logarithms: all values are above 0."""

    def __call__(self, value: float) -> float:
        low, high = math.log10(self.low), math.log10(self.high)
        return self.start + (math.log10(value) - low) / (high - low) * (self.end - self.start)


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round numbers between two, some `most` of them."""
    if high <= low:
        return [low]
    return multiples(round_step((high - low) / most), low, high)


def multiples(step: float, low: float, high: float) -> list[float]:
    return [round(index * step, 10) for index in range(math.ceil(low / step), math.floor(high / step) + 1)]


def round_step(step: float) -> float:
    """The next of 1, 2, 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(times * power for times in STEPS if times * power >= step * 0.999)


def log_ticks(low: float, high: float, most: int) -> list[float]:
    """1, 2, 5, 10, 20 ... between two numbers above 0, or 1, 10, 100 ... where those are more than `most`."""
    powers = [10.0**power for power in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)]
    found = [step * power for power in powers for step in STEPS[:3] if low <= step * power <= high]
    return found if len(found) <= most else [power for power in powers if low <= power <= high]


@dataclass(frozen=True)
class Frame:
    """A chart's size, and the margins around what is drawn."""

    width: int
    height: int
    left: int
    right: int
    top: int
    bottom: int

    @property
    def end(self) -> int:
        """The right edge of what is drawn."""
        return self.width - self.right

    @property
    def floor(self) -> int:
        """The lower edge of what is drawn."""
        return self.height - self.bottom

    def log_x(self, low: float, high: float) -> LogScale:
        return LogScale(low, high, self.left, self.end)

    def linear_y(self, low: float, high: float) -> LinearScale:
        return LinearScale(low, high, self.floor, self.top)

    def upright(self, found: Iterable[Tick], below: float) -> str:
        """A line for each tick of the x axis, its number `below` the lower edge."""
        return "".join(
            f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{self.top}" y2="{self.floor}"/>'
            + text(x, self.floor + below, number, "middle", "tick")
            for x, number in found
        )

    def level(self, found: Iterable[Tick], lower: float = 0) -> str:
        """A line for each tick of the y axis, its number before it and so many pixels `lower`."""
        return "".join(
            f'<line class="grid" x1="{self.left}" x2="{self.end}" y1="{y:.1f}" y2="{y:.1f}"/>'
            + text(self.left - 8, y + lower, number, "end", "tick")
            for y, number in found
        )

    def titles(self, x: str, y: str, lift: float) -> str:
        """Of both axes, that of x `lift` pixels above the bottom."""
        across = text((self.left + self.end) / 2, self.height - lift, x, "middle", "axis")
        up = text(0, 0, y, "middle", "axis")
        return f'{across}<g transform="translate(14 {(self.top + self.floor) / 2:g}) rotate(-90)">{up}</g>'

    def holds(self, box: Box) -> bool:
        return box[0] >= self.left and box[1] >= self.top and box[2] <= self.end and box[3] <= self.floor


def text(x: float, y: float, words: str, anchor: str, kind: str = "") -> str:
    name = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{name}>{words}</text>'


def overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def hits(box: Box, others: Iterable[Box]) -> int:
    return sum(overlap(box, other) for other in others)


def front(found: Sequence[T], at: Callable[[T], Point]) -> list[T]:
    """Those that no other beats in both coordinates, from the smallest x to the largest; less is better."""
    best, kept = math.inf, []
    for one in sorted(found, key=at):
        if at(one)[1] < best:
            best = at(one)[1]
            kept.append(one)
    return kept
