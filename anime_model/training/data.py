"""Pictures decoded once into memory, and crops of them that depend on the seed and the step alone."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from anime_model.pictures.arrays import picture_files, read_picture
from anime_model.pictures.sampling import spread


class DataError(ValueError):
    """A folder that does not hold the pictures that a stage needs."""


class Pictures:
    """A folder's pictures as uint8 [3, H, W] tensors on one device.

    Which crops a step sees is a pure function of (seed, step, rank): a resumed run sees what an unbroken one saw, and
    several processes see together what one with all their crops would see.
    """

    def __init__(self, folder: Path, device: torch.device | str = "cpu", smallest: int = 1) -> None:
        """Raises `DataError` where the folder has no picture whose short side is at least `smallest` pixels."""
        self.folder = folder
        arrays = [read_picture(file) for file in picture_files(folder)]
        large = [array for array in arrays if min(array.shape[:2]) >= smallest]
        if not large:
            raise DataError(f"{folder}: no picture of {smallest} px or more on its short side; lower the crop size")
        self.pictures = [torch.from_numpy(array).permute(2, 0, 1).contiguous().to(device) for array in large]

    def __len__(self) -> int:
        return len(self.pictures)

    def crops(self, count: int, size: int, draw: np.random.Generator, first: int = 0) -> Tensor:
        """`count` random, randomly mirrored square crops after the `first`: float32 [count, 3, size, size], -1 to 1."""
        places = [self._place(size, draw) for _ in range(first + count)]
        return to_float(torch.stack([self._crop(size, *place) for place in places[first:]]))

    def _place(self, size: int, draw: np.random.Generator) -> tuple[int, int, int, bool]:
        """Which picture, top, left, and whether it is mirrored."""
        picture = int(draw.integers(len(self.pictures)))
        height, width = self.pictures[picture].shape[1:]
        top, left = int(draw.integers(height - size + 1)), int(draw.integers(width - size + 1))
        return picture, top, left, bool(draw.integers(2))

    def _crop(self, size: int, picture: int, top: int, left: int, mirrored: bool) -> Tensor:
        crop = self.pictures[picture][:, top : top + size, left : left + size]
        return crop.flip(2) if mirrored else crop

    def fixed(self, count: int, size: int) -> Tensor:
        """The centre crops of the first `count` pictures spread over the folder: float32 [count, 3, size, size]."""
        chosen = [self.pictures[i] for i in spread(len(self.pictures), count)]
        return to_float(torch.stack([centre(picture, size) for picture in chosen]))


@dataclass(frozen=True)
class Sampler:
    """Crops of one folder, step by step. `stream` keeps apart the folders that one step draws from.

    Of a step's crops, process `rank` has those from `rank` x `batch` on.
    """

    pictures: Pictures
    batch: int
    size: int
    seed: int
    stream: int = 0
    rank: int = 0

    def __call__(self, step: int) -> Tensor:
        draw = np.random.default_rng([self.seed, self.stream, 0, step])
        return self.pictures.crops(self.batch, self.size, draw, first=self.rank * self.batch)


def to_float(pictures: Tensor) -> Tensor:
    """uint8 [0, 255] to float32 [-1, 1]."""
    return pictures.float() / 127.5 - 1


def to_uint8(pictures: Tensor) -> Tensor:
    """float [-1, 1] to uint8 [0, 255]."""
    return ((pictures.float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)


def centre(picture: Tensor, size: int) -> Tensor:
    top, left = (picture.shape[1] - size) // 2, (picture.shape[2] - size) // 2
    return picture[:, top : top + size, left : left + size]
