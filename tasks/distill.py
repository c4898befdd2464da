"""The long distillation of the pruned network: `python -m tasks.distill STUDENT TEACHER DATA REFERENCE OUT`."""

import copy
from pathlib import Path

from torch import Tensor

from anime_model.compression.distillation import Lesson, distill
from anime_model.compression.norms import interleaved_batches, recalibrate_batch_norm
from anime_model.networks.checkpoint import load_generator, save_generator
from anime_model.pictures.tables import write_table
from anime_model.recipes.distill import DistillStage
from anime_model.training.keeping import COMPARED, start_is_better
from anime_model.training.sheets import render
from tasks.shared import common, distilling, learning


def main(arguments: list[str]) -> None:
    source, teacher, data, reference, out = map(Path, arguments)
    recipe = common.settings(DistillStage)
    settings = recipe.distill.fine_tune
    training = learning.training(recipe, "distill", [source, teacher, data, reference])
    lesson = distilling.lesson(recipe.perceptual, settings, teacher, data, reference, training.device)
    student = load_generator(source)
    if settings.freeze_norm:
        recalibrate_batch_norm(student, interleaved_batches(lesson.photos.fixed(24, settings.crop).cpu()))
    begun = copy.deepcopy(student)
    curve = distill("distill", student, lesson, settings, training)
    if not training.fabric.is_global_zero:
        return
    layers = settings.content_layers, settings.style_layers
    pairs = wanted_pairs(lesson, settings.crop)
    kept = start_is_better(begun, student, pairs, lesson.perceptual, settings.weights, layers)
    if kept:
        print("the student drew better before this training: it is kept as it was", flush=True)
        student = begun
    common.fresh(out)
    save_generator(out / "distilled.safetensors", student.cpu())
    write_table(out / "curve.csv", curve)
    common.write_json(out / "summary.json", {"kept_start": kept, **(curve[-1] if curve else {})})
    learning.finish(training.scratch)


def wanted_pairs(lesson: Lesson, side: int) -> tuple[Tensor, Tensor]:
    """Photos, and the published network's pictures of them, or the teacher's where the student never sees those."""
    if lesson.drawings:
        return lesson.drawings.fixed(COMPARED, side)
    photos = lesson.photos.fixed(COMPARED, side)
    return photos, render(lesson.teacher, photos).to(photos.device)


if __name__ == "__main__":
    common.run(main, "STUDENT TEACHER DATA REFERENCE OUT")
