"""How long a step takes here: `python -m tools.pace RECIPE OUT`, before a recipe's numbers of steps are decided.

OUT is JSON: seconds of a step of the teacher on pairs, at its largest crops, and of a step of a separable student. A
few steps of each on noise; no stage of the pipeline runs it.
"""

import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric

from anime_model.compression.distillation import Lesson, distill
from anime_model.compression.separable import replace_convs
from anime_model.networks.architecture import animeganv2
from anime_model.networks.generator import Generator
from anime_model.networks.perceptual import load_perceptual
from anime_model.pictures.arrays import write_picture
from anime_model.recipes.recipe import Recipe, load_recipe
from anime_model.training.data import Pictures
from anime_model.training.loop import Training
from anime_model.training.pairs import train_on_pairs
from tasks.shared import common, learning

STEPS = 3  # the first one is slower than all others
LAYERS = ("relu1_1", "relu2_1", "relu3_1")


def main(arguments: list[str]) -> None:
    recipe, out = load_recipe(arguments[0]), Path(arguments[1])
    torch.set_num_threads(recipe.training.threads)
    with tempfile.TemporaryDirectory() as folder:
        times = {"teacher": teacher_step(recipe, Path(folder)), "student": student_step(recipe, Path(folder))}
    common.write_json(out, times)


def teacher_step(recipe: Recipe, folder: Path) -> float:
    settings = replace(recipe.teacher.pairs, steps=STEPS)
    side = settings.crops[-1]
    noise = torch.rand(settings.batch, 3, side, side) * 2 - 1
    perceptual = load_perceptual(recipe.perceptual, LAYERS)
    network = Generator(animeganv2(recipe.teacher.width))
    return timed(
        recipe, folder, lambda use: train_on_pairs(network, lambda _: (noise, noise), perceptual, settings, use)
    )


def student_step(recipe: Recipe, folder: Path) -> float:
    settings = replace(recipe.distill.fine_tune, steps=STEPS)
    side = settings.crop
    write_picture(folder / "noise/0.png", np.random.default_rng(0).integers(0, 255, (side, side, 3), np.uint8))
    teacher = Generator(animeganv2(recipe.teacher.width)).eval()
    lesson = Lesson(teacher, Pictures(folder / "noise"), load_perceptual(recipe.perceptual, LAYERS))
    student = replace_convs(teacher, recipe.replace_convs)
    return timed(recipe, folder, lambda use: distill("pace", student, lesson, settings, use))


def timed(recipe: Recipe, folder: Path, train: Callable[[Training], object]) -> float:
    """Seconds of the fastest step but the first."""
    moments: list[float] = []
    fabric = Fabric(accelerator="cpu", devices=1, precision=learning.precision(recipe.training))
    fabric.launch()
    train(Training(folder, 0, fabric, lambda *_: moments.append(time.monotonic()), 1e9, 1))
    return float(np.diff(moments).min())


if __name__ == "__main__":
    common.run(main, "RECIPE OUT")
