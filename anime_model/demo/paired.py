"""A generator trained on pairs: photo-like scenes and the cel drawings of the very same scenes.

What a GAN only finds after long training, clean lines and flat colours, pairs give in minutes. Only generated pictures
come in pairs (`scenes.render`), so this makes the demo's teacher and nothing else.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from anime_model.demo.canvas import CEL, PHOTO
from anime_model.demo.scenes import SUBJECTS, WIDTHS, render
from anime_model.networks.generator import Generator
from anime_model.pictures.arrays import write_picture
from anime_model.recipes.pairs import PairsSettings
from anime_model.training.data import Pictures, Sampler
from anime_model.training.loop import Scalars, Training
from anime_model.training.pairs import train_on_pairs

CONTENT = ("relu1_1", "relu2_1", "relu3_1")
STYLE = ("relu2_1", "relu3_1")
WEIGHTS = {"pixel": 4.0, "content": 1.0, "style": 0.3}
SIZES = (160, 208, 256)  # short sides: lines and noise of every width
FIRST_SEED = 50_000_000  # far from the seeds of any demo


def draw_pairs(out: Path, count: int, on_step: Callable[[int, int, Scalars], None]) -> None:
    """Writes `count` pairs as out/photos/NAME.jpg and out/drawings/NAME.png, half of them faces."""
    for index in range(count):
        subject, short = list(SUBJECTS)[index % 2], SIZES[index // 2 % len(SIZES)]
        size, name = (short, round(short * WIDTHS[subject])), f"{index:05d}"
        write_picture(out / f"photos/{name}.jpg", render(FIRST_SEED + index, size, subject, PHOTO))
        write_picture(out / f"drawings/{name}.png", render(FIRST_SEED + index, size, subject, CEL))
        on_step(index + 1, count, {})


@dataclass(frozen=True)
class Pairs:
    """Photos and drawings, the same crops of both at every step."""

    photos: Sampler
    drawings: Sampler

    @classmethod
    def load(cls, folder: Path, batch: int, crop: int, training: Training) -> "Pairs":
        pictures = (Pictures(folder / part, training.device, crop) for part in ("photos", "drawings"))
        return cls(*(Sampler(each, batch, crop, training.seed) for each in pictures))

    def __call__(self, step: int) -> tuple[Tensor, Tensor]:
        """Two float32 [N, 3, crop, crop] in [-1, 1]; the photos darkened or lightened a little, as real ones are."""
        draw = np.random.default_rng([self.photos.seed, 1, step])
        light = torch.from_numpy(draw.uniform(0.8, 1.25, (self.photos.batch, 1, 1, 1)).astype(np.float32))
        photos = ((self.photos(step) + 1) / 2) ** light.to(self.photos.pictures.pictures[0].device) * 2 - 1
        return photos, self.drawings(step)


def train_paired(
    generator: Generator, pairs: Pairs, perceptual: nn.Module, steps: int, rate: float, training: Training
) -> tuple[Generator, list[Scalars]]:
    """The average of the weights over `steps` steps from `generator` on, and the curve."""
    settings = PairsSettings(steps, rate, weights=WEIGHTS, content_layers=CONTENT, style_layers=STYLE, clip=0)
    return train_on_pairs(generator, pairs, perceptual, replace(settings, average=0.998), training)
