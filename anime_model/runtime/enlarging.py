"""A drawing at a working size brought to a picture's own: lines stay crisp and as thick a share of the picture.

A network draws lines of a pixel or two, whatever the size of the photo. So a large photo is drawn small, `stroke`
pixels along its short side, and very small networks enlarge the drawing twice or four times, as often as needed. What
is between a power of two and the wanted size, an exact reduction does. Only the small drawing is held whole: every part
of the large one is computed by itself, from as many of the drawing's pixels around it as it depends on, so that parts
and whole are equal.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from anime_model.pictures.message import Message, about
from anime_model.runtime.models import ENLARGERS
from anime_model.runtime.network import to_picture
from anime_model.runtime.session import ModelError, first_line, open_session, receptive_radius

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

STROKE = 720  # pixels of the short side of a drawing: chosen by looking
SMALLEST_STROKE = 64
STRETCH = 1.1  # by which an enlarged drawing is stretched at most, rather than doubled once more and reduced
TILE = 512  # pixels of the sides of a part of the large picture at least
RUN = {2: 340, 4: 1400}  # bytes for each pixel that goes into one run of a network
SUPPORT = 4  # pixels of the enlarged drawing around a place that the last, exact step looks at
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

    def __init__(
        self, drawing: np.ndarray, size: Size, threads: int, paths: Mapping[int, Path] = MappingProxyType(ENLARGERS)
    ) -> None:
        """Raises `FileNotFoundError`, `ModelError`."""
        self.drawing, self.size, self.paths = drawing, size, paths
        self.factors = factors(max(wanted / found for wanted, found in zip(size, drawing.shape[1::-1], strict=True)))
        self.sessions = {factor: _session(paths[factor], threads) for factor in self.factors}
        self.radii = {factor: _radius(paths[factor], session) for factor, session in self.sessions.items()}

    def parts(self, memory: int) -> Iterator[Box]:
        """Left, top, right and bottom of all parts, each computed within about `memory` bytes where they suffice."""
        side = TILE
        if self.factors:
            last = self.factors[-1]
            run = last * (int(math.sqrt(max(0, memory) / RUN[last])) - 4 * self.radii[last])  # pixels that it makes
            large = [length * math.prod(self.factors) for length in self.drawing.shape[1::-1]]
            share = min(wanted / found for wanted, found in zip(self.size, large, strict=True))
            side = max(TILE, int(run * share))
        for top in range(0, self.size[1], side):
            for left in range(0, self.size[0], side):
                yield left, top, min(left + side, self.size[0]), min(top + side, self.size[1])

    def part(self, box: Box) -> np.ndarray:
        """uint8 [height, width, 3] of one part."""
        spans, boxes = [], []
        for axis in (0, 1):
            large = self.drawing.shape[1 - axis] * math.prod(self.factors)
            ratio = large / self.size[axis]
            first, last = box[axis] * ratio, box[axis + 2] * ratio
            reach = math.ceil(SUPPORT * max(1, ratio))
            span = max(0, int(first) - reach), min(large, math.ceil(last) + reach)
            spans.append(span)
            boxes.append((first - span[0], last - span[0]))
        values = self._level(self.factors, spans[1], spans[0])
        enlarged = Image.fromarray(to_picture(values))
        exact = (boxes[0][0], boxes[1][0], min(boxes[0][1], enlarged.width), min(boxes[1][1], enlarged.height))
        return np.asarray(enlarged.resize((box[2] - box[0], box[3] - box[1]), Image.Resampling.LANCZOS, box=exact))

    def _level(self, factors: Sequence[int], rows: tuple[int, int], columns: tuple[int, int]) -> np.ndarray:
        """float32 [3, H, W] in [-1, 1]: rows and columns of the drawing enlarged by these factors one after another."""
        if not factors:
            return self.drawing[slice(*rows), slice(*columns)].transpose(2, 0, 1) * np.float32(1 / 127.5) - 1
        *earlier, factor = factors
        inner, beyond, cut = [], [], []
        for (first, last), length in zip((rows, columns), self.drawing.shape[:2], strict=True):
            start, stop = first // factor - self.radii[factor], -(-last // factor) + self.radii[factor]
            inside = max(0, start), min(length * math.prod(earlier), stop)
            inner.append(inside)
            beyond.append((inside[0] - start, stop - inside[1]))
            cut.append(slice(first - factor * start, last - factor * start))
        before = np.pad(self._level(earlier, *inner), ((0, 0), *beyond), mode="reflect")
        return self._run(factor, before)[:, cut[0], cut[1]]

    def _run(self, factor: int, values: np.ndarray) -> np.ndarray:
        try:
            (made,) = self.sessions[factor].run(["anime"], {"photo": values[None]})
        except Exception as error:  # the engine's own classes are not public
            why = Message("the model failed ({reason})", reason=first_line(error))
            raise ModelError(about(self.paths[factor], why)) from error
        return np.clip(made[0], -1, 1, out=made[0])


def factors(growth: float) -> list[int]:
    """How many times larger each network in turn makes a drawing that has to grow that much: 2 at first or not at all,
    then 4s, whose pixels are the fewest where they are early."""
    doublings = max(0, math.ceil(math.log2(growth / STRETCH)))
    return [2] * (doublings % 2) + [4] * (doublings // 2)


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


def _radius(path: Path, session: "InferenceSession") -> int:
    radius = receptive_radius(session)
    if radius is None:
        raise ModelError(f"{path}: does not say how far its colours depend on others (receptive_radius)")
    return radius


@cache
def _session(path: Path, threads: int) -> "InferenceSession":
    return open_session(path, threads)
