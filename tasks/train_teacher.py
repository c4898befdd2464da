"""Trains or imports one style's teacher: `python -m tasks.train_teacher STYLE DATA OUT`."""

import hashlib
import shutil
from pathlib import Path

from anime_model.networks.checkpoint import read_notes, save_generator
from anime_model.networks.importer import import_generator
from anime_model.networks.perceptual import load_perceptual
from anime_model.recipes.reading import RecipeError
from anime_model.recipes.teacher import TeacherStage
from anime_model.training.data import Pictures
from anime_model.training.loop import Training, write_curve
from anime_model.training.sheets import render, write_sheet
from anime_model.training.teacher import TeacherData, train_teacher
from tasks.shared import common, learning


def main(arguments: list[str]) -> None:
    style, data, out = arguments[0], *map(Path, arguments[1:])
    recipe = common.settings(TeacherStage)
    if style in recipe.teacher.import_file:
        take_over(recipe, style, data, common.fresh(out))
    else:
        train(recipe, data, out, learning.training(recipe, "train_teacher", [data]))


def train(recipe: TeacherStage, data: Path, out: Path, training: Training) -> None:
    settings = recipe.teacher
    if settings.warm_start:
        check_pin("warm_start", "warm_start_md5", Path(settings.warm_start), settings.warm_start_md5)
    layers = tuple(dict.fromkeys((*settings.content_layers, *settings.style_layers)))
    perceptual = load_perceptual(recipe.perceptual, layers).to(training.device)
    pictures = TeacherData.load(data, settings.crop, training.device)
    taught = train_teacher(pictures, perceptual, settings, training)
    if not training.fabric.is_global_zero:
        return
    common.fresh(out)
    save_generator(out / "teacher.safetensors", taught.generator, trained_steps=settings.steps, crop=settings.crop)
    write_curve(out / "curve.csv", taught.curve)
    write_sheet(out / "samples.jpg", taught.samples)
    (out / "snapshots").mkdir()
    for path in taught.snapshots.values():
        shutil.copy2(path, out / "snapshots")
    common.write_json(out / "summary.json", {"origin": "trained", "steps": settings.steps, **taught.curve[-1]})
    learning.finish(training.scratch)


def take_over(recipe: TeacherStage, style: str, data: Path, out: Path) -> None:
    """Puts an imported teacher in place of a trained one; the recipe pins the file by its md5."""
    file, md5 = Path(recipe.teacher.import_file[style]), recipe.teacher.import_md5[style]
    check_pin(f"import_file.{style}", f"import_md5.{style}", file, md5)
    generator = import_generator(file)
    notes = read_notes(file) if file.suffix == ".safetensors" else {}
    save_generator(out / "teacher.safetensors", generator, **(notes | {"imported_from": file.name, "md5": md5}))
    photos = Pictures(data / "photos/train", smallest=recipe.teacher.crop).fixed(6, recipe.teacher.crop)
    write_sheet(out / "samples.jpg", {"photo": photos, "teacher": render(generator, photos)})
    write_curve(out / "curve.csv", [{"step": 0}])
    (out / "snapshots").mkdir()  # there are none, but DVC expects the folder
    common.write_json(out / "summary.json", {"origin": file.name, "md5": md5})


def check_pin(key: str, pin: str, file: Path, md5: str) -> None:
    """Raises `RecipeError` unless the `file` of `teacher.<key>` is there and has the md5 that `teacher.<pin>` gives."""
    if not file.is_file():
        raise RecipeError(f"teacher.{key}: {file} does not exist")
    found = hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest()
    if found != md5:
        raise RecipeError(f"teacher.{pin}: {file} has the md5 {found}; put it into the recipe if that is the file")


if __name__ == "__main__":
    common.run(main, "STYLE DATA OUT")
