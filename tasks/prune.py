"""Sparsity training, then rounds of channel pruning, or a network that a search has found in their place:

`python -m tasks.prune STYLE STUDENT TEACHER DATA REFERENCE OUT`.
"""

from pathlib import Path

from anime_model.compression.pruning import BUDGETS, prune
from anime_model.networks.checkpoint import CheckpointError, load_generator, read_notes, save_generator
from anime_model.pictures.tables import write_table
from anime_model.recipes.prune import PruneStage
from tasks.shared import common, distilling, learning
from tasks.shared.pins import check_pin


def main(arguments: list[str]) -> None:
    style, student, teacher, data, reference, out = arguments[0], *map(Path, arguments[1:])
    recipe = common.settings(PruneStage)
    if style in recipe.prune.import_file:
        take_over(recipe, style, common.fresh(out))
        return
    training = learning.training(recipe, "prune", [student, teacher, data, reference])
    lesson = distilling.lesson(recipe.perceptual, recipe.prune.fine_tune, teacher, data, reference, training.device)
    pruned = prune(load_generator(student), lesson, recipe.prune, training)
    if not training.fabric.is_global_zero:
        return
    common.fresh(out)
    save_generator(out / "pruned.safetensors", pruned.generator.cpu())
    write_table(out / "curve.csv", pruned.curve)
    write_table(out / "rounds.csv", pruned.rounds)
    common.write_json(out / "summary.json", pruned.rounds[-1])
    learning.finish(training.scratch)


def take_over(recipe: PruneStage, style: str, out: Path) -> None:
    """Puts a found network in place of a pruned one; the recipe pins the file by its md5."""
    file, md5 = Path(recipe.prune.import_file[style]), recipe.prune.import_md5[style]
    check_pin(f"prune.import_file.{style}", f"prune.import_md5.{style}", file, md5)
    network = load_generator(file)
    if network.arch.norm != "batch":
        raise CheckpointError(f"prune.import_file.{style}: {file} has no batch norms, which the next stages train")
    save_generator(out / "pruned.safetensors", network, **(read_notes(file) | {"imported_from": file.name, "md5": md5}))
    sizes = {"parameters": BUDGETS["parameters"](network.arch), "macs_512": BUDGETS["macs"](network.arch)}
    row = {"round": 0, "phase": "imported", **sizes}
    write_table(out / "curve.csv", [{"step": 0}])
    write_table(out / "rounds.csv", [row])
    common.write_json(out / "summary.json", {**row, "origin": file.name, "md5": md5})


if __name__ == "__main__":
    common.run(main, "STYLE STUDENT TEACHER DATA REFERENCE OUT")
