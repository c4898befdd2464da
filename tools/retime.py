"""Every network of a released style timed anew, in one run: `python -m tools.retime STYLE FOLDER`.

For when the way of timing changes, or exports get faster spellings. FOLDER is the artifacts folder of a run of the
style, or holds it; its exports are timed together with the files that ship in each size and the published network, on a
quiet machine: times of two runs compare with nothing. Pictures stay as they are, and so do the figures of pictures;
times, memory and bytes in results/release.json, in the cards and in the files become the new ones. A stage that FOLDER
has no export of keeps the times of its own run, and how many times faster than the teacher it was there.
"""

import json
from pathlib import Path

from anime_model.pictures.atomic import write_whole
from anime_model.recipes.evaluate import EvaluateSettings
from anime_model.report.baselines import REFERENCE
from anime_model.report.evaluate import Metrics, costs
from anime_model.runtime.models import SIZE, SIZES, file_name
from anime_model.runtime.names import LITE
from tasks.evaluate import published_of
from tasks.shared import common
from tools.ship import RESULTS, WEIGHTS, artifacts_of, faster, ship_file

TEACHER = "teacher"
PROTOCOL = ("latency_size", "latency_threads", "latency_repeats")
COUNTED = ("parameters", "macs_512")  # alike in two files of one network, however they are spelled


def main(arguments: list[str]) -> None:
    """Raises `ValueError`, `OSError` before anything is written."""
    style, folder = arguments[0], Path(arguments[1])
    artifacts = artifacts_of(style, folder)
    rows = common.read_json(RESULTS)
    own = {str(row["variant"]): row for row in rows if row["style"] == style}
    if TEACHER not in own or LITE not in own:
        raise ValueError(f"{RESULTS} has no rows {TEACHER} and {LITE} of {style}: nothing of it was released")
    timed = timed_anew(own, files_of(style, own, artifacts))
    timed |= left(own, timed)
    for size, row in sizes(timed).items():
        ship_file(style, size, artifacts, row, timed[TEACHER], WEIGHTS / f"{file_name(style, size)}.onnx")
    new = [timed.get(str(row["variant"]), row) if row["style"] == style else row for row in rows]
    write_whole(RESULTS, json.dumps(new, indent=1) + "\n")
    for size, row in sizes(timed).items():
        times = faster(timed[TEACHER], row)
        print(f"{file_name(style, size)}: {row['latency_p50_ms']:.1f} ms, {times:.1f} times as fast as the teacher")


def files_of(style: str, rows: dict[str, Metrics], artifacts: Path) -> dict[str, Path]:
    """The ONNX file of every row that has times; only stages between the teacher and what ships may lack one.

    Raises `ValueError`.
    """
    described = artifacts / "reference/reference.json"
    shipped = {size: WEIGHTS / f"{file_name(style, size)}.onnx" for size in SIZES}
    shipped[LITE] = shipped[SIZE]
    files = {}
    for variant in (name for name, row in rows.items() if "latency_p50_ms" in row):
        place = shipped.get(variant, artifacts / f"exports/{variant}.onnx")
        if variant == REFERENCE:
            published = published_of(described, int(rows[TEACHER]["latency_threads"]))
            place, file = described, published and published.file
        else:
            file = place if place.is_file() else None
        if file:
            files[variant] = file
        elif variant in (TEACHER, REFERENCE, *shipped):
            raise ValueError(f"{place}: no file of the row {variant} of {style}; all are timed in one run")
    return files


def timed_anew(rows: dict[str, Metrics], files: dict[str, Path]) -> dict[str, Metrics]:
    """The rows of `files` with what these cost now, timed as the teacher's row says. Raises `ValueError` for others."""
    settings = EvaluateSettings(**{key: rows[TEACHER][key] for key in PROTOCOL})
    found = costs(files, settings, common.show)
    for variant, cost in found.items():
        for key in COUNTED:
            if cost[key] != rows[variant][key]:
                raise ValueError(
                    f"{files[variant]}: {cost[key]:,} {key}, not the {rows[variant][key]:,} of {RESULTS}: "
                    "another network than the one whose figures these are"
                )
    timed = {variant: rows[variant] | cost for variant, cost in found.items()}
    for row in timed.values():
        row.pop("faster", None)
    for size in set(SIZES) & timed.keys():
        timed[size]["faster"] = faster(timed[TEACHER], timed[size])
    return timed


def left(rows: dict[str, Metrics], timed: dict[str, Metrics]) -> dict[str, Metrics]:
    """The rows that keep the times of their own run, with how many times faster than its teacher they were."""
    kept = {variant: row for variant, row in rows.items() if "latency_p50_ms" in row and variant not in timed}
    return {variant: {"faster": faster(rows[TEACHER], row)} | row for variant, row in kept.items()}


def sizes(rows: dict[str, Metrics]) -> dict[str, Metrics]:
    """The rows of what ships, by size."""
    return {SIZE: rows[LITE]} | {size: rows[size] for size in SIZES if size in rows}


if __name__ == "__main__":
    common.run(main, "STYLE FOLDER")
