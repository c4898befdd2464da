"""A family of networks of one style searched for the best at every speed, without training any of them:

`python -m flows.search STYLE [--trials N] [--hours H] [--storage URL]` looks at members;
`python -m flows.search STYLE --pick nano` makes one a network and a recipe that fine-tunes, quantizes and registers it.

The family is artifacts/STYLE/search/family.safetensors; where it is missing it is trained first, around the style's
distilled network. Any number of these commands may share one study: the same `--storage`, on one machine or several.
"""

from flows.machine.environment import WORKSPACE  # first: the tools read their settings when they are imported

# isort: split

import argparse
import sys
import time
from functools import partial
from pathlib import Path

from anime_model.metrics.downloads import EvaluationError
from anime_model.networks.checkpoint import CheckpointError
from anime_model.recipes.reading import RecipeError
from anime_model.recipes.recipe import load_recipe
from flows.machine.numbers import above_zero, hours, share, whole
from flows.runs.console import guarded
from flows.searching.errors import SearchError
from flows.searching.place import Place

MOST_TRIALS = 10**6
KNOWN = (CheckpointError, EvaluationError, RecipeError, SearchError, OSError)


def main() -> int:
    arguments = _parser().parse_args()
    return guarded(lambda: search(arguments), KNOWN, arguments.debug)


def search(arguments: argparse.Namespace) -> int:
    """Raises one of `KNOWN`."""
    recipe = load_recipe(WORKSPACE / "params.yaml")
    if arguments.style not in recipe.styles:
        raise SearchError(f"{arguments.style}: no style of params.yaml ({', '.join(recipe.styles)})")
    from flows.searching import front, picking, study, workshop  # PyTorch and Optuna take seconds

    place = Place(WORKSPACE, arguments.style)
    if arguments.pick:
        print(picking.pick(place, study.opened(place, arguments.storage, arguments.study), arguments.pick))
        return 0
    begin = time.monotonic()
    bench = workshop.prepared(place, recipe, arguments.reference, 3600 * arguments.train_hours, arguments.least)
    shared = workshop.identity(place, recipe, arguments.reference)
    measured = partial(workshop.timed, place, recipe, bench.family.space)
    found = study.joined(place, arguments.storage, arguments.study, shared, measured)
    judge = bench.judge(recipe.evaluate.lpips, study.blocks(found))
    until = None if arguments.hours is None else begin + 3600 * arguments.hours
    study.run(found, judge, arguments.trials, until, study.slowest(found, arguments.faster))
    print(front.written(place, found))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m flows.search", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("style")
    parser.add_argument(
        "--trials",
        type=partial(whole, most=MOST_TRIALS),
        default=1000,
        help="members in the study, all workers together (1000)",
    )
    parser.add_argument(
        "--faster",
        type=above_zero,
        metavar="TIMES",
        help="judge only members so many times faster than the teacher (all)",
    )
    parser.add_argument("--hours", type=hours, help="end after so long, the trials done or not")
    parser.add_argument(
        "--train-hours", type=hours, default=1.0, help="how long the family trains where there is none (1)"
    )
    parser.add_argument(
        "--least",
        type=partial(share, least=0.05),
        metavar="SHARE",
        help="the smallest member's widths, times the distilled network's (0.4)",
    )
    parser.add_argument(
        "--reference", type=Path, metavar="FILE.onnx", help="judge and train by a published network, not by the teacher"
    )
    parser.add_argument("--storage", metavar="URL", help="Optuna's database (SQLite in artifacts/STYLE/search)")
    parser.add_argument("--study", metavar="NAME", help="its name in the database (the style's)")
    parser.add_argument("--pick", metavar="SIZE", help="nano, lite or plus, or the number of a trial")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    return parser


if __name__ == "__main__":
    sys.exit(main())
