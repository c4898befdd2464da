"""TIFF files that Pillow reads wrongly or not at all: floating point, signed, 32 bits, white at 0, and planes apart.

Pillow still reads the directories, the camera data and the profile; here are the pixels, strip by strip. The strips of
a compressed file are unpacked by libtiff under a plainer header, as rows of bytes.
"""

import io
import struct
from collections.abc import Iterator
from functools import partial

import numpy as np
from PIL import Image, TiffImagePlugin

from anime_model.pictures.deep import BAND, levels, white_level

MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
CANON_RAW = b"CR"
SUBFILE, WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC = 254, 256, 257, 258, 259, 262
OFFSETS, ORIENTATION, SAMPLES, ROWS, COUNTS, PLANAR, PREDICTOR = 273, 274, 277, 278, 279, 284, 317
TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_COUNTS, SUB_IFDS, FORMAT = 322, 323, 324, 325, 330, 339
DNG_VERSION, ICC = 50706, 34675
CFA, LINEAR_RAW = 32803, 34892  # what the sensor saw
EXTRA_SAMPLES, ASSOCIATED, STRAIGHT = 338, 1, 2
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, CMYK, LAB = 0, 1, 2, 5, 8
COLOURS = {WHITE_IS_ZERO: 1, BLACK_IS_ZERO: 1, RGB: 3, CMYK: 4, LAB: 3}
NUMBERS = {1: "u", 2: "i", 3: "f"}  # by SampleFormat
DEPTHS = {"u": (8, 16, 32), "i": (8, 16, 32), "f": (16, 32, 64)}


class RawPhoto(ValueError):
    """A camera's raw file: what a TIFF reader sees of it is a small preview."""


class Tiff(TiffImagePlugin.TiffImageFile):
    """Pillow's reader, with the pixels of the kinds that it does not know."""

    def _setup(self) -> None:
        self._strips = None
        tags = self.tag_v2
        if _is_raw(tags) or (self.tell() == 0 and _hides_raw(tags, self.fp)):
            raise RawPhoto
        try:
            super()._setup()
        except (SyntaxError, KeyError, TypeError):
            if not _readable(tags):
                raise
            self._take_over()
            return
        if _readable(tags) and _misread(tags):
            self._take_over()

    def _take_over(self) -> None:
        """The mode and size of what `load` will make."""
        self._strips = _Strips(self.tag_v2, self.fp)
        turned = self.tag_v2.get(ORIENTATION, 1) >= 5  # a size is told as it will be when the picture is upright
        self._size = self._strips.size[::-1] if turned else self._strips.size
        self._mode, self.tile = self._strips.mode, []
        self.use_load_libtiff = False
        if icc := self.tag_v2.get(ICC):
            self.info["icc_profile"] = icc

    def load(self):
        if self._strips is None:
            return super().load()
        if self._im is None:
            self.im, self._size = self._strips.picture().im, self._strips.size
            self.load_end()  # turns it
        return Image.Image.load(self)


def is_tiff(head: bytes) -> bool:
    return head[:4] in MAGIC


def is_canon_raw(head: bytes) -> bool:
    return is_tiff(head) and head[8:10] == CANON_RAW


def _is_raw(tags: TiffImagePlugin.ImageFileDirectory_v2) -> bool:
    """Whether a directory is of a digital negative or what a sensor saw."""
    return DNG_VERSION in tags or tags.get(PHOTOMETRIC) in (CFA, LINEAR_RAW)


def _hides_raw(tags: TiffImagePlugin.ImageFileDirectory_v2, file: io.IOBase) -> bool:
    """Whether the first picture is a preview (Nikon, Sony, Pentax), or one below it is what a sensor saw."""
    if tags.get(SUBFILE, 0) & 1:
        return True
    for offset in _all(tags.get(SUB_IFDS, ())):
        below = TiffImagePlugin.ImageFileDirectory_v2(_header(tags))
        place = file.tell()
        try:
            file.seek(offset)
            below.load(file)
        except (OSError, SyntaxError, struct.error):
            continue
        finally:
            file.seek(place)
        if below.get(PHOTOMETRIC) in (CFA, LINEAR_RAW):
            return True
    return False


def _header(tags: TiffImagePlugin.ImageFileDirectory_v2) -> bytes:
    return {"<": b"II*\0", ">": b"MM\0*"}[tags._endian] + bytes(4)


def _all(value: object) -> tuple:
    return value if isinstance(value, tuple) else (value,)


def _readable(tags: TiffImagePlugin.ImageFileDirectory_v2) -> bool:
    """Grey, RGB, CMYK or 8-bit Lab, with or without further channels, all of one kind of number that numpy has."""
    bits, kinds = set(_all(tags.get(BITS, (1,)))), set(_all(tags.get(FORMAT, (1,))))
    kind = NUMBERS.get(next(iter(kinds))) if len(kinds) == 1 else None
    known = kind is not None and len(bits) == 1 and next(iter(bits)) in DEPTHS[kind]
    colours = COLOURS.get(tags.get(PHOTOMETRIC))
    if tags.get(PHOTOMETRIC) == LAB and (kind, *bits) != ("u", 8):
        return False
    return known and colours is not None and tags.get(SAMPLES, 1) >= colours and {WIDTH, HEIGHT} <= set(tags)


def _misread(tags: TiffImagePlugin.ImageFileDirectory_v2) -> bool:
    """What Pillow opens and shows as something else."""
    bits, kind = _all(tags.get(BITS, (1,)))[0], _all(tags.get(FORMAT, (1,)))[0]
    apart = tags.get(PLANAR, 1) == 2 and tags.get(SAMPLES, 1) > 1
    if apart and tags[PHOTOMETRIC] == LAB:
        return True
    return kind == 2 or (bits > 8 and (apart or (kind == 1 and bits == 32) or tags[PHOTOMETRIC] == WHITE_IS_ZERO))


def _alpha(tags: TiffImagePlugin.ImageFileDirectory_v2, colours: int) -> tuple[int | None, str]:
    """The plane of the transparency, and what Pillow calls it: A, or a where the colours are multiplied by it.

    Further planes may be anything, such as near infrared.
    """
    kinds = _all(tags.get(EXTRA_SAMPLES, ()))[: tags.get(SAMPLES, 1) - colours]
    if tags[PHOTOMETRIC] not in (CMYK, LAB):
        for place, kind in enumerate(kinds, colours):
            if kind in (ASSOCIATED, STRAIGHT):
                return place, "a" if kind == ASSOCIATED else "A"
    return None, ""


class _Strips:
    """The strips or tiles of one picture."""

    def __init__(self, tags: TiffImagePlugin.ImageFileDirectory_v2, file: io.IOBase) -> None:
        self.tags, self.file = tags, file
        self.size = width, height = tags[WIDTH], tags[HEIGHT]
        self.samples, self.apart = tags.get(SAMPLES, 1), tags.get(PLANAR, 1) == 2
        self.colours = COLOURS[tags[PHOTOMETRIC]]
        self.alpha, more = _alpha(tags, self.colours)
        self.planes = [*range(self.colours), *([self.alpha] if self.alpha else [])]
        self.mode = {CMYK: "CMYK", LAB: "LAB", RGB: "RGB"}.get(tags[PHOTOMETRIC], "L") + more
        kind = NUMBERS[_all(tags.get(FORMAT, (1,)))[0]]
        self.dtype = np.dtype(f"{tags._endian}{kind}{_all(tags[BITS])[0] // 8}")
        tiled = TILE_OFFSETS in tags
        self.step = (tags[TILE_WIDTH], tags[TILE_HEIGHT]) if tiled else (width, min(height, tags.get(ROWS, height)))
        self.offsets = _all(tags[TILE_OFFSETS if tiled else OFFSETS])
        self.counts = _all(tags[TILE_COUNTS if tiled else COUNTS])
        self.tiled = tiled

    def picture(self) -> Image.Image:
        """The picture in 8 bits. Raises `OSError` where the file ends before its pixels."""
        white = white_level(self._coloured)
        bands = [Image.new("L", self.size) for _ in self.planes]
        for place, first, values in self._parts():
            grey = levels(values, white)
            for index in range(grey.shape[2]):
                band = np.ascontiguousarray(grey[..., index])
                bands[first + index].paste(Image.fromarray(self._as_pillow(first + index, band)), place)
        return bands[0] if len(bands) == 1 else Image.merge(self.mode, bands)

    def _coloured(self) -> Iterator[np.ndarray]:
        for _, band, values in self._parts():
            if values.size and band < self.colours:
                yield values[..., : self.colours]

    def _as_pillow(self, band: int, values: np.ndarray) -> np.ndarray:
        """White is 255 there, and grey is 128 in the colours of Lab, which a TIFF has as signed numbers."""
        if self.tags[PHOTOMETRIC] == WHITE_IS_ZERO and band == 0:
            return 255 - values
        return values ^ 128 if self.tags[PHOTOMETRIC] == LAB and band > 0 else values

    def _parts(self) -> Iterator[tuple[tuple[int, int], int, np.ndarray]]:
        """Places, the first band of each, and its numbers [rows, columns, bands]."""
        (across, down), (width, height) = self.step, self.size
        places = [(left, top) for top in range(0, height, down) for left in range(0, width, across)]
        depth = 1 if self.apart else self.samples
        for band, plane in enumerate(self.planes if self.apart else self.planes[:1]):
            for index, (left, top) in enumerate(places):
                rows = down if self.tiled else min(down, height - top)
                read = partial(self._bytes, plane * len(places) + index, across * depth * self.dtype.itemsize)
                for first, values in self._pieces(read, rows, across, depth):
                    inside = values[: max(0, height - top - first), : width - left]
                    yield (left, top + first), band, inside if self.apart else inside[..., self.planes]

    def _pieces(self, read, rows: int, across: int, depth: int) -> Iterator[tuple[int, np.ndarray]]:
        """A strip in bands of rows where it is stored as it is, else whole."""
        packed = self.tags.get(COMPRESSION, 1) != 1 or self.tags.get(PREDICTOR, 1) != 1
        step = rows if packed else max(1, BAND // across)
        for first in range(0, rows, step):
            count = min(step, rows - first)
            yield first, self._numbers(read(first, count, rows), count, across, depth)

    def _bytes(self, index: int, row: int, first: int, count: int, rows: int) -> bytes:
        packed = self.tags.get(COMPRESSION, 1) != 1
        self.file.seek(self.offsets[index] + (0 if packed else first * row))
        data = self.file.read(self.counts[index] if packed else count * row)
        data = _unpacked(data, self.tags[COMPRESSION], row, rows) if packed else data
        if len(data) < count * row:
            raise OSError("image file is truncated")
        return data[: count * row]

    def _numbers(self, data: bytes, rows: int, across: int, depth: int) -> np.ndarray:
        predictor = self.tags.get(PREDICTOR, 1)
        if predictor == 3:  # bytes of like weight stand together, each as the step from the one before
            steps = np.frombuffer(data, np.uint8).reshape(rows, -1, depth)
            planes = np.cumsum(steps, axis=1, dtype=np.uint8).reshape(rows, self.dtype.itemsize, across * depth)
            numbers = np.ascontiguousarray(planes.transpose(0, 2, 1)).view(self.dtype.newbyteorder(">"))
            return numbers.reshape(rows, across, depth)
        numbers = np.frombuffer(data, self.dtype).reshape(rows, across, depth)
        return np.cumsum(numbers, axis=1, dtype=self.dtype.newbyteorder("=")) if predictor == 2 else numbers


def _unpacked(data: bytes, compression: int, row: int, rows: int) -> bytes:
    """A strip by libtiff, which takes it for grey of 8 bits with `row` pixels a row."""
    entries = [(WIDTH, row), (HEIGHT, rows), (BITS, 8), (COMPRESSION, compression), (PHOTOMETRIC, BLACK_IS_ZERO)]
    entries += [(OFFSETS, 8 + 2 + 9 * 12 + 4), (SAMPLES, 1), (ROWS, rows), (COUNTS, len(data))]
    table = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries)
    file = io.BytesIO(b"II*\0" + struct.pack("<IH", 8, len(entries)) + table + bytes(4) + data)
    with TiffImagePlugin.TiffImageFile(file) as strip:
        return strip.tobytes()
