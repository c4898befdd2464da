"""Trains or imports one style's teacher: `python -m tasks.train_teacher STYLE DATA REFERENCE OUT`."""

import shutil
from pathlib import Path

from torch import nn

from anime_model.networks.checkpoint import read_notes, save_generator
from anime_model.networks.importer import import_generator
from anime_model.networks.perceptual import load_perceptual
from anime_model.pictures.tables import write_table
from anime_model.recipes.pairs import PairsSettings
from anime_model.recipes.teacher import TeacherSettings, TeacherStage
from anime_model.training.data import Pictures
from anime_model.training.loop import Training
from anime_model.training.published import Sources, save_taught, teach
from anime_model.training.sheets import render, write_sheet
from anime_model.training.teacher import TeacherData, TrainedTeacher, train_teacher
from tasks.shared import common, learning
from tasks.shared.pins import check_pin


def main(arguments: list[str]) -> None:
    style, data, reference, out = arguments[0], *map(Path, arguments[1:])
    recipe = common.settings(TeacherStage)
    if style in recipe.teacher.import_file:
        take_over(recipe, style, data, out)
        return
    training = learning.training(recipe, "train_teacher", [data, reference])
    if style in recipe.teacher.reference:
        train_published(recipe, style, Sources(data, reference), out, training)
    else:
        train(recipe, data, out, training)


def train(recipe: TeacherStage, data: Path, out: Path, training: Training) -> None:
    settings = recipe.teacher
    perceptual = perceptual_of(recipe, training, settings)
    pictures = TeacherData.load(data, settings.crop, training.device)
    taught = train_teacher(pictures, perceptual, settings, training)
    if training.fabric.is_global_zero:
        common.fresh(out)
        save_generator(out / "teacher.safetensors", taught.generator, trained_steps=settings.steps, crop=settings.crop)
        write_rest(out, taught, {"origin": "trained", "steps": settings.steps}, training)


def train_published(recipe: TeacherStage, style: str, sources: Sources, out: Path, training: Training) -> None:
    """From a published network's pictures, and against frames afterwards where the recipe says so."""
    settings, file = recipe.teacher, Path(recipe.teacher.reference[style])
    taught = teach(sources, perceptual_of(recipe, training, settings, settings.pairs), settings, training)
    if training.fabric.is_global_zero:
        common.fresh(out)
        save_taught(out / "teacher.safetensors", taught, settings, file.name, settings.reference_md5[style])
        if taught.kept_start:
            print(f"the warm start is nearer to {file.name} than what it became in training: it is kept", flush=True)
        steps = {"pairs_steps": settings.pairs.steps, "frames_steps": settings.pairs.frames_steps}
        facts = {"origin": f"pictures of {file.name}", "kept_start": taught.kept_start, **steps}
        write_rest(out, taught, facts, training)


def perceptual_of(recipe: TeacherStage, training: Training, *lessons: TeacherSettings | PairsSettings) -> nn.Module:
    """The network of the perceptual losses, with the maps that the lessons compare."""
    if recipe.teacher.warm_start:
        start = Path(recipe.teacher.warm_start)
        check_pin("teacher.warm_start", "teacher.warm_start_md5", start, recipe.teacher.warm_start_md5)
    layers = dict.fromkeys(layer for one in lessons for layer in (*one.content_layers, *one.style_layers))
    return load_perceptual(recipe.perceptual, tuple(layers)).to(training.device)


def write_rest(out: Path, taught: TrainedTeacher, facts: dict[str, object], training: Training) -> None:
    """Curve, sheet, snapshots and summary beside the checkpoint."""
    write_table(out / "curve.csv", taught.curve)
    write_sheet(out / "samples.jpg", taught.samples)
    (out / "snapshots").mkdir()
    for step, path in taught.snapshots.items():
        shutil.copy2(path, out / f"snapshots/step_{step:06d}.safetensors")
    common.write_json(out / "summary.json", {**facts, **taught.curve[-1]})
    learning.finish(training.scratch)


def take_over(recipe: TeacherStage, style: str, data: Path, out: Path) -> None:
    """Puts an imported teacher in place of a trained one; the recipe pins the file by its md5."""
    file, md5 = Path(recipe.teacher.import_file[style]), recipe.teacher.import_md5[style]
    check_pin(f"teacher.import_file.{style}", f"teacher.import_md5.{style}", file, md5)
    generator = import_generator(file)
    notes = read_notes(file) if file.suffix == ".safetensors" else {}
    common.fresh(out)
    save_generator(out / "teacher.safetensors", generator, **(notes | {"imported_from": file.name, "md5": md5}))
    photos = Pictures(data / "photos/train", smallest=recipe.teacher.crop).fixed(6, recipe.teacher.crop)
    write_sheet(out / "samples.jpg", {"photo": photos, "teacher": render(generator, photos)})
    write_table(out / "curve.csv", [{"step": 0}])
    (out / "snapshots").mkdir()  # there are none, but DVC expects the folder
    common.write_json(out / "summary.json", {"origin": file.name, "md5": md5})


if __name__ == "__main__":
    common.run(main, "STYLE DATA REFERENCE OUT")
