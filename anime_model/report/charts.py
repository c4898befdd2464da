"""Charts as inline SVG, drawn here so that a report needs nothing else. Colours are the page's CSS variables."""

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup, escape

from anime_model.figures.charts import Box, Frame, LinearScale, LogScale, hits, log_ticks, multiples, round_step
from anime_model.figures.charts import text as svg_text

FRAME = Frame(540, 360, 58, 18, 18, 48)
RADII = (6.0, 30.0)  # of the smallest possible and of the largest bubble
CHARACTER = 7.2  # average width at the label's size
POINTS = 240  # of a curve; a screen shows no more
TICKS = 99  # of an axis of milliseconds: all that there are

Circle = tuple[float, float, float]  # x, y, radius


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
    x_scale = _x_scale([bubble.x for bubble in bubbles])
    y_scale, step = _y_scale([bubble.y for bubble in bubbles] + ([line.y] if line else []))
    heaviest = max(bubble.weight for bubble in bubbles) or 1
    circles = [
        (x_scale(bubble.x), y_scale(bubble.y), max(RADII[0], RADII[1] * math.sqrt(bubble.weight / heaviest)))
        for bubble in bubbles
    ]
    x_ticks = [(x_scale(tick), f"{tick:g}") for tick in log_ticks(x_scale.low, x_scale.high, TICKS)]
    y_ticks = [(y_scale(tick), f"{round(tick, 6):g}") for tick in multiples(step, y_scale.low, y_scale.high)]
    grid = FRAME.upright(x_ticks, 18) + FRAME.level(y_ticks) + FRAME.titles(escape(x_title), escape(y_title), 8)
    parts = [Markup(grid), *(_level(y_scale(line.y), line.label) if line else [])]
    parts.append(_path_between(circles))
    parts += [_circle(bubble, circle) for bubble, circle in zip(bubbles, circles, strict=True)]
    taken = [_level_box(y_scale(line.y), line.label)] if line else []
    parts += _labels([bubble.label for bubble in bubbles], circles, taken)
    box = f"0 0 {FRAME.width} {FRAME.height}"
    inside = Markup("").join(parts)
    title = f"{y_title} against {x_title}"
    return Markup('<svg class="chart" viewBox="{}" role="img" aria-label="{}">{}</svg>').format(box, title, inside)


def _x_scale(values: Sequence[float]) -> LogScale:
    """Milliseconds to pixels, with room for half a bubble at both ends."""
    return FRAME.log_x(min(values) / 10**0.18, max(values) * 10**0.18)


def _y_scale(values: Sequence[float]) -> tuple[LinearScale, float]:
    """Values from zero (or below, where there are such) to pixels, upwards; the step of its ticks."""
    low, high = min(0.0, *values, 0.0), max(values)
    span = (high - low) or 1.0
    return FRAME.linear_y(low - 0.12 * span, high + 0.16 * span), round_step(span / 4)


def _level(y: float, label: str) -> Iterator[Markup]:
    line = '<line class="level" x1="{0}" x2="{1}" y1="{2:.1f}" y2="{2:.1f}"/>'
    yield Markup(line).format(FRAME.left, FRAME.end, y)
    yield _text(FRAME.left + 8, y - 7, label, "start", "axis")


def _level_box(y: float, label: str) -> Box:
    """Where the words of `_level` stand."""
    return FRAME.left + 8, y - 18, FRAME.left + 8 + len(label) * CHARACTER, y - 3


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
        places = list(_places(len(label) * CHARACTER, circle))
        inside = [place for place in places if FRAME.holds(place[0])] or places
        clashes = [(hits(place[0], written), hits(place[0], others)) for place in inside]
        box, x, y, anchor = inside[clashes.index(min(clashes))]
        written.append(box)
        parts.append(_text(x, y, label, anchor, "label"))
    return parts


def _places(width: float, circle: Circle) -> Iterator[tuple[Box, float, float, str]]:
    """Box, text position and anchor: right, left, above, below."""
    x, y, r = circle
    gap, half = r + 6, 9
    yield (x + gap, y - half, x + gap + width, y + half), x + gap, y + 4, "start"
    yield (x - gap - width, y - half, x - gap, y + half), x - gap, y + 4, "end"
    yield (x - width / 2, y - gap - 2 * half, x + width / 2, y - gap), x, y - gap, "middle"
    yield (x - width / 2, y + gap, x + width / 2, y + gap + 2 * half), x, y + gap + 12, "middle"


def _text(x: float, y: float, words: str, anchor: str, kind: str) -> Markup:
    return Markup(svg_text(x, y, escape(words), anchor, kind))


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
