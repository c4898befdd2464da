"""Where `anime compress` begins: at the project's own networks of the style whose pictures are nearest to those wanted.

A network that draws lines and flat areas already learns another style's in minutes; from nothing that takes hours.
"""

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image

from anime_model.pictures.arrays import PictureError, read_picture
from anime_model.reference.network import PublishedNetwork
from anime_model.runtime.models import styles
from anime_model.runtime.stylizer import Stylizer
from flows.machine.environment import WORKSPACE
from flows.machine.hashes import file_md5

PHOTOS = 6  # by which styles are compared
SIDE = 384  # pixels of the squares that are compared
TEACHERS, STUDENTS = Path("models/teachers"), Path("models/under_way")


@dataclass(frozen=True)
class Start:
    """A full-width teacher and the lite network that learned beside it, files of the project, by their style's name."""

    style: str

    @property
    def teacher(self) -> Path:
        return TEACHERS / f"{self.style}.safetensors"

    @property
    def student(self) -> Path:
        return STUDENTS / f"{self.style}.safetensors"

    def pins(self, workspace: Path = WORKSPACE) -> tuple[tuple[str, str], tuple[str, str]]:
        """Teacher and lite network as a recipe names them: path in the project and md5."""
        teacher, student = ((path.as_posix(), file_md5(workspace / path)) for path in (self.teacher, self.student))
        return teacher, student


def starts(workspace: Path = WORKSPACE) -> dict[Start, Path]:
    """What can be begun from, with the style's model file: styles that ship and whose checkpoints are there."""
    found = {Start(name): model for name, model in styles().items()}
    return {start: model for start, model in found.items() if _complete(start, workspace)}


def _complete(start: Start, workspace: Path) -> bool:
    return all((workspace / path).is_file() for path in (start.teacher, start.student))


def nearest(reference: PublishedNetwork, files: list[Path], models: Mapping[Start, Path]) -> tuple[Start, float, float]:
    """The start whose style draws most as `reference` does, how far its pictures are, and how far the photos are.

    Distances are those of `apart`: 0 to 510. `files` are photos, of which a few are drawn. Raises
    `FileNotFoundError` where there is no start, `PictureError` where no photo can be read.
    """
    if not models:
        raise FileNotFoundError(f"{TEACHERS}, {STUDENTS}: no style has checkpoints in both; `git checkout models`")
    few = files[:: max(1, len(files) // PHOTOS)]
    others = [file for file in files if file not in set(few)]
    photos = [_square(photo) for photo in islice(readable([*few, *others]), PHOTOS)]
    if not photos:
        raise PictureError(f"{files[0].parent}: none of {len(files)} photos can be read")
    wanted = [reference(photo) for photo in photos]
    far = {start: _mean_apart(_drawn(model, photos), wanted) for start, model in models.items()}
    start = min(far, key=lambda one: far[one])
    return start, far[start], _mean_apart(photos, wanted)


def readable(files: Iterable[Path]) -> Iterator[np.ndarray]:
    """The pictures of files, without those that are damaged: `prepare` names these and sets them aside."""
    for file in files:
        with contextlib.suppress(PictureError):
            yield read_picture(file)


def _drawn(model: Path, photos: list[np.ndarray]) -> list[np.ndarray]:
    stylizer = Stylizer(model)
    return [np.asarray(stylizer(photo)) for photo in photos]


def _mean_apart(drawn: list[np.ndarray], wanted: list[np.ndarray]) -> float:
    return float(np.mean([apart(*pair) for pair in zip(drawn, wanted, strict=True)]))


def _square(picture: np.ndarray) -> np.ndarray:
    photo = Image.fromarray(picture)
    side = min(photo.size)
    left, top = ((length - side) // 2 for length in photo.size)
    return np.asarray(photo.resize((SIDE, SIDE), box=(left, top, left + side, top + side)))


def apart(one: np.ndarray, other: np.ndarray) -> float:
    """Mean difference of two uint8 pictures [H, W, 3] in levels, plus that of their steps from pixel to pixel."""
    change = one.astype(np.float32) - other
    steps = [np.abs(np.diff(change, axis=axis)).mean() for axis in (0, 1)]
    return float(np.abs(change).mean() + np.mean(steps))
