"""Photo to anime with ONNX Runtime: a picture in, a picture of the same kind out. Knows nothing of PyTorch."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from anime_model.pictures import images
from anime_model.pictures.cutouts import spread_colours
from anime_model.pictures.message import Message, about
from anime_model.runtime.enlarging import SMALLEST_STROKE, STROKE, enlarge, reduced, working_size
from anime_model.runtime.following import Following, is_alias
from anime_model.runtime.models import find_model
from anime_model.runtime.network import BASE, HELD, MEMORY, Network, to_levels, turned
from anime_model.runtime.palettes import LUMA, check_palette, grade
from anime_model.runtime.shapes import GIVEN_UP, WORTH, changed_shapes, strokes
from anime_model.runtime.smoothing import smoothed
from anime_model.runtime.tiles import MULTIPLE, stylize_tiles, stylize_whole

__all__ = ["MULTIPLE", "Look", "Stylizer"]
KEPT = 40_000_000  # bytes that the style's session holds on to after a drawing
STRIP = 64  # rows


@dataclass(frozen=True)
class Look:
    """What is done to the network's picture, pixel by pixel, in this order.

    `keep_colour` takes the chroma of the photo and only the luma of the drawing; `palette` names a grading of
    `palettes.PALETTES`; `strength` from 0 (the photo) to 1 (the drawing) blends the two.
    """

    palette: str | None = None
    strength: float = 1.0
    keep_colour: bool = False

    def __post_init__(self) -> None:
        check_palette(self.palette)
        if not 0 <= self.strength <= 1:
            raise ValueError(
                Message("strength is from 0 (the photo) to 1 (the drawing), not {strength}", strength=self.strength)
            )

    def apply(self, photo: np.ndarray, anime: np.ndarray) -> np.ndarray:
        """The photo and the drawing made of it, both uint8 RGB [H, W, 3], to the finished uint8 RGB [H, W, 3]."""
        if self == Look():
            return anime
        made = anime
        if self.keep_colour:  # equal steps of R, G and B are a step of luma at the same chroma
            made = to_levels(photo + (made @ LUMA - photo @ LUMA)[..., None])
        if self.palette:
            made = grade(made, self.palette)
        return to_levels(photo + self.strength * (made - photo.astype(np.float32)))


class Stylizer:
    """One model, called with a picture after a picture, from as many threads as you like.

    The session starts with the first picture, so that making a stylizer is free. `threads` is explicit because ONNX
    Runtime would otherwise take every core of the machine. `memory` in bytes is what the process shall stay under: a
    picture that would need more is made in overlapping tiles, where the model's file says how far they must overlap.

    A model that is named by an MLflow alias is followed: pictures that begin after another version got the alias are
    made with that one, as soon as it is loaded. One picture, with all its frames, is made with one model.

    `stroke` is the short side in pixels at which a larger picture is drawn, its texture smoothed, to be enlarged again
    with its lines crisp: they then are as thick a share of the picture at every size. 0 draws every picture at its own
    size and as it is. Unless told, it is what the model's file asks for, 720 where that does not say. It may
    ask for the size, up to another one, at which the network changes the shapes in a picture most: a few are tried.
    """

    def __init__(
        self,
        model: Path | str,
        threads: int = 2,
        memory: int = MEMORY,
        max_pixels: int = images.MAX_PIXELS,
        stroke: int | None = None,
        size: str | None = None,
    ) -> None:
        """`model`: a style that ships ("shinkai"), an ONNX file, or an MLflow model (`models:/NAME@ALIAS`).

        `size` of a style that ships: "nano" is the fastest, "lite" the default, "plus" the finest; `models.sizes` lists
        those that there are. Picture files with more than `max_pixels`, all frames together, are refused before they
        are decoded. Raises `FileNotFoundError` where there is none, `ModelError` where MLflow does not have it or the
        model has no such size.
        """
        self._made_of = (model, threads, memory, max_pixels, stroke, size)
        self.threads = threads
        self.memory = memory
        self.max_pixels = max_pixels
        self.stroke = stroke if stroke is None else _checked(stroke)
        self.size = size
        self._followed = Following(str(model), self._ready) if is_alias(model) and size is None else None
        self._network = None if self._followed else Network(find_model(model, size), threads, memory)

    def __reduce__(self) -> tuple:
        """For pools of processes: the model is opened anew in each."""
        return type(self), self._made_of

    def fixed(self) -> "Stylizer":
        """A stylizer that stays with the present version; itself where the model has no alias."""
        return self._followed.now() if self._followed else self

    def _ready(self, path: Path) -> "Stylizer":
        """A stylizer of a file, its session open."""
        stylizer = Stylizer(path, self.threads, self.memory, self.max_pixels, self.stroke)
        stylizer._network.session  # noqa: B018
        return stylizer

    @property
    def path(self) -> Path:
        return self.fixed()._network.path

    @property
    def version(self) -> str | None:
        """The registry's version that draws at the moment, where the model has an alias."""
        return self._followed.version if self._followed else None

    def __call__(
        self,
        picture: np.ndarray | Image.Image | bytes | Path | str,
        *,
        palette: str | None = None,
        strength: float = 1.0,
        keep_colour: bool = False,
        out: Path | str | None = None,
        stroke: int | None = None,
    ) -> np.ndarray | Image.Image | bytes | Path:
        """The picture drawn, of the same size and of the type that it came in.

        - uint8 RGB [H, W, 3], any H and W from 1 up: an array like it.
        - a Pillow image (its current frame): a new RGB or RGBA image, upright, with its profile and camera data.
        - the bytes of a picture file: the bytes of a file of the same format (PNG for HEIC), every frame.
        - the path of a picture file: the path of a new file, `out` or `<stem>-<style><suffix>` beside it; never the
          picture's own.

        `stroke`: for this picture, instead of the stylizer's own.

        Raises `ValueError` for anything else than such a picture (`PictureError` for a file that is none), `ModelError`
        for a model that cannot be used, `OSError` where the disk refuses.
        """
        if self._followed:
            options = {"palette": palette, "strength": strength, "keep_colour": keep_colour}
            return self.fixed()(picture, **options, out=out, stroke=stroke)
        look = Look(palette, strength, keep_colour)
        if out is not None and not isinstance(picture, str | Path):
            raise ValueError("out is for the path of a picture; of anything else the drawing is returned")
        if isinstance(picture, np.ndarray):
            return self._array(picture, look, stroke)
        if isinstance(picture, Image.Image):
            made = images.normalise(picture)
            self.draw(made, look, stroke=stroke)
            return made
        if isinstance(picture, str | Path) and out is not None and images.same_file(Path(picture), Path(out)):
            raise ValueError(about(Path(out), "would overwrite the picture itself; name another file"))
        found = images.decode(picture, self.max_pixels)
        stroke = self.stroke_of(found, stroke)
        for frame in found.frames:
            self.draw(frame, look, stroke=stroke)
        if isinstance(picture, str | Path):
            return self._to_file(found, Path(picture), out)
        stream = io.BytesIO()
        images.encode(found, stream, found.kind_written)
        return stream.getvalue()

    def draw(
        self,
        image: Image.Image,
        look: Look = Look(),
        tick: Callable[[], None] = lambda: None,
        stroke: int | None = None,
    ) -> None:
        """Replaces the pixels of an RGB or RGBA image in place; transparency stays. Raises `ModelError`.

        `tick` is called before every run of the network; what it raises ends the work.
        """
        if self._followed:
            return self.fixed().draw(image, look, tick, stroke)
        spread_colours(image)
        sketch = self._drawn_small(image, tick, stroke)
        if sketch is None:
            return self._draw_full(image, look, tick)
        self._enlarge(image, sketch, look, tick)

    def sketch(
        self, image: Image.Image, tick: Callable[[], None] = lambda: None, stroke: int | None = None
    ) -> np.ndarray:
        """The network's picture of an RGB or RGBA image alone, uint8 [h, w, 3], at the size at which it is drawn.

        `finish` makes every look of it without the network. Raises `ModelError`.
        """
        if self._followed:
            return self.fixed().sketch(image, tick, stroke)
        spread_colours(image)
        drawn = self._drawn_small(image, tick, stroke)
        if drawn is not None:
            return drawn
        if self._network.plan(*image.size[::-1]) is None:
            return self._network(np.asarray(image)[..., :3], tick=tick)
        made = image.copy()
        self._draw_full(made, Look(), tick)
        return np.asarray(made)[..., :3]

    def finish(
        self, image: Image.Image, sketch: np.ndarray, look: Look = Look(), tick: Callable[[], None] = lambda: None
    ) -> None:
        """Replaces the pixels of an image, of any size, by its `sketch` brought to that size, with a look. In place."""
        spread_colours(image)
        if sketch.shape[1::-1] != image.size:
            return self._enlarge(image, sketch, look, tick)
        for top in range(0, image.height, STRIP):
            tick()
            rows = slice(top, min(image.height, top + STRIP))
            pixels = np.asarray(image.crop((0, rows.start, image.width, rows.stop)))
            made = look.apply(pixels[..., :3], np.asarray(sketch[rows]))
            image.paste(Image.fromarray(np.concatenate([made, pixels[..., 3:]], axis=2)), (0, top))

    def _drawn_small(self, image: Image.Image, tick: Callable[[], None], stroke: int | None) -> np.ndarray | None:
        """The network's picture at a working size; of several, the one with the most change. None where the image is
        no larger than that."""
        tried = self._strokes(min(image.size), stroke)
        best, most = None, 0.0
        for each in tried:
            photo = smoothed(reduced(image, working_size(image.size, each)))
            made = self._network(photo, held=image.width * image.height, tick=tick)
            change = changed_shapes(photo, made) if len(tried) > 1 else 0.0
            if best is None or change > WORTH * most:
                best, most = made, change
            elif change <= GIVEN_UP * most:
                break
        return best

    def _strokes(self, short: int, stroke: int | None) -> list[int]:
        """Working sizes to try on a picture of that short side; none where it is drawn at its own."""
        first, most = self.strokes_for(stroke)
        return strokes(first, most, short) if first else []

    def _enlarge(self, image: Image.Image, sketch: np.ndarray, look: Look, tick: Callable[[], None]) -> None:
        room = self.memory - BASE - KEPT - HELD * image.width * image.height
        enlarge(image, sketch, look.apply, self.threads, room, tick)

    def _draw_full(self, image: Image.Image, look: Look, tick: Callable[[], None]) -> None:
        """Without a working size: the network sees every pixel of the picture."""
        cut = self._network.plan(*image.size[::-1])
        wide = cut is not None and image.width > image.height
        if cut is None:
            tick()
            pixels = np.asarray(image)
            anime = look.apply(pixels[..., :3], stylize_whole(pixels[..., :3], self._network.run))
            image.paste(Image.fromarray(np.concatenate([anime, pixels[..., 3:]], axis=2)))
            return

        def read(start: int, into: np.ndarray) -> None:
            for row in range(0, len(into), STRIP):  # a crop of the whole band would be two more copies of it
                stop = min(row + STRIP, len(into))
                box = (0, start + row, image.width, start + stop)
                box = (start + row, 0, start + stop, image.height) if wide else box
                into[row:stop] = turned(np.asarray(image.crop(box)), wide)

        def write(start: int, first: int, tile: np.ndarray) -> None:
            image.paste(Image.fromarray(turned(tile, wide)), (start, first) if wide else (first, start))

        def run(photo: np.ndarray) -> np.ndarray:
            tick()
            return self._network.tile(photo, look.apply, wide)

        stylize_tiles(read, write, cut, run, len(image.mode))

    def strokes_for(self, stroke: int | None = None) -> tuple[int, int]:
        """The smallest and the largest short side in pixels at which larger pictures are drawn, 0 for all of their
        pixels: as told here, as told this stylizer, or as the model's file asks for. Raises `ModelError`, and
        `ValueError` for a stroke of a few pixels."""
        first = most = self.stroke if stroke is None else stroke
        if first is None:
            first, most = self.fixed()._network.strokes
            first = STROKE if first is None else first
        return _checked(first), max(first, most or 0)

    def stroke_for(self, stroke: int | None = None) -> int:
        """The smallest of `strokes_for`: at this films are drawn."""
        return self.strokes_for(stroke)[0]

    def stroke_of(
        self,
        picture: images.Picture,
        stroke: int | None = None,
        tick: Callable[[], None] = lambda: None,
        sketch: np.ndarray | None = None,
    ) -> int | None:
        """The `stroke` to draw every frame of a picture file with: of an animation the one that suits its first frame,
        since all shall be drawn at one. `sketch`: that frame's, where it is made already. Raises `ModelError`."""
        fixed, first = self.fixed(), picture.frames[0]
        if not picture.animated or (sketch is None and len(fixed._strokes(min(first.size), stroke)) < 2):
            return stroke
        found = min((fixed.sketch(first, tick, stroke) if sketch is None else sketch).shape[:2])
        return found if found >= SMALLEST_STROKE else stroke

    @property
    def style(self) -> str:
        """The name that files made with this model get."""
        return self.path.stem

    def _array(self, picture: np.ndarray, look: Look, stroke: int | None) -> np.ndarray:
        if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[-1] != 3 or 0 in picture.shape:
            raise ValueError(f"expected a uint8 picture [H, W, 3], got {picture.dtype} {list(picture.shape)}")
        if not self._strokes(min(picture.shape[:2]), stroke):
            return self._network(picture, look.apply)
        image = Image.fromarray(picture)
        self.draw(image, look, stroke=stroke)
        return np.array(image)

    def _to_file(self, found: images.Picture, source: Path, out: Path | str | None) -> Path:
        suffix = source.suffix if images.kind_of(source) else ".png"
        target = Path(out) if out else source.with_name(f"{source.stem}-{self.style}{suffix}")
        images.write(found, target)
        return target


def _checked(stroke: int) -> int:
    """Raises `ValueError`: a stroke of a few pixels would leave nothing of a picture."""
    if stroke and stroke < SMALLEST_STROKE:
        text = "stroke is the short side in pixels, from {smallest} up, or 0 for full, not {stroke}"
        raise ValueError(Message(text, smallest=SMALLEST_STROKE, stroke=stroke))
    return stroke
