"""What every network has to be compared with: the untouched photo, a filter without any network, a published network.

Without them a table flatters: a network that changes nothing is near to a teacher that changes little.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch

from anime_model.metrics.footprint import footprint
from anime_model.metrics.latency import onnx_run
from anime_model.pictures.arrays import picture_files, read_picture
from anime_model.pictures.sampling import spread
from anime_model.recipes.abstraction import AbstractionSettings
from anime_model.training.abstraction import ColourTransfer, abstract
from anime_model.training.data import to_float, to_uint8

PHOTO, FILTER, REFERENCE = "photo", "filter", "reference"
BASELINES = (PHOTO, FILTER, REFERENCE)  # in the order of a table
# The same for all recipes, so that figures of two of them compare: those of recipes/teachers.yaml.
ABSTRACTION = AbstractionSettings(rounds=3, range=0.05, lines=0.9, sharpen=1.0, palette=0.5)
PICTURES = 400  # of which a palette is read

Draw = Callable[[np.ndarray], np.ndarray]  # a uint8 RGB picture [H, W, 3] to another of the same size


@dataclass(frozen=True)
class Reference:
    """A published network: what it makes of a picture, and its ONNX file, which is weighed and timed."""

    draw: Draw
    file: Path


def filter_of(data: Path) -> Draw:
    """The filter of `anime_model/training/abstraction.py` in the palette of a prepared folder's frames."""
    photos, frames = (map(_tensor, _spread_over(data / name)) for name in ("photos/train", "frames"))
    return partial(filtered, settings=ABSTRACTION, palette=ColourTransfer.between(photos, frames, ABSTRACTION.palette))


def _spread_over(folder: Path) -> Iterator[np.ndarray]:
    """At most `PICTURES` pictures: more tell nothing new of a palette."""
    files = picture_files(folder)
    return (read_picture(files[index]) for index in spread(len(files), PICTURES))


def weight_of(file: Path, threads: int) -> dict[str, float | int]:
    """The footprint of a published network; of a graph that cannot be counted as ours are, its bytes alone."""
    try:
        return footprint(file, threads)
    except Exception:  # other people's graphs fail in every way that ONNX and ONNX Runtime know
        return {"bytes": file.stat().st_size}


def runs_at(file: Path, size: int, threads: int) -> bool:
    """Whether a published network runs as it is on a picture of `size` x `size` px; one that fixes its size may not."""
    try:
        onnx_run(file, np.zeros((1, 3, size, size), np.float32), threads)()
    except Exception:  # as above
        return False
    return True


def filtered(photo: np.ndarray, settings: AbstractionSettings, palette: ColourTransfer) -> np.ndarray:
    """[H, W, 3] of bytes to the same."""
    return through(lambda batch: abstract(batch, settings, palette), photo)


def through(make: Callable[[torch.Tensor], torch.Tensor], photo: np.ndarray) -> np.ndarray:
    """A uint8 picture [H, W, 3] through what makes float batches [N, 3, H, W] in [-1, 1] of such batches."""
    return to_uint8(make(to_float(_tensor(photo)[None])))[0].permute(1, 2, 0).numpy()


def _tensor(picture: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1)
