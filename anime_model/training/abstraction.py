"""A photo as a draughtsman abstracts it: flat areas, crisp borders, dark lines.

Winnemöller, Olsen and Gooch, *Real-Time Video Abstraction* (SIGGRAPH 2006): bilateral filtering in a few rounds, then
lines from a difference of Gaussians; borders are sharpened by unsharp masking. It needs no style and no training. The
teacher holds on to it instead of to the photo, and so keeps a drawing's shapes while the frames give it their manner.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from anime_model.recipe import AbstractionSettings
from anime_model.training.losses import from_yuv, to_yuv

RADIUS, SPATIAL = 4, 3.0  # of the bilateral filter, in pixels
CHROMA = 2.0  # how much more a difference in U and V counts than one in Y
LINE, RATIO, SHARE, STEEPNESS = 1.2, 1.6, 0.98, 30.0  # sigma (px), second sigma over it, tau and phi of the paper
BORDER = 1.5  # sigma of the unsharp mask, in pixels


def abstract(photo: Tensor, settings: AbstractionSettings) -> Tensor:
    """Pictures [N, 3, H, W] in [-1, 1] to such pictures; unchanged where `settings.rounds` is 0."""
    if not settings.rounds:
        return photo
    yuv = to_yuv(photo)
    for _ in range(settings.rounds):
        yuv = _bilateral(yuv, settings.range)
    luma = yuv[:, :1]
    lines = settings.lines * _lines(luma)
    luma = (luma + settings.sharpen * (luma - _blur(luma, BORDER))) * (1 - lines)
    return from_yuv(torch.cat([luma, yuv[:, 1:]], 1)).clamp(-1, 1)


def _bilateral(yuv: Tensor, deviation: float) -> Tensor:
    """Means over a disk, weighted by nearness and by likeness of colour (Tomasi and Manduchi, ICCV 1998)."""
    height, width = yuv.shape[2:]
    padded = F.pad(yuv, (RADIUS,) * 4, mode="reflect")
    total, weights = torch.zeros_like(yuv), torch.zeros_like(yuv[:, :1])
    for down, across, distance in _disk():
        shifted = padded[:, :, down : down + height, across : across + width]
        apart = (shifted - yuv).square()
        apart = apart[:, :1] + CHROMA * apart[:, 1:].sum(1, keepdim=True)
        weight = torch.exp(-apart / (2 * deviation**2) - distance / (2 * SPATIAL**2))
        total += weight * shifted
        weights += weight
    return total / weights


def _disk() -> list[tuple[int, int, int]]:
    """Offsets into a padded picture, each with its squared distance from the centre."""
    steps = range(-RADIUS, RADIUS + 1)
    places = [(y, x, y * y + x * x) for y in steps for x in steps]
    return [(y + RADIUS, x + RADIUS, d) for y, x, d in places if d <= RADIUS**2 + 1]


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
