"""Charts as SVG text in the page's own colours: latency against likeness with its front, and figures over versions."""

from collections.abc import Sequence
from html import escape
from math import ceil, floor, log10

from anime_app.panel.ranking import Strength
from anime_app.studio.engineer_texts import TEXTS, label_html, text_html
from anime_app.studio.versions import Version
from anime_model.runtime.names import VARIANTS

COLOURS = {"teacher": "#7a6f9b", "separable": "#5b9bd5", "pruned": "#3fa796", "distilled": "#e09f3e", "int8": "#e2557f"}
OTHER = "#b5a3ad"  # trials
WIDTH, HEIGHT = 640, 400
LEFT, RIGHT, TOP, BOTTOM = 58, 18, 16, 54
BELOW = 26  # from the axis down to its numbers: a ringed point on the axis stands above them
SMALL = (300, 150)  # a trend
FIGURES = {  # name in the evaluation: key of its title, unit, factor, digits
    "bytes": ("column_bytes", "MB", 1e-6, 2),
    "latency_p50_ms": ("chart_latency", "ms", 1, 0),
    "fid": ("column_fid", "", 1, 2),
    "lpips": ("column_lpips", "", 1, 3),
}
LETTER = 7.6  # pixels of a letter of a name, at most on average
TICKS = 9  # of a logarithmic axis at most
LONG = 24  # letters of a name beside an interval
Point = tuple[float, float]
Box = tuple[float, float, float, float]  # left, top, right, bottom


def front(points: Sequence[Point]) -> list[Point]:
    """The points that no other beats in both coordinates, from the smallest x to the largest; less is better."""
    best, found = float("inf"), []
    for point in sorted(points):
        if point[1] < best:
            best = point[1]
            found.append(point)
    return found


def pareto(versions: Sequence[Version], chosen: Sequence[str], y: str = "lpips") -> str:
    """Latency (logarithmic) against `y`, a button for each version that has both; `chosen` keys are ringed."""
    shown = [(version, _at(version, y)) for version in versions]
    points = [(version, at) for version, at in shown if at]
    if not points:
        return f'<p class="empty">{text_html("chart_none", figure=y.upper())}</p>'
    across, up = [at[0] for _, at in points], [at[1] for _, at in points]
    spread = (max(up) - min(up)) or max(up) or 1
    low_y = 0.0 if min(up) < 0.5 * max(up) else min(up) - 0.15 * spread
    low, high, top = min(across) / 1.3, max(across) * 1.5, max(up) + 0.12 * spread

    def place(at: Point) -> Point:
        x = LEFT + (log10(at[0]) - log10(low)) / (log10(high) - log10(low)) * (WIDTH - LEFT - RIGHT)
        return x, TOP + (top - at[1]) / ((top - low_y) or 1) * (HEIGHT - TOP - BOTTOM)

    axes = (text_html(key, "tspan") for key in ("chart_milliseconds", f"chart_{y}"))
    parts = [_grid(low, high, low_y, top, place), _axes(*axes)]
    steps = [place(at) for at in front([at for _, at in points])]
    path = " ".join(f"L{x:.1f} {steps[i - 1][1]:.1f} L{x:.1f} {v:.1f}" for i, (x, v) in enumerate(steps) if i)
    parts.append(f'<path class="front" d="M{steps[0][0]:.1f} {steps[0][1]:.1f} {path}"/>')
    drawn = sorted(points, key=lambda point: (point[0].variant in COLOURS, point[0].key in chosen))
    taken = [(x - 7, v - 7, x + 7, v + 7) for x, v in (place(at) for _, at in points)]
    for version, at in drawn:
        parts.append(_button(version, place(at), at, y, version.key in chosen, taken))
    label = text_html("chart_pareto", figure=y.upper(), count=len(points))
    return _svg("front", WIDTH, HEIGHT, label, "".join(parts))


def _at(version: Version, y: str) -> Point | None:
    x, value = version.figures.get("latency_p50_ms", 0), version.figures.get(y)
    return (x, value) if x > 0 and value is not None else None


def _button(version: Version, place: Point, at: Point, y: str, chosen: bool, taken: list[Box]) -> str:
    x, v = place
    step = version.variant in COLOURS
    label = version.label.replace(" · trial ", " · ")  # a title has room for one language: this is both
    words = f"{label}: {at[0]:.0f} ms, {y.upper()} {at[1]:.{FIGURES[y][3]}f}"
    note = version.words.get("note", "")
    title = escape(f"{words} · {note}" if note else words)
    size, colour = (7, COLOURS[version.variant]) if step else (5, OTHER)
    name = _name(version.variant, place, taken) if step and version.key.startswith("run/") else ""
    ring = f'<circle class="ring" cx="{x:.1f}" cy="{v:.1f}" r="{size + 4}"/>' if chosen else ""
    return (
        f'<g class="point" role="button" tabindex="0" data-key="{escape(version.key)}" aria-label="{title}"'
        f' aria-pressed="{str(chosen).lower()}"><title>{title}</title>'
        f'<circle class="touch" cx="{x:.1f}" cy="{v:.1f}" r="16"/>{ring}'
        f'<circle cx="{x:.1f}" cy="{v:.1f}" r="{size}" fill="{colour}"/>{name}</g>'
    )


def _name(text: str, place: Point, taken: list[Box]) -> str:
    """A point's name beside it, where nothing else stands; none where there is no such place: its title has it."""
    x, v = place
    width = LETTER * len(text)
    for end in (x > WIDTH - 110, x <= WIDTH - 110):
        left = x - 13 - width if end else x + 13
        for up in (-9, 20, -28, 39, -47, 58):
            box = left, v + up - 14, left + width, v + up + 4
            inside = box[0] >= LEFT and box[2] <= WIDTH and box[1] >= 0 and box[3] <= HEIGHT - BOTTOM
            if inside and not any(_overlap(box, other) for other in taken):
                taken.append(box)
                anchor = "end" if end else "start"
                at = left + width if end else left
                return f'<text x="{at:.1f}" y="{v + up:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
    return ""


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _grid(low: float, high: float, low_y: float, top: float, place) -> str:
    parts = []
    for x in _decades(low, high):
        at = place((x, low_y))[0]
        parts.append(f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>')
        parts.append(f'<text class="tick" x="{at:.1f}" y="{HEIGHT - BOTTOM + BELOW}" text-anchor="middle">{x:g}</text>')
    for y in ticks(low_y, top):
        at = place((low, y))[1]
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>')
        parts.append(f'<text class="tick" x="{LEFT - 8}" y="{at + 4:.1f}" text-anchor="end">{y:g}</text>')
    return "".join(parts)


def _axes(x: str, y: str) -> str:
    middle = TOP + (HEIGHT - TOP - BOTTOM) / 2
    return (
        f'<text class="axis" x="{(WIDTH + LEFT - RIGHT) / 2}" y="{HEIGHT - 6}" text-anchor="middle">{x}</text>'
        f'<text class="axis" x="14" y="{middle}" text-anchor="middle" transform="rotate(-90 14 {middle})">{y}</text>'
    )


def _decades(low: float, high: float) -> list[float]:
    """1, 2, 5, 10, 20 ... between two positive numbers, or 1, 10, 100 ... where those are too many."""
    powers = range(floor(log10(low)), ceil(log10(high)) + 1)
    found = [step * 10**power for power in powers for step in (1, 2, 5) if low <= step * 10**power <= high]
    return found if len(found) <= TICKS else [10**power for power in powers if low <= 10**power <= high]


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round numbers between two, at most `most` of them."""
    span = high - low
    if span <= 0:
        return [low]
    power = 10.0 ** floor(log10(span / most))
    step = next(power * times for times in (1, 2, 5, 10) if span / (power * times) <= most)
    return [round(index * step, 10) for index in range(ceil(low / step), floor(high / step) + 1)]


def trends(versions: Sequence[Version]) -> str:
    """Small charts of each figure over the numbers of one model's registered versions; a line for each variant."""
    if not versions:
        return f'<p class="empty">{text_html("chart_no_versions")}</p>'
    charts = "".join(_trend(versions, key) for key in FIGURES)
    variants = [name for name in VARIANTS if any(version.variant == name for version in versions)]
    legend = "".join(f'<span><i style="background:{COLOURS[name]}"></i>{name}</span>' for name in variants)
    return f'<div class="legend">{legend}</div><div class="trends">{charts}</div>'


def _trend(versions: Sequence[Version], key: str) -> str:
    title, unit, factor, digits = FIGURES[key]
    rows = [(version, version.figures[key] * factor) for version in versions if key in version.figures]
    if not rows:
        return ""
    width, height = SMALL
    numbers, values = [version.number or 0 for version, _ in rows], [value for _, value in rows]
    low, top = 0.0, (max(values) * 1.15) or 1.0
    first, last = min(numbers), max(numbers)

    def place(number: int, value: float) -> Point:
        x = 40 + (number - first + 0.5) / (last - first + 1) * (width - 50)
        return x, 26 + (top - value) / (top - low) * (height - 52)

    parts = []
    for tick in ticks(low, top, 3):
        y = place(first, tick)[1]
        parts.append(f'<line x1="40" x2="{width - 10}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text class="tick" x="34" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>')
    for name in dict.fromkeys(version.variant for version, _ in rows):
        line = [
            (version, value, place(version.number or 0, value)) for version, value in rows if version.variant == name
        ]
        colour = COLOURS.get(name, OTHER)
        joined = " ".join(f"{x:.1f},{y:.1f}" for _, _, (x, y) in line)
        parts.append(f'<polyline points="{joined}" stroke="{colour}"/>')
        parts += [_dot(version, f"{value:.{digits}f} {unit}".strip(), at, colour) for version, value, at in line]
    word = text_html("column_version", "tspan")
    at = width / 2 + 15 - (30 if first == last else 0)  # one number alone stands in the middle, after the word
    parts.append(f'<text class="axis" x="{at}" y="{height - 4}" text-anchor="middle">{word}</text>')
    for number in sorted({first, last}):
        x = place(number, 0)[0]
        parts.append(f'<text class="tick" x="{x:.1f}" y="{height - 4}" text-anchor="middle">{number}</text>')
    head = f'<text class="head" x="4" y="14">{text_html(title, "tspan")}{f", {unit}" if unit else ""}</text>'
    label = text_html("chart_trend", figure=TEXTS[title], first=first, last=last)
    return _svg(key, width, height, label, head + "".join(parts))


def _dot(version: Version, value: str, at: Point, colour: str) -> str:
    champion = "champion" in version.aliases
    ring = f'<circle class="ring" cx="{at[0]:.1f}" cy="{at[1]:.1f}" r="8"/>' if champion else ""
    title = f"<title>{escape(version.label)}: {value}</title>"
    return f'<g>{title}{ring}<circle cx="{at[0]:.1f}" cy="{at[1]:.1f}" r="4" fill="{colour}"/></g>'


def _svg(name: str, width: int, height: int, label: str, inside: str) -> str:
    """`label` is HTML in both languages, for who listens to the page; `name` is the page's only one."""
    named = f'<span class="sr" id="chart-{name}">{label}</span>'
    return f'{named}<svg viewBox="0 0 {width} {height}" role="group" aria-labelledby="chart-{name}">{inside}</svg>'


def _short(label: str) -> str:
    return label if len(label) <= LONG else f"{label[: LONG - 1]}…"


def intervals(strengths: Sequence[Strength]) -> str:
    """A line for each version, the strongest first: its strength as a dot in its 95 % interval."""
    if not strengths:
        return ""
    low, high = min(one.low for one in strengths), max(one.high for one in strengths)
    spread = (high - low) or 1.0
    left, right, row = 190, 100, 34
    height = row * len(strengths) + 46

    def place(value: float) -> float:
        return left + (value - low) / spread * (WIDTH - left - right)

    bottom = height - 40
    parts = []
    for tick in ticks(low, high):
        x = place(tick)
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="6" y2="{bottom}"/>')
        parts.append(f'<text class="tick" x="{x:.1f}" y="{bottom + 16}" text-anchor="middle">{tick:g}</text>')
    for index, one in enumerate(strengths):
        y = 6 + row * (index + 0.5)
        title = f"{one.label}: {one.strength:.2f} ({one.low:.2f} – {one.high:.2f})"
        parts.append(
            f"<g><title>{escape(title)}</title>"
            f'<text x="{left - 12}" y="{y + 4}" text-anchor="end">{label_html(_short(one.label), "tspan")}</text>'
            f'<path class="whisker" d="M{place(one.low):.1f} {y}H{place(one.high):.1f}"/>'
            f'<circle cx="{place(one.strength):.1f}" cy="{y}" r="6"/>'
            f'<text class="tick" x="{WIDTH - right + 12}" y="{y + 4}">'
            f"{text_html('chart_wins', 'tspan', share=f'{100 * one.share:.0f}')}</text></g>"
        )
    words = text_html("chart_strength", "tspan")
    parts.append(f'<text class="axis" x="{WIDTH / 2}" y="{height - 7}" text-anchor="middle">{words}</text>')
    label = text_html("chart_strengths", count=len(strengths))
    return _svg("strengths", WIDTH, height, label, "".join(parts))
