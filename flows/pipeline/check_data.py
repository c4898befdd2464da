"""Looks at all pictures before a retraining: `python -m flows.pipeline.check_data LAST OUT`.

LAST is the survey of the run before, `-` for none. OUT gets survey, hash and checks as JSON, whether they pass or not.
"""

from dataclasses import asdict
from pathlib import Path

from anime_model.recipes.recipe import load_recipe
from anime_model.training.inspection import checks, content_hash, survey
from tasks.shared import common


def main(arguments: list[str]) -> None:
    last = None if arguments[0] == "-" else common.read_json(Path(arguments[0]))
    recipe = load_recipe(common.PARAMS)
    frames = {style: Path(recipe.data.frames, style) for style in recipe.styles}
    found = survey(Path(recipe.data.photos), frames, recipe.data.smallest, last, common.show)
    judged = [asdict(check) | {"passed": check.passed} for check in checks(found, recipe.checks, last)]
    common.write_json(Path(arguments[1]), {"hash": content_hash(found), "checks": judged, "survey": found})


if __name__ == "__main__":
    common.run(main, "LAST OUT")
