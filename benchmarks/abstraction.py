"""What a teacher's anchor is worth by itself: FID of abstracted test photos to the frames, beside the photos' own.

`python -m benchmarks.abstraction STYLE...` reads artifacts/STYLE/data and the abstraction of recipes/teachers.yaml;
writes results/abstraction.json and docs/abstraction.jpg, the latter from photos that may be shown.
"""

import sys
from dataclasses import replace
from pathlib import Path

import torch

from anime_model.recipes.recipe import Recipe, load_recipe
from anime_model.report.baselines import filtered
from anime_model.report.evaluate import Judge, photos_of, usual_side
from anime_model.training.abstraction import ColourTransfer
from anime_model.training.data import Pictures
from benchmarks.showcase import DOCS, fitted_photos, page
from tasks.shared import common

RESULTS = Path("results/abstraction.json")


def main() -> None:
    recipe = load_recipe("recipes/teachers.yaml")
    torch.set_num_threads(recipe.training.threads)
    shown = {"photo": fitted_photos()}
    rows = []
    for style in sys.argv[1:]:
        palette = palette_of(Path("artifacts", style, "data"), recipe.teacher.abstraction.palette)
        rows += [{"style": style, **row} for row in measured(Path("artifacts", style, "data"), palette, recipe)]
        shown[f"{style}: abstraction"] = [
            filtered(photo, recipe.teacher.abstraction, palette) for photo in shown["photo"]
        ]
    common.write_json(RESULTS, {"features": recipe.evaluate.features, "rows": rows})
    page(shown).save(DOCS / "abstraction.jpg", quality=88)
    print(f"wrote {RESULTS} and {DOCS / 'abstraction.jpg'}")


def palette_of(data: Path, share: float) -> ColourTransfer:
    return ColourTransfer.between(Pictures(data / "photos/train").pictures, Pictures(data / "frames").pictures, share)


def measured(data: Path, palette: ColourTransfer, recipe: Recipe) -> list[dict[str, float | str]]:
    """FID of the test photos, and of their abstractions, to the frames: over all and for each test set."""
    photos = photos_of(data)
    judge = Judge(recipe.evaluate.features, recipe.evaluate.lpips, usual_side(photos), data / "frames")
    rows = []
    anchor = recipe.teacher.abstraction
    for what, settings in {"photo": replace(anchor, rounds=0), "abstraction": anchor}.items():
        made = {
            name: {stem: filtered(photo, settings, palette) for stem, photo in found.items()}
            for name, found in photos.items()
        }
        near = judge.nearness(made)
        figures = {f"fid{rest}": round(float(near.figures[f"fid{rest}"]), 4) for rest in near.resamples}
        print(what, figures, flush=True)
        rows.append({"what": what, **figures})
    return rows


if __name__ == "__main__":
    main()
