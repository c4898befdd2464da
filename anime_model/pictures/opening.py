"""The one way in which picture files are opened: what Pillow does not read, reads wrongly or refuses without need.

Nothing here changes a setting of Pillow: other threads and the program around may be reading too.
"""

import io
import os
import stat
import struct
import zlib
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, UnidentifiedImageError
from PIL.ImageFile import ImageFile

from anime_model.pictures.hdr import BOXES, HDR_NAMES, transfer_in_boxes
from anime_model.pictures.tiff import RawPhoto, Tiff, is_canon_raw, is_tiff

# nothing else is opened: for EPS Pillow would run Ghostscript
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "JPEG2000", "AVIF")
HEIF_SUFFIXES = (".heic", ".heif", ".hif")
SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".webp", ".gif", ".bmp", ".dib", ".tif", ".tiff"),
    *(".ppm", ".pgm", ".pbm", ".pnm", ".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx", ".avif", ".avifs"),
    *HEIF_SUFFIXES,
)
# kinds of pictures that are not read: in a folder they are named, as every picture that is not made
RAW_SUFFIXES = (
    *(".dng", ".cr2", ".cr3", ".crw", ".nef", ".nrw", ".arw", ".srf", ".sr2", ".orf", ".raf", ".rw2", ".pef"),
    *(".srw", ".x3f", ".3fr", ".iiq", ".erf", ".mrw", ".kdc", ".dcr", ".raw", ".rwl", ".gpr"),
)
NOT_READ = (
    *RAW_SUFFIXES,
    *(".psd", ".psb", ".xcf", ".kra", ".ora", ".svg", ".svgz", ".eps", ".ai", ".jxl", ".jxr", ".wdp", ".exr", ".hdr"),
    *(".tga", ".ico", ".icns", ".cur", ".pcx", ".dds", ".qoi", ".sgi", ".pfm", ".insp", ".bpg", ".flif", ".wmf"),
)
HDR = "hdr"
PNG = b"\x89PNG\r\n\x1a\n"
TEXTS = (b"tEXt", b"zTXt", b"iTXt")
TEXT = 500_000  # bytes of one text in a PNG, unpacked, that are read; camera data may hide there
ALL_TEXTS = 16_000_000
PROFILE = 1_000_000  # of a packed profile
LARGEST_PROFILE = 64_000_000
HEIF = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1")
RAW = "a camera's raw picture, which is not read: export it as JPEG, PNG or TIFF"
NO_HEIF = "HEIC pictures need pillow-heif; pip install 'animegan-lite[heic]'"


class Unreadable(ValueError):
    """A picture of a kind that is not read; the message says which, and what to do."""


def open_picture(stream: BinaryIO) -> ImageFile:
    """The picture in a stream that can seek: its header is read, its pixels are not yet.

    There is no bound on pixels here (Pillow's own is for the whole program); a caller has one. `info["hdr"]` is the
    transfer characteristic of an HDR picture. Raises `Unreadable` for a kind that is known and not read, else what
    Pillow raises.
    """
    stream.seek(0)
    head = stream.read(16)
    stream.seek(0)
    image = _opened(stream, head)
    if (transfer := _transfer(stream, head)) in HDR_NAMES:
        image.info[HDR] = transfer
    return image


def _opened(stream: BinaryIO, head: bytes) -> ImageFile:
    if is_tiff(head):
        return _tiff(stream, head)
    if head[4:8] == b"ftyp" and head[8:12] in HEIF and b"avif" not in _brands(stream):
        return _heif(stream)
    if head.startswith(PNG):
        return _png(stream)
    return _first(stream, head)


def load(image: ImageFile) -> Image.Image:
    """The picture with its pixels: itself, or RGBA where one colour of 16 bits a channel stands for clear.

    Pillow keeps the high byte of each channel, and compares it with the clear colour's 16 bits.
    """
    clear, parts = image.info.get("transparency"), image.tile
    if image.format != "PNG" or not isinstance(clear, tuple) or len(parts) != 1 or parts[0][3] != "RGB;16B":
        image.load()
        return image
    low = _png(image.fp)
    low.tile = [(*parts[0][:3], "RGB;16L")]  # the other byte
    low.load()
    image = _png(image.fp)
    image.load()
    same = [np.asarray(half) == [level >> shift & 255 for level in clear] for half, shift in ((image, 8), (low, 0))]
    made = image.convert("RGB")
    made.info.pop("transparency", None)
    made.format = image.format
    made.putalpha(Image.fromarray(np.where((same[0] & same[1]).all(axis=2), 0, 255).astype(np.uint8)))
    return made


def check_file(path: Path | str) -> None:
    """Raises `Unreadable` for what is no file but a pipe or a device: reading it may never end. Raises `OSError`."""
    mode = os.stat(path).st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise Unreadable("no file but a pipe or a device; standard input (-) takes what comes out of it")


def why_not_read(path: Path) -> str | None:
    """What to say of a file whose suffix is that of a picture that is not read; None for all other files."""
    suffix = Path(path).suffix.lower()
    if suffix in RAW_SUFFIXES:
        return RAW
    return f"{suffix[1:].upper()} pictures are not read: export it as JPEG, PNG or TIFF" if suffix in NOT_READ else None


def _first(stream: BinaryIO, head: bytes) -> ImageFile:
    """As `Image.open` does, less its bound on pixels."""
    Image.init()
    for name in (name for name in FORMATS if name in Image.OPEN):
        make, accept = Image.OPEN[name]
        if accept is None or (told := accept(head)) is True or (told and not isinstance(told, str)):
            try:
                stream.seek(0)
                return make(stream, "")
            except (SyntaxError, IndexError, TypeError, struct.error):
                continue
    raise UnidentifiedImageError("not a picture")


def _tiff(stream: BinaryIO, head: bytes) -> ImageFile:
    if is_canon_raw(head):
        raise Unreadable(RAW)
    try:
        return Tiff(stream)
    except RawPhoto as error:
        raise Unreadable(RAW) from error
    except (SyntaxError, KeyError, IndexError, TypeError, struct.error) as error:
        words = str(error)
        kind = "TIFF of a kind that is not read (save it with 8 or 16 bits a channel)"
        raise Unreadable(kind if "unknown" in words else f"damaged picture ({words})") from error


def _heif(stream: BinaryIO) -> ImageFile:
    try:
        import pillow_heif
    except ImportError as error:
        raise Unreadable(NO_HEIF) from error
    return pillow_heif.HeifImageFile(stream)


def _transfer(stream: BinaryIO, head: bytes) -> int | None:
    """The transfer characteristic (ITU-T H.273) that a PNG, HEIC or AVIF names; the stream stays where it is."""
    place = stream.tell()
    try:
        if head.startswith(PNG):
            at = next((at for at, _, kind in _header_chunks(stream) if kind == b"cICP"), None)
            stream.seek((at or 0) + 9)
            return stream.read(1)[0] if at else None
        if head[4:8] == b"ftyp":
            stream.seek(0)
            return transfer_in_boxes(stream.read(BOXES))
        return None
    finally:
        stream.seek(place)


def _brands(stream: BinaryIO) -> bytes:
    """The names of formats that a file in boxes says it is of: HEIC and AVIF may both begin as `mif1`."""
    (length,) = struct.unpack(">I", stream.read(4))
    brands = stream.read(min(length, 256) - 4) if length > 4 else b""
    stream.seek(0)
    return brands


def _png(stream: BinaryIO) -> ImageFile:
    """A PNG without the texts and profiles that are longer than Pillow takes; such a profile is read here."""
    long, profile = _too_long(stream)
    image = _first(_without(stream, long) if long else stream, PNG)
    if profile:
        image.info["icc_profile"] = profile
    return image


def _chunks(stream: BinaryIO) -> Iterator[tuple[int, int, bytes]]:
    """Start, length in all, and kind of each part of a PNG."""
    at = stream.seek(len(PNG))
    while len(head := stream.read(8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        yield at, length + 12, kind
        at = stream.seek(at + length + 12)


def _header_chunks(stream: BinaryIO) -> Iterator[tuple[int, int, bytes]]:
    """Those before the pixels."""
    return takewhile(lambda chunk: chunk[2] != b"IDAT", _chunks(stream))


def _too_long(stream: BinaryIO) -> tuple[list[tuple[int, int]], bytes | None]:
    """Parts to leave out, as start and length, and the profile that is among them."""
    long, profile, texts = [], None, 0
    for at, length, kind in _chunks(stream):
        if kind in TEXTS:
            size = _text_size(stream, at, length)
            texts += size
            if size > TEXT or texts > ALL_TEXTS:
                long.append((at, length))
        elif kind == b"iCCP":
            stream.seek(at + 8)
            found = _inflated(stream.read(length - 12).partition(b"\0")[2][1:], LARGEST_PROFILE)
            if len(found) >= PROFILE:
                long.append((at, length))
                profile = found
    stream.seek(0)
    return long, profile


def _text_size(stream: BinaryIO, at: int, length: int) -> int:
    """Bytes of a text, unpacked; one more than is read where it is longer."""
    stream.seek(at + 4)
    kind, data = stream.read(4), stream.read(min(length, TEXT) - 4)
    _, _, rest = data.partition(b"\0")
    if kind == b"zTXt":
        return len(_inflated(rest[1:], TEXT + 1))
    if kind == b"iTXt" and rest[:1] == b"\1":
        return len(_inflated(rest[2:].split(b"\0", 2)[-1], TEXT + 1))
    return length


def _inflated(data: bytes, most: int) -> bytes:
    try:
        return zlib.decompressobj().decompress(data, most)
    except zlib.error:
        return b""


def _without(stream: BinaryIO, parts: list[tuple[int, int]]) -> BinaryIO:
    left, at = io.BytesIO(), stream.seek(0)
    for start, length in parts:
        left.write(stream.read(start - at))
        at = stream.seek(start + length)
    left.write(stream.read())
    left.seek(0)
    return left
