"""A model file as a function of photos of any size: RGB in, RGB out, in tiles where a picture is big."""

import threading
from collections.abc import Callable
from functools import cached_property, partial
from pathlib import Path

import numpy as np

from anime_model.pictures.message import Message, about
from anime_model.runtime.session import (
    ModelError,
    first_line,
    open_session,
    receptive_radius,
    releasing,
    wanted_strokes,
)
from anime_model.runtime.tiles import Cut, plan, stylize_tiles, stylize_whole

MEMORY = 550_000_000  # bytes: what a process that makes one picture shall stay under
BASE = 90_000_000  # of them, for Python, the engine and a band of the picture
HELD, RUN = 4, 420  # bytes for each pixel of the picture, and for each in one run of a network (the lite ones)
SMALLEST = 100_000  # pixels in one run, however little memory there is: below it overlaps are most of the work
MANY = 4  # times a drawing's pixels from which on a picture's enlargement needs the memory more than the next drawing
Finish = Callable[[np.ndarray, np.ndarray], np.ndarray]


class Network:
    """One file, run by as many threads as you like. Its session opens with the first picture."""

    def __init__(self, path: Path, threads: int = 2, memory: int = MEMORY) -> None:
        self.path, self.threads, self.memory = path, threads, memory
        self._opening = threading.Lock()

    def __call__(
        self,
        photo: np.ndarray,
        finish: Finish = lambda photo, anime: anime,
        held: int | None = None,
        tick: Callable[[], None] = lambda: None,
    ) -> np.ndarray:
        """uint8 RGB [H, W, 3], any H and W from 1, to the picture of it, of the same size.

        `finish(photo, anime)` is done to every pixel of what the network makes. `held`: pixels of the picture that is
        in memory meanwhile, where that is not the photo. `tick` is called before every run; what it raises ends the
        work. Raises `ModelError`.
        """
        cut = self.plan(*photo.shape[:2], held)
        if cut is None:
            tick()
            enlarged = held is not None and held > MANY * photo.shape[0] * photo.shape[1]
            return finish(photo, stylize_whole(photo, partial(self.run, release=True) if enlarged else self.run))
        wide = photo.shape[1] > photo.shape[0]
        made = np.empty_like(photo)
        source, target = turned(photo, wide), turned(made, wide)

        def write(start: int, first: int, tile: np.ndarray) -> None:
            target[start : start + tile.shape[0], first : first + tile.shape[1]] = tile

        def read(start: int, into: np.ndarray) -> None:
            into[:] = source[start : start + len(into)]

        def run(tile: np.ndarray) -> np.ndarray:
            tick()
            return self.tile(tile, finish, wide)

        stylize_tiles(read, write, cut, run)
        if held is not None:  # its enlargement needs the memory; once for all tiles, since each would ask for it again
            self.run(np.zeros((8, 8, 3), np.uint8), release=True)
        return made

    def plan(self, height: int, width: int, held: int | None = None) -> Cut | None:
        """How to cut a picture, None where it goes through the network whole."""
        most = max(SMALLEST, (self.memory - BASE - HELD * (held or height * width)) // RUN)
        if height * width <= most or (radius := self._radius) is None:
            return None
        return plan(max(height, width), min(height, width), radius, most)

    def tile(self, photo: np.ndarray, finish: Finish, wide: bool) -> np.ndarray:
        """One padded tile, with its transparency if it has any, as it lies in the band."""
        upright = turned(photo, wide)
        made = finish(upright[..., :3], self.run(upright[..., :3]))
        return turned(np.concatenate([made, upright[..., 3:]], axis=2), wide)

    def run(self, photo: np.ndarray, release: bool = False) -> np.ndarray:
        """uint8 RGB [H, W, 3], H and W multiples of 4, through the network.

        `release`: the engine gives its working memory back, some 250 bytes a pixel, which takes it some milliseconds.
        """
        batch = np.empty((1, 3, *photo.shape[:2]), np.float32)
        np.multiply(photo.transpose(2, 0, 1), np.float32(1 / 127.5), out=batch[0])
        batch -= 1
        try:
            options = (releasing(),) if release else ()
            (anime,) = self.session.run(["anime"], {"photo": batch}, *options)
        except Exception as error:  # the engine's own classes are not public
            why = Message("the model failed ({reason})", reason=first_line(error))
            raise ModelError(about(self.path, why)) from error
        if anime.shape != batch.shape:
            shapes = {"made": str(list(anime.shape)), "photo": str(list(batch.shape))}
            raise ModelError(about(self.path, Message("made {made} of a photo {photo}", **shapes)))
        if np.isnan(anime.min()):
            raise ModelError(about(self.path, "made values that are no numbers (NaN)"))
        return to_picture(anime[0])

    @cached_property
    def _radius(self) -> int | None:
        return receptive_radius(self.session)

    @cached_property
    def strokes(self) -> tuple[int | None, int | None]:
        """The short side at which this network wants larger pictures drawn, and the largest up to which others are
        worth a trial; None where its file does not say. Raises `ModelError`."""
        return wanted_strokes(self.session)

    @cached_property
    def session(self):
        with self._opening:  # one thread opens the file, the others wait for it
            if "session" not in vars(self):
                vars(self)["session"] = open_session(self.path, self.threads)
            return vars(self)["session"]


def to_picture(planes: np.ndarray) -> np.ndarray:
    """What a network made, float32 [3, H, W] in [-1, 1], as a picture, uint8 [H, W, 3], contiguous.

    `planes` is overwritten: memory that is new to the process takes longer than the arithmetic. It is put together
    plane by plane, which numpy does in half the time of a transposed copy.
    """
    made = np.empty((*planes.shape[1:], len(planes)), np.uint8)
    for channel, plane in enumerate(planes):
        plane += 1
        plane *= 127.5
        made[..., channel] = to_levels(plane)
    return made


def to_levels(values: np.ndarray) -> np.ndarray:
    """Values of any range to the nearest of 0 to 255, uint8, contiguous."""
    values = np.rint(values, out=values)
    return np.clip(values, 0, 255, out=values).astype(np.uint8, order="C")


def turned(array: np.ndarray, turn: bool) -> np.ndarray:
    """[H, W, C] as it is, or as [W, H, C]; a view."""
    return array.transpose(1, 0, 2) if turn else array
