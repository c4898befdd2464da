"""Least squares with a ridge, from sums over the samples."""

import torch
from torch import Tensor


def solve_ridge(gram: Tensor, products: Tensor, ridge: float) -> Tensor:
    """The map [I, O] from inputs to outputs: `gram` is inputs.T @ inputs [I, I], `products` inputs.T @ outputs [I, O].

    `ridge`, as a share of the mean square of an input, keeps inputs that say the same from large opposite weights.
    """
    penalty = ridge * gram.diagonal().mean() * torch.eye(len(gram), dtype=gram.dtype, device=gram.device)
    return torch.linalg.solve(gram + penalty, products)
