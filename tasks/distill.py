"""The long distillation of the pruned network: `python -m tasks.distill STUDENT TEACHER DATA REFERENCE OUT`."""

from pathlib import Path

from anime_model.compression.distillation import distill
from anime_model.compression.norms import interleaved_batches, recalibrate_batch_norm
from anime_model.networks.checkpoint import load_generator, save_generator
from anime_model.pictures.tables import write_table
from anime_model.recipes.distill import DistillStage
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
    curve = distill("distill", student, lesson, settings, training)
    if not training.fabric.is_global_zero:
        return
    common.fresh(out)
    save_generator(out / "distilled.safetensors", student.cpu())
    write_table(out / "curve.csv", curve)
    common.write_json(out / "summary.json", curve[-1] if curve else {})
    learning.finish(training.scratch)


if __name__ == "__main__":
    common.run(main, "STUDENT TEACHER DATA REFERENCE OUT")
