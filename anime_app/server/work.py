"""One picture: bytes in, bytes out, by what a request asks for."""

import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal

from PIL import Image
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from anime_app.bounds import Refused
from anime_app.server.settings import Service
from anime_model.pictures import images
from anime_model.pictures.arrays import PictureError
from anime_model.runtime.enlarging import SMALLEST_STROKE, STROKE
from anime_model.runtime.models import SIZE, sizes
from anime_model.runtime.palettes import PALETTES, check_palette
from anime_model.runtime.shares import memory_of
from anime_model.runtime.stylizer import Look, Stylizer

KINDS = {"jpeg": "JPEG", "png": "PNG", "webp": "WEBP", "avif": "AVIF", "gif": "GIF", "tiff": "TIFF"}
SUFFIXES = {"JPEG": ".jpg", "JPEG2000": ".jp2", "TIFF": ".tif"}


def _stroke(value: int) -> int:
    if value and value < SMALLEST_STROKE:
        raise ValueError(f"0, or {SMALLEST_STROKE} and more")
    return value


def _palette(value: str | None) -> str | None:
    check_palette(value)
    return value


class Options(BaseModel):
    """What is asked for, in the query or as fields of a form."""

    model_config = ConfigDict(extra="forbid")

    style: str | None = Field(None, description="a name of /v1/styles; the default unless told otherwise")
    network: str | None = Field(
        None, description=f"the size of the style's network, one of its networks in /v1/styles; {SIZE} unless told"
    )
    palette: Annotated[str | None, AfterValidator(_palette)] = Field(
        None, description=f"colours graded afterwards: {', '.join(PALETTES)}"
    )
    strength: float = Field(1.0, ge=0, le=1, allow_inf_nan=False, description="from 0, the photo, to 1, the drawing")
    keep_colour: bool = Field(False, description="the photo's colours with the drawing's light and lines")
    size: Annotated[int, AfterValidator(_stroke)] | None = Field(
        None,
        description="short side in pixels at which a larger picture is drawn, then enlarged; 0: at full size; unless "
        f"told what the style asks for, or {STROKE}",
    )
    max_side: int | None = Field(None, ge=1, le=100_000, description="shrinks the longer side to so many pixels")
    format: Literal["same", "jpeg", "png", "webp", "avif", "gif", "tiff"] = Field("same", description="of the answer")


@dataclass(frozen=True)
class Drawing:
    """A file that was made. `pixels` counts those of all frames."""

    data: bytes
    kind: str
    width: int
    height: int
    pixels: int

    @property
    def media_type(self) -> str:
        return Image.MIME.get(self.kind, "application/octet-stream")

    @property
    def suffix(self) -> str:
        return SUFFIXES.get(self.kind, f".{self.kind.lower()}")


class Painter:
    """The served styles by name, and those that ship in all their sizes. A session is opened once, for all workers."""

    def __init__(self, service: Service) -> None:
        """Raises `FileNotFoundError`, `ModelError`."""
        self.max_pixels = service.max_pixels
        settings = service.threads, memory_of(service.workers), service.max_pixels
        made = [Stylizer(style, *settings) for style in service.styles]
        self.stylizers = {stylizer.style: stylizer for stylizer in made}
        self.networks = {stylizer.style: _networks(stylizer, settings) for stylizer in made}

    def default(self, network: str | None = None) -> str:
        """The style of requests that name none: the first that has the network."""
        return next((style for style, sized in self.networks.items() if network in sized), next(iter(self.stylizers)))

    def style(self, options: Options) -> str:
        """The name of the style that is asked for, served or not."""
        return options.style or self.default(options.network)

    def open(self) -> None:
        """Opens every model. Raises `ModelError`."""
        others = [stylizer for sized in self.networks.values() for stylizer in sized.values()]
        for stylizer in dict.fromkeys([*self.stylizers.values(), *others]):
            stylizer.draw(Image.new("RGB", (64, 64)))

    def stylizer(self, options: Options) -> Stylizer:
        """Raises `Refused`: names are looked up and never opened, since a request may hold any text."""
        name = self.style(options)
        if name not in self.stylizers:
            raise Refused(422, f"style: no {name!r} is served: there is {', '.join(self.stylizers)}")
        if options.network is None:
            return self.stylizers[name]
        sized = self.networks[name]
        if options.network not in sized:
            there = f"there is {', '.join(sized)}" if sized else "it has one size"
            raise Refused(422, f"network: no {options.network!r} of {name}: {there}")
        return sized[options.network]

    def draw(self, data: bytes, options: Options, tick: Callable[[], None]) -> Drawing:
        """Every frame of a file. Raises `Refused` for what is no picture or too large, `ModelError`."""
        stylizer = self.stylizer(options).fixed()
        look = Look(options.palette, options.strength, options.keep_colour)
        try:
            picture = images.decode(data, self.max_pixels, options.max_side)
        except PictureError as error:
            raise Refused(422, _plain(str(error))) from error
        stroke = stylizer.stroke_of(picture, options.size, tick)
        for frame in picture.frames:
            stylizer.draw(frame, look, tick, stroke)
        kind = KINDS.get(options.format, picture.kind_written)
        stream = io.BytesIO()
        try:
            images.encode(picture, stream, kind)
        except ValueError as error:
            raise Refused(422, str(error)) from error
        width, height = picture.frames[0].size
        return Drawing(stream.getvalue(), kind, width, height, width * height * len(picture.frames))


def _networks(stylizer: Stylizer, settings: tuple) -> dict[str, Stylizer]:
    """A style that ships in its sizes, the fastest first; none for any other model."""
    found = sizes(stylizer.style)
    if stylizer.path != found.get(SIZE):
        return {}
    return {size: stylizer if size == SIZE else Stylizer(path, *settings) for size, path in found.items()}


def _plain(reason: str) -> str:
    """Why a picture is not read, without the command's own options."""
    return re.sub(r"^picture of \d+ bytes: ", "", reason).removesuffix(" (--max-pixels raises it)")
