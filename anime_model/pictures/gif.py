"""Frames of a GIF on one palette, where what stands still keeps its colours from frame to frame.

With a palette for each frame, or a dither that runs over the frame, the same drawing gets other colours in every frame:
a still background shimmers.
"""

import numpy as np
from PIL import Image

COLOURS = 256
SAMPLE = 500_000  # pixels of all frames that the palette is made of
STILL = 6  # levels of 255 by which a pixel may drift before it is looked up anew
OPAQUE = 128


def on_one_palette(frames: list[Image.Image]) -> list[Image.Image]:
    """RGB or RGBA frames of one size as palette frames; the last colour stands for clear where one frame has any."""
    clear = any(frame.mode == "RGBA" for frame in frames)
    palette = _palette(frames, COLOURS - clear)
    made = []
    reference: np.ndarray | None = None
    kept: np.ndarray | None = None
    for frame in frames:
        pixels = np.asarray(frame.convert("RGB"))
        indices = np.asarray(frame.convert("RGB").quantize(palette=palette, dither=Image.Dither.NONE))
        if reference is not None and kept is not None:
            still = np.abs(pixels.astype(np.int16) - reference).max(axis=2) <= STILL
            indices = np.where(still, kept, indices)
            pixels = np.where(still[..., None], reference, pixels)
        reference, kept = pixels, indices
        made.append(_with_palette(indices, palette, frame if clear else None))
    return made


def _palette(frames: list[Image.Image], colours: int) -> Image.Image:
    each = max(1, SAMPLE // len(frames))
    some = np.concatenate([_visible(frame, each) for frame in frames])
    if not len(some):
        some = np.zeros((1, 3), np.uint8)
    return Image.fromarray(some[None]).quantize(colours, Image.Quantize.MEDIANCUT)


def _visible(frame: Image.Image, most: int) -> np.ndarray:
    """About `most` of the pixels that can be seen, [N, 3]."""
    pixels = np.asarray(frame).reshape(-1, len(frame.mode))
    pixels = pixels[:: max(1, len(pixels) // most)]
    return pixels[pixels[:, 3] >= OPAQUE, :3] if frame.mode == "RGBA" else pixels


def _with_palette(indices: np.ndarray, palette: Image.Image, clear: Image.Image | None) -> Image.Image:
    if clear is not None and clear.mode == "RGBA":
        indices = np.where(np.asarray(clear.getchannel("A")) < OPAQUE, COLOURS - 1, indices)
    image = Image.fromarray(indices.astype(np.uint8), "L")
    colours = (palette.getpalette() or [])[: 3 * COLOURS]
    image.putpalette(colours + [0] * (3 * COLOURS - len(colours)))
    return image
