"""PSNR and SSIM: how near a student's picture is to the teacher's, pixel by pixel. For metrics and for training."""

from collections.abc import Iterable

import torch
from torch import Tensor

WINDOW, SIGMA = 11, 1.5
K1, K2 = 0.01, 0.03


def fidelity(pairs: Iterable[tuple[Tensor, Tensor]]) -> dict[str, float]:
    """Means of `psnr` and `ssim` over the pictures of pairs of batches, whose sizes may differ from pair to pair.

    Raises `ValueError` where there is no pair.
    """
    sums = [(len(a), len(a) * torch.stack([psnr(a, b), ssim(a, b)])) for a, b in pairs]
    if not sums:
        raise ValueError("PSNR and SSIM need at least one pair of pictures")
    counts, totals = zip(*sums, strict=True)
    means = torch.stack(totals).sum(0) / sum(counts)
    return {"psnr": float(means[0]), "ssim": float(means[1])}


def psnr(a: Tensor, b: Tensor) -> Tensor:
    """Peak signal-to-noise ratio in dB of two batches [N, 3, H, W], uint8 or float in [-1, 1]: the mean over pictures.

    Infinite where two pictures are equal.
    """
    a, b = _unit_range(a, b)
    return (-10 * (a - b).square().mean((1, 2, 3)).log10()).mean()


def ssim(a: Tensor, b: Tensor) -> Tensor:
    """Structural similarity of two batches [N, 3, H, W], uint8 or float in [-1, 1]: at most 1, which is equality.

    Wang, Bovik, Sheikh, Simoncelli, "Image quality assessment", IEEE TIP 2004, eq. 13: a Gaussian window of 11 x 11
    pixels, sigma 1.5, only where it lies wholly inside the picture; the mean over pixels, the three channels of RGB
    and pictures. Raises `ValueError` for pictures smaller than the window.
    """
    a, b = _unit_range(a, b)
    if min(a.shape[-2:]) < WINDOW:
        raise ValueError(f"SSIM needs pictures of {WINDOW} x {WINDOW} pixels or more, not {list(a.shape[-2:])}")
    a, b = a - 0.5, b - 0.5  # around zero, so that the differences of squares keep their digits
    mean_a, mean_b, square_a, square_b, product = _blur(torch.cat([a, b, a * a, b * b, a * b])).chunk(5)
    variance_a, variance_b = square_a - mean_a**2, square_b - mean_b**2
    covariance = product - mean_a * mean_b
    mean_a, mean_b = mean_a + 0.5, mean_b + 0.5
    luminance = (2 * mean_a * mean_b + K1**2) / (mean_a**2 + mean_b**2 + K1**2)
    structure = (2 * covariance + K2**2) / (variance_a + variance_b + K2**2)
    return (luminance * structure).mean()


def _unit_range(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Both in [0, 1], so that the peak of the formulas is 1."""
    if a.shape != b.shape or a.dtype.is_floating_point != b.dtype.is_floating_point:
        raise ValueError(f"not a pair of pictures: {a.dtype} {list(a.shape)} and {b.dtype} {list(b.shape)}")
    if a.dtype == torch.uint8:
        return a.float() / 255, b.float() / 255
    return (a.float() + 1) / 2, (b.float() + 1) / 2


def _blur(maps: Tensor) -> Tensor:
    """Gaussian means, one axis after the other; the border that the window does not cover is left out.

    As products of matrices: for so few channels a convolution takes several times as long.
    """
    down, across = (_windows(side).to(maps.device) for side in maps.shape[-2:])
    return down.T @ (maps @ across)


def _windows(side: int) -> Tensor:
    """One window in each column, at all its places along `side` pixels: [side, side - WINDOW + 1]."""
    offsets = torch.arange(side)[:, None] - torch.arange(side - WINDOW + 1) - WINDOW // 2
    weights = torch.exp(-(offsets**2) / (2 * SIGMA**2)) * (offsets.abs() <= WINDOW // 2)
    return weights / weights.sum(0)
