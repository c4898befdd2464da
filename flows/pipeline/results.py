"""The figures of evaluated variants, read from the files of the `evaluate` stages and set as a table."""

import csv
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from anime_model.figures.text import NONE, OF_PROTOCOL, PROTOCOL, text
from anime_model.pictures.message import Message

Metrics = dict[str, str | float | int | None]

# Column heads, and the figure of each.
FIGURES = {
    "parameters": "parameters",
    "size": "bytes",
    "latency p50": "latency_p50_ms",
    "FID": "fid",
    "of photos'": "fid_share",
    "KID": "kid",
    "LPIPS": "lpips",
    "to photo": "lpips_photo",
    "PSNR": "psnr",
}


def evaluation_folder(root: Path, style: str) -> Path:
    return root / "artifacts" / style / "evaluation"


def read_metrics(root: Path, style: str) -> list[Metrics]:
    """The metrics of every evaluated variant of `style`, in the order of `metrics.csv`; empty before an evaluation.

    Raises `ValueError` naming a file that holds something else.
    """
    folder = evaluation_folder(root, style)
    if not (folder / "metrics.csv").exists():
        return []
    with (folder / "metrics.csv").open(newline="") as file:
        names = [row.get("variant") for row in csv.DictReader(file)]
    if not names or None in names:
        raise _damaged(folder / "metrics.csv")
    return [_figures(folder / f"{name}.json") for name in names]


def read_baselines(root: Path, style: str) -> list[Metrics]:
    """The figures of what the variants are compared with: the untouched photo, a filter, a published network.

    Empty before an evaluation, and after one that had none of them. Raises `ValueError` as `read_metrics`.
    """
    file = evaluation_folder(root, style) / "baselines.json"
    if not file.exists():
        return []
    found = _read(file)
    if not isinstance(found, list):
        raise _damaged(file)
    return [_checked(row, file) for row in found]


def _figures(file: Path) -> Metrics:
    return _checked(_read(file), file)


def _read(file: Path) -> Any:
    try:
        return json.loads(file.read_text())
    except ValueError as error:
        raise _damaged(file) from error


def _checked(row: Any, file: Path) -> Metrics:
    if not isinstance(row, dict) or not {"style", "variant"} <= row.keys():
        raise _damaged(file)
    return row


def _damaged(file: Path) -> ValueError:
    return ValueError(f"{file}: holds no figures of the evaluate stage; python -m flows.compress makes them again")


def table(variants: Iterable[Metrics]) -> list[dict[str, str]]:
    """One row of text for each variant; a dash where a figure does not exist (the teacher's PSNR to itself)."""
    return [
        {"style": str(metrics["style"]), "variant": str(metrics["variant"])}
        | {head: _cell(key, metrics) for head, key in FIGURES.items()}
        for metrics in variants
    ]


def aligned(rows: Sequence[dict[str, str]]) -> str:
    """The table as plain text, figures to the right."""
    return aligned_text(rows, tuple(FIGURES))


def aligned_text(rows: Sequence[dict[str, str]], right: Sequence[str] = ()) -> str:
    """Rows of the same columns as plain text; those of `right` end in one line."""
    widths = {head: max(len(head), *(len(row[head]) for row in rows)) for head in rows[0]}

    def line(row: dict[str, str]) -> str:
        cells = [text.rjust(widths[head]) if head in right else text.ljust(widths[head]) for head, text in row.items()]
        return "  ".join(cells).rstrip()

    return "\n".join([line({head: head for head in widths}), *map(line, rows)])


def protocol(metrics: Metrics) -> Message:
    """How the figures were measured: they never travel without it."""
    return Message(PROTOCOL, **{name: metrics.get(key) for name, key in OF_PROTOCOL.items()})


def protocols(variants: Iterable[Metrics]) -> str:
    """One line for each way that figures were measured in, with its styles where there are several."""
    ways: dict[str, list[str]] = {}
    for metrics in variants:
        styles = ways.setdefault(protocol(metrics), [])
        if (style := str(metrics["style"])) not in styles:
            styles.append(style)
    return "\n".join(f"{', '.join(styles)}: {how}" if len(ways) > 1 else how for how, styles in ways.items())


def _cell(key: str, metrics: Metrics) -> str:
    deviation = metrics.get(f"{key}_deviation")
    written = text(key, metrics.get(key))
    return f"{written} ± {deviation:.1g}" if isinstance(deviation, int | float) and written != NONE else written
