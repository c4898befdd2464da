"""Pictures of any sizes as batches for a network."""

from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np
import torch
from torch import Tensor

PIXELS, MOST = 2**20, 16  # in one batch: enough to keep a processor busy, little enough for its memory


def batches(pictures: Sequence[np.ndarray]) -> Iterator[Tensor]:
    """uint8 RGB pictures [H, W, 3], in order, as uint8 batches [N, 3, H, W] of neighbours of one size."""
    for (height, width, _), group in groupby(pictures, key=lambda picture: picture.shape):
        same = list(group)
        count = max(1, min(MOST, PIXELS // (height * width)))
        for start in range(0, len(same), count):
            yield torch.from_numpy(np.stack(same[start : start + count]).transpose(0, 3, 1, 2))


def pairs(pictures: Sequence[np.ndarray], references: Sequence[np.ndarray]) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of two collections side by side. Raises `ValueError` where the pictures are not one for one of a size."""
    shapes = [[picture.shape for picture in side] for side in (pictures, references)]
    if shapes[0] != shapes[1] or not shapes[0]:
        raise ValueError("pictures are compared in pairs of one size, and there must be at least one pair")
    return zip(batches(pictures), batches(references), strict=True)
