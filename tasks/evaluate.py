"""Every figure of every variant, and the report: `python -m tasks.evaluate ARTIFACTS OUT`.

ARTIFACTS is the style's folder with the outputs of all stages before.
"""

from pathlib import Path

from anime_model.report.evaluate import evaluate
from tasks.shared import common

CURVES = ("teacher", "separable", "pruned", "distilled", "quantized")
TABLES = {"Pruning, round by round": "pruned/rounds.csv", "INT8, layer by layer": "quantized/sensitivity.csv"}


def main(arguments: list[str]) -> None:
    artifacts, out = map(Path, arguments)
    recipe = common.recipe()
    evaluate(
        artifacts.name,
        artifacts / "exports",
        artifacts / "data",
        common.fresh(out),
        recipe.evaluate,
        common.show,
        curves={stage: artifacts / stage / "curve.csv" for stage in CURVES},
        tables={name: artifacts / file for name, file in TABLES.items()},
        samples=artifacts / "teacher" / "samples.jpg",
        facts=facts(artifacts),
    )


def facts(artifacts: Path) -> dict[str, object]:
    """What the report says about the data and the run: pictures used, and the summary of every training stage."""
    prepared = common.read_json(artifacts / "data" / "prepared.json")
    counted = {"photos": prepared["photos"], "frames": prepared["frames"], **prepared["test"]}
    teacher = common.read_json(artifacts / "teacher" / "summary.json")
    quantized = common.read_json(artifacts / "quantized" / "summary.json")
    return {**counted, "teacher": teacher["origin"], **quantized}


if __name__ == "__main__":
    common.run(main, "ARTIFACTS OUT")
