"""What `anime stylize` does to one picture, whichever engine runs it: read, draw, and say in one line why not."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from anime_model.pictures import images
from anime_model.runtime.stylizer import Look, Stylizer
from anime_model.runtime.video import Draw, FilmReport


@dataclass(frozen=True)
class Order:
    """What is to become of every picture. `compare`: before | after; `max_size` in pixels of the longer side."""

    look: Look
    compare: bool = False
    max_pixels: int = images.MAX_PIXELS
    max_size: int | None = None

    def read(self, source: Path | BinaryIO, admit: Callable[[int], None] = lambda pixels: None) -> images.Picture:
        """The picture of a file or a named stream; `admit` hears first of the pixels that it needs.

        Raises `PictureError`.
        """
        # the same picture once more stands beside it while before and after are put together
        room = 3 if self.compare else 1
        return images.decode(source, self.max_pixels, self.max_size, lambda pixels: admit(room * pixels))

    def draw(
        self, picture: images.Picture, stylizer: Stylizer, tick: Callable[[], None] = lambda: None
    ) -> images.Picture:
        """Every frame drawn; `tick` is called before every run of the network. Raises `ModelError`."""
        stroke = stylizer.stroke_of(picture, tick=tick)
        picture.frames = [self._drawn(frame, stylizer, tick, stroke) for frame in picture.frames]
        return picture

    def _drawn(
        self, frame: Image.Image, stylizer: Stylizer, tick: Callable[[], None], stroke: int | None
    ) -> Image.Image:
        """The frame drawn in place, or a new one with the photo on the left and the drawing on the right."""
        photo = frame.copy() if self.compare else None
        stylizer.draw(frame, self.look, tick, stroke)
        return frame if photo is None else beside(photo, frame)


def beside(photo: Image.Image, drawing: Image.Image) -> Image.Image:
    """Before | after: one picture of twice the width."""
    both = Image.new(photo.mode, (photo.width * 2, photo.height))
    both.paste(photo, (0, 0))
    both.paste(drawing, (photo.width, 0))
    return both


def frames_by(stylizer: Stylizer, look: Look, stroke: int | None = None) -> Draw:
    """What draws the frames of a film, all at one working size: `stroke`, or the smallest that the model asks for."""
    how = {"palette": look.palette, "strength": look.strength, "keep_colour": look.keep_colour}
    return lambda photo: stylizer(photo, **how, stroke=stylizer.stroke_for(stroke))


def about_film(source: Path | str, target: Path | str, made: FilmReport, steady: bool) -> list[str]:
    """Lines for people about a film that was made."""
    found = [f"{source}: {note}" for note in made.notes]
    if made.flicker_drawn is None:
        return found
    after = f", held still: {made.flicker_kept:.2f}" if steady else ""
    flicker = f"flicker in levels of 255: {made.flicker_drawn:.2f}{after}"
    return [f"{target}: {made.frames} frames; {flicker}", *found]


def reason(source: Path | str, target: Path | str, error: Exception) -> str:
    """One line for one picture that was not made."""
    if isinstance(error, OSError) and error.strerror:
        return f"{target}: {error.strerror.lower()}"
    if isinstance(error, MemoryError):
        return f"{source}: not enough memory"
    text = str(error) or type(error).__name__
    return text if text.startswith((str(source), str(target))) else f"{source}: {text}"
