"""A canvas that paints one and the same shape as a photo or as a cel drawing.

Shapes are signed distances (negative inside) on a window of the canvas, in units of the picture's height: y runs
from 0 at the top to 1 at the bottom, x from -aspect / 2 to aspect / 2. A photo gets shaded volume, texture and haze; a
cel drawing gets one flat colour, a shadow with a hard edge and an ink line along the shape's border.
"""

from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image, ImageFilter

PHOTO, CEL = "photo", "cel"
TILE = 512  # side of a noise tile, which repeats
# cycles per tile (lowest, highest) and the power law of the amplitude between them
NOISES = {
    "cloud": (2, 60, 1.9),
    "stone": (3, 250, 1.3),
    "grain": (20, 250, 0.7),
    "leaf": (14, 60, 0.8),
    "wave": (3, 14, 1.0),
    "patch": (1, 4, 1.0),
    "strand": (6, 40, 0.6),
}
INK = np.array([0.05, 0.04, 0.06], np.float32)


class Weather(NamedTuple):
    """The light of a scene; colours are RGB in [0, 1], lights are factors."""

    zenith: tuple
    horizon: tuple
    sun: tuple
    ambient: tuple
    cel_tint: tuple
    cel_shadow: tuple


class Window(NamedTuple):
    """A rectangle of the canvas with the coordinates of its pixels, x as [1, w] and y as [h, 1]."""

    pixels: tuple[slice, slice]
    x: np.ndarray
    y: np.ndarray


@dataclass
class Texture:
    """How a surface breaks up in a photo: the noise, its strength and its cycles across the picture's height."""

    noise: str = "grain"
    strength: float = 0.1
    scale: tuple[float, float] = (1.0, 1.0)


class Canvas:
    """One picture, painted from back to front. `rgb` is float32 [H, W, 3] in [0, 1]."""

    def __init__(self, size: tuple[int, int], style: str, weather: Weather, light: ArrayLike, seed: list[int]) -> None:
        """`light` points from the scene to the sun: (x, y, z), y down and z towards the viewer."""
        self.height, self.width = size
        self.aspect = self.width / self.height
        self.cel = style == CEL
        self.weather = Weather(*(np.array(colour, np.float32) for colour in weather))
        self.light = np.array(light, np.float32) / np.linalg.norm(light)
        self.line = 0.55 + self.height / 320  # width of an ink line in pixels
        self.draw = np.random.default_rng(seed)  # for what does not change the scene: where a noise tile begins
        self.rgb = np.zeros((*size, 3), np.float32)

    def window(self, left: float = -9, top: float = 0, right: float = 9, bottom: float = 1) -> Window:
        """The part of the canvas between these bounds; it may be empty."""
        x0, x1 = (int(np.clip((x + self.aspect / 2) * self.height, 0, self.width)) for x in (left, right))
        y0, y1 = (int(np.clip(y * self.height, 0, self.height)) for y in (top, bottom))
        rows, columns = slice(y0, max(y0, y1)), slice(x0, max(x0, x1))
        x = (np.arange(columns.start, columns.stop, dtype=np.float32) + 0.5) / self.height - self.aspect / 2
        y = (np.arange(rows.start, rows.stop, dtype=np.float32) + 0.5) / self.height
        return Window((rows, columns), x[None], y[:, None])

    def around(self, x: float, y: float, reach: float) -> Window:
        """The square window of half side `reach` about a point."""
        return self.window(x - reach, y - reach, x + reach, y + reach)

    def noise(self, x: np.ndarray, y: np.ndarray, kind: str, scale: tuple[float, float] = (1.0, 1.0)) -> np.ndarray:
        """Noise of mean 0 and deviation 1 at the broadcast of x and y, begun at a random place of its tile."""
        column = ((x * scale[0] + self.draw.random()) * TILE).astype(np.intp) % TILE
        row = ((y * scale[1] + self.draw.random()) * TILE).astype(np.intp) % TILE
        return noise_tile(kind)[row, column]

    def fill(
        self,
        window: Window,
        distance: np.ndarray,
        colour: ArrayLike,
        light: ArrayLike | None = None,
        *,
        texture: Texture | None = None,
        depth: float = 0.0,
        ink: float = 1.0,
        soft: float = 0.0,
        opacity: float = 1.0,
    ) -> None:
        """Paints the inside of a shape.

        `colour` is RGB or [h, w, 3]; `light` the cosine to the sun in [-1, 1], one number or [h, w], and None where a
        surface shines by itself; `depth` in [0, 1] fades into the haze; `ink` scales the line's width; `soft` widens
        the border, in picture heights, of a photo only.
        """
        border = 1 + (0 if self.cel else soft * self.height)
        pixels = distance * self.height
        coverage = np.clip(0.5 - pixels / border, 0, 1)[..., None] * np.float32(opacity)
        region = self.rgb[window.pixels]
        paint = self._cel(colour, light) if self.cel else self._photo(window, colour, light, texture)
        paint = paint + (self.weather.horizon - paint) * np.float32(depth)
        region += coverage * (paint - region)
        if self.cel and ink:
            line = np.clip(self.line * ink / 2 + 0.5 - np.abs(pixels), 0, 1)[..., None] * np.float32(1 - depth)
            region += line * (paint * np.float32(0.3) + INK - region)

    def stroke(
        self, points: ArrayLike, width: float, colour: ArrayLike, *, opacity: float = 1.0, soft: float = 0.0
    ) -> None:
        """A line through points, with no outline; `width` in picture heights."""
        points = np.asarray(points, np.float32)
        low, high = points.min(0) - width - soft - 0.01, points.max(0) + width + soft + 0.01
        window = self.window(low[0], low[1], high[0], high[1])
        distance = np.minimum.reduce([segment(window, a, b) for a, b in pairwise(points)])
        self.fill(window, distance - width / 2, colour, ink=0, opacity=opacity, soft=soft)

    def shade(self, window: Window, distance: np.ndarray, strength: float = 0.5, soft: float = 0.03) -> None:
        """A cast shadow: soft in a photo, with a hard edge in a drawing."""
        border = 1 if self.cel else soft * self.height
        coverage = np.clip(0.5 - distance * self.height / border, 0, 1)[..., None]
        dark = self.weather.cel_shadow if self.cel else 1 - strength * (1 - self.weather.ambient * np.float32(0.5))
        self.rgb[window.pixels] *= 1 - coverage * (1 - dark)

    def defocus(self, radius: float) -> None:
        """What has been painted so far lies behind the plane in focus."""
        self.rgb = _blur(self.rgb, radius * self.height)

    def picture(self) -> np.ndarray:
        """The finished picture, uint8 [H, W, 3]; a photo has passed a lens and a sensor."""
        rgb = self.rgb if self.cel else self._developed()
        return (rgb * 255).clip(0, 255).round().astype(np.uint8)

    def _cel(self, colour: ArrayLike, light: ArrayLike | None) -> np.ndarray:
        flat = cel_colour(np.asarray(colour, np.float32))
        if light is None:
            return flat
        lit = np.clip(np.asarray(light, np.float32) * 30 + 0.5, 0, 1)[..., None]
        return flat * (self.weather.cel_shadow + lit * (self.weather.cel_tint - self.weather.cel_shadow))

    def _photo(self, window: Window, colour: ArrayLike, light: ArrayLike | None, texture: Texture | None) -> np.ndarray:
        paint = np.asarray(colour, np.float32)
        if light is not None:
            level = np.clip(np.asarray(light, np.float32) * 0.6 + 0.4, 0, 1.1)[..., None]
            paint = paint * (self.weather.ambient + self.weather.sun * level)
        if texture is not None:
            field = self.noise(window.x, window.y, texture.noise, texture.scale)
            paint = paint * np.clip(1 + np.float32(texture.strength) * field, 0.2, 2)[..., None]
        return paint

    def _developed(self) -> np.ndarray:
        full, size = self.window(), (self.height, self.width)
        rgb = _blur(self.rgb, 0.45)
        glow = np.clip(rgb - 0.75, 0, 1)
        rgb = rgb + _blur(glow, 0.04 * self.height)
        vignette = 1 - self.draw.uniform(0.1, 0.35) * (full.x**2 + (full.y - 0.5) ** 2)
        exposure = np.clip(self.draw.uniform(0.42, 0.54) / rgb.mean(), 0.9, 1.5)
        rgb *= (vignette * exposure)[..., None].astype(np.float32)
        rgb *= self.draw.normal(1, 0.02, 3).astype(np.float32)
        rgb += (rgb - 0.45) * np.float32(self.draw.uniform(0.05, 0.2))  # contrast
        rgb = np.where(rgb < 0.8, rgb, 1 - 0.2 * np.exp((0.8 - rgb) / 0.2))  # highlights roll off as film does
        colour, grey = (self.draw.standard_normal((*size, channels), np.float32) for channels in (3, 1))
        return rgb + (grey + colour * 0.4) * np.float32(self.draw.uniform(0.004, 0.018))


@cache
def noise_tile(kind: str) -> np.ndarray:
    """A tile [512, 512] of noise with a power law between two frequencies, mean 0, deviation 1."""
    low, high, power = NOISES[kind]
    frequency = np.hypot(np.fft.fftfreq(TILE)[:, None], np.fft.rfftfreq(TILE)[None]) * TILE
    amplitude = np.where((frequency >= low) & (frequency <= high), np.maximum(frequency, 1) ** -power, 0)
    draw = np.random.default_rng(list(kind.encode()))
    tile = np.fft.irfft2(np.fft.rfft2(draw.standard_normal((TILE, TILE))) * amplitude, (TILE, TILE))
    return (tile / tile.std()).astype(np.float32)


def cel_colour(colour: np.ndarray) -> np.ndarray:
    """A painter's colour: purer and brighter than the photo's, from a palette of twelve steps per channel."""
    grey = colour.mean(-1, keepdims=True)
    pure = grey + (colour - grey) * 1.35
    return (np.round(np.clip(pure * 1.04 + 0.03, 0, 1) * 12) / 12).astype(np.float32)


def ellipse(window: Window, x: float, y: float, rx: float, ry: float) -> np.ndarray:
    """Nearly the signed distance to an ellipse (the implicit function over its gradient)."""
    u, v = (window.x - x) / rx, (window.y - y) / ry
    far = np.sqrt(u * u + v * v) + 1e-6
    return far * (far - 1) / np.sqrt((u / rx) ** 2 + (v / ry) ** 2 + 1e-6)


def polygon(window: Window, points: ArrayLike) -> np.ndarray:
    """The signed distance to the edges of a convex polygon, whatever way it turns."""
    points = np.asarray(points, np.float32)
    ends = np.roll(points, -1, 0)
    area = (points[:, 0] * ends[:, 1] - ends[:, 0] * points[:, 1]).sum()
    edges = (ends - points) / (np.linalg.norm(ends - points, axis=1, keepdims=True) + 1e-9)
    edges *= 1 if area > 0 else -1
    planes = [e[1] * (window.x - p[0]) - e[0] * (window.y - p[1]) for p, e in zip(points, edges, strict=True)]
    return np.maximum.reduce(planes)


def segment(window: Window, start: ArrayLike, end: ArrayLike) -> np.ndarray:
    """The distance to a straight line between two points."""
    (x, y), (dx, dy) = start, np.subtract(end, start)
    along = np.clip(((window.x - x) * dx + (window.y - y) * dy) / (dx * dx + dy * dy + 1e-9), 0, 1)
    return np.hypot(window.x - x - along * dx, window.y - y - along * dy)


def balls(window: Window, circles: ArrayLike, light: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The union of balls (x, y, r): its signed distance, and the cosine to the sun on the ball in front."""
    distance = np.full(np.broadcast_shapes(window.x.shape, window.y.shape), 9, np.float32)
    cosine = np.zeros_like(distance)
    for x, y, r in np.asarray(circles, np.float32):
        u, v = (window.x - x) / r, (window.y - y) / r
        square = u * u + v * v
        there = (np.sqrt(square) - 1) * r
        facing = u * light[0] + v * light[1] + np.sqrt(np.maximum(1 - square, 0)) * light[2]
        cosine = np.where(there < distance, facing, cosine)
        distance = np.minimum(distance, there)
    return distance, cosine


def _blur(rgb: np.ndarray, radius: float) -> np.ndarray:
    """Gaussian blur, radius in pixels, in eight bits."""
    image = Image.fromarray((rgb * 255).clip(0, 255).astype(np.uint8))
    return np.asarray(image.filter(ImageFilter.GaussianBlur(radius)), np.float32) / np.float32(255)
