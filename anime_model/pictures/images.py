"""Pictures as files have them (frames, transparency, colour profile, camera data) in, and back to files.

`pictures.py` gives training plain RGB arrays; this module loses nothing that a person would miss. Pixels stay in
Pillow's own memory, 4 bytes each, where they are replaced tile by tile: a big picture is never held twice.
"""

import io
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageCms, ImageSequence, UnidentifiedImageError
from PIL import features as pillow_features

from anime_model.pictures.arrays import MAX_PIXELS, ORIENTATION, TURNS, PictureError, _reason
from anime_model.pictures.atomic import whole_file
from anime_model.pictures.deep import gamma_levels, is_deep, to_eight_bits
from anime_model.pictures.gif import COLOURS, on_one_palette
from anime_model.pictures.hdr import brought_to_sdr
from anime_model.pictures.message import Message, about, hinted, message_of
from anime_model.pictures.opening import HDR, check_file, load, open_picture, why_not_read
from anime_model.pictures.tiff import ICC

LARGE = 16_000_000  # pixels from which a turned copy in memory is avoided
BAND = 128  # rows or columns of such a picture that are turned at once
SRGB = "sRGB"
WRITTEN = ("JPEG", "PNG", "WEBP", "AVIF", "GIF", "TIFF", "BMP", "PPM", "JPEG2000")
ANIMATED = ("GIF", "WEBP", "PNG", "AVIF", "TIFF")  # written with every frame; of others the first is written
READ_ANIMATED = ("GIF", "WEBP", "PNG", "AVIF", "TIFF")  # further pictures of an MPO are previews and depth maps
NO_PROFILE = ("GIF", "BMP", "PPM", "JPEG2000")  # cannot carry a colour profile: colours are made sRGB instead
GREY = (".pgm", ".pbm")  # Pillow would write colours into files of these names; .ppm holds them
BARE = (".j2k", ".j2c", ".jpc")
NO_ALPHA = ("JPEG", "BMP", "PPM")
# what a TIFF says about the photo; its other tags say how the old file stored it, down to the kind of its numbers
TIFF_ABOUT = {0x010E, 0x010F, 0x0110, 0x0131, 0x0132, 0x013B, 0x8298, 0x8769, 0x8825, *range(0x9C9B, 0x9CA0)}
STRUCTURAL = range(0x00FE, 0x0215)
# profile, Photoshop's own data and layers, and what makes a digital negative of a TIFF
OLD_FILE = {0x8773, 0x83BB, 0x8649, 0x935C, *range(0xC612, 0xC7FF)}
MAKER_NOTE = 0x927C
LONGEST_JPEG = 65_500  # pixels of a side
MOST_EXIF = 65_533  # bytes that JPEG holds in one segment
EXIF_BLOCK, GPS_BLOCK, EXIF_WIDTH, EXIF_HEIGHT = 0x8769, 0x8825, 0xA002, 0xA003
Size = tuple[int, int]


@dataclass
class Picture:
    """A decoded file. `frames` are upright, RGB or RGBA, each in memory that nobody else uses; `kind` is Pillow's name.

    `durations` in milliseconds and `loop` (times, 0 for ever, None not said) are those of an animation.
    """

    frames: list[Image.Image]
    kind: str
    icc: bytes | None = None
    exif: bytes | None = None
    dpi: tuple[float, float] | None = None
    durations: list[int] = field(default_factory=list)
    loop: int | None = None
    default_image: bool = False  # the first frame is what viewers without animation show, and not part of it

    @property
    def animated(self) -> bool:
        """Whether the frames follow each other in time; those of a TIFF are pages."""
        return len(self.frames) > 1 and self.kind != "TIFF"

    @property
    def kind_written(self) -> str:
        """Pillow's name of its own format, of PNG where that is not written here."""
        return self.kind if self.kind in WRITTEN else "PNG"


def decode(
    source: Path | str | bytes | BinaryIO,
    max_pixels: int = MAX_PIXELS,
    max_size: int | None = None,
    admit: Callable[[int], None] = lambda pixels: None,
) -> Picture:
    """A picture file, its bytes or a stream of them. `max_size` shrinks the longer side to that many pixels.

    `admit` is called with the number of pixels before they are decoded, and may wait until there is room for them.
    Raises `PictureError`: one line with the name and the reason.
    """
    name = _name(source)
    try:
        with _stream(source) as stream, open_picture(stream) as image:
            frames = _frame_count(image)
            pixels = image.width * image.height * frames
            if pixels > max_pixels:
                raise PictureError(_too_many(name, image.size, frames, max_pixels))
            admit(pixels)
            return _picture(image, frames, max_size)
    except PictureError:
        raise
    except Exception as error:  # decoders raise almost anything on broken data
        why = why_not_read(Path(name)) if isinstance(error, UnidentifiedImageError) else None
        raise PictureError(about(name, why or _reason(error))) from error


def normalise(image: Image.Image) -> Image.Image:
    """Any Pillow image (its current frame) as an upright RGB or RGBA copy; `info` keeps profile and camera data."""
    exif = _exif(image)
    image.load()
    exif, icc = exif or _exif(image), image.info.get("icc_profile")
    made, icc = _to_colour(image.copy(), icc)
    made = _upright(made, exif.get(ORIENTATION) if exif else None)
    kept = {"icc_profile": icc, "exif": _without_turn(exif, made.size), "dpi": image.info.get("dpi")}
    made.info = {key: value for key, value in kept.items() if value}
    return made


def encode(picture: Picture, stream: BinaryIO, kind: str, bare: bool = False) -> None:
    """Writes `picture` to a stream that can seek, in the format `kind`, one of `WRITTEN`.

    Frames, durations, profile and camera data are written where the format holds them. JPEG is written at quality 95
    without halving its chroma, which would make the colour edges of a drawing bleed. Raises `ValueError` with one line
    where the format cannot hold the picture (WebP ends at 16,383 pixels a side), `OSError` where the disk refuses.
    `bare`: JPEG 2000 without the boxes around it, as in files named .j2k.
    """
    frames = [_fitting(frame, picture.icc, kind) for frame in _frames_for(picture, kind)]
    if kind == "JPEG" and max(frames[0].size) > LONGEST_JPEG:  # libjpeg would call the picture damaged
        raise ValueError(_not_written(kind, f"at most {LONGEST_JPEG} pixels a side"))
    clear = any(frame.mode == "RGBA" for frame in frames)
    if kind == "GIF" and (clear or len(frames) > 1):  # Pillow alone would make soft edges opaque, and clear parts too
        frames = on_one_palette(frames)
    try:
        options = _options(picture, kind, frames, clear) | ({"no_jp2": True} if bare else {})
        frames[0].save(stream, format=kind, **options)
    except OSError as error:
        if error.errno:
            raise
        raise ValueError(_not_written(kind, _reason(error))) from error
    except (ValueError, RuntimeError, OverflowError, SystemError) as error:
        raise ValueError(_not_written(kind, _reason(error))) from error


def _not_written(kind: str, reason: str) -> Message:
    return Message("cannot be written as {kind} ({reason})", kind=kind, reason=reason)


def write(picture: Picture, path: Path) -> None:
    """Writes `picture` to `path` in the format of its suffix, whole or not at all. Raises `ValueError`, `OSError`."""
    kind = kind_of(path)
    if kind is None:
        raise ValueError(f"{path}: cannot write pictures as {Path(path).suffix or 'a file with no suffix'}")
    try:
        with whole_file(path) as stream:
            encode(picture, _WithoutDescriptor(stream), kind, Path(path).suffix.lower() in BARE)
    except ValueError as error:
        raise ValueError(about(path, message_of(error))) from error


def same_file(one: Path, other: Path) -> bool:
    """Whether both names lead to one file that is there."""
    try:
        return os.path.samefile(one, other)
    except OSError:
        return False


def kind_of(path: Path) -> str | None:
    """Pillow's name of the format that a suffix stands for, None for what is not written here."""
    suffix = Path(path).suffix.lower()
    kind = Image.registered_extensions().get(suffix) if suffix not in GREY else None
    if kind == "AVIF" and not pillow_features.check("avif"):
        return None
    return kind if kind in WRITTEN else None


class _WithoutDescriptor:
    """A file that Pillow must write through Python: by descriptor it takes the half of a last block that still fits on
    a full disk for the whole."""

    def __init__(self, stream: BinaryIO) -> None:
        self.stream = stream

    def __getattr__(self, name: str) -> object:
        if name == "fileno":
            raise AttributeError(name)
        return getattr(self.stream, name)


def _name(source: Path | str | bytes | BinaryIO) -> str:
    if isinstance(source, bytes | bytearray | memoryview):
        return f"picture of {len(source)} bytes"
    return str(getattr(source, "name", source)) if not isinstance(source, Path) else str(source)


@contextmanager
def _stream(source: Path | str | bytes | BinaryIO) -> Iterator[BinaryIO]:
    if isinstance(source, Path | str):
        check_file(source)
        with open(source, "rb") as stream:
            yield stream
    elif isinstance(source, bytes | bytearray | memoryview):
        yield io.BytesIO(source)
    else:
        yield source


def _too_many(name: str, size: Size, frames: int, most: int) -> Message:
    text = "{width} x {height} pixels, more than the bound of {most} million"
    if frames > 1:
        text = "{width} x {height} pixels in {frames} frames, more than the bound of {most} million"
    found = Message(text, width=size[0], height=size[1], frames=frames, most=f"{most / 1e6:g}")
    return about(name, hinted(found, "--max-pixels raises it"))


def _frame_count(image: Image.Image) -> int:
    return getattr(image, "n_frames", 1) if image.format in READ_ANIMATED else 1


def _picture(image: Image.Image, frames: int, max_size: int | None) -> Picture:
    if max_size and image.format == "JPEG":
        image.draft(None, (max_size, max_size))  # libjpeg decodes an eighth to a half of the size, never less than this
    exif = None if image.format == "PNG" else _exif(image)  # before the pixels: a TIFF is closed behind them
    if frames == 1:
        image = load(image)
    else:
        image.load()
    exif = exif or _exif(image)  # a PNG may have it behind them
    turn = exif.get(ORIENTATION) if exif else None
    loop, default_image = image.info.get("loop"), bool(image.info.get("default_image"))
    made = Picture([], "JPEG" if image.format == "MPO" else image.format, loop=loop, default_image=default_image)
    profiles: list[bytes | None] = []
    for frame in ImageSequence.Iterator(image) if frames > 1 else (image,):
        frame.load()
        made.durations.append(round(frame.info.get("duration", 0)))
        still, icc = _to_colour(frame if frames == 1 else frame.copy(), _profile(frame))
        made.frames.append(_shrunk(_upright(still, turn), max_size))
        profiles.append(icc)
    made.icc = _one_profile(made.frames, profiles)
    made.exif, made.dpi = _without_turn(exif, made.frames[0].size), _dpi(image)
    for frame in made.frames:  # Pillow's writers would take up again what was dropped here on purpose
        frame.info = {}
        vars(frame).pop("tag_v2", None)
    return made


def _profile(image: Image.Image) -> bytes | None:
    """The profile of the current frame: of a TIFF's pages Pillow keeps the last one that it saw."""
    tags = getattr(image, "tag_v2", None)
    return image.info.get("icc_profile") if tags is None else tags.get(ICC)


def _one_profile(frames: list[Image.Image], profiles: list[bytes | None]) -> bytes | None:
    """The profile of all frames. Where pages have several they become sRGB, in place, and none is left."""
    if len(set(profiles)) == 1:
        return profiles[0]
    for index, icc in enumerate(profiles):
        if icc:
            with suppress(ImageCms.PyCMSError):
                frames[index] = _to_srgb(frames[index], icc)
    return None


def _to_colour(image: Image.Image, icc: bytes | None) -> tuple[Image.Image, bytes | None]:
    """RGB or RGBA of the same picture in SDR, and the profile that still describes it; no copy of what is that."""
    if transfer := image.info.pop(HDR, None):
        made, _ = _to_colour(image, None)
        return brought_to_sdr(made, transfer), None
    shown = None if icc or "srgb" in image.info else gamma_levels(image.info.get("gamma") or 0)
    if is_deep(image):
        return to_eight_bits(image, _grey_curve(icc) if _space(icc) == "GRAY" else shown), None
    made, icc = _to_rgb(image, icc)
    if shown is not None:
        levels = np.rint(shown).astype(np.uint8).tolist() * 3
        made = made.point(levels + list(range(256)) * (made.mode == "RGBA"))
    return made, icc


def _to_rgb(image: Image.Image, icc: bytes | None) -> tuple[Image.Image, bytes | None]:
    if image.mode in ("RGB", "RGBA") and not (image.mode == "RGB" and "transparency" in image.info):
        return image, icc if _space(icc) == "RGB" else None
    if image.mode == "La":  # Pillow converts it to nothing else
        image = image.convert("LA")
    if _space(icc) == "GRAY" and (image.mode == "LA" or (image.mode == "L" and image.has_transparency_data)):
        layer = image.convert("LA")
        with suppress(ImageCms.PyCMSError):
            made = _to_srgb(layer.getchannel("L"), icc)
            made.putalpha(layer.getchannel("A"))
            return made, None
    if image.mode in ("CMYK", "L", "LAB") and not image.has_transparency_data:
        with suppress(ImageCms.PyCMSError):
            if image.mode == "LAB" or _space(icc) == {"CMYK": "CMYK", "L": "GRAY"}[image.mode]:
                return _to_srgb(image, None if image.mode == "LAB" else icc), None
    colour = image.convert("RGBA" if image.has_transparency_data else "RGB")
    return colour, icc if image.mode in ("P", "RGB", "RGBa", "RGBX") and _space(icc) == "RGB" else None


def _grey_curve(icc: bytes) -> np.ndarray | None:
    """What a profile of grey makes of the 256 levels from black to white, in levels of sRGB; None for a broken one."""
    with suppress(ImageCms.PyCMSError):
        ramp = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
        return np.asarray(_to_srgb(ramp, icc))[0].mean(axis=1)
    return None


def _to_srgb(image: Image.Image, icc: bytes | None) -> Image.Image:
    """The picture's colours in sRGB, by its profile (None: CIE Lab). Raises `PyCMSError` for a broken profile."""
    source = io.BytesIO(icc) if icc else ImageCms.createProfile("LAB")
    mode = "RGBA" if image.mode == "RGBA" else "RGB"
    return ImageCms.profileToProfile(image, source, ImageCms.createProfile(SRGB), outputMode=mode)


def _space(icc: bytes | None) -> str | None:
    """The colour space that a profile is for, None for one that cannot be read."""
    if not icc:
        return None
    with suppress(ImageCms.PyCMSError, OSError, TypeError, ValueError):
        return ImageCms.ImageCmsProfile(io.BytesIO(icc)).profile.xcolor_space.strip()
    return None


def _upright(image: Image.Image, turn: int | None) -> Image.Image:
    """The picture turned as EXIF asks; a large one by way of a file, so that there are never two in memory."""
    if turn not in TURNS:
        return image
    if image.width * image.height < LARGE:
        return image.transpose(TURNS[turn])
    size = (image.height, image.width) if turn >= 5 else image.size
    mode = image.mode
    with tempfile.TemporaryFile() as store:
        for band in _bands_of_turned(image, turn):
            store.write(band.transpose(TURNS[turn]).tobytes())
        image.im = None  # frees the pixels: Pillow has no public way that leaves the object usable
        image.close()
        store.seek(0)
        made = Image.new(mode, size)
        for top in range(0, size[1], BAND):
            rows = min(BAND, size[1] - top)
            made.paste(Image.frombytes(mode, (size[0], rows), store.read(size[0] * rows * len(mode))), (0, top))
    return made


def _bands_of_turned(image: Image.Image, turn: int) -> Iterator[Image.Image]:
    """Parts of a picture that, each turned, are the bands of rows of the turned picture from top to bottom."""
    side = image.width if turn >= 5 else image.height
    starts = range(0, side, BAND)
    for start in reversed(starts) if turn in (3, 4, 7, 8) else starts:
        stop = min(side, start + BAND)
        yield image.crop((start, 0, stop, image.height) if turn >= 5 else (0, start, image.width, stop))


def _shrunk(image: Image.Image, max_size: int | None) -> Image.Image:
    if not max_size or max(image.size) <= max_size:
        return image
    scale = max_size / max(image.size)
    size = tuple(max(1, round(side * scale)) for side in image.size)
    return image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3)


def _exif(image: Image.Image) -> Image.Exif | None:
    try:
        exif = image.getexif()
        for block in {EXIF_BLOCK, GPS_BLOCK} & set(exif):
            exif.get_ifd(block)  # a TIFF's blocks are else left behind
        exif.tobytes()
        return exif or None
    except Exception:  # a broken EXIF block is no reason to refuse the pixels
        return None


def _without_turn(exif: Image.Exif | None, size: Size) -> bytes | None:
    """The camera data of a picture that is upright now and of this size; a TIFF's only where it is about the photo."""
    if exif is None:
        return None
    with suppress(Exception):
        made = Image.Exif()
        made.load(exif.tobytes())
        structural = {tag for tag in made if tag in STRUCTURAL or tag in OLD_FILE} - TIFF_ABOUT
        for tag in structural | {ORIENTATION}:
            made.pop(tag, None)
        block = made.get_ifd(EXIF_BLOCK) if EXIF_BLOCK in made else {}
        for tag, side in zip((EXIF_WIDTH, EXIF_HEIGHT), size, strict=True):
            if tag in block:
                block[tag] = side
        return made.tobytes() if made else None
    return None


def _dpi(image: Image.Image) -> tuple[float, float] | None:
    found = image.info.get("dpi")
    with suppress(Exception):
        across, down = (float(value) for value in found)
        return (across, down) if 1 < across < 1e5 and 1 < down < 1e5 else None
    return None


def _frames_for(picture: Picture, kind: str) -> list[Image.Image]:
    skipped = picture.default_image and kind != "PNG" and len(picture.frames) > 1
    frames = picture.frames[1:] if skipped else picture.frames
    return frames if kind in ANIMATED else frames[:1]


def _fitting(frame: Image.Image, icc: bytes | None, kind: str) -> Image.Image:
    """The frame as `kind` can hold it: on white where there is no transparency, in sRGB where there is no profile."""
    if icc and kind in NO_PROFILE:
        with suppress(ImageCms.PyCMSError):
            frame = _to_srgb(frame, icc)
    if frame.mode == "RGBA" and kind in NO_ALPHA:
        return Image.alpha_composite(Image.new("RGBA", frame.size, "white"), frame).convert("RGB")
    return frame


def _options(picture: Picture, kind: str, frames: list[Image.Image], clear: bool) -> dict:
    """What to tell Pillow's writer of this format."""
    own = {
        "JPEG": {"quality": 95, "subsampling": 0},
        "WEBP": {"quality": 95},
        "AVIF": {"quality": 90},
        "PNG": {"compress_level": 4},
        "TIFF": {} if picture.exif else {"compression": "tiff_adobe_deflate"},  # libtiff cannot write camera data
    }.get(kind, {})
    about = {"icc_profile": picture.icc, "exif": picture.exif} if kind not in NO_PROFILE else {}
    if kind == "JPEG" and picture.exif:
        about["exif"] = _short_exif(picture.exif)
    if kind in ("JPEG", "PNG", "TIFF", "BMP"):
        about["dpi"] = picture.dpi
    return own | {key: value for key, value in about.items() if value} | _animation(picture, kind, frames, clear)


def _short_exif(exif: bytes) -> bytes | None:
    """Camera data as JPEG can hold it: without the maker's own notes where it is too long, or not at all."""
    if len(exif) <= MOST_EXIF:
        return exif
    with suppress(Exception):
        made = Image.Exif()
        made.load(exif)
        made.get_ifd(EXIF_BLOCK).pop(MAKER_NOTE, None)
        short = made.tobytes()
        return short if len(short) <= MOST_EXIF else None
    return None


def _animation(picture: Picture, kind: str, frames: list[Image.Image], clear: bool) -> dict:
    if len(frames) == 1:
        return {"transparency": COLOURS - 1} if kind == "GIF" and clear else {}
    options = {"save_all": True, "append_images": frames[1:]}
    if kind == "TIFF":
        return options
    options["duration"] = picture.durations[-len(frames) :]
    if kind == "PNG" and picture.default_image:
        options |= {"default_image": True, "duration": picture.durations[1:]}
    if kind == "GIF" and clear:  # a clear pixel shows the background, not the frame before
        options |= {"disposal": 2, "transparency": COLOURS - 1}
    if picture.loop is not None or kind in ("WEBP", "PNG"):  # unsaid, a GIF plays once and these two for ever
        options["loop"] = picture.loop if picture.loop is not None else 1
    return options
