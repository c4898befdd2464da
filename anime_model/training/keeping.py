"""Training may not leave a network that draws worse than the one that it began with."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from anime_model.networks.generator import Generator
from anime_model.training import losses

COMPARED = 12  # pictures by which two networks are compared
SLACK = 1.05  # a discriminator's student is sharper, and may be that much farther from the wanted pictures


@torch.no_grad()
def start_is_better(
    start: Generator,
    trained: Generator,
    pairs: tuple[Tensor, Tensor],
    maps_of: Callable[[Tensor], losses.Maps],
    weights: Mapping[str, float],
    layers: tuple[tuple[str, ...], tuple[str, ...]],
) -> bool:
    """Whether `trained` draws clearly farther from the wanted pictures than `start` did.

    `pairs` are photos and wanted pictures, float32 [N, 3, H, W] in [-1, 1]; distances are those of
    `losses.distances`, weighted. Both generators are left in evaluation mode, where `pairs` are.
    """

    def distance(generator: Generator) -> float:
        network, total = generator.to(pairs[0].device).eval(), 0.0
        for photo, wanted in zip(*(side.split(1) for side in pairs), strict=True):
            parts = losses.distances(network(photo), wanted, weights, maps_of, layers)
            total += sum(weights.get(key, 0.0) * float(value) for key, value in parts.items())
        return total

    return not distance(trained) <= SLACK * distance(start)  # what is no number is worse
