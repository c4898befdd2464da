"""What the stages that distil share: the teacher, the photos and the network that compares pictures."""

from pathlib import Path

import torch

from anime_model.compression.distillation import Lesson
from anime_model.networks.checkpoint import load_generator
from anime_model.networks.perceptual import load_perceptual
from anime_model.recipes.distillation import DistillSettings
from anime_model.training.data import Pictures


def lesson(perceptual: str, settings: DistillSettings, teacher: Path, data: Path, device: torch.device) -> Lesson:
    """The teacher, the photos in memory and the perceptual network that a distilling stage needs."""
    layers = tuple(dict.fromkeys((*settings.content_layers, *settings.style_layers)))
    photos = Pictures(data / "photos" / "train", device, settings.crop)
    return Lesson(load_generator(teacher), photos, load_perceptual(perceptual, layers).to(device))
