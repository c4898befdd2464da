"""Endless views of a folder's photos: another place, size, light and sharpness each time.

A network that draws for any photo can be asked for the target of any view, so that views cost nothing but their
drawing, and a student sees softer, sharper, darker and larger pictures than the folder has.
"""

import math
import random
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

BINOMIAL = (1.0, 4.0, 6.0, 4.0, 1.0)


@dataclass(frozen=True)
class Variety:
    """How views differ from the photos: share of the views that change, and the range of the change.

    `scale` is the size in the view over that in the photo, `sharpness` the weight of an unsharp mask (below 0: softer),
    `gamma` the logarithm of the exponent, the rest factors or, for `noise` and `shift`, levels of a picture in [0, 1].
    `stripes` are laid over a part of the view, so many pixels from one to the next: slats, tiles and railings are too
    few in most folders, and a network whose first step halves the picture paints colours where they are too fine.
    """

    scale: tuple[float, float] = (0.75, 2.0)
    sharpness: tuple[float, float, float] = (0.35, -0.6, 1.6)
    gamma: tuple[float, float, float] = (0.35, -0.45, 0.45)
    contrast: tuple[float, float, float] = (0.35, 0.7, 1.25)
    shift: tuple[float, float, float] = (0.25, -0.1, 0.1)
    saturation: tuple[float, float, float] = (0.3, 0.5, 1.5)
    tint: tuple[float, float] = (0.2, 0.08)
    noise: tuple[float, float, float] = (0.12, 0.0, 0.03)
    stripes: tuple[float, float, float] = (0.15, 2.0, 6.0)


class Views:
    """Photos in the memory of one device, and random or fixed square views of them."""

    def __init__(self, pictures: list[Tensor], weights: Tensor | None = None, variety: Variety | None = None) -> None:
        """`pictures` are uint8 [3, H, W]; `weights` [len(pictures)] say how often each is drawn from."""
        self.device = pictures[0].device
        side = max(max(picture.shape[1:]) for picture in pictures)
        self.pictures = torch.zeros(len(pictures), 3, side, side, dtype=torch.uint8, device=self.device)
        for place, picture in zip(self.pictures, pictures, strict=True):
            height, width = picture.shape[1:]
            place[:, :height, :width] = picture
            place[:, height:, :width] = picture[:, -1:]  # what a bicubic sample at the edge reads beyond it
            place[:, :, width:] = place[:, :, width - 1 : width].clone()
        self.sizes = torch.tensor([picture.shape[1:] for picture in pictures], dtype=torch.float32, device=self.device)
        self.weights = torch.ones(len(pictures), device=self.device) if weights is None else weights
        self.variety = variety or Variety()

    def pick(self, count: int) -> Tensor:
        """Random places [count] in `pictures`, by their weights. Reproducible by `torch.manual_seed`."""
        return torch.multinomial(self.weights, count, replacement=True)

    def draw(self, count: int, size: int, pick: Tensor | None = None) -> Tensor:
        """Random views [count, 3, size, size] in [-1, 1] of random photos or of those that `pick` names."""
        pick = self.pick(count) if pick is None else pick
        height, width = self.sizes[pick].T
        low, high = self.variety.scale
        scale = torch.exp(torch.rand_like(height) * math.log(high / low) + math.log(low))
        window = torch.minimum(size / scale, torch.minimum(height, width) - 1)
        top, left = (torch.rand_like(height) * (side - 1 - window) for side in (height, width))
        flip = torch.rand(count, device=self.device) < 0.5
        return vary(self._cut(pick, top, left, window, size, flip), self.variety)

    def whole(self, place: int, least: int, most: int) -> Tensor:
        """A view of the photo at `place`, as whole as `most` pixels a side allow: [1, 3, H, W] in [-1, 1], sides from
        `least` up.

        Sides are multiples of 16, so that any network draws them as they are. One whose norm sees the whole picture
        draws a part otherwise than it draws the whole.
        """
        height, width = (int(side) for side in self.sizes[place])
        low, high = self.variety.scale
        scale = math.exp(random.uniform(math.log(low), math.log(high)))
        scale = max(scale, least / min(height, width))
        size = [max(least, round(side * scale / 16) * 16) for side in (height, width)]
        photo = self.pictures[place][None, :, :height, :width].float()
        photo = F.interpolate(photo, size, mode="bicubic", antialias=True).clamp(0, 255) / 127.5 - 1
        photo = random_part(photo, min(size[0], most), min(size[1], most))
        return vary(photo.flip(3) if random.random() < 0.5 else photo, self.variety)

    def fixed(self, count: int, size: int) -> Tensor:
        """The largest square of `count` photos spread over the folder, as they are: [count, 3, size, size]."""
        pick = torch.linspace(0, len(self.pictures) - 1, min(count, len(self.pictures)), device=self.device).long()
        height, width = self.sizes[pick].T
        window = torch.minimum(height, width) - 1
        return self._cut(pick, (height - 1 - window) / 2, (width - 1 - window) / 2, window, size, window < 0)

    def _cut(self, pick: Tensor, top: Tensor, left: Tensor, window: Tensor, size: int, flip: Tensor) -> Tensor:
        steps = torch.linspace(0, 1, size, device=self.device)
        rows = top[:, None] + steps * window[:, None]
        columns = left[:, None] + steps * window[:, None]
        columns = torch.where(flip[:, None], columns.flip(1), columns)
        last = self.pictures.shape[-1] - 1
        shape = (len(pick), size, size)
        grid = torch.stack([columns[:, None, :].expand(shape), rows[:, :, None].expand(shape)], -1) / last * 2 - 1
        photo = F.grid_sample(
            self.pictures[pick].float(), grid, mode="bicubic", padding_mode="border", align_corners=True
        )
        return photo.clamp(0, 255) / 127.5 - 1


def random_part(pictures: Tensor, height: int, width: int) -> Tensor:
    """The same random part [..., height, width] of all pictures [..., H, W]."""
    top = random.randint(0, pictures.shape[-2] - height)
    left = random.randint(0, pictures.shape[-1] - width)
    return pictures[..., top : top + height, left : left + width]


def vary(photo: Tensor, variety: Variety) -> Tensor:
    """Sharpness, light, colour and noise of pictures [N, 3, H, W] in [-1, 1], each changed for a share of them."""
    count = len(photo)

    def some(range_: tuple[float, float, float], rest: float) -> Tensor:
        share, low, high = range_
        value = torch.rand(count, 1, 1, 1, device=photo.device) * (high - low) + low
        return torch.where(torch.rand(count, 1, 1, 1, device=photo.device) < share, value, rest)

    if variety.stripes[0]:
        photo = torch.stack([_striped(one, variety.stripes) for one in photo])
    photo = photo + (photo - _blurred(photo)) * some(variety.sharpness, 0.0)
    photo = ((photo.clamp(-1, 1) + 1) / 2) ** torch.exp(some(variety.gamma, 0.0))
    photo = (photo - 0.5) * some(variety.contrast, 1.0) + 0.5 + some(variety.shift, 0.0)
    grey = photo.mean(1, keepdim=True)
    photo = grey + (photo - grey) * some(variety.saturation, 1.0)
    share, most = variety.tint
    tint = (torch.rand(count, 3, 1, 1, device=photo.device) * 2 - 1) * most
    photo = photo * (1 + tint * (torch.rand(count, 1, 1, 1, device=photo.device) < share))
    photo = photo + torch.randn_like(photo) * some(variety.noise, 0.0)
    return photo.clamp(0, 1) * 2 - 1


def _striped(photo: Tensor, stripes: tuple[float, float, float]) -> Tensor:
    """A picture [3, H, W] in [-1, 1]; for a share of them with a wave of grey in a random rectangle, mostly upright."""
    share, low, high = stripes
    if random.random() >= share:
        return photo
    height, width = photo.shape[1:]
    top, left = (random.randint(0, side // 2) for side in (height, width))
    bottom, right = (start + random.randint(side // 4, side // 2) for start, side in ((top, height), (left, width)))
    part = photo[:, top:bottom, left:right]
    angle = random.choice((0, math.pi / 2)) + random.gauss(0, 0.2) * random.choice((0, 1, 1))
    turn = 2 * math.pi / math.exp(random.uniform(math.log(low), math.log(high)))
    down, along = (torch.arange(side, device=photo.device) for side in part.shape[1:])
    phase = (down[:, None] * math.sin(angle) + along * math.cos(angle)) * turn + random.uniform(0, math.tau)
    wave = (torch.sin(phase) * random.uniform(1, 4)).clamp(-1, 1) * random.uniform(0.1, 0.8)
    photo = photo.clone()
    photo[:, top:bottom, left:right] = (part + wave).clamp(-1, 1)
    return photo


def _blurred(photo: Tensor) -> Tensor:
    row = torch.tensor(BINOMIAL, dtype=photo.dtype, device=photo.device) / sum(BINOMIAL)
    kernel = (row[:, None] * row).expand(3, 1, 5, 5)
    return F.conv2d(F.pad(photo, (2, 2, 2, 2), mode="reflect"), kernel, groups=3)
