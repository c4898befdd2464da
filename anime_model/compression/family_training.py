"""Training a family: the largest, the smallest and a random member on the same pictures in every step."""

import random
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from anime_model.compression.family import Choice, Family, sandwich
from anime_model.training.gate_cost import GateCost
from anime_model.training.imitation import Learner, Pair, PictureLoss
from anime_model.training.losses import Made, Maps

RATE = 1e-3
GATE_COST = 0.3  # weight, as for a network alone


def family_step(
    family: Family, pairs: Callable[[], Pair], loss: PictureLoss, seed: int, bf16: bool, gate_cost: float = GATE_COST
) -> Callable[[float], Made]:
    """What a `Learner` does in one step: the mean over three members, and each alone as a part.

    Each pays for its gate, if the family's networks have one.
    """
    source, cost = random.Random(seed), GateCost(gate_cost)
    gated = family.space.largest.detail == "gated"
    family.watch = cost.watch if gated else None

    def member_loss(photo: Tensor, wanted: Tensor, targets: Maps, choice: Choice) -> Tensor:
        total, _ = loss(family(photo, choice).float(), wanted, targets)
        return cost.added(total, {})[0] if gated else total

    def step(done: float) -> Made:
        photo, wanted = pairs()
        with torch.autocast(photo.device.type, torch.bfloat16, enabled=bf16):
            targets = loss.targets(wanted)
            found = [member_loss(photo, wanted, targets, choice) for choice in sandwich(family.space, source)]
        return torch.stack(found).mean(), dict(zip(("largest", "smallest", "between"), found, strict=True))

    return step


def train_family(
    family: Family, pairs: Callable[[], Pair], loss: PictureLoss, seconds: float, seed: int, bf16: bool, **more: Any
) -> Family:
    """The average of the weights after `seconds`; `more` are `gate_cost`, `before` and options of `Learner`.

    `before` are the seconds of a training that was broken off, which this one ends.

    Raises `TrainingError`.
    """
    family = family.to(memory_format=torch.channels_last).train()
    family.network.out.bias.requires_grad_(False)  # networks with batch norms have none
    options: dict[str, Any] = {"rate": RATE, "gate_cost": GATE_COST, **more}
    before = options.pop("before", 0.0)
    step = family_step(family, pairs, loss, seed, bf16, options.pop("gate_cost"))
    return Learner(family, step, **options).run(seconds, before)
