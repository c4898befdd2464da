"""Depthwise-separable convolutions for the teacher: `python -m tasks.replace_convs TEACHER DATA REFERENCE OUT`."""

from pathlib import Path

from anime_model.compression.distillation import distill
from anime_model.compression.reconstruction import reconstruct
from anime_model.compression.separable import replace_convs
from anime_model.networks.checkpoint import save_generator
from anime_model.pictures.tables import write_table
from anime_model.recipes.replace_convs import ReplaceStage
from anime_model.training.sheets import render, write_sheet
from tasks.shared import common, distilling, learning


def main(arguments: list[str]) -> None:
    teacher, data, reference, out = map(Path, arguments)
    recipe = common.settings(ReplaceStage)
    settings = recipe.replace_convs
    training = learning.training(recipe, "replace_convs", [teacher, data, reference])
    lesson = distilling.lesson(recipe.perceptual, settings.fine_tune, teacher, data, reference, training.device)
    photos = lesson.photos.fixed(16, settings.fine_tune.crop).cpu()
    student = replace_convs(lesson.teacher.cpu(), settings, photos)
    if student.arch.norm == "batch":
        reconstruct(student, lesson.teacher, photos)
    started = render(student, photos[:6])
    curve = distill("recovery", student, lesson, settings.fine_tune, training)
    if not training.fabric.is_global_zero:
        return
    common.fresh(out)
    save_generator(out / "separable.safetensors", student.cpu())
    write_table(out / "curve.csv", curve)
    wanted, made = render(lesson.teacher.cpu(), photos[:6]), render(student, photos[:6])
    write_sheet(out / "samples.jpg", {"photo": photos[:6], "teacher": wanted, "fitted": started, "recovered": made})
    common.write_json(out / "summary.json", {"layers": list(settings.layers), **(curve[-1] if curve else {})})
    learning.finish(training.scratch)


if __name__ == "__main__":
    common.run(main, "TEACHER DATA REFERENCE OUT")
