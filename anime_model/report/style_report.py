"""The report of one style from the files that its stages left. No stage makes it: a new chart changes no stage."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from anime_model.report.figures import Metrics
from anime_model.report.report import write_report

CURVES = ("teacher", "separable", "pruned", "distilled", "quantized")
TABLES = {"Pruning, round by round": "pruned/rounds.csv", "INT8, layer by layer": "quantized/sensitivity.csv"}


def write_style_report(artifacts: Path, metrics: Sequence[Metrics]) -> Path:
    """Writes `report.html` into the style's folder; its path. `metrics` are those of all variants, in order.

    What a stage has not left is left out of the report. Raises `OSError` where the disk refuses.
    """
    prepared = _read(artifacts / "data/prepared.json")
    compared = artifacts / "evaluation/baselines.json"
    baselines = json.loads(compared.read_text()) if compared.is_file() else []
    write_report(
        artifacts,
        title=f"{artifacts.name.capitalize()}, made small",
        metrics=metrics,
        baselines=baselines,
        pictures=pictures(artifacts / "evaluation/pictures", [str(row["variant"]) for row in (*baselines, *metrics)]),
        curves={stage: artifacts / stage / "curve.csv" for stage in CURVES},
        tables={name: artifacts / file for name, file in TABLES.items()},
        samples=artifacts / "teacher/samples.jpg",
        set_aside=_read(artifacts / "set_aside.json").get("set_aside", []),
        facts=facts(artifacts, prepared),
        search=artifacts / "search/trials.csv",
    )
    return artifacts / "report.html"


def pictures(folder: Path, variants: Sequence[str]) -> dict[str, dict[str, dict[str, Path]]]:
    """The pictures that `evaluate` wrote, by test set, photo and variant, the photo first."""
    found: dict[str, dict[str, dict[str, Path]]] = {}
    for photo in sorted(folder.glob("*/*/photo.jpg")):
        files = {name: photo.with_name(f"{name}.jpg") for name in dict.fromkeys(("photo", *variants))}
        found.setdefault(photo.parent.parent.name, {})[photo.parent.name] = files
    return found


def facts(artifacts: Path, prepared: dict[str, Any]) -> dict[str, Any]:
    """What the report says about the data and the run: pictures used, the teacher's origin, what INT8 came to."""
    counted = {key: prepared[key] for key in ("photos", "frames") if key in prepared} | prepared.get("test", {})
    teacher = _read(artifacts / "teacher/summary.json")
    origin = {"teacher": teacher["origin"]} if "origin" in teacher else {}
    return {**counted, **origin, **_read(artifacts / "quantized/summary.json")}


def _read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text()) if path.is_file() else {}
