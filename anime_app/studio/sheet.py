"""HTML of the engineers' view: the table of figures, the panes, the gates. Everything from outside is escaped."""

import json
from collections.abc import Sequence
from html import escape

from anime_app.studio.engineer_texts import TEXTS, gate, line_html, text_html
from anime_app.studio.promotion import Verdict
from anime_app.studio.version_charts import COLOURS, OTHER
from anime_app.studio.versions import BASELINES, Version
from anime_model.figures.text import NONE, OF_PROTOCOL, PROTOCOL, number, text
from anime_model.pictures.message import Message, from_record

# Column: key, and whether less is better (None: no winner).
COLUMNS: tuple[tuple[str, bool | None], ...] = (
    ("parameters", None),
    ("bytes", True),
    ("latency_p50_ms", True),
    ("panel_overall", False),
    ("peak_memory_mb", True),
    ("fid", True),
    ("fid_share", True),
    ("kid", True),
    ("lpips", True),
    ("lpips_photo", None),
    ("lpips_reference", True),
    ("psnr", False),
    ("ssim", False),
)
TEACHER_WINS = ("lpips", "psnr", "ssim")  # by definition: they are measured against its own pictures


def figures_table(versions: Sequence[Version]) -> str:
    """One row a version, the best of each column marked; the protocols below it.

    A column that no version has a figure for is left out.
    """
    if not versions:
        return empty("compare_nothing")
    best = {
        key: _best(versions, key, less) for key, less in COLUMNS if any(key in version.figures for version in versions)
    }
    head = "".join(f"<th>{text_html(f'column_{key}')}</th>" for key in ("version", *best))
    rows = "".join(_row(version, best) for version in versions)
    protocols = " <br> ".join(map(line_html, _protocols(versions)))
    note = f'<p class="small">{protocols}</p>' if protocols else ""
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    return f'<div class="sheet" tabindex="0" role="region" aria-labelledby="compare_figures">{table}</div>{note}'


def _best(versions: Sequence[Version], key: str, less: bool | None) -> float | None:
    networks = [version for version in versions if version.variant not in BASELINES]
    rows = [version for version in networks if key not in TEACHER_WINS or version.variant != "teacher"]
    values = [version.figures[key] for version in rows if key in version.figures]
    if less is None or len(values) < 2:
        return None
    return min(values) if less else max(values)


def _row(version: Version, best: dict[str, float | None]) -> str:
    chip = f'<span class="chip">v{version.number}</span>' if version.key.startswith("run/") and version.number else ""
    marks = "".join(f'<span class="chip">{escape(alias)}</span>' for alias in version.aliases)
    dot = f'<i style="background:{COLOURS.get(version.variant, OTHER)}"></i>'
    label = line_html(version.label.split(" · champion")[0] if marks else version.label)
    beside = version.variant in BASELINES
    if beside:
        label = text_html(f"baseline_{version.variant}")
    cells = []
    for key, _ in (column for column in COLUMNS if column[0] in best):
        value = version.figures.get(key)
        own = version.variant == "teacher" and key in TEACHER_WINS
        mark = ' class="best"' if value is not None and value == best[key] and not own and not beside else ""
        cells.append(f"<td{mark}>{NONE if own else text(key, value)}</td>")
    kind = ' class="beside"' if beside else ""
    return f"<tr{kind}><td>{dot}{label}{chip}{marks}</td>{''.join(cells)}</tr>"


def _protocols(versions: Sequence[Version]) -> list[str]:
    """How the figures were measured, every way once."""
    return list(dict.fromkeys(filter(None, (protocol(version) for version in versions))))


def protocol(version: Version) -> str:
    """How a version's figures were measured: they never travel without it. A registered one has it as a tag."""
    if protocol := version.words.get("protocol"):
        return _as_message(version.words.get("protocol_message", ""), protocol)
    if "latency_engine" not in version.words:
        return ""
    counts = {key: f"{value:.0f}" for key, value in version.figures.items()}
    said = {**counts, **version.words}
    return Message(PROTOCOL, **{name: said.get(key, "?") for name, key in OF_PROTOCOL.items()})


def _as_message(record: str, text: str) -> str:
    """A text with its template, which a tag keeps as JSON; the text alone where it does not."""
    try:
        found = from_record(json.loads(record))
    except ValueError:
        return text
    return found if found == text else text


def pane(title: str, about: str, size: tuple[int, int], src: str | None, problem: str = "") -> str:
    """One picture, `size` its height and width; a turning ring while `src` is None, or one line on the problem."""
    inside = f'<img src="{src}" alt="" draggable="false">' if src else ""
    if not src:
        inside = f'<div class="wait">{line_html(problem) or "<i></i>"}</div>'
    ratio = f"aspect-ratio:{size[1]}/{size[0]}"
    return (
        f'<figure class="pane"><div class="view" style="{ratio}">{inside}</div>'
        f"<figcaption><b>{line_html(title)}</b><span>{escape(about)}</span></figcaption></figure>"
    )


def panes(inside: Sequence[str]) -> str:
    """Panes under the buttons that zoom them."""
    signs = ((1.5, "larger", "+"), (0.667, "smaller", "−"))
    buttons = "".join(
        f'<button type="button" data-zoom="{factor}"><span class="sr">{text_html(f"pane_{name}")}</span>'
        f'<span aria-hidden="true">{sign}</span></button>'
        for factor, name, sign in signs
    )
    whole = f'<button type="button" data-zoom="0">{text_html("pane_whole")}</button>'
    words = f'<span class="sr" id="pane_group">{text_html("pane_group")}</span>'
    group = '<div class="panes" data-panes tabindex="0" role="group" aria-labelledby="pane_group">'
    tools = f'<div class="tools">{buttons}{whole}<span>{text_html("pane_hint")}</span>{words}</div>'
    return f"{tools}{group}{''.join(inside)}</div>"


def about(version: Version) -> str:
    """Size and latency, for a pane's caption."""
    shown = ("bytes", "latency_p50_ms")
    return " · ".join(text(key, version.figures[key]) for key in shown if key in version.figures)


def verdict(found: Verdict, style: str) -> str:
    """What the flow decided, and every gate with its figure and bound."""
    version = f" v{escape(found.version)}" if found.version else ""
    kind, key = "good" if found.good else "bad", f"verdict_{found.outcome.replace(' ', '_')}"
    word = text_html(key) if key in TEXTS else escape(found.outcome)
    head = f'<p class="verdict">{escape(style)}{version}<span class="chip {kind}">{word}</span></p>'
    own = found.outcome == "rolled back"  # then it is what a person wrote
    parts = [escape(found.reason) if own else line_html(found.reason)] if found.reason else []
    parts += [text_html("verdict_before", version=found.champion_before)] if found.champion_before else []
    return f"{head}<p>{' · '.join(parts)}</p>{_gates(found)}"


def _gates(found: Verdict) -> str:
    if not found.gates:
        return ""
    rows = "".join(
        f'<tr><td class="left">{gate(str(row.get("name", "?")))}</td><td>{escape(number(row.get("figure")))}</td>'
        f"<td>{escape(number(row.get('bound')))}</td><td>{_passed(row.get('passed'))}</td></tr>"
        for row in found.gates
    )
    heads = "".join(f"<th>{text_html(key)}</th>" for key in ("gate_figure", "gate_bound"))
    head = f'<tr><th class="left">{text_html("gate_gate")}</th>{heads}<th></th></tr>'
    return f'<div class="sheet"><table><thead>{head}</thead><tbody>{rows}</tbody></table></div>'


def _passed(passed: object) -> str:
    kind, key = ("good", "gate_passed") if passed else ("bad", "gate_not_passed")
    return f'<span class="chip {kind}">{text_html(key)}</span>'


def empty(key: str, **values: object) -> str:
    """What stands in the place of something that is not there."""
    return f'<p class="empty">{text_html(key, **values)}</p>'


def say(key: str, problem: bool = False, **values: object) -> str:
    """A line of the page's own."""
    return _line(text_html(key, **values), problem)


def say_with_time(key: str, time_key: str, seconds: float, **values: object) -> str:
    """A line of the page's own, with a turning ring and the seconds that have passed."""
    inside = f"{text_html(key, **values)} {text_html(time_key, count=f'{seconds:.0f}')}"
    return f'<p class="notice going" role="status"><i></i>{inside}</p>'


def line(text: str, problem: bool = False) -> str:
    """A line from below the page: escaped, and in Chinese where it is known."""
    return _line(line_html(text), problem)


def _line(inside: str, problem: bool) -> str:
    return f'<p class="notice{" problem" if problem else ""}" role="{"alert" if problem else "status"}">{inside}</p>'
