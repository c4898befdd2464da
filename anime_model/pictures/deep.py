"""Pictures of more than 8 bits a channel to 8 bits, in bands of rows: beside the two pictures stands one band.

What is white follows the kind of number: all of its bits for integers of 8 and 16 bits, 1 for floating point. 32 bits
and floating point are also used for smaller ranges (0 to 255, 0 to 65535), which their largest value tells.
"""

from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image

BAND = 1_000_000  # pixels that are turned into 8 bits at once
SAMPLE = 100_000  # values of a picture that are looked at to tell highlights from another range
DISPLAY_GAMMA = 2.2  # of the screen that a PNG's gAMA is meant for
CLOSE = 0.05  # a gamma within 5 % of the screen's is the screen's (libpng's own threshold)
Values = Callable[[], Iterator[np.ndarray]]


def is_deep(image: Image.Image) -> bool:
    """Whether the picture is grey with 16 or 32 bits or floating point, as Pillow holds it."""
    return image.mode.startswith(("I", "F"))


def to_eight_bits(image: Image.Image, curve: np.ndarray | None = None) -> Image.Image:
    """RGB of a deep grey picture, RGBA where one of its levels stands for clear (a PNG's tRNS).

    `curve`, [256] in levels, is what a profile makes of the 256 levels from black to white.
    """
    white = white_level(lambda: (values for _, values in _bands(image)))
    clear = image.info.get("transparency")
    clear = clear if isinstance(clear, int) else None
    made = Image.new("RGB" if clear is None else "RGBA", image.size)
    for top, values in _bands(image):
        grey = levels(values, white, curve)
        channels = [grey] * 3 if clear is None else [grey] * 3 + [np.where(values == clear, 0, 255).astype(np.uint8)]
        made.paste(Image.fromarray(np.stack(channels, axis=2)), (0, top))
    return made


def levels(values: np.ndarray, white: float, curve: np.ndarray | None = None) -> np.ndarray:
    """Numbers of any kind, black at 0, to uint8 [...] of the same shape; what is no number becomes black."""
    scaled = np.nan_to_num(values, nan=0, posinf=white, neginf=0).astype(np.float32) * np.float32(255 / white)
    scaled = scaled.clip(0, 255, out=scaled)
    if curve is not None:
        scaled = np.interp(scaled, np.arange(256), curve)
    return np.rint(scaled).astype(np.uint8)


def white_level(bands: Values) -> float:
    """The value that stands for white in a picture whose parts `bands` gives, each time from the start.

    Highlights above 1 in floating point are cut off; whole numbers up to 255 or 65535 are levels of 8 or 16 bits.
    """
    first = next(bands())
    kind, bits = first.dtype.kind, 8 * first.dtype.itemsize
    if kind in "iu" and bits <= 16:
        return float(np.iinfo(first.dtype).max)
    top = 0.0
    some: list[np.ndarray] = []
    for values in bands():
        finite = values[np.isfinite(values)] if kind == "f" else values.reshape(-1)
        top = max(top, float(finite.max(initial=0)))
        some.append(finite[:: max(1, finite.size * len(some) // SAMPLE + finite.size // SAMPLE)])
    if kind in "iu":
        return _white_of_integers(top, float(np.iinfo(first.dtype).max))
    return _white_of_floats(top, np.concatenate(some))


def gamma_levels(gamma: float) -> np.ndarray | None:
    """What a screen shows of the 256 levels of a PNG with this gAMA (its exponent from light to level), in levels;
    None where they are the screen's own. PNG specification, section 13.13."""
    exponent = 1 / (gamma * DISPLAY_GAMMA) if gamma > 0 else 1
    if abs(exponent - 1) < CLOSE:
        return None
    return 255 * (np.arange(256) / 255) ** exponent


def _white_of_integers(top: float, most: float) -> float:
    if top <= 65535:
        return 65535.0
    return most if top > most / 256 else top


def _white_of_floats(top: float, some: np.ndarray) -> float:
    whole = np.array_equal(some, np.rint(some))
    if top <= 1 or (some.size and not whole and np.percentile(some, 90) <= 1):
        return 1.0
    return next((level for level in (255.0, 65535.0) if top <= level), top)


def _bands(image: Image.Image) -> Iterator[tuple[int, np.ndarray]]:
    rows = max(1, BAND // image.width)
    for top in range(0, image.height, rows):
        yield top, _values(image.crop((0, top, image.width, min(image.height, top + rows))))


def _values(band: Image.Image) -> np.ndarray:
    values = np.asarray(band)
    return values.astype(np.uint16) if band.mode.startswith("I;16") else values
