"""Colours below what is clear: programs leave black, white or an old background there, and a network sees it.

Two cut-outs that look the same must be drawn the same, so that clear pixels get the colours of the visible ones about
them before a network sees the picture (a push-pull pyramid, Gortler et al., The Lumigraph, SIGGRAPH 1996, section 3.4).
"""

import numpy as np
from PIL import Image

CELL = 4  # pixels of a side that the finest level of the pyramid is made of
ROWS = 256  # of the picture in memory at once, a multiple of CELL


def spread_colours(image: Image.Image) -> None:
    """Gives the clear pixels of an RGBA image, in place, the colours of what can be seen near them."""
    if image.mode != "RGBA" or image.getextrema()[3][0] > 0 or image.getextrema()[3][1] == 0:
        return
    colours = _filled(*_means(image))
    small = Image.fromarray(np.rint(colours).clip(0, 255).astype(np.uint8))
    for top in range(0, image.height, ROWS):
        box = (0, top, image.width, min(image.height, top + ROWS))
        band = image.crop(box)
        source = (0.0, top / CELL, image.width / CELL, box[3] / CELL)
        size = (band.width, band.height)
        near = small.resize(size, Image.Resampling.BILINEAR, box=source)
        near.putalpha(0)
        image.paste(near, box[:2], band.getchannel("A").point(lambda alpha: 255 if alpha == 0 else 0))


def _means(image: Image.Image) -> tuple[np.ndarray, np.ndarray]:
    """Mean colours of cells of 4 x 4 pixels by their alpha, float32 [h, w, 3], and their weights [h, w, 1]."""
    found = []
    for top in range(0, image.height, ROWS):
        band = np.asarray(image.crop((0, top, image.width, min(image.height, top + ROWS)))).astype(np.float32)
        weighted = np.concatenate([band[..., :3] * band[..., 3:], band[..., 3:]], axis=2)
        found.append(_halved(_halved(weighted)))
    sums = np.concatenate(found)
    return sums[..., :3] / np.maximum(sums[..., 3:], 1e-6), sums[..., 3:]


def _halved(values: np.ndarray) -> np.ndarray:
    """Sums of 2 x 2: [H, W, C] to [ceil(H / 2), ceil(W / 2), C]."""
    values = np.pad(values, ((0, values.shape[0] % 2), (0, values.shape[1] % 2), (0, 0)))
    return values[::2, ::2] + values[1::2, ::2] + values[::2, 1::2] + values[1::2, 1::2]


def _filled(colours: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The cells that nothing is seen of, from the next coarser level, and so on."""
    if weights.min() > 0 or max(weights.shape[:2]) == 1:
        return colours
    sums = _halved(np.concatenate([colours * weights, weights], axis=2))
    coarser = _filled(sums[..., :3] / np.maximum(sums[..., 3:], 1e-6), sums[..., 3:])
    above = coarser.repeat(2, axis=0).repeat(2, axis=1)[: colours.shape[0], : colours.shape[1]]
    return np.where(weights > 0, colours, above)
