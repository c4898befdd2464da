"""Skin without its pores, before a published network draws it: a target that leaves out a fault of that network.

AnimeGANv3's networks make hard patches and cracks of freckles, stubble and pores. Of a photo whose skin is smooth they
make the flat areas of a drawing, and a student learns these for the photo as it is.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

STEPS = 30  # of the projection: 300 make half a level of 255 of difference, on average
CB, CR = (77, 127), (133, 173)  # levels of skin in YCbCr: Chai and Ngan, IEEE CSVT 9 (1999)
LEAST = 1e-4  # weight with which nothing changes
SOFT = 9  # pixels over which the border of what is skin fades


def calmed(photo: Tensor, weight: Tensor) -> Tensor:
    """[N, 3, H, W] in [-1, 1], what has the colour of skin flattened by `weight` [N]; 0 leaves a picture as it is."""
    if not weight.any():
        return photo
    weight = weight.to(photo).view(-1, 1, 1, 1)
    return torch.lerp(photo, flattened(photo, weight.clamp_min(LEAST)), skin(photo) * (weight > 0))


def flattened(photo: Tensor, weight: Tensor | float) -> Tensor:
    """[N, C, H, W] in [-1, 1] with less total variation, each channel alone: 0.05 takes pores, 0.2 most shades.

    Rudin, Osher and Fatemi, Physica D 60 (1992), by Chambolle's projection, JMIV 20 (2004); `weight` is that of values
    in [0, 1], as in scikit-image.
    """
    image = (photo + 1) / 2
    dual = image.new_zeros(2, *image.shape)
    for _ in range(STEPS):
        slope = _gradient(image - _divergence(dual))
        size = slope.square().sum(0).sqrt()
        dual = (dual - slope / 4) / (1 + size / (4 * weight))
    return (image - _divergence(dual)).clamp(0, 1) * 2 - 1


def skin(photo: Tensor) -> Tensor:
    """How far each pixel of [N, 3, H, W] in [-1, 1] has the colour of skin: [N, 1, H, W] in [0, 1]."""
    red, green, blue = (127.5 * (photo + 1)).split(1, dim=1)
    cb = 128 - 0.168736 * red - 0.331264 * green + 0.5 * blue
    cr = 128 + 0.5 * red - 0.418688 * green - 0.081312 * blue
    inside = (cb > CB[0]) & (cb < CB[1]) & (cr > CR[0]) & (cr < CR[1])
    return F.avg_pool2d(inside.to(photo), SOFT, stride=1, padding=SOFT // 2, count_include_pad=False)


def _gradient(image: Tensor) -> Tensor:
    """Differences to the next row and the next column, 0 at the last: [2, N, C, H, W]."""
    down = F.pad(image.diff(dim=-2), (0, 0, 0, 1))
    right = F.pad(image.diff(dim=-1), (0, 1))
    return torch.stack([down, right])


def _divergence(dual: Tensor) -> Tensor:
    """Differences to the row and to the column before, added: minus the adjoint of `_gradient`."""
    down, right = dual
    made = down + right
    made[..., 1:, :] -= down[..., :-1, :]
    made[..., 1:] -= right[..., :-1]
    return made
