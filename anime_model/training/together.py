"""Processes that train one network together: a step's figures as if one process had seen the pictures of all.

DDP averages gradients, which is all that a loss needs that is a mean over pictures. What is no such mean (statistics of
batch norms, ratios of sums, the mean of Gram matrices) is taken over all processes here. In a single process nothing
changes, bit for bit.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, distributed, nn


def processes() -> int:
    """How many train together; 1 where nobody has started others."""
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1


def mean_over_processes(value: Tensor) -> Tensor:
    """The mean of `value`, of any shape, over all processes; gradients go back to all of them.

    A collective: every process has to come here, in the same order. Where a value needs no gradient, none is sent.
    """
    return value if processes() == 1 else _Sum.apply(value) / processes()


class _Sum(torch.autograd.Function):
    """The sum over processes. Each one's loss depends on it, so each one's gradient is the sum of all gradients."""

    @staticmethod
    def forward(_: Any, value: Tensor) -> Tensor:
        total = value.detach().clone(memory_format=torch.contiguous_format)
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(_: Any, gradient: Tensor) -> Tensor:
        total = gradient.clone(memory_format=torch.contiguous_format)
        distributed.all_reduce(total)
        return total


class _SharedBatchNorm(nn.BatchNorm2d):
    """A batch norm whose batch is that of all processes; PyTorch's own `SyncBatchNorm` runs on GPUs alone."""

    def forward(self, maps: Tensor) -> Tensor:
        if not self.training:
            return super().forward(maps)
        values = maps.float()
        mean = mean_over_processes(values.mean((0, 2, 3)))
        centred = values - mean[:, None, None]
        variance = mean_over_processes(centred.square().mean((0, 2, 3)))
        self._remember(mean.detach(), variance.detach(), processes() * values.numel() // len(mean))
        scale = self.weight * (variance + self.eps).rsqrt()
        return (centred * scale[:, None, None] + self.bias[:, None, None]).to(maps.dtype)

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor, count: int) -> None:
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance * count / max(count - 1, 1), self.momentum)
        self.num_batches_tracked += 1


@contextlib.contextmanager
def shared_norms(network: nn.Module) -> Iterator[None]:
    """Within the context the batch norms of `network` see the pictures of all processes; afterwards they are plain."""
    norms = [norm for norm in network.modules() if type(norm) is nn.BatchNorm2d and processes() > 1]
    for norm in norms:
        norm.__class__ = _SharedBatchNorm  # as a module of its own it would lose its place in the network
    try:
        yield
    finally:
        for norm in norms:
            norm.__class__ = nn.BatchNorm2d
