"""Contact sheets: pictures in rows and columns, for people to compare."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from anime_model.networks.generator import Generator
from anime_model.pictures.arrays import write_picture
from anime_model.training.data import to_uint8


def write_sheet(path: Path, columns: Mapping[object, Tensor], gap: int = 4) -> None:
    """One column for every entry ([N, 3, S, S] in [-1, 1] each), one row for every picture, on white."""
    grid = torch.stack([to_uint8(pictures) for pictures in columns.values()], dim=1)
    rows, cols, _, height, width = grid.shape
    sheet = torch.full((3, rows * (height + gap) - gap, cols * (width + gap) - gap), 255, dtype=torch.uint8)
    for r in range(rows):
        for c in range(cols):
            top, left = r * (height + gap), c * (width + gap)
            sheet[:, top : top + height, left : left + width] = grid[r, c]
    write_picture(path, sheet.permute(1, 2, 0).numpy())


@torch.no_grad()
def render(generator: Generator, photos: Tensor) -> Tensor:
    """Pictures [N, 3, H, W] of the generator in evaluation mode, on the CPU."""
    return generator.cpu().eval()(photos.cpu())
