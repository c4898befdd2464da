"""Every evaluated style's figures as a table, and its report as one HTML page: `python -m flows.report [STYLE ...]`.

The flows write it themselves; after a plain `dvc repro` this does. No stage makes it, so that a new chart changes none.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from anime_model.report.style_report import write_style_report
from flows.machine.environment import find_workspace
from flows.pipeline.results import aligned, evaluation_folder, protocols, read_baselines, read_metrics, table


def write_reports(root: Path, styles: Sequence[str]) -> list[Path]:
    """Writes `report.html` into the folder of every style that is evaluated; the pages, as seen from `root`.

    Raises `OSError` where the disk refuses.
    """
    found = [(style, read_metrics(root, style)) for style in styles]
    pages = [write_style_report(root / "artifacts" / style, metrics) for style, metrics in found if metrics]
    return [page.relative_to(root) for page in pages]


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m flows.report", description="Write the reports of evaluated styles."
    )
    parser.add_argument("styles", metavar="STYLE", nargs="*", help="default: every evaluated style")
    root = find_workspace(Path.cwd())
    everything = sorted(path.parents[1].name for path in root.glob("artifacts/*/evaluation/metrics.csv"))
    wanted = parser.parse_args().styles or everything
    try:
        variants = {style: read_baselines(root, style) + read_metrics(root, style) for style in wanted}
        pages = write_reports(root, wanted)
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if rows := table(row for found in variants.values() for row in found):
        measured = [metrics for style in wanted for metrics in read_metrics(root, style)]
        print(f"{aligned(rows)}\n{protocols(measured)}\n")
    print("\n".join(map(str, pages)) or "no style is evaluated yet: python -m flows.compress")
    missing = [style for style in wanted if not evaluation_folder(root, style).joinpath("metrics.csv").exists()]
    for style in missing:
        print(f"error: {style} is not evaluated yet: python -m flows.compress", file=sys.stderr)
    return 1 if missing or not pages else 0


if __name__ == "__main__":
    sys.exit(main())
