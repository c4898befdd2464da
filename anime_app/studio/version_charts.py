"""Charts as SVG text in the page's own colours: latency against likeness with its front, and figures over versions."""

from collections.abc import Sequence
from html import escape

from anime_app.panel.ranking import Strength
from anime_app.studio.engineer_texts import TEXTS, label_html, text_html
from anime_app.studio.versions import Version
from anime_model.figures.charts import Box, Frame, LinearScale, LogScale, Point, front, hits, log_ticks, ticks
from anime_model.figures.charts import text as svg_text
from anime_model.runtime.names import VARIANTS

COLOURS = {"teacher": "#7a6f9b", "separable": "#5b9bd5", "pruned": "#3fa796", "distilled": "#e09f3e", "int8": "#e2557f"}
OTHER = "#b5a3ad"  # trials
FRAME = Frame(640, 400, 58, 18, 16, 54)
BELOW = 26  # from the axis down to its numbers: a ringed point on the axis stands above them
SMALL = Frame(300, 150, 40, 10, 26, 26)  # a trend
ROW = 34  # pixels of a version's interval
FIGURES = {  # name in the evaluation: key of its title, unit, factor, digits
    "bytes": ("column_bytes", "MB", 1e-6, 2),
    "latency_p50_ms": ("chart_latency", "ms", 1, 0),
    "fid": ("column_fid", "", 1, 2),
    "lpips": ("column_lpips", "", 1, 3),
}
LETTER = 7.6  # pixels of a letter of a name, at most on average
TICKS = 9  # of a logarithmic axis at most
LONG = 24  # letters of a name beside an interval


def pareto(versions: Sequence[Version], chosen: Sequence[str], y: str = "lpips") -> str:
    """Latency (logarithmic) against `y`, a button for each version that has both; `chosen` keys are ringed."""
    shown = [(version, _at(version, y)) for version in versions]
    points = [(version, at) for version, at in shown if at]
    if not points:
        return f'<p class="empty">{text_html("chart_none", figure=y.upper())}</p>'
    across, up = [at[0] for _, at in points], [at[1] for _, at in points]
    spread = (max(up) - min(up)) or max(up) or 1
    low = 0.0 if min(up) < 0.5 * max(up) else min(up) - 0.15 * spread
    scales = FRAME.log_x(min(across) / 1.3, max(across) * 1.5), FRAME.linear_y(low, max(up) + 0.12 * spread)

    def place(at: Point) -> Point:
        return scales[0](at[0]), scales[1](at[1])

    titles = [text_html(key, "tspan") for key in ("chart_milliseconds", f"chart_{y}")]
    parts = [_grid(*scales), FRAME.titles(*titles, 6)]
    steps = [place(at) for at in front([at for _, at in points], lambda at: at)]
    path = " ".join(f"L{x:.1f} {steps[i - 1][1]:.1f} L{x:.1f} {v:.1f}" for i, (x, v) in enumerate(steps) if i)
    parts.append(f'<path class="front" d="M{steps[0][0]:.1f} {steps[0][1]:.1f} {path}"/>')
    drawn = sorted(points, key=lambda point: (point[0].variant in COLOURS, point[0].key in chosen))
    taken = [(x - 7, v - 7, x + 7, v + 7) for x, v in (place(at) for _, at in points)]
    for version, at in drawn:
        parts.append(_button(version, place(at), at, y, version.key in chosen, taken))
    label = text_html("chart_pareto", figure=y.upper(), count=len(points))
    return _svg("front", FRAME.width, FRAME.height, label, "".join(parts))


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
    for end in (x > FRAME.width - 110, x <= FRAME.width - 110):
        left = x - 13 - width if end else x + 13
        for up in (-9, 20, -28, 39, -47, 58):
            box = left, v + up - 14, left + width, v + up + 4
            inside = box[0] >= FRAME.left and box[2] <= FRAME.width and box[1] >= 0 and box[3] <= FRAME.floor
            if inside and not hits(box, taken):
                taken.append(box)
                return svg_text(left + width if end else left, v + up, escape(text), "end" if end else "start")
    return ""


def _grid(x_scale: LogScale, y_scale: LinearScale) -> str:
    x_ticks = [(x_scale(tick), f"{tick:g}") for tick in log_ticks(x_scale.low, x_scale.high, TICKS)]
    y_ticks = [(y_scale(tick), f"{tick:g}") for tick in ticks(y_scale.low, y_scale.high)]
    return FRAME.upright(x_ticks, BELOW) + FRAME.level(y_ticks, 4)


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
    numbers, values = [version.number or 0 for version, _ in rows], [value for _, value in rows]
    first, last = min(numbers), max(numbers)
    x_scale = LinearScale(first - 0.5, last + 0.5, SMALL.left, SMALL.end)
    y_scale = SMALL.linear_y(0.0, (max(values) * 1.15) or 1.0)

    def place(number: int, value: float) -> Point:
        return x_scale(number), y_scale(value)

    parts = [SMALL.level([(y_scale(tick), f"{tick:g}") for tick in ticks(0.0, y_scale.high, 3)], 4)]
    for name in dict.fromkeys(version.variant for version, _ in rows):
        line = [
            (version, value, place(version.number or 0, value)) for version, value in rows if version.variant == name
        ]
        colour = COLOURS.get(name, OTHER)
        joined = " ".join(f"{x:.1f},{y:.1f}" for _, _, (x, y) in line)
        parts.append(f'<polyline points="{joined}" stroke="{colour}"/>')
        parts += [_dot(version, f"{value:.{digits}f} {unit}".strip(), at, colour) for version, value, at in line]
    word = text_html("column_version", "tspan")
    at = SMALL.width / 2 + 15 - (30 if first == last else 0)  # one number alone stands in the middle, after the word
    parts.append(svg_text(at, SMALL.height - 4, word, "middle", "axis"))
    for number in sorted({first, last}):
        parts.append(svg_text(x_scale(number), SMALL.height - 4, str(number), "middle", "tick"))
    head = svg_text(4, 14, f"{text_html(title, 'tspan')}{f', {unit}' if unit else ''}", "start", "head")
    label = text_html("chart_trend", figure=TEXTS[title], first=first, last=last)
    return _svg(key, SMALL.width, SMALL.height, label, head + "".join(parts))


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
    frame = Frame(FRAME.width, ROW * len(strengths) + 46, 190, 100, 6, 40)
    scale = LinearScale(low, high, frame.left, frame.end)
    parts = [frame.upright([(scale(tick), f"{tick:g}") for tick in ticks(low, high)], 16)]
    parts += [_interval(one, scale, frame.top + ROW * (index + 0.5)) for index, one in enumerate(strengths)]
    words = text_html("chart_strength", "tspan")
    parts.append(svg_text(frame.width / 2, frame.height - 7, words, "middle", "axis"))
    label = text_html("chart_strengths", count=len(strengths))
    return _svg("strengths", frame.width, frame.height, label, "".join(parts))


def _interval(one: Strength, scale: LinearScale, y: float) -> str:
    title = f"{one.label}: {one.strength:.2f} ({one.low:.2f} – {one.high:.2f})"
    wins = text_html("chart_wins", "tspan", share=f"{100 * one.share:.0f}")
    return (
        f"<g><title>{escape(title)}</title>"
        f"{svg_text(scale.start - 12, y + 4, label_html(_short(one.label), 'tspan'), 'end')}"
        f'<path class="whisker" d="M{scale(one.low):.1f} {y}H{scale(one.high):.1f}"/>'
        f'<circle cx="{scale(one.strength):.1f}" cy="{y}" r="6"/>'
        f"{svg_text(scale.end + 12, y + 4, wins, 'start', 'tick')}</g>"
    )
