"""The figures of evaluated variants, read from the files of the `evaluate` stages and set as a table."""

import csv
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

Metrics = dict[str, str | float | int | None]

# Column heads, and the text of one variant's cell.
COLUMNS = {
    "style": lambda m: m["style"],
    "variant": lambda m: m["variant"],
    "parameters": lambda m: f"{m['parameters']:,}",
    "size": lambda m: f"{m['bytes'] / 1e6:.2f} MB",
    "latency p50": lambda m: f"{m['latency_p50_ms']:.3g} ms",
    "FID": lambda m: f"{m['fid']:.3g}",
    "of photos'": lambda m: f"{m['fid_share']:.2f}",
    "KID": lambda m: f"{m['kid']:.3g} ± {m['kid_deviation']:.1g}",
    "LPIPS": lambda m: f"{m['lpips']:.3f}",
    "to photo": lambda m: f"{m['lpips_photo']:.3f}",
    "PSNR": lambda m: f"{m['psnr']:.1f} dB",
}
RIGHT = ("parameters", "size", "latency p50", "FID", "of photos'", "KID", "LPIPS", "to photo", "PSNR")


def evaluation_folder(root: Path, style: str) -> Path:
    return root / "artifacts" / style / "evaluation"


def read_metrics(root: Path, style: str) -> list[Metrics]:
    """The metrics of every evaluated variant of `style`, in the order of `metrics.csv`; empty before an evaluation."""
    folder = evaluation_folder(root, style)
    if not (folder / "metrics.csv").exists():
        return []
    with (folder / "metrics.csv").open(newline="") as file:
        names = [row["variant"] for row in csv.DictReader(file)]
    return [json.loads((folder / f"{name}.json").read_text()) for name in names]


def read_baselines(root: Path, style: str) -> list[Metrics]:
    """The figures of what the variants are compared with: the untouched photo, a filter, a published network.

    Empty before an evaluation, and after one that had none of them.
    """
    file = evaluation_folder(root, style) / "baselines.json"
    return json.loads(file.read_text()) if file.exists() else []


def table(variants: Iterable[Metrics]) -> list[dict[str, str]]:
    """One row of text for each variant; a dash where a figure does not exist (the teacher's PSNR to itself)."""
    return [{head: _cell(cell, metrics) for head, cell in COLUMNS.items()} for metrics in variants]


def aligned(rows: Sequence[dict[str, str]]) -> str:
    """The table as plain text, figures to the right."""
    return aligned_text(rows, RIGHT)


def aligned_text(rows: Sequence[dict[str, str]], right: Sequence[str] = ()) -> str:
    """Rows of the same columns as plain text; those of `right` end in one line."""
    widths = {head: max(len(head), *(len(row[head]) for row in rows)) for head in rows[0]}

    def line(row: dict[str, str]) -> str:
        cells = [text.rjust(widths[head]) if head in right else text.ljust(widths[head]) for head, text in row.items()]
        return "  ".join(cells).rstrip()

    return "\n".join([line({head: head for head in widths}), *map(line, rows)])


def protocol(metrics: Metrics) -> str:
    """How the figures were measured: they never travel without it."""
    return (
        f"latency: {metrics.get('latency_engine')}, {metrics.get('latency_threads')} threads, "
        f"{metrics.get('latency_size')} px, {metrics.get('cpu')} · "
        f"FID: {metrics.get('fid_features')}, {metrics.get('fid_real')} frames, {metrics.get('fid_fake')} pictures, "
        f"too large by few pictures · LPIPS ({metrics.get('lpips_net')}) and PSNR to the teacher"
    )


def protocols(variants: Iterable[Metrics]) -> str:
    """One line for each way that figures were measured in, with its styles where there are several."""
    ways: dict[str, list[str]] = {}
    for metrics in variants:
        styles = ways.setdefault(protocol(metrics), [])
        if (style := str(metrics["style"])) not in styles:
            styles.append(style)
    return "\n".join(f"{', '.join(styles)}: {how}" if len(ways) > 1 else how for how, styles in ways.items())


def _cell(cell, metrics: Metrics) -> str:
    try:
        text = cell(metrics)
    except (KeyError, TypeError):
        return "-"
    return "-" if "inf" in text or "nan" in text else text
