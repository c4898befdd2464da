"""Photos and a published network's drawings of them: the same crops of both, from the seed and the step alone."""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from anime_model.pictures.arrays import picture_files, read_picture
from anime_model.pictures.sampling import spread
from anime_model.reference.scales import drawing_file, scaled_crop, scaled_size
from anime_model.training.data import DataError, to_float

AHEAD = 2  # batches that are read while another one is learnt


class Drawings:
    """The photos of a folder in memory, and where their drawings lie; the drawings are read when a step wants them."""

    def __init__(self, photos: Path, drawings: Path, device: torch.device | str = "cpu") -> None:
        """Raises `DataError` where there are none."""
        self.device, self.folder = device, drawings
        self.photos = {file: Image.fromarray(read_picture(file)) for file in picture_files(photos)}
        scales = sorted(float(folder.name[1:]) for folder in drawings.glob("x*") if folder.is_dir())
        self.jobs = [
            (file, scale, scaled_size(photo.height, photo.width, scale))
            for file, photo in self.photos.items()
            for scale in scales
            if drawing_file(drawings, scale, file).exists()
        ]
        if not self.jobs:
            raise DataError(f"{drawings}: no drawings of {photos}; run the stage `reference` first")

    def fitting(self, side: int) -> list[tuple[Path, float, tuple[int, int]]]:
        """Photo, scale and size of all whose short side is at least `side` pixels. Raises `DataError`."""
        found = [job for job in self.jobs if min(job[2]) >= side]
        if not found:
            raise DataError(f"{self.folder}: no picture of {side} px or more on its short side; lower the crop size")
        return found

    def pair(self, job: tuple, side: int, corner: tuple[int, int], mirrored: bool = False) -> np.ndarray:
        """Photo and drawing, uint8 [2, side, side, 3], cut at `corner` (top, left) of the photo's scaled size."""
        file, scale, size = job
        path = drawing_file(self.folder, scale, file)
        drawing = read_picture(path)
        if drawing.shape[:2] != size:
            raise DataError(f"{path}: not of its photo's size; make the drawings anew")
        top, left = corner
        cut = drawing[top : top + side, left : left + side]
        both = np.stack([scaled_crop(self.photos[file], scale, corner, side), cut])
        return both[:, :, ::-1] if mirrored else both

    def fixed(self, count: int, side: int) -> tuple[Tensor, Tensor]:
        """Centre crops spread over the folder: photos and drawings, float32 [count, 3, side, side] in [-1, 1]."""
        jobs = self.fitting(side)
        chosen = [jobs[index] for index in spread(len(jobs), count)]
        corners = [((size[0] - side) // 2, (size[1] - side) // 2) for _, _, size in chosen]
        return self.batch([self.pair(job, side, corner) for job, corner in zip(chosen, corners, strict=True)])

    def batch(self, pairs: Sequence[np.ndarray]) -> tuple[Tensor, Tensor]:
        both = torch.from_numpy(np.ascontiguousarray(np.stack(pairs, axis=1).transpose(0, 1, 4, 2, 3)))
        photos, drawings = to_float(both.to(self.device))
        return photos, drawings


class DrawnSampler:
    """Pairs of crops, step by step, growing through the sizes `crops` over `steps`; batches are read ahead.

    What a step sees is a pure function of (seed, step, rank): a resumed run sees what an unbroken one saw, and several
    processes see together what one with all their crops would see.
    """

    def __init__(
        self, drawings: Drawings, batch: int, crops: Sequence[int], steps: int, seed: int, rank: int = 0
    ) -> None:
        self.drawings, self.batch, self.crops, self.steps = drawings, batch, tuple(crops), steps
        self.seed, self.rank = seed, rank
        self.jobs = {side: drawings.fitting(side) for side in self.crops}
        self.pool = ThreadPoolExecutor(2)
        self.waiting: dict[int, Future] = {}

    def side(self, step: int) -> int:
        """The size in pixels of the crops of a step."""
        return self.crops[min(step * len(self.crops) // max(self.steps, 1), len(self.crops) - 1)]

    def __call__(self, step: int) -> tuple[Tensor, Tensor]:
        """Photos and drawings, float32 [batch, 3, side, side] each, in [-1, 1]."""
        for ahead in range(step, min(step + AHEAD, max(self.steps, step + 1)) + 1):
            if ahead not in self.waiting:
                self.waiting[ahead] = self.pool.submit(self._read, ahead)
        self.waiting = {key: future for key, future in self.waiting.items() if key >= step}
        return self.drawings.batch(self.waiting[step].result())

    def _read(self, step: int) -> list[np.ndarray]:
        draw, side = np.random.default_rng([self.seed, 7, 0, step]), self.side(step)
        places = [self._place(draw, side) for _ in range((self.rank + 1) * self.batch)]
        return [self.drawings.pair(job, side, corner, mirrored) for job, corner, mirrored in places[-self.batch :]]

    def _place(self, draw: np.random.Generator, side: int) -> tuple[tuple, tuple[int, int], bool]:
        """Which photo at which scale, where the crop's corner is, and whether it is mirrored."""
        job = self.jobs[side][draw.integers(len(self.jobs[side]))]
        height, width = job[2]
        corner = int(draw.integers(height - side + 1)), int(draw.integers(width - side + 1))
        return job, corner, bool(draw.integers(2))
