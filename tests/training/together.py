"""Trains a bit of everything in one process or in two and writes the curves: `together.py FOLDER PROCESSES`.

FOLDER holds `data` and `reference`. Two processes get half the batch each. Every step is a row; saving by time is on.
"""

import json
import sys
from dataclasses import replace
from pathlib import Path

import torch
from lightning_fabric import Fabric

from anime_model.compression import timing
from anime_model.compression.distillation import Lesson, distill
from anime_model.compression.pruning import prune
from anime_model.compression.quantization import Int8Plan, quantize
from anime_model.networks.architecture import animeganv2
from anime_model.networks.generator import Generator, with_gate
from anime_model.networks.perceptual import load_perceptual
from anime_model.recipes.distillation import DistillSettings
from anime_model.recipes.pairs import PairsSettings
from anime_model.recipes.prune import PruneSettings
from anime_model.recipes.quantize import QuantizeSettings
from anime_model.recipes.teacher import TeacherSettings
from anime_model.training.data import Pictures
from anime_model.training.drawn import Drawings
from anime_model.training.loop import Training
from anime_model.training.published import Sources, teach
from anime_model.training.teacher import TeacherData, train_teacher

BATCH, CROP = 4, 32
LAYERS = ("relu2_1", "relu3_1")
WEIGHTS = {"pixel": 2.0, "content": 1.0, "style": 0.5, "feature": 0.3}
LEARNING = DistillSettings(steps=6, batch=BATCH, crop=CROP, rate=1e-4, weights=WEIGHTS, kl_share=0.2)
PAIRS = PairsSettings(
    steps=4,
    frames_steps=3,
    rate=1e-5,
    batch=BATCH,
    crops=(CROP,),
    clip=0.5,
    weights={"pixel": 4.0, "content": 1.0, "style": 0.2, "edges": 1.0, "colour": 2.0, "gate": 0.3},
)
TEACHER = TeacherSettings(
    width=0.125,
    discriminator_width=8,
    crop=CROP,
    batch=BATCH,
    warm_up_steps=3,
    steps=5,
    rate=1e-5,  # Adam makes differences of the last digit grow, the faster the higher the rate
    discriminator_rate=1e-5,
    weights={"adversarial": 1.0, "content": 1.0, "style": 1.0, "colour": 1.0, "variation": 0.1},
    snapshots=1,
)


def main(folder: Path, processes: int) -> None:
    fabric = Fabric(accelerator="cpu", devices=processes, strategy="ddp" if processes > 1 else "auto")
    fabric.launch()
    curves, scratch = {}, folder / f"scratch_{processes}"
    for name, train in TRAINED.items():
        torch.manual_seed(1)
        training = Training(scratch / name, 7, fabric, save_every=0.02, log_every=1)
        curves[name] = train(folder, BATCH // processes, training)
        fabric.barrier()
    if fabric.is_global_zero:
        (folder / f"curves_{processes}.json").write_text(json.dumps(curves))


def teacher(folder: Path, batch: int, training: Training) -> list:
    data = TeacherData.load(folder / "data", CROP, training.device)
    return train_teacher(data, perceptual(), replace(TEACHER, batch=batch), training).curve


def projected(folder: Path, batch: int, training: Training) -> list:
    settings = replace(TEACHER, batch=batch, discriminator="projected", losses="published")
    data = TeacherData.load(folder / "data", CROP, training.device)
    return train_teacher(data, perceptual(), settings, training).curve


def published(folder: Path, batch: int, training: Training) -> list:
    pairs = replace(PAIRS, batch=batch)
    sources = Sources(folder / "data", folder / "reference")
    return teach(sources, perceptual(), replace(TEACHER, batch=batch, pairs=pairs), training).curve


def lesson(folder: Path, training: Training) -> Lesson:
    photos = folder / "data/photos/train"
    drawings = Drawings(photos, folder / "reference", training.device)
    return Lesson(Generator(animeganv2(0.125)).eval(), Pictures(photos), perceptual(), drawings)


def recovery(folder: Path, batch: int, training: Training) -> list:
    settings = replace(LEARNING, batch=batch, reference_share=0.5)
    return distill("recovery", student(), lesson(folder, training), settings, training)


def steered(folder: Path, batch: int, training: Training) -> list:
    weights = {"pixel": 2.0, "edges": 1.0, "colour": 2.0, "gate": 0.3, "content": 1.0}
    settings = replace(LEARNING, batch=batch, weights=weights, critic=0.4, rate=1e-5)
    return distill("steered", with_gate(student()), lesson(folder, training), settings, training)


def without_hints(folder: Path, batch: int, training: Training) -> list:
    settings = replace(LEARNING, batch=batch, kl_share=0.0, weights={"pixel": 1.0, "content": 1.0}, freeze_norm=True)
    return distill("frozen", student(), lesson(folder, training), settings, training)


def rounds(folder: Path, batch: int, training: Training) -> list:
    tuned = replace(LEARNING, batch=batch, steps=3)
    settings = PruneSettings(keep=0.7, rounds=2, sparsity=1e-3, sparsity_steps=3, fine_tune=tuned)
    pruned = prune(student(), lesson(folder, training), settings, training)
    return [*pruned.curve, *[{"step": row["round"], "psnr": row["psnr"]} for row in pruned.rounds]]


def fine_tuned(folder: Path, batch: int, training: Training) -> list:
    settings = QuantizeSettings(calibration=4, fine_tune=replace(LEARNING, batch=batch, rate=1e-5))
    units = [name for name in timing.quantizable(student()) if name.startswith("layers.c")]
    plan = Int8Plan(dict.fromkeys(units, (1.0, 0.5)), dict.fromkeys(units, 40.0), tuple(units))
    made = quantize(student(), lesson(folder, training), settings, plan, training)
    return [*made.curve, {"step": 0, **made.figures}]


def student() -> Generator:
    """A lite generator whose batch norms have seen pictures, the same one every time."""
    torch.manual_seed(2)
    generator = Generator(
        replace(animeganv2(0.25), norm="batch", activation="relu", padding="zeros", tail="subpixel")
    ).train()
    with torch.no_grad():
        for _ in range(5):
            generator(torch.rand(2, 3, 48, 64) * 2 - 1)
    return generator.eval()


def perceptual() -> torch.nn.Module:
    return load_perceptual("embedded", ("relu1_1", *LAYERS))


WORKS = (teacher, projected, published, recovery, steered, without_hints, rounds, fine_tuned)
TRAINED = {work.__name__: work for work in WORKS}

if __name__ == "__main__":
    torch.set_num_threads(1)
    main(Path(sys.argv[1]), int(sys.argv[2]))
