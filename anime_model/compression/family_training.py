"""Training a family: the largest, the smallest and a random member on the same pictures in every step."""

import random
from collections.abc import Callable
from typing import Any

import torch

from anime_model.compression.family import Family, sandwich
from anime_model.training.imitation import Learner, Made, Pair, PictureLoss

RATE = 1e-3


def family_step(
    family: Family, pairs: Callable[[], Pair], loss: PictureLoss, seed: int, bf16: bool
) -> Callable[[float], Made]:
    """What a `Learner` does in one step: the mean over three members, and each alone as a part."""
    source = random.Random(seed)

    def step(done: float) -> Made:
        photo, wanted = pairs()
        with torch.autocast(photo.device.type, torch.bfloat16, enabled=bf16):
            targets = loss.targets(wanted)
            made = [family(photo, choice).float() for choice in sandwich(family.space, source)]
            found = [loss(picture, wanted, targets)[0] for picture in made]
        return torch.stack(found).mean(), dict(zip(("largest", "smallest", "between"), found, strict=True))

    return step


def train_family(
    family: Family, pairs: Callable[[], Pair], loss: PictureLoss, seconds: float, seed: int, bf16: bool, **more: Any
) -> Family:
    """The average of the weights after `seconds`; `more` are options of `Learner`. Raises `TrainingError`."""
    family = family.to(memory_format=torch.channels_last).train()
    family.network.out.bias.requires_grad_(False)  # networks with batch norms have none
    options: dict[str, Any] = {"rate": RATE, **more}
    return Learner(family, family_step(family, pairs, loss, seed, bf16), **options).run(seconds)
