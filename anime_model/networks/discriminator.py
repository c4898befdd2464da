"""The patch discriminator of AnimeGANv2."""

from torch import Tensor, nn
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


def _conv(inputs: int, outputs: int, stride: int) -> nn.Module:
    return spectral_norm(nn.Conv2d(inputs, outputs, 3, stride, 1))


def _normed(inputs: int, outputs: int, stride: int) -> list[nn.Module]:
    return [_conv(inputs, outputs, stride), nn.GroupNorm(1, outputs), nn.LeakyReLU(0.2)]
