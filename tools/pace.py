"""How long a step takes here: `python -m tools.pace RECIPE OUT`, before a recipe's numbers of steps are decided.

OUT is JSON: seconds of a step of the teacher (on pairs at its largest crops where a published network is named, else
against its discriminator) and of a step of a separable student, on the CPU. A few steps of each on noise; no stage of
the pipeline runs it. `gpu` says that training would be on one, whose steps take another time.
"""

import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor

from anime_model.compression.distillation import Lesson, distill
from anime_model.compression.separable import replace_convs
from anime_model.networks.architecture import animeganv2
from anime_model.networks.checkpoint import load_generator
from anime_model.networks.generator import Generator, with_gate
from anime_model.networks.perceptual import load_perceptual
from anime_model.pictures.arrays import write_picture
from anime_model.recipes.recipe import Recipe, load_recipe
from anime_model.training.data import Pictures
from anime_model.training.loop import Training
from anime_model.training.pairs import train_on_pairs
from anime_model.training.teacher import TeacherData, train_teacher
from tasks.shared import common, learning

STEPS = 3  # the first one is slower than all others
LAYERS = ("relu1_1", "relu2_1", "relu3_1")


def main(arguments: list[str]) -> None:
    recipe, out = load_recipe(arguments[0]), Path(arguments[1])
    torch.set_num_threads(recipe.training.threads)
    with tempfile.TemporaryDirectory() as folder:
        step = teacher_step if recipe.teacher.reference else unpaired_step
        times = {"teacher": step(recipe, Path(folder)), "student": student_step(recipe, Path(folder))}
    gpu = recipe.training.accelerator in ("auto", "cuda") and torch.cuda.is_available()
    common.write_json(out, {**times, "gpu": gpu})


def teacher_step(recipe: Recipe, folder: Path) -> float:
    settings = replace(recipe.teacher.pairs, steps=STEPS)
    side = settings.crops[-1]
    noise = torch.rand(settings.batch, 3, side, side) * 2 - 1
    perceptual = load_perceptual(recipe.perceptual, LAYERS)
    network = Generator(animeganv2(recipe.teacher.width))
    if settings.weights.get("gate"):
        network = with_gate(network)
    return timed(
        recipe, folder, lambda use: train_on_pairs(network, lambda _: (noise, noise), perceptual, settings, use)
    )


def unpaired_step(recipe: Recipe, folder: Path) -> float:
    """Against the discriminator, which is most of the steps."""
    changes = {"warm_up_steps": 0, "steps": STEPS, "snapshots": 1, "warm_start": "", "carry_colours": False}
    settings = replace(recipe.teacher, **changes)
    data = TeacherData(*(noise(folder / name, settings.crop) for name in ("photos", "frames", "smooth")))
    layers = tuple(dict.fromkeys((*settings.content_layers, *settings.style_layers)))
    perceptual = load_perceptual(recipe.perceptual, layers)
    return timed(recipe, folder, lambda use: train_teacher(data, perceptual, settings, use))


def noise(folder: Path, side: int) -> Pictures:
    write_picture(folder / "0.png", np.random.default_rng(0).integers(0, 255, (side, side, 3), np.uint8))
    return Pictures(folder)


def student_step(recipe: Recipe, folder: Path) -> float:
    settings = replace(recipe.distill.fine_tune, steps=STEPS)
    teacher = Generator(animeganv2(recipe.teacher.width)).eval()
    lesson = Lesson(teacher, noise(folder / "noise", settings.crop), load_perceptual(recipe.perceptual, LAYERS))
    student = student_of(recipe, teacher, lesson.photos.fixed(1, settings.crop))
    return timed(recipe, folder, lambda use: distill("pace", student, lesson, settings, use))


def student_of(recipe: Recipe, teacher: Generator, photos: Tensor) -> Generator:
    """The network that is imported in place of a pruned one; else the separable one, which is the largest student."""
    for file in recipe.prune.import_file.values():
        return load_generator(Path(file))
    return replace_convs(teacher, recipe.replace_convs, photos)


def timed(recipe: Recipe, folder: Path, train: Callable[[Training], object]) -> float:
    """Seconds of the fastest step but the first."""
    moments: list[float] = []
    fabric = Fabric(accelerator="cpu", devices=1, precision=learning.precision(recipe.training))
    fabric.launch()
    train(Training(folder, 0, fabric, lambda *_: moments.append(time.monotonic()), 1e9, 1))
    return float(np.diff(moments).min())


if __name__ == "__main__":
    common.run(main, "RECIPE OUT")
