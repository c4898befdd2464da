"""A photo as a draughtsman abstracts it: flat areas, crisp borders, dark lines.

Winnemöller, Olsen and Gooch, *Real-Time Video Abstraction* (SIGGRAPH 2006): bilateral filtering in a few rounds, then
lines from a difference of Gaussians; borders are sharpened by unsharp masking. It needs no training, and of the style
no more than its palette. The teacher holds on to it instead of to the photo, and so keeps a drawing's shapes while the
frames give it their manner.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor
from torch.nn import functional as F

from anime_model.recipes.teacher import AbstractionSettings
from anime_model.training.data import to_float
from anime_model.training.losses import from_yuv, to_yuv

RADIUS, SPATIAL = 4, 3.0  # of the bilateral filter, in pixels
CHROMA = 2.0  # how much more a difference in U and V counts than one in Y
LINE, RATIO, SHARE, STEEPNESS = 1.2, 1.6, 0.98, 30.0  # sigma (px), second sigma over it, tau and phi of the paper
BORDER = 1.5  # sigma of the unsharp mask, in pixels
EVERY = 8  # rows and columns of a picture that its palette is read from


@dataclass(frozen=True)
class ColourTransfer:
    """What brings the mean and the spread of photos' U and V to those of frames: UV * scale + shift, each [2, 1, 1].

    Reinhard et al., *Color Transfer between Images* (2001), between two collections and in YUV: one and the same map
    for all pictures, so that skin and sky keep their places.
    """

    scale: Tensor
    shift: Tensor

    @classmethod
    def between(cls, photos: Iterable[Tensor], frames: Iterable[Tensor], share: float) -> Self:
        """The way from pictures [3, H, W] of bytes to others; `share` is how much of it is gone, 0 none, 1 all."""
        (mean, spread), (to_mean, to_spread) = _chroma(photos), _chroma(frames)
        scale = 1 + share * (to_spread / spread.clamp_min(1e-3) - 1)
        return cls(scale, mean + share * (to_mean - mean) - mean * scale)


def abstract(photo: Tensor, settings: AbstractionSettings, palette: ColourTransfer) -> Tensor:
    """Pictures [N, 3, H, W] in [-1, 1] to such pictures; unchanged where `settings.rounds` is 0."""
    if not settings.rounds:
        return photo
    yuv = to_yuv(photo)
    for _ in range(settings.rounds):
        for dim in (3, 2):
            yuv = _bilateral(yuv, settings.range, dim)
    luma = yuv[:, :1]
    lines = settings.lines * _lines(luma)
    luma = (luma + settings.sharpen * (luma - _blur(luma, BORDER))) * (1 - lines)
    return from_yuv(torch.cat([luma, yuv[:, 1:] * palette.scale + palette.shift], 1)).clamp(-1, 1)


def _chroma(pictures: Iterable[Tensor]) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of U and V over all pictures, each [2, 1, 1]."""
    thinned = (to_float(picture[None, :, ::EVERY, ::EVERY]) for picture in pictures)
    values = torch.cat([to_yuv(picture)[0, 1:].flatten(1) for picture in thinned], 1)
    return values.mean(1)[:, None, None], values.std(1)[:, None, None]


def _bilateral(yuv: Tensor, deviation: float, dim: int) -> Tensor:
    """Means along `dim`, weighted by nearness and by likeness of colour (Tomasi and Manduchi, ICCV 1998).

    Rows and columns in turn, as the paper has it from Pham and van Vliet (2005): a fraction of the square's work.
    """
    size = yuv.shape[dim]
    padded = F.pad(yuv, (RADIUS, RADIUS, 0, 0) if dim == 3 else (0, 0, RADIUS, RADIUS), mode="reflect")
    total, weights = torch.zeros_like(yuv), torch.zeros_like(yuv[:, :1])
    for step in range(-RADIUS, RADIUS + 1):
        shifted = padded.narrow(dim, RADIUS + step, size)
        apart = (shifted - yuv).square()
        apart = apart[:, :1] + CHROMA * apart[:, 1:].sum(1, keepdim=True)
        weight = torch.exp(-apart / (2 * deviation**2) - step**2 / (2 * SPATIAL**2))
        total.addcmul_(weight, shifted)
        weights += weight
    return total / weights


def _lines(luma: Tensor) -> Tensor:
    """Where a line is drawn, in [0, 1): dark sides of borders (the paper's eq. 4)."""
    difference = _blur(luma, LINE) - SHARE * _blur(luma, LINE * RATIO)
    return -torch.tanh(STEEPNESS * difference.clamp(max=0))


def _blur(luma: Tensor, sigma: float) -> Tensor:
    radius = max(1, round(3 * sigma))
    kernel = torch.exp(-torch.arange(-radius, radius + 1, device=luma.device).square() / (2 * sigma**2))
    kernel = (kernel / kernel.sum()).to(luma.dtype)
    across = F.conv2d(F.pad(luma, (radius, radius, 0, 0), mode="reflect"), kernel.view(1, 1, 1, -1))
    return F.conv2d(F.pad(across, (0, 0, radius, radius), mode="reflect"), kernel.view(1, 1, -1, 1))
