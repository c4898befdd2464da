"""Draws the demo's photos and cel drawings: `python -m tasks.generate OUT`."""

from pathlib import Path

from anime_model.demo.scenes import generate_demo
from anime_model.pictures.processes import workers_here
from anime_model.recipes.data import GenerateStage
from tasks.shared import common

EACH = 50  # photos for which another process is worth its start


def main(arguments: list[str]) -> None:
    recipe = common.settings(GenerateStage)
    counts = recipe.data.generated
    out = common.fresh(Path(arguments[0]))
    generate_demo(
        out,
        photos=counts.photos,
        frames=counts.frames,
        test=counts.test,
        size=counts.short_side,
        seed=recipe.seed,
        workers=workers_here(1 + counts.photos // EACH),
        on_step=common.show,
    )


if __name__ == "__main__":
    common.run(main, "OUT")
