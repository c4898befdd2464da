"""A drawing at a working size brought to a picture's own: lines stay crisp and as thick a share of the picture.

A network draws lines of a pixel or two, whatever the size of the photo. So a large photo is drawn small, `stroke`
pixels along its short side, and a very small network doubles the drawing as often as needed. What is between a power of
two and the wanted size, an exact reduction does. Only the small drawing is held whole: every part of the large one is
computed by itself, from as many of the drawing's pixels around it as it depends on, so that parts and whole are equal.
"""

import math
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from anime_model.pictures.message import Message, about
from anime_model.runtime.models import ENLARGER
from anime_model.runtime.network import to_picture
from anime_model.runtime.session import ModelError, first_line, open_session, receptive_radius

STROKE = 720  # pixels of the short side of a drawing: chosen by looking
SMALLEST_STROKE = 64
STRETCH = 1.1  # by which a doubled drawing is stretched at most, rather than doubled once more and reduced
TILE = 512  # pixels of the sides of a part of the large picture at least
RUN = 340  # bytes for each pixel that goes into one run of the network
SUPPORT = 4  # pixels of the doubled drawing around a place that the last, exact step looks at
BAND = 256  # rows of a photo that are copied at once while it is made small
Box = tuple[int, int, int, int]
Size = tuple[int, int]


def working_size(size: Size, stroke: int) -> Size | None:
    """The size at which a picture is drawn, None where that is its own: its short side is no longer than `stroke`."""
    short = min(size)
    if not stroke or short <= stroke:
        return None
    return tuple(max(1, round(side * stroke / short)) for side in size)


def reduced(image: Image.Image, size: Size) -> np.ndarray:
    """An RGB or RGBA picture made smaller, uint8 [height, width, 3]; colours that transparency hides count as any.

    The photo is read in bands: it is never copied whole.
    """
    made = np.empty((size[1], size[0], 3), np.uint8)
    ratio = image.height / size[1]
    rows = max(1, int(BAND / ratio))
    for start in range(0, size[1], rows):
        stop = min(size[1], start + rows)
        top, bottom = max(0, int((start - SUPPORT) * ratio)), min(image.height, math.ceil((stop + SUPPORT) * ratio))
        band = image.crop((0, top, image.width, bottom)).convert("RGB")
        box = (0, start * ratio - top, image.width, min(bottom, stop * ratio) - top)
        made[start:stop] = np.asarray(band.resize((size[0], stop - start), Image.Resampling.LANCZOS, box=box))
    return made


class Enlarged:
    """A drawing, uint8 [h, w, 3], as the picture of `size` (width, height) that it becomes; computed part by part."""

    def __init__(self, drawing: np.ndarray, size: Size, threads: int, path: Path = ENLARGER) -> None:
        """Raises `FileNotFoundError`, `ModelError`."""
        self.drawing, self.size, self.path = drawing, size, path
        self.session = _session(path, threads)
        self.radius = receptive_radius(self.session)
        if self.radius is None:
            raise ModelError(f"{path}: does not say how far its colours depend on others (receptive_radius)")
        growth = max(wanted / found for wanted, found in zip(size, drawing.shape[1::-1], strict=True))
        self.doublings = max(0, math.ceil(math.log2(growth / STRETCH)))

    def parts(self, memory: int) -> Iterator[Box]:
        """Left, top, right and bottom of all parts, each computed within about `memory` bytes where they suffice."""
        doubled = int(math.sqrt(max(0, memory) / RUN)) * 2 - 8 * self.radius  # before the exact reduction
        large = [side << self.doublings for side in self.drawing.shape[1::-1]]
        side = max(TILE, int(doubled * min(wanted / found for wanted, found in zip(self.size, large, strict=True))))
        for top in range(0, self.size[1], side):
            for left in range(0, self.size[0], side):
                yield left, top, min(left + side, self.size[0]), min(top + side, self.size[1])

    def part(self, box: Box) -> np.ndarray:
        """uint8 [height, width, 3] of one part."""
        spans, boxes = [], []
        for axis in (0, 1):
            large = self.drawing.shape[1 - axis] << self.doublings
            ratio = large / self.size[axis]
            first, last = box[axis] * ratio, box[axis + 2] * ratio
            reach = math.ceil(SUPPORT * max(1, ratio))
            span = max(0, int(first) - reach), min(large, math.ceil(last) + reach)
            spans.append(span)
            boxes.append((first - span[0], last - span[0]))
        values = self._level(self.doublings, spans[1], spans[0])
        doubled = Image.fromarray(to_picture(values))
        exact = (boxes[0][0], boxes[1][0], min(boxes[0][1], doubled.width), min(boxes[1][1], doubled.height))
        return np.asarray(doubled.resize((box[2] - box[0], box[3] - box[1]), Image.Resampling.LANCZOS, box=exact))

    def _level(self, level: int, rows: tuple[int, int], columns: tuple[int, int]) -> np.ndarray:
        """float32 [3, H, W] in [-1, 1]: rows and columns of the drawing doubled `level` times."""
        if level == 0:
            return self.drawing[slice(*rows), slice(*columns)].transpose(2, 0, 1) * np.float32(1 / 127.5) - 1
        inner, beyond, cut = [], [], []
        for (first, last), length in zip((rows, columns), self.drawing.shape[:2], strict=True):
            start, stop = first // 2 - self.radius, -(-last // 2) + self.radius
            inside = max(0, start), min(length << level - 1, stop)
            inner.append(inside)
            beyond.append((inside[0] - start, stop - inside[1]))
            cut.append(slice(first - 2 * start, last - 2 * start))
        before = np.pad(self._level(level - 1, *inner), ((0, 0), *beyond), mode="reflect")
        return self._double(before)[:, cut[0], cut[1]]

    def _double(self, values: np.ndarray) -> np.ndarray:
        try:
            (made,) = self.session.run(["anime"], {"photo": values[None]})
        except Exception as error:  # the engine's own classes are not public
            why = Message("the model failed ({reason})", reason=first_line(error))
            raise ModelError(about(self.path, why)) from error
        return np.clip(made[0], -1, 1, out=made[0])


def enlarge(
    image: Image.Image,
    drawing: np.ndarray,
    finish: Callable[[np.ndarray, np.ndarray], np.ndarray],
    threads: int,
    memory: int,
    tick: Callable[[], None] = lambda: None,
) -> None:
    """Replaces the pixels of an RGB or RGBA image, part by part, by those of a drawing [h, w, 3] of it.

    `finish(photo, anime)` is done to the pixels of each part; transparency stays; `tick` is called before each part.
    """
    large = Enlarged(drawing, image.size, threads)
    for box in large.parts(memory):
        tick()
        photo = np.asarray(image.crop(box))
        made = finish(photo[..., :3], large.part(box))
        image.paste(Image.fromarray(np.concatenate([made, photo[..., 3:]], axis=2)), box[:2])


@cache
def _session(path: Path, threads: int):
    return open_session(path, threads)
