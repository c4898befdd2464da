"""What tells style frames from made pictures: AnimeGANv2's patch discriminator, or heads on a frozen network's maps."""

from collections.abc import Mapping
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm


class Discriminator(nn.Sequential):
    """Tells style frames from made pictures, patch by patch: [N, 3, H, W] in [-1, 1] to logits [N, 1, H/4, W/4].

    Spectral norm on every convolution keeps it 1-Lipschitz (Miyato et al., ICLR 2018). At `width` 64 these are the
    channels of AnimeGANv2: width, 2 and 4 times width across two halvings, then one 3x3 to the logits.
    """

    def __init__(self, width: int = 64) -> None:
        super().__init__(
            _conv(3, width // 2, 1),
            nn.LeakyReLU(0.2),
            _conv(width // 2, width, 2),
            nn.LeakyReLU(0.2),
            *_normed(width, width * 2, 1),
            _conv(width * 2, width * 2, 2),
            nn.LeakyReLU(0.2),
            *_normed(width * 2, width * 4, 1),
            *_normed(width * 4, width * 4, 1),
            _conv(width * 4, 1, 1),
        )

    def forward(self, picture: Tensor) -> Tensor:
        return super().forward(picture)


class DetailDiscriminator(nn.Sequential):
    """Judges the fine detail of pictures, patch by patch: [N, 3, H, W] in [-1, 1] to logits [N, 1, H/4, W/4].

    It is given what a 3x3 mean takes away, four times as strong. A student's picture is everywhere within a few levels
    of the wanted one, and networks that saw whole pictures could not tell them apart in hundreds of steps; in the
    detail the difference is plain: where one draws a line, the other smears several.
    """

    def __init__(self, width: int = 32) -> None:
        super().__init__(
            nn.Conv2d(3, width, 4, 2, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, 2 * width, 4, 2, 1),
            nn.GroupNorm(1, 2 * width),
            nn.LeakyReLU(0.2),
            nn.Conv2d(2 * width, 4 * width, 3, 1, 1),
            nn.GroupNorm(1, 4 * width),
            nn.LeakyReLU(0.2),
            nn.Conv2d(4 * width, 1, 3, 1, 1),
        )

    def forward(self, picture: Tensor) -> Tensor:
        return super().forward(4 * (picture - F.avg_pool2d(picture, 3, 1, 1)))


class ProjectedDiscriminator(nn.Module):
    """Judges pictures by the maps of a frozen perceptual network, with one small head for each map.

    Projected GANs (Sauer et al., NeurIPS 2021): a network that knows pictures already needs far fewer of them to tell
    styles apart. Maps by layer, as the network gives them for pictures [N, 3, H, W], to logits [N, maps, H/8, W/8].
    The network itself stays outside: it is neither trained nor saved here.
    """

    def __init__(self, maps: Mapping[str, tuple[int, int]], width: int = 64) -> None:
        """`maps` gives each layer's channels and how many times smaller than the picture it is: 1, 2, 4 or 8."""
        super().__init__()
        self.heads = nn.ModuleDict(
            {name: _head(channels, 8 // scale, width) for name, (channels, scale) in maps.items()}
        )

    @classmethod
    def on(cls, perceptual: nn.Module, width: int = 64) -> Self:
        """Heads for all the maps that `perceptual` gives."""
        side = 64
        device = next(perceptual.parameters()).device
        with torch.no_grad():
            maps = perceptual(torch.zeros(1, 3, side, side, device=device))
        return cls({name: (map.shape[1], side // map.shape[2]) for name, map in maps.items()}, width)

    def forward(self, maps: Mapping[str, Tensor]) -> Tensor:
        return torch.cat([head(maps[name]) for name, head in self.heads.items()], 1)


def _head(inputs: int, shrink: int, width: int) -> nn.Sequential:
    """1x1 to `width` channels, 3x3 convolutions that halve the map until it is `shrink` times smaller, then logits."""
    layers: list[nn.Module] = [spectral_norm(nn.Conv2d(inputs, width, 1)), nn.LeakyReLU(0.2)]
    while shrink > 1:
        layers += _normed(width, width, 2)
        shrink //= 2
    return nn.Sequential(*layers, *_normed(width, width, 1), _conv(width, 1, 1))


def _conv(inputs: int, outputs: int, stride: int) -> nn.Module:
    return spectral_norm(nn.Conv2d(inputs, outputs, 3, stride, 1))


def _normed(inputs: int, outputs: int, stride: int) -> list[nn.Module]:
    return [_conv(inputs, outputs, stride), nn.GroupNorm(1, outputs), nn.LeakyReLU(0.2)]
