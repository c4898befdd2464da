"""HTML of the engineers' view: the table of figures, the panes, the gates. Everything from outside is escaped."""

from collections.abc import Callable, Sequence
from html import escape

from anime_app.studio.charts import COLOURS, OTHER
from anime_app.studio.promotion import Verdict
from anime_app.studio.versions import Version

# Column: head, key, how it is written, and whether less is better (None: no winner).
COLUMNS: tuple[tuple[str, str, Callable[[float], str], bool | None], ...] = (
    ("parameters", "parameters", lambda v: f"{v:,.0f}", None),
    ("size", "bytes", lambda v: f"{v / 1e6:.2f} MB", True),
    ("latency p50", "latency_p50_ms", lambda v: f"{v:.0f} ms", True),
    ("p95", "latency_p95_ms", lambda v: f"{v:.0f} ms", True),
    ("memory", "peak_memory_mb", lambda v: f"{v:.0f} MB", True),
    ("FID", "fid", lambda v: f"{v:.2f}", True),
    ("LPIPS", "lpips", lambda v: f"{v:.3f}", True),
    ("PSNR", "psnr", lambda v: f"{v:.1f} dB", False),
    ("SSIM", "ssim", lambda v: f"{v:.3f}", False),
    ("panel", "panel_overall", lambda v: f"{v:.2f}", False),
)
TEACHER_WINS = ("lpips", "psnr", "ssim")  # by definition: they are measured against its own pictures


def figures_table(versions: Sequence[Version]) -> str:
    """One row a version, the best of each column marked; the protocols below it."""
    if not versions:
        return '<p class="empty">Nothing to compare yet.</p>'
    best = {key: _best(versions, key, less) for _, key, _, less in COLUMNS}
    head = "".join(f"<th>{name}</th>" for name, *_ in COLUMNS)
    rows = "".join(_row(version, best) for version in versions)
    said = " <br> ".join(escape(line) for line in _protocols(versions))
    note = f'<p class="small">{said}</p>' if said else ""
    table = f"<table><thead><tr><th>version</th>{head}</tr></thead><tbody>{rows}</tbody></table>"
    return f'<div class="sheet" tabindex="0" role="region" aria-label="Figures">{table}</div>{note}'


def _best(versions: Sequence[Version], key: str, less: bool | None) -> float | None:
    rows = [version for version in versions if key not in TEACHER_WINS or version.variant != "teacher"]
    values = [version.figures[key] for version in rows if key in version.figures]
    if less is None or len(values) < 2:
        return None
    return min(values) if less else max(values)


def _row(version: Version, best: dict[str, float | None]) -> str:
    number = f'<span class="chip">v{version.number}</span>' if version.key.startswith("run/") and version.number else ""
    marks = "".join(f'<span class="chip">{escape(alias)}</span>' for alias in version.aliases)
    dot = f'<i style="background:{COLOURS.get(version.variant, OTHER)}"></i>'
    label = version.label.split(" · champion")[0] if marks else version.label
    cells = []
    for _, key, written, _ in COLUMNS:
        value = version.figures.get(key)
        own = version.variant == "teacher" and key in TEACHER_WINS
        mark = ' class="best"' if value is not None and value == best[key] and not own else ""
        cells.append(f"<td{mark}>{'–' if value is None or own else written(value)}</td>")
    return f"<tr><td>{dot}{escape(label)}{number}{marks}</td>{''.join(cells)}</tr>"


def _protocols(versions: Sequence[Version]) -> list[str]:
    """How the figures were measured, every way once."""
    return list(dict.fromkeys(filter(None, (protocol(version) for version in versions))))


def protocol(version: Version) -> str:
    """How a version's figures were measured: they never travel without it. A registered one has it as a tag."""
    if said := version.words.get("protocol"):
        return said
    figures, words = version.figures, version.words
    if "latency_engine" not in words:
        return ""

    def count(key: str) -> str:
        return f"{figures[key]:.0f}" if key in figures else "?"

    return (
        f"latency: {words['latency_engine']}, {count('latency_threads')} threads, {count('latency_size')} px, "
        f"{words.get('cpu', '?')} · FID: {words.get('fid_features', '?')}, {count('fid_real')} frames, "
        f"{count('fid_fake')} pictures · LPIPS ({words.get('lpips_net', '?')}) and PSNR to the teacher"
    )


def pane(title: str, about: str, size: tuple[int, int], src: str | None, problem: str = "") -> str:
    """One picture, `size` its height and width; a turning ring while `src` is None, or one line on the problem."""
    inside = f'<img src="{src}" alt="{escape(title)}" draggable="false">' if src else ""
    if not src:
        inside = f'<div class="wait">{escape(problem) or "<i></i>"}</div>'
    ratio = f"aspect-ratio:{size[1]}/{size[0]}"
    return (
        f'<figure class="pane"><div class="view" style="{ratio}">{inside}</div>'
        f"<figcaption><b>{escape(title)}</b><span>{escape(about)}</span></figcaption></figure>"
    )


def panes(inside: Sequence[str]) -> str:
    """Panes under the buttons that zoom them."""
    buttons = "".join(
        f'<button type="button" data-zoom="{factor}" aria-label="{name}">{sign}</button>'
        for factor, sign, name in ((1.5, "+", "larger"), (0.667, "−", "smaller"), (0, "whole", "the whole picture"))
    )
    hint = "<span>Click a picture to look closer, drag to move: all move together.</span>"
    words = "Pictures; plus, minus and arrows zoom and move"
    group = f'<div class="panes" data-panes tabindex="0" role="group" aria-label="{words}">'
    return f'<div class="tools">{buttons}{hint}</div>{group}{"".join(inside)}</div>'


def about(version: Version) -> str:
    """Size and latency, for a pane's caption."""
    shown = (COLUMNS[1], COLUMNS[2])
    return " · ".join(written(version.figures[key]) for _, key, written, _ in shown if key in version.figures)


def verdict(found: Verdict, style: str) -> str:
    """What the flow decided, and every gate with its figure and bound."""
    version = f" v{escape(found.version)}" if found.version else ""
    kind = "good" if found.good else "bad"
    before = f", champion before: v{escape(found.champion_before)}" if found.champion_before else ""
    head = f'<p class="verdict">{escape(style)}{version}<span class="chip {kind}">{escape(found.said)}</span></p>'
    reason = escape(f"{found.reason}")
    return f"{head}<p>{reason}{before}</p>{_gates(found)}"


def _gates(found: Verdict) -> str:
    if not found.gates:
        return ""
    rows = "".join(
        f'<tr><td class="left">{escape(str(gate.get("name", "?")))}</td><td>{_number(gate.get("figure"))}</td>'
        f"<td>{_number(gate.get('bound'))}</td><td>{_passed(gate.get('passed'))}</td></tr>"
        for gate in found.gates
    )
    head = '<tr><th class="left">gate</th><th>figure</th><th>bound</th><th></th></tr>'
    return f'<div class="sheet"><table><thead>{head}</thead><tbody>{rows}</tbody></table></div>'


def _number(value: object) -> str:
    if value is None:
        return "–"
    return f"{value:.4g}" if isinstance(value, int | float) and abs(value) < 1e5 else escape(f"{value}")


def _passed(passed: object) -> str:
    return '<span class="chip good">passed</span>' if passed else '<span class="chip bad">not passed</span>'


def line(text: str, problem: bool = False) -> str:
    return (
        f'<p class="said{" problem" if problem else ""}" role="{"alert" if problem else "status"}">{escape(text)}</p>'
    )
