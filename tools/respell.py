"""A released size, its graph written as exports are now: `python -m tools.respell STYLE SIZE FOLDER`.

Exports get faster spellings of the same arithmetic. The pictures stay the same bit for bit, which is looked at first,
so the figures of pictures stand; times, memory and bytes are measured anew, on a quiet machine, beside the teacher in
FOLDER, the artifacts folder of a run of the style. They become the size's row of results/release.json and its card.
"""

import json
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

from anime_model.networks.onnx_spelling import spell_for_converters, spell_for_onnx_runtime
from anime_model.pictures.atomic import write_whole
from anime_model.recipes.evaluate import EvaluateSettings
from anime_model.report.baselines import REFERENCE
from anime_model.report.evaluate import costs
from anime_model.runtime.models import SIZE, SIZES, file_name
from anime_model.runtime.names import LITE
from tasks.evaluate import published_of
from tasks.shared import common
from tools.ship import RESULTS, WEIGHTS, ship_file, with_size

SIDES = ((512, 512), (61, 83), (64, 64), (97, 52))  # height and width of the pictures that are compared
TEACHER = "teacher"


def main(arguments: list[str]) -> None:
    """Raises `ValueError`, `OSError` before anything is written."""
    style, size, folder = arguments[0], arguments[1], Path(arguments[2])
    if size not in SIZES or size == SIZE:
        others = ", ".join(each for each in SIZES if each != SIZE)
        raise ValueError(f"{size!r} is none of {others}: the rows of {SIZE} were timed together with its stages")
    artifacts = folder / style if (folder / style).is_dir() else folder
    rows = common.read_json(RESULTS)
    row, teacher = (_row(rows, style, variant) for variant in (size, TEACHER))
    shipped = WEIGHTS / f"{file_name(style, size)}.onnx"
    with tempfile.TemporaryDirectory() as work:
        made = Path(work, f"{LITE}.onnx")
        respell(shipped, made)
        check_pictures(shipped, made)
        found = measured(made, artifacts, row)
        lite, beside = row | found[LITE], teacher | found[TEACHER]
        name = ship_file(style, size, artifacts, lite, beside, made)
    write_whole(RESULTS, json.dumps(with_size(rows, lite, beside, size), indent=1) + "\n")
    times = lite["latency_p50_ms"], beside["latency_p50_ms"] / lite["latency_p50_ms"]
    print(f"wrote {WEIGHTS / name}.onnx: {times[0]:.1f} ms, {times[1]:.1f} times as fast as the teacher")


def _row(rows: list[dict], style: str, variant: str) -> dict:
    found = [row for row in rows if (row["style"], row["variant"]) == (style, variant)]
    if not found:
        raise ValueError(f"{RESULTS} has no row {variant} of {style}")
    return found[0]


def respell(source: Path, target: Path) -> None:
    """The graph as an export writes it now; without what a release has added to the file."""
    model = onnx.load(source)
    spell_for_converters(model)
    spell_for_onnx_runtime(model)
    kept = {item.key: item.value for item in model.metadata_props if item.key == "receptive_radius"}
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, kept)
    onnx.save(model, target)


def check_pictures(one: Path, other: Path) -> None:
    """Raises `ValueError` unless both files draw the same, bit for bit."""
    sessions = [onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"]) for file in (one, other)]
    draw = np.random.default_rng(0)
    for height, width in SIDES:
        photo = draw.uniform(-1, 1, (1, 3, height, width)).astype(np.float32)
        drawn = [session.run(None, {"photo": photo})[0] for session in sessions]
        if not np.array_equal(*drawn):
            raise ValueError(f"{one}: written anew it draws another picture of {width} x {height}; nothing was changed")


def measured(made: Path, artifacts: Path, row: dict) -> dict[str, dict]:
    """What network and teacher cost, in the way that the row says."""
    settings = EvaluateSettings(**{key: row[key] for key in ("latency_size", "latency_threads", "latency_repeats")})
    files = {TEACHER: artifacts / "exports/teacher.onnx", LITE: made}
    if published := published_of(artifacts / "reference/reference.json", settings.latency_threads):
        files[REFERENCE] = published.file
    return costs(files, settings, common.show)


if __name__ == "__main__":
    common.run(main, "STYLE SIZE FOLDER")
