"""What a teacher's anchor is worth by itself: FID of abstracted test photos to the frames, beside the photos' own.

`python -m benchmarks.abstraction STYLE...` reads artifacts/STYLE/data and the abstraction of recipes/teachers.yaml;
writes results/abstraction.json and docs/abstraction.jpg, the latter from photos that may be shown.
"""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from anime_model.recipes.recipe import AbstractionSettings, Recipe, load_recipe
from anime_model.report.evaluate import Judge, photos_of, usual_side
from anime_model.training.abstraction import ColourTransfer, abstract
from anime_model.training.data import Pictures, to_float, to_uint8
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
        shown[f"{style}: abstraction"] = [drawn(photo, recipe.teacher.abstraction, palette) for photo in shown["photo"]]
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
            name: {stem: drawn(photo, settings, palette) for stem, photo in found.items()}
            for name, found in photos.items()
        }
        figures = {key + rest: round(float(value), 4) for key, rest, value in judge.nearness(made) if key == "fid"}
        print(what, figures, flush=True)
        rows.append({"what": what, **figures})
    return rows


def drawn(photo: np.ndarray, settings: AbstractionSettings, palette: ColourTransfer) -> np.ndarray:
    """[H, W, 3] of bytes to the same."""
    picture = to_float(torch.from_numpy(photo.copy()).permute(2, 0, 1)[None])
    return to_uint8(abstract(picture, settings, palette))[0].permute(1, 2, 0).numpy()


if __name__ == "__main__":
    main()
