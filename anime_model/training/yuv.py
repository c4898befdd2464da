"""RGB to luma and chroma and back. Pictures are [N, 3, H, W], RGB in [-1, 1]."""

import torch
from torch import Tensor

# ITU-R BT.601: R, G, B to Y, U, V.
YUV = ((0.299, 0.587, 0.114), (-0.14713, -0.28886, 0.436), (0.615, -0.51499, -0.10001))


def to_yuv(picture: Tensor) -> Tensor:
    """RGB in [-1, 1] to YUV with Y in [0, 1] (ITU-R BT.601)."""
    matrix = torch.tensor(YUV, dtype=picture.dtype, device=picture.device)
    return torch.einsum("yc,nchw->nyhw", matrix, (picture + 1) / 2)


def from_yuv(yuv: Tensor) -> Tensor:
    """YUV with Y in [0, 1] to RGB in [-1, 1], beyond it where YUV is."""
    matrix = torch.linalg.inv(torch.tensor(YUV, dtype=yuv.dtype, device=yuv.device))
    return torch.einsum("cy,nyhw->nchw", matrix, yuv) * 2 - 1


def to_grey(picture: Tensor) -> Tensor:
    """Luma on all three channels, in [-1, 1]."""
    return (to_yuv(picture)[:, :1] * 2 - 1).expand(-1, 3, -1, -1)
