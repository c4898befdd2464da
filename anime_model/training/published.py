"""A teacher that learns a published network's own pictures first, and plays against the style's frames afterwards."""

import copy
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from anime_model.networks.checkpoint import load_generator, save_generator
from anime_model.networks.generator import Generator, with_gate
from anime_model.recipes.teacher import TeacherSettings
from anime_model.training.data import Pictures
from anime_model.training.drawn import Drawings, DrawnSampler
from anime_model.training.keeping import COMPARED, start_is_better
from anime_model.training.loop import Scalars, Training
from anime_model.training.pairs import train_on_pairs
from anime_model.training.sheets import render
from anime_model.training.teacher import (
    TeacherData,
    TrainedTeacher,
    snapshot_paths,
    snapshot_writer,
    starting_generator,
    train_teacher,
)


@dataclass(frozen=True)
class Sources:
    """Where a style's prepared pictures and the published network's drawings of its train photos lie."""

    data: Path
    drawings: Path

    def load(self, device: torch.device) -> Drawings:
        return Drawings(self.data / "photos/train", self.drawings, device)


def teach(sources: Sources, perceptual: nn.Module, settings: TeacherSettings, training: Training) -> TrainedTeacher:
    """Trains on pairs as `settings.pairs` says, then, for `frames_steps`, against frames; steps count over both.

    A warm start that drew nearer to the published network's pictures than training on pairs left it is kept.
    Against the frames, what content and colour hold on to is the published network's picture, not the photo. `samples`
    holds fixed photos, as each snapshot renders them and, as "reference", as the published network does.
    """
    torch.manual_seed(training.seed)
    drawings, lesson = sources.load(training.device), settings.pairs
    photos = Pictures(sources.data / "photos/train", smallest=settings.crop) if settings.carry_colours else None
    start = starting_generator(settings, photos)
    if lesson.weights.get("gate"):
        start = with_gate(start)
    rank = training.fabric.global_rank
    pairs = DrawnSampler(drawings, lesson.batch, lesson.crops, lesson.steps, training.seed, rank)
    paths = snapshot_paths(lesson.steps, settings.snapshots, training.scratch)
    write = snapshot_writer(paths, training)
    begun = copy.deepcopy(start)
    taught, curve = train_on_pairs(start, pairs, perceptual, lesson, training, after_step=write)
    layers = lesson.content_layers, lesson.style_layers
    kept = bool(settings.warm_start) and start_is_better(
        begun, taught, drawings.fixed(COMPARED, lesson.crops[-1]), perceptual, lesson.weights, layers
    )
    if kept:
        taught = begun.requires_grad_(False)
    if lesson.frames_steps:
        played = _against_frames(taught, sources.data, drawings, perceptual, settings, training)
        curve += _later(played.curve, lesson.steps)
        paths |= {lesson.steps + step: path for step, path in played.snapshots.items()}
        taught = played.generator
    return TrainedTeacher(taught, curve, paths, _samples(drawings, paths, lesson.crops[-1]), kept)


def _against_frames(
    start: Generator,
    data: Path,
    drawings: Drawings,
    perceptual: nn.Module,
    settings: TeacherSettings,
    training: Training,
) -> TrainedTeacher:
    steps = settings.pairs.frames_steps
    rank = training.fabric.global_rank
    pairs = DrawnSampler(drawings, settings.batch, (settings.crop,), steps, training.seed + 1, rank)
    pictures = TeacherData.load(data, settings.crop, training.device)
    settings = replace(settings, warm_up_steps=0, steps=steps)
    training = replace(training, scratch=training.scratch / "frames")
    return train_teacher(pictures, perceptual, settings, training, start.requires_grad_(True).train(), pairs)


def _later(curve: list[Scalars], steps: int) -> list[Scalars]:
    return [{**row, "step": row["step"] + steps} for row in curve]


def _samples(drawings: Drawings, snapshots: dict[int, Path], side: int) -> dict[int | str, Tensor]:
    photos, wanted = (pictures.cpu() for pictures in drawings.fixed(6, side))
    drawn: dict[int | str, Tensor] = {step: render(load_generator(path), photos) for step, path in snapshots.items()}
    return {0: photos, **drawn, "reference": wanted}


def save_taught(path: Path, taught: TrainedTeacher, settings: TeacherSettings, network: str, md5: str) -> None:
    """The checkpoint, with the network that it learned from in its notes: whoever ships it must name it."""
    steps = settings.pairs.steps + settings.pairs.frames_steps
    notes: dict[str, str | int] = {"trained_steps": steps, "crop": settings.pairs.crops[-1]}
    save_generator(path, taught.generator, **notes, learned_from=network, md5=md5)
