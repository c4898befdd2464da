"""What a search has found, for pages: its members as a chart to point at, and as a table with a row for each.

Needs no script: a point's figures and its network stand in the chart while a pointer or the keyboard is on it.
"""

import csv
import math
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Protocol, TypeVar

from anime_model.figures.charts import Frame, Point, log_ticks, text, ticks
from anime_model.figures.charts import front as best_of
from anime_model.figures.text import fixed, megabytes, times

# Names as in `runtime/models.py`, which this room does not know.
SPEEDUPS = {"nano": 100, "lite": 30, "plus": 12}  # times faster than the teacher, at least
COLUMNS = ("trial", "lpips", "ms", "times_faster", "bytes")  # of a search's tables; all others are what it chose
FRAME = Frame(width=680, height=420, left=62, right=20, top=16, bottom=56)
TICKS = 9  # of the logarithmic axis at most
BOX, LINE, LETTERS = 372, 16, 58  # of what is said of a point: its width and lines in pixels, letters of a line
MOST = 2000  # points that a page draws; of more, those of the front and some between
Words = Callable[[str, str], str]  # a text's key, and the element that it may stand in
ENGLISH = {
    "search_chart": "LPIPS against milliseconds of the members that were judged",
    "search_ms": "milliseconds of one picture, logarithmic",
    "search_lpips": "LPIPS to the teacher, less is closer",
    "search_channels": "channels",
    "search_hidden": "inside blocks",
    "search_kernels": "kernels",
    "search_depth": "blocks",
    "search_trial": "trial",
    "search_faster": "times faster",
    "search_size": "size",
    "search_network": "network",
    "search_all": "Every member of the search's table, fastest first",
    "search_front": "front",
    "search_pick": "A found point becomes a network and a recipe with one command; any other point by its number:",
}
STYLE = """
.search-chart .sr { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
.search-chart svg { display: block; width: 100%; height: auto; font-size: 12.5px; overflow: visible; }
.search-chart svg line { stroke: currentColor; stroke-opacity: .16; }
.search-chart svg text { fill: currentColor; font-weight: 400; }
.search-chart .steps { fill: none; stroke: #c2255c; stroke-width: 1.6; stroke-dasharray: 5 4; }
.search-chart .other { fill: currentColor; fill-opacity: .28; }
.search-chart .other:hover { fill-opacity: .9; }
.search-chart .member { outline: none; cursor: help; }
.search-chart .member .dot { fill: #c2255c; }
.search-chart .member .touch { fill: transparent; }
.search-chart .member:is(:hover, :focus-visible) .touch { fill: #c2255c; fill-opacity: .25; }
.search-chart .chosen .ring { fill: none; stroke: #c2255c; stroke-width: 2.5; }
.search-chart .chosen .name { font-weight: 700; }
.search-chart .about { display: none; pointer-events: none; }
.search-chart .member:is(:hover, :focus) .about { display: block; }
.search-chart .about rect { fill: #fffdf8; stroke: #c2255c; }
.search-chart .about.about text { fill: #2b2533; }
.search-chart .about .head { font-weight: 700; }
.search-chart code { font-size: .92em; overflow-wrap: anywhere; }
.search-chart .rows { max-height: 420px; overflow: auto; }
.search-chart td.network { white-space: normal; min-width: 26em; text-align: left; }
"""


def _english(key: str, tag: str) -> str:
    return escape(ENGLISH[key], quote=False)


@dataclass(frozen=True)
class Member:
    """One network of a search: its figures, and what it chose by the names of the family's places."""

    trial: int
    lpips: float
    ms: float
    times_faster: float
    bytes: int
    choice: dict[str, str]


class HasFigures(Protocol):
    """What sizes are chosen by, of a table's row and of a study's trial alike."""

    @property
    def lpips(self) -> float: ...
    @property
    def ms(self) -> float: ...
    @property
    def times_faster(self) -> float: ...


Judged = TypeVar("Judged", bound=HasFigures)


def read_members(path: Path) -> list[Member]:
    """The rows of a search's front.csv or trials.csv, fastest first. Raises `ValueError` with one line, `OSError`."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            found = [_member(row) for row in csv.DictReader(file)]
    except (KeyError, TypeError, ValueError) as error:  # UnicodeDecodeError, too
        raise ValueError(f"{path}: no table of a search ({_why(error)}); `python -m flows.search` writes it") from error
    return sorted(found, key=lambda member: (member.ms, member.lpips))


def _why(error: Exception) -> str:
    return f"no column {error}" if isinstance(error, KeyError) else " ".join(str(error).split())


def _member(row: dict[str, str]) -> Member:
    figures = [float(row[name]) for name in COLUMNS]
    if not all(map(math.isfinite, figures)) or figures[2] <= 0:
        raise ValueError(f"trial {row['trial']} has no figures")
    choice = {name: value for name, value in row.items() if name not in COLUMNS and name and value}
    return Member(int(figures[0]), figures[1], figures[2], figures[3], int(figures[4]), choice)


def front(members: Sequence[Member]) -> list[Member]:
    """Those than which no other is both faster and nearer, the fastest first."""
    return best_of(members, lambda member: (member.ms, member.lpips))


def chosen(members: Sequence[Judged]) -> dict[str, Judged]:
    """The nearest member that is fast enough for each of `SPEEDUPS`, if there is one; of equally near, the fastest."""
    fast = {name: [one for one in members if one.times_faster >= least] for name, least in SPEEDUPS.items()}
    return {name: min(found, key=lambda one: (one.lpips, one.ms)) for name, found in fast.items() if found}


def network(member: Member) -> dict[str, str]:
    """What a member chose, in short: channels of its layers and inside its blocks, kernels, how many blocks."""
    kinds: dict[str, list[str]] = {"search_channels": [], "search_hidden": [], "search_kernels": []}
    for name, value in member.choice.items():
        place, _, kind = name.partition(".")
        if name != "depth":
            key = {"hidden": "search_hidden", "kernel": "search_kernels"}.get(kind, "search_channels")
            kinds[key].append(f"{place} {value}")
    found = {key: ", ".join(texts) for key, texts in kinds.items() if texts}
    return found | ({"search_depth": member.choice["depth"]} if "depth" in member.choice else {})


def _network_line(member: Member, words: Words) -> str:
    """The same in one line, as HTML."""
    return "; ".join(f"{words(key, 'span')} {escape(chose)}" for key, chose in network(member).items())


def figures(member: Member) -> str:
    """One line: its trial and all that it is judged by."""
    return f"trial {member.trial}: {_measures(member)}"


def _measures(member: Member) -> str:
    return (
        f"LPIPS {fixed(4)(member.lpips)}, {fixed(1, ' ms')(member.ms)} "
        f"({times(member.times_faster)}), {megabytes(member.bytes)}"
    )


def search_html(style: str, members: Sequence[Member], words: Words | None = None) -> str:
    """The chart, the command beside it, and all members as a table: HTML that needs nothing else.

    `words(key, "span" or "tspan")` gives what a page says in its own language: those of `ENGLISH`. `members` are one at
    least.
    """
    words = words or _english
    sizes = chosen(members)
    named = {one.trial: ", ".join(name for name in sizes if sizes[name] is one) for one in sizes.values()}
    pick = f"python -m flows.search {style} --pick {next(iter(sizes), members[0].trial)}"
    return (
        f'<div class="search-chart"><style>{STYLE}</style>{_svg(style, members, named, words)}'
        f"<p>{words('search_pick', 'span')} <code>{escape(pick)}</code></p>{_table(members, named, words)}</div>"
    )


def _svg(style: str, members: Sequence[Member], named: dict[int, str], words: Words) -> str:
    place, grid = _axes(members, words)
    best = front(members)
    on_front = {member.trial for member in best} | set(named)
    others = [member for member in members if member.trial not in on_front]
    step = math.ceil(len(others) / MOST) or 1
    parts = [grid, *(_other(member, place(member)) for member in others[::step])]
    steps = " ".join(f"{x:.1f},{y:.1f}" for x, y in map(place, best))
    parts.append(f'<polyline class="steps" points="{steps}"/>')
    shown = [member for member in members if member.trial in on_front]
    parts += [_point(member, place(member), named.get(member.trial, ""), style, words) for member in shown]
    label = f'<span class="sr" id="search-chart-label">{words("search_chart", "span")}</span>'
    box = f'viewBox="0 0 {FRAME.width} {FRAME.height}" role="group" aria-labelledby="search-chart-label"'
    return f"{label}<svg {box}>{''.join(parts)}</svg>"


def _axes(members: Sequence[Member], words: Words) -> tuple[Callable[[Member], Point], str]:
    """Where a member stands, and the lines and numbers behind."""
    low, high = min(one.ms for one in members) / 1.15, max(one.ms for one in members) * 1.15
    bottom, top = min(one.lpips for one in members), max(one.lpips for one in members)
    spare = 0.08 * (top - bottom) or 0.1 * top or 0.1
    x, y = FRAME.log_x(low, high), FRAME.linear_y(max(0.0, bottom - spare), top + spare)
    across = [(x(ms), f"{ms:g}") for ms in log_ticks(low, high, TICKS) or ticks(low, high)]
    up = [(y(lpips), f"{lpips:g}") for lpips in ticks(y.low, y.high)]
    titles = FRAME.titles(words("search_ms", "tspan"), words("search_lpips", "tspan"), 10)
    return lambda member: (x(member.ms), y(member.lpips)), FRAME.upright(across, 18) + FRAME.level(up, 4) + titles


def _other(member: Member, at: Point) -> str:
    about = f"{escape(figures(member))}; {_network_line(member, _english)}"  # a title has room for one language
    return f'<circle class="other" cx="{at[0]:.1f}" cy="{at[1]:.1f}" r="3"><title>{about}</title></circle>'


def _point(member: Member, at: Point, name: str, style: str, words: Words) -> str:
    """A point of the front, or one that is chosen; the keyboard reaches it."""
    x, y = (f"{value:.1f}" for value in at)
    label = f"{escape(f'{name}: ' if name else '')}{escape(figures(member))}; {_network_line(member, _english)}"
    end = at[0] > FRAME.width - 80
    ring = f'<circle class="ring" cx="{x}" cy="{y}" r="9"/>' + text(
        at[0] + (-14 if end else 14), at[1] - 8, escape(name), "end" if end else "start", "name"
    )
    return (
        f'<g class="member{" chosen" if name else ""}" tabindex="0" role="img" aria-label="{label}">'
        f'<circle class="touch" cx="{x}" cy="{y}" r="14"/>{ring if name else ""}'
        f'<circle class="dot" cx="{x}" cy="{y}" r="5"/>{_about(member, name, style, words)}</g>'
    )


def _about(member: Member, name: str, style: str, words: Words) -> str:
    """What stands in the chart's upper right corner, where no point of a front is, while the point is looked at."""
    trial = f"{words('search_trial', 'tspan')} {member.trial}: {escape(_measures(member))}"
    lines = [f'<tspan class="head">{escape(f"{name} · " if name else "")}{trial}</tspan>']
    for key, chose in network(member).items():
        first, *rest = textwrap.wrap(chose, LETTERS - 12)
        lines += [f"{words(key, 'tspan')}: {escape(first)}", *map(escape, rest)]
    lines.append(escape(f"flows.search {style} --pick {name.partition(',')[0] or member.trial}"))
    left, top = FRAME.end - BOX, FRAME.top
    texts = "".join(text(left + 10, top + 18 + LINE * row, line, "start") for row, line in enumerate(lines))
    height = LINE * len(lines) + 14
    return f'<g class="about"><rect x="{left}" y="{top}" width="{BOX}" height="{height}" rx="8"/>{texts}</g>'


def _table(members: Sequence[Member], named: dict[int, str], words: Words) -> str:
    best = {member.trial for member in front(members)}
    keys = ("search_trial", None, None, "search_faster", None, "search_size", "search_network")
    plain = ("", "LPIPS", "ms", "", "MB", "", "")
    heads = [words(key, "span") if key else head for key, head in zip(keys, plain, strict=True)]
    rows = []
    for member in members:
        what = escape(named.get(member.trial, "")) or (words("search_front", "span") if member.trial in best else "")
        cells = [str(member.trial), fixed(4)(member.lpips), fixed(1)(member.ms), fixed(1)(member.times_faster)]
        cells += [fixed(2)(member.bytes / 1e6), what]
        plain_cells = "".join(f"<td>{cell}</td>" for cell in cells)
        rows.append(f'<tr>{plain_cells}<td class="network">{_network_line(member, words)}</td></tr>')
    row_of_heads = "".join(f'<th scope="col">{head}</th>' for head in heads)
    return (
        f"<details><summary>{words('search_all', 'span')}: {len(members)}</summary>"
        f'<div class="rows sheet card" tabindex="0"><table><thead><tr>{row_of_heads}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div></details>"
    )
