"""Sparsity training, then rounds of channel pruning: `python -m tasks.prune STUDENT TEACHER DATA OUT`."""

from pathlib import Path

from anime_model.compression.pruning import prune
from anime_model.networks.checkpoint import load_generator, save_generator
from anime_model.recipes.prune import PruneStage
from anime_model.training.loop import write_curve
from tasks.shared import common, distilling, learning


def main(arguments: list[str]) -> None:
    student, teacher, data, out = map(Path, arguments)
    recipe = common.settings(PruneStage)
    training = learning.training(recipe, "prune", [student, teacher, data])
    lesson = distilling.lesson(recipe.perceptual, recipe.prune.fine_tune, teacher, data, training.device)
    pruned = prune(load_generator(student), lesson, recipe.prune, training)
    if not training.fabric.is_global_zero:
        return
    common.fresh(out)
    save_generator(out / "pruned.safetensors", pruned.generator.cpu())
    write_curve(out / "curve.csv", pruned.curve)
    common.write_rows(out / "rounds.csv", pruned.rounds)
    common.write_json(out / "summary.json", pruned.rounds[-1])
    learning.finish(training.scratch)


if __name__ == "__main__":
    common.run(main, "STUDENT TEACHER DATA OUT")
