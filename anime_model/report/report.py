"""The report of one style as one HTML file that needs nothing else."""

import base64
import csv
import io
import math
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup
from PIL import Image

from anime_model.figures.search import read_members, search_html
from anime_model.figures.text import megabytes, milliseconds, short
from anime_model.pictures.arrays import PictureError, picture_files, read_picture
from anime_model.report import charts
from anime_model.report.figures import (
    FIGURES,
    Figure,
    Metrics,
    named,
    protocol,
    unit,
)

LONG_SIDE, QUALITY = 720, 88  # of the pictures inside the page
# What a row is called that is no variant.
LABELS = {"photo": "untouched photo", "filter": "filter, no network", "reference": "published network"}
# The variant whose colour a stage has, where it is not named after it.
COLOURS = {"quantized": "int8"}
# What is said above the tables that the pipeline is known to write, by the name of their file.
EXPLAINED = {
    "rounds": "Whole channels leave the network, those first that matter least for what they cost; after every round "
    "it trains again. PSNR and SSIM are to the teacher, on a few photos. Parameters count the norms, not yet folded. "
    "l1_unstructured sets single weights to zero instead: it is here to be compared with, and saves no time.",
    "sensitivity": "What the picture loses when this layer alone computes with 8-bit integers (PSNR, higher is "
    "nearer). A layer that loses more than it gains in time stays in float.",
}


def write_report(
    out: Path,
    *,
    title: str,
    metrics: Sequence[Metrics],
    baselines: Sequence[Metrics] = (),
    pictures: Mapping[str, Mapping[str, Mapping[str, Path]]] | None = None,
    curves: Mapping[str, Path] | None = None,
    tables: Mapping[str, Path] | None = None,
    samples: Path | None = None,
    set_aside: Sequence[Mapping[str, str]] = (),
    facts: Mapping[str, Any] | None = None,
    search: Path | None = None,
) -> None:
    """Writes report.html into folder `out`.

    `metrics` are the flat figures of every variant, the teacher's first and the one that ships last; `baselines` those
    of what they are compared with: the untouched photo, a filter, a published network. `pictures` are
    files by test set, photo and variant ("photo" is the photo itself), `curves` curve.csv files by stage, `tables` CSV
    files by name, `samples` one picture of the teacher's training or a folder of such, `search` the table of
    a search's members. Parts that are missing are left out; all text is escaped.
    """
    out.mkdir(parents=True, exist_ok=True)
    shown = [_set_of_pictures(name, photos) for name, photos in (pictures or {}).items()]
    page = {
        "title": title,
        "style": metrics[0].get("style", "") if metrics else "",
        "pictures": [entry for entry in shown if entry["rows"]],
        "samples": _samples(samples),
        "curves": [entry for entry in map(_stage, (curves or {}).items()) if entry["curves"]],
        "tables": [_plain_table(name, path) for name, path in (tables or {}).items() if path.is_file()],
        "set_aside": set_aside,
        "search": _search(search, metrics),
        "facts": [{"name": _words(name), "value": _fact(value)} for name, value in (facts or {}).items()],
    }
    page |= _figures(metrics, baselines) if metrics else {}
    page["hero"] = _hero(page["pictures"])
    (out / "report.html").write_text(_template().render(page), encoding="utf-8")


def _search(table: Path | None, metrics: Sequence[Metrics]) -> Markup:
    """The chart of a search, nothing where there was none or its table is damaged."""
    if table is None or not table.is_file():
        return Markup("")
    try:
        members = read_members(table)
    except (ValueError, OSError):  # the report tells of what is there
        return Markup("")
    style = str(metrics[0].get("style", "")) if metrics else ""
    return Markup(search_html(style, members)) if members else Markup("")


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("report.html.jinja")


def _figures(metrics: Sequence[Metrics], baselines: Sequence[Metrics]) -> dict[str, Any]:
    """Everything on the page that is made of figures."""
    rows = [_with_speed_up(row, metrics[0]) for row in metrics]
    others = [_with_speed_up(row, metrics[0]) for row in baselines or _plain_photos(metrics[0])]
    known = [figure for figure in FIGURES if any(_number(row, figure.key) is not None for row in rows)]
    explained = protocol(metrics[0])
    used = list(dict.fromkeys(figure.note for figure in known if figure.note))
    notes = {name: index for index, name in enumerate(used, start=1)}
    return {
        "lead": _lead(rows),
        "tiles": _tiles(rows),
        "figure_tables": _tables(known, rows, others, notes),
        "notes": [explained[name] for name in used],
        "sets": _sets(known, rows, others),
        "charts": _charts(rows),
        "glossary": [{"name": named(figure), "text": figure.meaning} for figure in known],
    }


def _plain_photos(row: Metrics) -> list[Metrics]:
    """The untouched photos' row of an evaluation that had none: what it kept beside the variants' figures."""
    kept = {key.replace("_photos", "", 1): value for key, value in row.items() if "_photos" in key}
    return [{"variant": "photo", **kept}] if kept else []


def _tables(
    known: Sequence[Figure], rows: Sequence[Metrics], others: Sequence[Metrics], notes: Mapping[str, int]
) -> list[dict]:
    """What each network costs, and what it draws beside what is not it: two tables that a page can hold."""
    weighed = [row for row in others if "bytes" in row]
    parts = (
        ("What it costs", [figure for figure in known if not figure.of_pictures], weighed),
        ("What it draws", [figure for figure in known if figure.of_pictures], others),
    )
    return [{"name": name, "table": _table(own, rows, beside, notes)} for name, own, beside in parts if own]


def _with_speed_up(row: Metrics, teacher: Metrics) -> Metrics:
    mine, his = _number(row, "latency_p50_ms"), _number(teacher, "latency_p50_ms")
    return {**row, "speed_up": his / mine} if mine and his else row


def _number(row: Metrics, key: str) -> float | None:
    value = row.get(key)
    return value if isinstance(value, int | float) and math.isfinite(value) else None


def _lead(rows: Sequence[Metrics]) -> str:
    """What the whole pipeline came to, in one sentence."""
    first, last = rows[0], rows[-1]
    said = {
        "a file {} smaller": _ratio(first, last, "bytes"),
        "pictures made {} faster": _ratio(first, last, "latency_p50_ms"),
    }
    parts = [text.format(ratio) for text, ratio in said.items() if ratio]
    if len(rows) < 2 or not parts:
        return ""
    return f"From the {first['variant']} to the {last['variant']} network: {' and '.join(parts)}."


def _tiles(rows: Sequence[Metrics]) -> list[dict[str, str]]:
    first, last = rows[0], rows[-1]
    wanted = [
        ("latency_p50_ms", "faster", milliseconds),
        ("bytes", "smaller file", megabytes),
        ("macs_512", "less work", lambda value: short(value) + "MAC"),
    ]
    tiles = [
        {"value": ratio, "name": name, "note": f"{text(first[key])} → {text(last[key])}"}
        for key, name, text in wanted
        if len(rows) > 1 and (ratio := _ratio(first, last, key))
    ]
    if len(rows) > 1 and (distance := _number(last, "lpips")) is not None:
        note = f"LPIPS ({last.get('lpips_net', '?')}) to the teacher; 0 is equal"
        tiles.append({"value": f"{distance:.3f}", "name": "apart in looks", "note": note})
    if (style := _number(last, "fid_share")) is not None:
        note = "how far from the style's frames; 1 would be a photo"
        tiles.append({"value": f"{style:.2f}", "name": "of the untouched photos' FID", "note": note})
    return tiles


def _ratio(first: Metrics, last: Metrics, key: str) -> str:
    a, b = _number(first, key), _number(last, key)
    return f"{a / b:.3g}×" if a and b and a > b else ""


def _table(
    figures: Sequence[Figure],
    rows: Sequence[Metrics],
    others: Sequence[Metrics],
    notes: Mapping[str, int],
    suffix: str = "",
) -> dict:
    """Heads and rows as the page sets them, `others` first; `suffix` picks the figures of one test set."""
    largest = {figure.key: max(_number(row, figure.key) or 0 for row in rows) for figure in figures if figure.bar}
    body = [
        {
            "variant": row.get("variant", ""),
            "label": LABELS.get(str(row.get("variant", "")), row.get("variant", "")),
            "aside": row in others,
            "cells": [_cell(figure, row, suffix, largest.get(figure.key)) for figure in figures],
        }
        for row in (*others, *rows)
    ]
    heads = [{"name": f.name, "unit": unit(f, rows[0]), "note": notes.get(f.note)} for f in figures]
    return {"heads": heads, "rows": body}


def _cell(figure: Figure, row: Metrics, suffix: str, largest: float | None) -> dict[str, Any]:
    value = _number(row, figure.key + suffix)
    share = None if not largest or value is None else round(min(100, 100 * value / largest), 1)
    return {
        "text": "–" if value is None else figure.text(value),
        "also": "" if value is None else _below(figure, row, suffix),
        "share": share,
    }


def _below(figure: Figure, row: Metrics, suffix: str) -> str:
    """What stands small below a figure: its interval, or a second figure."""
    if figure.interval:
        ends = [_number(row, f"{figure.key}_{end}{suffix}") for end in ("low", "high")]
        return "" if None in ends or ends[0] == ends[1] else " – ".join(map(figure.text, ends))
    before, key = figure.also
    also = _number(row, key + suffix)
    return "" if also is None else f"{before} {f'{also:.2g}' if before == '±' else figure.text(also)}"


def _sets(figures: Sequence[Figure], rows: Sequence[Metrics], others: Sequence[Metrics]) -> list[dict[str, Any]]:
    """One table for every test set, where there are several."""
    names = [key.removeprefix("ssim_") for key in rows[0] if key.startswith("ssim_")]
    kept = [figure for figure in figures if figure.of_pictures]
    tables = [{"name": name, "table": _table(kept, rows, others, {}, f"_{name}")} for name in names]
    return tables if len(names) > 1 else []


def _charts(rows: Sequence[Metrics]) -> list[dict[str, Any]]:
    net, features = rows[0].get("lpips_net", "?"), rows[0].get("fid_features", "?")
    wanted = [
        ("lpips", f"LPIPS ({net}) to the teacher", "Likeness to the teacher: at 0 the pictures are the teacher's own."),
        ("fid", f"FID ({features})", "Distance to the style frames: at the dashed line, a picture is still a photo."),
    ]
    found = []
    for key, title, caption in wanted:
        usable = [row for row in rows if _number(row, key) is not None and _number(row, "latency_p50_ms")]
        if len(usable) > 1:
            bubbles = [_bubble(row, key) for row in usable]
            photos = _number(rows[0], f"{key}_photos")
            line = None if photos is None else charts.Line(photos, "untouched photos")
            svg = charts.trade_off(bubbles, "milliseconds for one picture, median", title, line)
            found.append({"svg": svg, "caption": caption})
    return found


def _bubble(row: Metrics, key: str) -> charts.Bubble:
    weight = _number(row, "bytes") or 0
    note = f"{milliseconds(row['latency_p50_ms'])}, {megabytes(weight)}, {key.upper()} {row[key]:.4g}"
    return charts.Bubble(str(row.get("variant", "")), row["latency_p50_ms"], row[key], weight, note)


def _set_of_pictures(name: str, photos: Mapping[str, Mapping[str, Path]]) -> dict[str, Any]:
    variants = list(dict.fromkeys(variant for files in photos.values() for variant in files))
    rows, shape = [], None
    for photo, files in photos.items():
        shots = [{"variant": variant, "src": _inline(files.get(variant))} for variant in variants]
        if any(shot["src"] for shot in shots):
            rows.append({"name": photo, "shots": shots})
            shape = shape or _shape(files)
    return {"name": name, "variants": variants, "rows": rows, "shape": shape or "1"}


def _shape(files: Mapping[str, Path]) -> str:
    """Width over height of the first picture that can be read: that of all small pictures of its set."""
    for path in files.values():
        try:
            height, width, _ = read_picture(path).shape
        except PictureError:
            continue
        return f"{width} / {height}"
    return "1"


def _inline(path: Path | None, long_side: int | None = LONG_SIDE) -> str:
    """A picture file as the address of itself; empty where it cannot be read."""
    try:
        image = Image.fromarray(read_picture(path)) if path else None
    except PictureError:
        image = None
    if image is None:
        return ""
    if long_side:
        image.thumbnail((long_side, long_side), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=QUALITY, subsampling=0)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def _samples(path: Path | None) -> list[str]:
    if path is None or not path.exists():
        return []
    files = picture_files(path) if path.is_dir() else [path]
    return [source for file in files if (source := _inline(file, 2 * LONG_SIDE))]


def _hero(sets: Sequence[Mapping[str, Any]]) -> dict[str, str] | None:
    """The first photo that is there with the picture of the last variant."""
    for shots in (row["shots"] for entry in sets for row in entry["rows"]):
        found = {shot["variant"]: shot["src"] for shot in shots if shot["src"]}
        variant = shots[-1]["variant"]
        if "photo" in found and variant in found and variant != "photo":
            return {"photo": found["photo"], "anime": found[variant], "variant": variant}
    return None


def _stage(item: tuple[str, Path]) -> dict[str, Any]:
    name, path = item
    found = charts.curves(path) if path.is_file() else []
    drawn = [{"name": c.name, "first": f"{c.first:.4g}", "last": f"{c.last:.4g}", "svg": c.svg} for c in found]
    return {"name": _words(name), "colour": COLOURS.get(name, name), "curves": drawn}


def _plain_table(name: str, path: Path) -> dict[str, Any]:
    """A CSV file as it is, its numbers made readable and its times drawn as bars."""
    with path.open(newline="", encoding="utf-8") as file:
        heads, *rows = list(csv.reader(file)) or [[]]
    rows = [row for row in rows if len(row) == len(heads)]
    times = [float(cell) for row in rows for head, cell in zip(heads, row, strict=True) if _is_time(head, cell)]
    body = [[_plain_cell(*pair, max(times, default=0)) for pair in zip(heads, row, strict=True)] for row in rows]
    texts = [any(cell["is_text"] for cell in column) for column in zip(*body, strict=True)] or [False] * len(heads)
    columns = [{"name": _words(head), "is_text": is_text} for head, is_text in zip(heads, texts, strict=True)]
    return {"title": _words(name), "text": EXPLAINED.get(path.stem, ""), "heads": columns, "rows": body}


def _plain_cell(head: str, text: str, slowest: float) -> dict[str, Any]:
    share = round(100 * float(text) / slowest, 1) if slowest and _is_time(head, text) else None
    badge = {"int8": "int8", "float": "soft"}.get(text)
    if (value := _as_number(text)) is not None and text:
        large = head.startswith(("macs", "parameters"))
        text = short(value) if large else f"{value:.4g}" if abs(value) < 1e4 else f"{value:,.0f}"
    return {"text": text, "share": share, "badge": badge, "is_text": value is None}


def _is_time(head: str, cell: str) -> bool:
    return head.endswith("_ms") and _as_number(cell) is not None


def _as_number(text: str) -> float | None:
    try:
        return float(text) if math.isfinite(float(text)) else None
    except ValueError:
        return None


def _fact(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_fact(entry)}" for key, entry in value.items())
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _words(name: str) -> str:
    return str(name).replace("_", " ")
