"""How far FID and KID would move with other photos: a bootstrap over pictures.

Efron and Tibshirani, *An Introduction to the Bootstrap* (1993): pictures are drawn with replacement, each with all its
cuts; the frames stay, since all rows of a table are compared with the same ones. The features are computed once, and a
resample only weighs what is there:

- FID needs the trace of the root of the product of two covariances. That is the nuclear norm of A B', where A and B are
  the centred features of the two sides, divided by the roots of their counts less one: eigenvalues of a matrix as large
  as the smaller side has pictures.
- KID (Binkowski et al., ICLR 2018) needs sums over one kernel matrix. A picture that was drawn twice is no pair.

A resample has fewer different pictures than the collection, so its FID is too large by more than FID itself is.
Therefore an interval is the figure plus what the resamples deviate from their own mean.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

RESAMPLES, LEVEL = 200, 0.95
HALVES = 20  # random halves from which FID's bias is read
KERNEL_DEGREE = 3  # of KID's kernel (x y / D + 1) ** 3


@dataclass(frozen=True)
class Resampled:
    """FID and KID of every resample, [RESAMPLES] each, and how much larger FID is for half of the pictures."""

    fid: np.ndarray
    kid: np.ndarray
    halving: float


def resample(fake: Tensor, real: Tensor, cuts: Sequence[int], seed: int = 0) -> Resampled:
    """Resamples of features [N, D] against [M, D]; `cuts` says how many rows in turn belong to each picture.

    The same `seed` and the same `cuts` draw the same pictures, so that rows of one table are compared pair by pair.
    Raises `ValueError` where `cuts` do not add up to N.
    """
    if sum(cuts) != len(fake) or min(len(fake), len(real)) < 2:
        raise ValueError(f"{sum(cuts)} cuts of {len(fake)} features against {len(real)}")
    sides = _Sides(fake.double().cpu().numpy(), real.double().cpu().numpy())
    draw = np.random.default_rng(seed)
    drawn = [_drawn(draw, cuts) for _ in range(RESAMPLES)]
    fid, kid = (np.array([figure(weights) for weights in drawn]) for figure in (sides.fid, sides.kid))
    halves = [sides.fid(_half(draw, cuts)) for _ in range(HALVES)] if len(cuts) >= 4 else []
    return Resampled(fid, kid, float(np.mean(halves)) - sides.fid(np.ones(len(fake))) if halves else float("nan"))


def interval(figure: float, resamples: np.ndarray) -> tuple[float, float]:
    """Between which two values `figure` lies, with a probability of `LEVEL`."""
    low, high = np.quantile(resamples - resamples.mean(), ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return float(figure + low), float(figure + high)


def _drawn(draw: np.random.Generator, cuts: Sequence[int]) -> np.ndarray:
    """How often each cut is in a resample of at least two different pictures."""
    while True:
        counts = np.bincount(draw.integers(len(cuts), size=len(cuts)), minlength=len(cuts))
        weights = np.repeat(counts, cuts).astype(float)
        if (weights > 0).sum() > 1:
            return weights


def _half(draw: np.random.Generator, cuts: Sequence[int]) -> np.ndarray:
    chosen = np.zeros(len(cuts))
    chosen[draw.permutation(len(cuts))[: len(cuts) // 2]] = 1
    return np.repeat(chosen, cuts)


class _Sides:
    """What all resamples share. `weights` [N] say how often each row of the fake side counts."""

    def __init__(self, fake: np.ndarray, real: np.ndarray) -> None:
        self.fake, self.mean = fake, real.mean(0)
        centred = (real - self.mean) / np.sqrt(len(real) - 1)
        self.squares = (fake**2).sum(1)
        self.spread = (centred**2).sum()
        self.products = fake @ centred.T
        self.within = _kernel(fake, fake)
        np.fill_diagonal(self.within, 0)
        others = _kernel(real, real)
        self.real_within = (others.sum() - np.trace(others)) / (len(real) * (len(real) - 1))
        self.between = _kernel(fake, real).mean(1)

    def fid(self, weights: np.ndarray) -> float:
        """Heusel et al., NeurIPS 2017, with the root's trace as a sum of singular values."""
        total = weights.sum()
        mean = weights @ self.fake / total
        spread = (weights @ self.squares - total * mean @ mean) / (total - 1)
        kept = weights > 0
        scale = np.sqrt(weights[kept, None] / (total - 1))
        rows = scale * (self.products[kept] - weights @ self.products / total)
        gram = rows @ rows.T if len(rows) <= rows.shape[1] else rows.T @ rows
        nuclear = np.sqrt(np.linalg.eigvalsh(gram).clip(0)).sum()
        return float(((mean - self.mean) ** 2).sum() + spread + self.spread - 2 * nuclear)

    def kid(self, weights: np.ndarray) -> float:
        """The unbiased estimate; `within` has no pair of a row with itself, however often it was drawn."""
        total = weights.sum()
        pairs = total**2 - (weights**2).sum()
        return float(weights @ self.within @ weights / pairs + self.real_within - 2 * weights @ self.between / total)


def _kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a @ b.T / a.shape[1] + 1) ** KERNEL_DEGREE
