"""A photo's fine texture made smooth before it is drawn small: else grass, stone and walls become a net of cracks.

A network draws a line wherever it sees an edge, and a large photo that is made small is full of edges of a pixel.
"""

import numpy as np
from PIL import Image, ImageChops, ImageFilter

RADIUS = 3  # pixels of the window in every direction
TEXTURE = 10  # levels: luma that deviates by this from its window's mean, on average, is kept by half
SCALE = 4  # parts of a level in which deviations are averaged
REACH = 3 * RADIUS  # pixels around a place that it depends on: three means, one after the other
BAND = 256  # rows at once
SCALED = [min(255, SCALE * level) for level in range(256)]
KEPT = [round(255 * step**2 / (step**2 + (SCALE * TEXTURE) ** 2)) for step in range(256)]  # of 255, by the deviation


def smoothed(photo: np.ndarray) -> np.ndarray:
    """uint8 RGB [H, W, 3] with means of the window where contrast is low; where it is high, as it is. A new array.

    The filter of local statistics of Lee, IEEE PAMI 2 (1980), with the mean deviation in place of the variance and the
    share of what is kept averaged, as the coefficients of a guided filter are (He, Sun and Tang, IEEE PAMI 35 (2013)).
    """
    made = np.empty_like(photo)
    for start in range(0, len(photo), BAND):
        top, stop = max(0, start - REACH), start + BAND
        band = _smoothed(Image.fromarray(photo[top : stop + REACH]))
        made[start:stop] = np.asarray(band)[start - top :][:BAND]
    return made


def _smoothed(photo: Image.Image) -> Image.Image:
    window = ImageFilter.BoxBlur(RADIUS)
    mean = photo.filter(window)
    deviation = ImageChops.difference(photo.convert("L"), mean.convert("L")).point(SCALED).filter(window)
    return Image.composite(photo, mean, deviation.point(KEPT).filter(window))
