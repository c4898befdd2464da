"""The enlarger learns from anime frames' own pixels: a crop made small, and the crop itself as the answer.

What it will enlarge is a network's picture and not a clean frame, so the small one is at times blurred, noisy, JPEG's
or has a grid of 2 x 2 pixels, and at times is what an enlarger made of its half: a large picture takes several. The
answers are frames at sizes from 0.4 to the whole, since a full frame is seldom sharp to the pixel. Everything happens
on the device that has the frames.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from anime_model.networks.enlarger import Enlarger

HELD_OUT = 8  # every so manieth frame, by name, is for testing
EDGES = 1.0  # weight of the differences of neighbours beside the pixels' own
BORDER = 24  # pixels of the answer that do not count: the network sees zeros beyond its input
GROUPS = 4  # parts of a batch, each reduced and disturbed in its own way
REDUCTIONS = {
    "area": (1 / 2, 1 / 2),
    "linear": (1 / 8, 3 / 8, 3 / 8, 1 / 8),
    "lanczos": tuple(math.sin(math.pi * x) * math.sin(math.pi * x / 3) * 3 / (math.pi * x) ** 2 / 2 for x in
                     ((tap - 5.5) / 2 for tap in range(12))),
}  # fmt: skip
# JPEG's table for brightness (ITU-T T.81, table K.1), in levels of 255 at quality 50
JPEG = (16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29,
        51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78, 87, 103, 121,
        120, 101, 72, 92, 95, 98, 112, 100, 103, 99)  # fmt: skip


def split(names: Sequence) -> tuple[list, list]:
    """The frames to train on and those held out, of all in the order of their names."""
    ordered = sorted(names)
    held = ordered[HELD_OUT // 2 :: HELD_OUT]
    return [name for name in ordered if name not in held], held


def train_step(
    model: Enlarger,
    optimizer: torch.optim.Optimizer,
    frames: Sequence[Tensor],
    batch: int,
    side: int,
    draw: np.random.Generator,
    before: Enlarger | None = None,
) -> Tensor:
    """One step of the optimizer, and the loss. `frames`: uint8 [3, H, W], all sides from `side` up, on the device of
    the model; `side`: of an answer, a multiple of 16 times the model's factor; `before` doubles what the model is given
    at times, by default the model itself, which then has to double."""
    answer, given = pairs(model, frames, batch, side, draw, before)
    with torch.autocast(answer.device.type, torch.bfloat16, enabled=answer.is_cuda):
        detail = model.detail(given)
    made = F.pixel_shuffle(model.skip(given) + detail.float(), model.factor)
    loss = distance(made, answer)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return loss.detach()


def distance(made: Tensor, answer: Tensor) -> Tensor:
    """Charbonnier's distance (a smooth L1) of pixels and of neighbours' differences, inside the border."""
    inside = (..., slice(BORDER, -BORDER), slice(BORDER, -BORDER))
    gap = made[inside] - answer[inside]
    parts = (gap, EDGES * gap.diff(dim=-1), EDGES * gap.diff(dim=-2))
    return sum(((part**2 + 1e-6).sqrt()).mean() for part in parts)


def pairs(
    model: Enlarger,
    frames: Sequence[Tensor],
    batch: int,
    side: int,
    draw: np.random.Generator,
    before: Enlarger | None = None,
) -> tuple[Tensor, Tensor]:
    """Answers float32 [N, 3, side, side] in [-1, 1] and what is given for them, smaller by the model's factor."""
    answers, given = [], []
    for _ in range(GROUPS):
        answer = _crops(frames, batch // GROUPS, side, draw)
        answers.append(answer)
        given.append(_given(model.factor, before or model, answer, draw))
    return torch.cat(answers), torch.cat(given)


@torch.no_grad()
def _given(factor: int, before: Enlarger, answer: Tensor, draw: np.random.Generator) -> Tensor:
    kind = str(draw.choice(list(REDUCTIONS)))
    if draw.random() < 0.4:
        answer = blur(answer, draw.uniform(0.3, 1.2))
    small = answer
    while small.shape[-1] * factor > answer.shape[-1]:
        small = halve(small, kind)
    if draw.random() < 0.25:
        small = doubled(before, halve(small, kind))
    if draw.random() < 0.3:
        small = small + torch.randn_like(small) * (draw.uniform(0, 3) / 127.5)
    if draw.random() < 0.5:
        small = small + grid(small, draw.uniform(0, 8) / 127.5)
    if draw.random() < 0.2:
        small = jpeg(small, draw.uniform(60, 95))
    return ((small.clamp(-1, 1) * 127.5 + 127.5).round() - 127.5) / 127.5


def doubled(enlarger: Enlarger, picture: Tensor) -> Tensor:
    """What an enlarger that doubles makes of a picture whose border it sees continued."""
    reach = enlarger.radius
    inside = slice(enlarger.factor * reach, -enlarger.factor * reach)
    return enlarger(F.pad(picture, (reach,) * 4, mode="reflect"))[..., inside, inside].clamp(-1, 1)


def _crops(frames: Sequence[Tensor], count: int, side: int, draw: np.random.Generator) -> Tensor:
    """Crops of one size of random frames, some mirrored, made `side` pixels wide."""
    smallest = min(min(frame.shape[1:]) for frame in frames)
    source = side if draw.random() < 0.25 else min(smallest, round(side * draw.uniform(1, 2.5)))
    found = []
    for _ in range(count):
        frame = frames[int(draw.integers(len(frames)))]
        top, left = (int(draw.integers(length - source + 1)) for length in frame.shape[1:])
        crop = frame[:, top : top + source, left : left + source]
        found.append(crop.flip(-1) if draw.random() < 0.5 else crop)
    crops = torch.stack(found).float() / 127.5 - 1
    if source == side:
        return crops
    return F.interpolate(crops, (side, side), mode="bicubic", antialias=True, align_corners=False).clamp(-1, 1)


def halve(picture: Tensor, kind: str) -> Tensor:
    """float [N, 3, H, W], even sides, to half its size by one of `REDUCTIONS`."""
    taps = torch.tensor(REDUCTIONS[kind], device=picture.device)
    return _separable(picture, taps / taps.sum(), len(taps) // 2 - 1, 2)


def blur(picture: Tensor, sigma: float) -> Tensor:
    """A Gaussian of `sigma` pixels."""
    reach = math.ceil(3 * sigma)
    places = torch.arange(-reach, reach + 1, device=picture.device)
    taps = torch.exp(-(places**2) / (2 * sigma**2))
    return _separable(picture, taps / taps.sum(), reach, 1)


def grid(picture: Tensor, height: float) -> Tensor:
    """What a network with a sub-pixel tail adds: each of every 2 x 2 pixels has an error of its own, stronger in some
    parts of the picture than in others. `height` is its standard deviation."""
    count, colours, *size = picture.shape
    errors = torch.randn(count, colours, 2, 2, device=picture.device)
    tiled = errors.repeat(1, 1, -(-size[0] // 2), -(-size[1] // 2))[..., : size[0], : size[1]]
    place = torch.randn(count, 1, 8, 8, device=picture.device)
    return (
        height
        * (tiled - errors.mean((2, 3), keepdim=True))
        * F.interpolate(place, size, mode="bilinear", align_corners=False)
    )


def _separable(picture: Tensor, taps: Tensor, pad: int, stride: int) -> Tensor:
    colours = picture.shape[1]
    kernel = taps.expand(colours, 1, 1, -1)
    padded = F.pad(picture, (pad,) * 4, mode="reflect")
    across = F.conv2d(padded, kernel, stride=(1, stride), groups=colours)
    return F.conv2d(across, kernel.transpose(2, 3), stride=(stride, 1), groups=colours)


def jpeg(picture: Tensor, quality: float) -> Tensor:
    """What JPEG's rounding does to blocks of 8 x 8 pixels, to each of R, G and B alike; sides are multiples of 8."""
    scale = (5000 / quality if quality < 50 else 200 - 2 * quality) / 100
    steps = torch.tensor(JPEG, device=picture.device).view(8, 8) * scale
    places = torch.arange(8, device=picture.device)
    cosines = torch.cos((2 * places + 1) * places[:, None] * math.pi / 16) / 2
    cosines[0] /= math.sqrt(2)
    count, colours, height, width = picture.shape
    blocks = (picture * 127.5).view(count, colours, height // 8, 8, width // 8, 8).transpose(3, 4)
    waves = cosines @ blocks @ cosines.T
    rounded = (waves / steps.clamp(min=1)).round() * steps.clamp(min=1)
    return (cosines.T @ rounded @ cosines).transpose(3, 4).reshape(picture.shape) / 127.5
