"""Statistics of batch norms: gathered anew, or renewed with nothing else changed."""

from collections import defaultdict
from collections.abc import Sequence

import torch
from torch import Tensor, nn


@torch.no_grad()
def gather_statistics(generator: nn.Module, batches: Sequence[Tensor]) -> None:
    """Sets the running mean and variance of every batch norm to their average over `batches`, in place."""
    norms = batch_norms(generator)
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # PyTorch's word for a plain average over all batches
    generator.train()
    for batch in batches:
        generator(batch)
    generator.eval()
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum


@torch.no_grad()
def recalibrate_batch_norm(generator: nn.Module, batches: Sequence[Tensor]) -> None:
    """Gives the batch norms the statistics of `batches`, and scales and shifts that leave the pictures as they are.

    In place; leaves evaluation mode. A network that was trained with frozen statistics has drifted from them: gathering
    new ones, as is needed after a removal, would change it by more than the removal does.
    """
    generator.eval()
    norms, seen = batch_norms(generator), defaultdict(list)

    def look(norm: nn.BatchNorm2d, entering: tuple[Tensor]) -> None:
        seen[norm].append(_mean_and_variance(entering[0]))

    handles = [norm.register_forward_pre_hook(look) for norm in norms]
    for batch in batches:
        generator(batch)
    for handle in handles:
        handle.remove()
    for norm, found in seen.items():
        mean, variance = torch.stack(found).mean(0)
        deviation = (norm.running_var + norm.eps).sqrt()
        norm.bias += norm.weight * (mean - norm.running_mean) / deviation
        norm.weight *= (variance + norm.eps).sqrt() / deviation
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(variance)


def batch_norms(generator: nn.Module) -> list[nn.BatchNorm2d]:
    """In the order in which they were built."""
    return [module for module in generator.modules() if isinstance(module, nn.BatchNorm2d)]


def interleaved_batches(photos: Tensor, size: int = 4) -> list[Tensor]:
    """Batches of about `size` photos from all over `photos`, whose neighbours may be alike."""
    count = max(1, len(photos) // size)
    return [photos[start::count] for start in range(count)]


def _mean_and_variance(maps: Tensor) -> Tensor:
    """Of each channel: [2, C]."""
    return torch.stack([maps.mean((0, 2, 3)), maps.var((0, 2, 3))])
