"""Charts as inline SVG, drawn here so that a report needs nothing else. Colours are the page's CSS variables."""

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

WIDTH, HEIGHT = 540, 360
LEFT, RIGHT, TOP, BOTTOM = 58, 18, 18, 48
RADII = (6.0, 30.0)  # of the smallest possible and of the largest bubble
CHARACTER = 7.2  # average width at the label's size
POINTS = 240  # of a curve; a screen shows no more

Circle = tuple[float, float, float]  # x, y, radius
Box = tuple[float, float, float, float]  # left, top, right, bottom


@dataclass(frozen=True)
class Bubble:
    """`weight` is what the area shows."""

    label: str
    x: float
    y: float
    weight: float
    note: str = ""


@dataclass(frozen=True)
class Line:
    """A height to compare with."""

    y: float
    label: str


def trade_off(bubbles: Sequence[Bubble], x_title: str, y_title: str, line: Line | None = None) -> Markup:
    """A scatter chart, x logarithmic, y from zero, the bubbles joined in their order. Every x is above 0."""
    x_scale = _LogScale([bubble.x for bubble in bubbles])
    y_scale = _LinearScale([bubble.y for bubble in bubbles] + ([line.y] if line else []))
    heaviest = max(bubble.weight for bubble in bubbles) or 1
    circles = [
        (x_scale(bubble.x), y_scale(bubble.y), max(RADII[0], RADII[1] * math.sqrt(bubble.weight / heaviest)))
        for bubble in bubbles
    ]
    parts = [*_x_axis(x_scale, x_title), *_y_axis(y_scale, y_title)]
    parts += _level(y_scale(line.y), line.label) if line else []
    parts.append(_path_between(circles))
    parts += [_circle(bubble, circle) for bubble, circle in zip(bubbles, circles, strict=True)]
    taken = [_level_box(y_scale(line.y), line.label)] if line else []
    parts += _labels([bubble.label for bubble in bubbles], circles, taken)
    box = f"0 0 {WIDTH} {HEIGHT}"
    inside = Markup("").join(parts)
    title = f"{y_title} against {x_title}"
    return Markup('<svg class="chart" viewBox="{}" role="img" aria-label="{}">{}</svg>').format(box, title, inside)


class _LogScale:
    """Milliseconds to pixels, with room for half a bubble at both ends."""

    def __init__(self, values: Sequence[float]) -> None:
        self.low, self.high = math.log10(min(values)) - 0.18, math.log10(max(values)) + 0.18

    def __call__(self, value: float) -> float:
        return LEFT + (math.log10(value) - self.low) / (self.high - self.low) * (WIDTH - LEFT - RIGHT)

    def ticks(self) -> list[float]:
        decades = range(math.floor(self.low), math.ceil(self.high) + 1)
        found = [step * 10.0**decade for decade in decades for step in (1, 2, 5)]
        return [tick for tick in found if self.low <= math.log10(tick) <= self.high]


class _LinearScale:
    """Values from zero (or below, where there are such) to pixels, upwards."""

    def __init__(self, values: Sequence[float]) -> None:
        low, high = min(0.0, *values, 0.0), max(values)
        span = (high - low) or 1.0
        self.step = _nice(span / 4)
        self.low, self.high = low - 0.12 * span, high + 0.16 * span

    def __call__(self, value: float) -> float:
        return HEIGHT - BOTTOM - (value - self.low) / (self.high - self.low) * (HEIGHT - TOP - BOTTOM)

    def ticks(self) -> list[float]:
        count = range(math.ceil(self.low / self.step), math.floor(self.high / self.step) + 1)
        return [index * self.step for index in count]


def _nice(step: float) -> float:
    """The next of 1, 2, 5 times a power of ten."""
    power = 10 ** math.floor(math.log10(step))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= step * 0.999)


def _x_axis(scale: _LogScale, title: str) -> Iterator[Markup]:
    floor = HEIGHT - BOTTOM
    for tick in scale.ticks():
        x = f"{scale(tick):.1f}"
        yield Markup('<line class="grid" x1="{0}" x2="{0}" y1="{1}" y2="{2}"/>').format(x, TOP, floor)
        yield _text(x, floor + 18, f"{tick:g}", "middle", "tick")
    yield _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, title, "middle", "axis")


def _y_axis(scale: _LinearScale, title: str) -> Iterator[Markup]:
    for tick in scale.ticks():
        y = f"{scale(tick):.1f}"
        yield Markup('<line class="grid" x1="{0}" x2="{1}" y1="{2}" y2="{2}"/>').format(LEFT, WIDTH - RIGHT, y)
        yield _text(LEFT - 8, y, f"{round(tick, 6):g}", "end", "tick")
    yield Markup('<g transform="translate(14 {}) rotate(-90)">{}</g>').format(
        (TOP + HEIGHT - BOTTOM) // 2, _text(0, 0, title, "middle", "axis")
    )


def _level(y: float, label: str) -> Iterator[Markup]:
    yield Markup('<line class="level" x1="{0}" x2="{1}" y1="{2:.1f}" y2="{2:.1f}"/>').format(LEFT, WIDTH - RIGHT, y)
    yield _text(LEFT + 8, f"{y - 7:.1f}", label, "start", "axis")


def _level_box(y: float, label: str) -> Box:
    """Where the words of `_level` stand."""
    return LEFT + 8, y - 18, LEFT + 8 + len(label) * CHARACTER, y - 3


def _circle(bubble: Bubble, circle: Circle) -> Markup:
    x, y, radius = (f"{value:.1f}" for value in circle)
    return Markup(
        '<circle cx="{}" cy="{}" r="{}" style="--c:var(--{},var(--ink))"><title>{}: {}</title></circle>'
    ).format(x, y, radius, bubble.label, bubble.label, bubble.note)


def _path_between(circles: Sequence[Circle]) -> Markup:
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in circles)
    return Markup('<polyline class="journey" points="{}"/>').format(points)


def _labels(labels: Sequence[str], circles: Sequence[Circle], words: Sequence[Box] = ()) -> list[Markup]:
    """Each beside its bubble, on the first side where it hits nothing; else on a circle rather than on other words.

    `words` are the boxes of those that are there already.
    """
    bubbles = [(x - r, y - r, x + r, y + r) for x, y, r in circles]
    written: list[Box] = list(words)
    parts = []
    for index, (label, circle) in enumerate(zip(labels, circles, strict=True)):
        others = bubbles[:index] + bubbles[index + 1 :]
        places = [place for place in _places(len(label) * CHARACTER, circle) if _inside(place[0])]

        def hits(place: tuple[Box, float, float, str], others: list[Box] = others) -> tuple[int, int]:
            return sum(_overlap(place[0], box) for box in written), sum(_overlap(place[0], box) for box in others)

        box, x, y, anchor = min(places or _places(len(label) * CHARACTER, circle), key=hits)
        written.append(box)
        parts.append(_text(f"{x:.1f}", f"{y:.1f}", label, anchor, "label"))
    return parts


def _places(width: float, circle: Circle) -> Iterator[tuple[Box, float, float, str]]:
    """Box, text position and anchor: right, left, above, below."""
    x, y, r = circle
    gap, half = r + 6, 9
    yield (x + gap, y - half, x + gap + width, y + half), x + gap, y + 4, "start"
    yield (x - gap - width, y - half, x - gap, y + half), x - gap, y + 4, "end"
    yield (x - width / 2, y - gap - 2 * half, x + width / 2, y - gap), x, y - gap, "middle"
    yield (x - width / 2, y + gap, x + width / 2, y + gap + 2 * half), x, y + gap + 12, "middle"


def _inside(box: Box) -> bool:
    return box[0] >= LEFT and box[1] >= TOP and box[2] <= WIDTH - RIGHT and box[3] <= HEIGHT - BOTTOM


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _text(x: object, y: object, text: str, anchor: str, kind: str) -> Markup:
    return Markup('<text x="{}" y="{}" text-anchor="{}" class="{}">{}</text>').format(x, y, anchor, kind, text)


@dataclass(frozen=True)
class Curve:
    """One scalar of a training, drawn small: its name, first and last value, and the drawing."""

    name: str
    first: float
    last: float
    svg: Markup


def curves(path: Path) -> list[Curve]:
    """One chart for every column of a curve.csv but `step`; columns with fewer than two numbers are left out."""
    columns: dict[str, list[tuple[float, float]]] = {}
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            for name, x, y in _numbers(row):
                columns.setdefault(name, []).append((x, y))
    return [_curve(name, points) for name, points in columns.items() if len(points) > 1]


def _numbers(row: Mapping[str, str]) -> Iterator[tuple[str, float, float]]:
    for name, text in row.items():
        try:
            x, y = float(row.get("step", "")), float(text)
        except (TypeError, ValueError):  # a scalar that this phase of the training does not have
            continue
        if name != "step" and math.isfinite(y):
            yield name, x, y


def _curve(name: str, points: list[tuple[float, float]]) -> Curve:
    thinned = points[:: math.ceil(len(points) / POINTS)]
    smooth = _smoothed(thinned)
    values = sorted(y for _, y in thinned)
    spare = len(values) // 50  # single spikes may leave the picture
    low, high = values[spare], values[-1 - spare]
    lines = [_polyline(line, low, high, kind) for line, kind in ((thinned, "raw"), (smooth, "smooth"))]
    box = '<svg class="curve" viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true">{}{}</svg>'
    return Curve(name, smooth[0][1], smooth[-1][1], Markup(box).format(*lines))


def _smoothed(points: Sequence[tuple[float, float]], width: int = 9) -> list[tuple[float, float]]:
    """Means over neighbours, fewer of them at both ends."""
    half = min(width, len(points) // 4 or 1) // 2
    windows = (points[max(0, i - half) : i + half + 1] for i in range(len(points)))
    return [(point[0], sum(y for _, y in near) / len(near)) for point, near in zip(points, windows, strict=True)]


def _polyline(points: Sequence[tuple[float, float]], low: float, high: float, kind: str) -> Markup:
    first, last = points[0][0], points[-1][0]
    width, height = (last - first) or 1, (high - low) or 1
    placed = " ".join(
        f"{(x - first) / width * 100:.1f},{min(104, max(-4, 96 - (y - low) / height * 92)):.1f}" for x, y in points
    )
    return Markup('<polyline class="{}" points="{}"/>').format(kind, placed)
