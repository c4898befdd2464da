"""Landscapes: sky, clouds, mountains and hills, and before them a meadow, a lake or a street."""

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike

from anime_model.demo.canvas import Canvas, Texture, Weather, balls, ellipse, polygon

WEATHERS = {
    "day": Weather(
        (0.22, 0.45, 0.80),
        (0.76, 0.86, 0.93),
        (0.66, 0.62, 0.52),
        (0.40, 0.45, 0.54),
        (1.06, 1.04, 1.0),
        (0.60, 0.66, 0.88),
    ),
    "morning": Weather(
        (0.42, 0.62, 0.84),
        (0.95, 0.90, 0.80),
        (0.72, 0.62, 0.44),
        (0.40, 0.43, 0.50),
        (1.08, 1.03, 0.94),
        (0.66, 0.66, 0.84),
    ),
    "golden": Weather(
        (0.30, 0.42, 0.68),
        (0.98, 0.74, 0.48),
        (0.85, 0.58, 0.30),
        (0.34, 0.34, 0.44),
        (1.10, 0.95, 0.76),
        (0.60, 0.50, 0.70),
    ),
    "overcast": Weather(
        (0.60, 0.66, 0.72),
        (0.80, 0.83, 0.85),
        (0.24, 0.24, 0.23),
        (0.64, 0.67, 0.70),
        (0.95, 0.97, 1.0),
        (0.66, 0.71, 0.84),
    ),
}
GREENS = ((0.27, 0.42, 0.15), (0.22, 0.38, 0.20), (0.36, 0.46, 0.16), (0.18, 0.33, 0.22), (0.40, 0.44, 0.20))
LEAVES = (*GREENS, *GREENS, (0.62, 0.38, 0.12), (0.66, 0.24, 0.13), (0.80, 0.55, 0.60))
WALLS = (
    (0.86, 0.82, 0.74),
    (0.78, 0.66, 0.52),
    (0.66, 0.42, 0.33),
    (0.62, 0.68, 0.70),
    (0.84, 0.74, 0.46),
    (0.9, 0.9, 0.88),
)
ROOFS = ((0.58, 0.24, 0.16), (0.32, 0.33, 0.38), (0.30, 0.38, 0.46), (0.44, 0.30, 0.22), (0.24, 0.42, 0.38))
FLOWERS = ((0.92, 0.82, 0.28), (0.94, 0.94, 0.92), (0.86, 0.34, 0.40), (0.60, 0.42, 0.80))
PLASTER = Texture("stone", 0.07)


def landscape(canvas: Canvas, draw: Generator, kind: str | None = None) -> None:
    """Paints a whole landscape; `kind` is meadow, lake or street, drawn where it is None."""
    kind = kind or draw.choice(["meadow", "meadow", "lake", "street"])
    horizon = draw.uniform(0.44, 0.6)
    sky(canvas, draw, horizon)
    ridges(canvas, draw, horizon)
    {"meadow": meadow, "lake": lake, "street": street}[kind](canvas, draw, horizon)


def sky(canvas: Canvas, draw: Generator, horizon: float) -> None:
    """A gradient, the sun's glow, veils (in photos) and heaped clouds."""
    full, weather = canvas.window(), canvas.weather
    height = np.clip(1 - full.y / horizon, 0, 1)[..., None] ** 0.75
    canvas.rgb[:] = weather.horizon + (weather.zenith - weather.horizon) * height
    if canvas.cel:
        canvas.rgb += (canvas.rgb - canvas.rgb.mean(-1, keepdims=True)) * 0.25  # a painter's sky is purer
    _sun(canvas, draw, horizon)
    if not canvas.cel:
        veil = canvas.noise(full.x / (full.y + 0.25), full.y / (full.y + 0.25), "cloud", (0.5, 1.6))
        canvas.fill(full, -np.clip(veil * 0.5 - 0.1, -1, 1) / canvas.height, (0.97, 0.97, 0.98), opacity=0.6)
    for distance in np.sort(draw.uniform(0, 1, draw.integers(1, 6))):
        _cloud(canvas, draw, horizon * (0.85 - 0.6 * distance), 0.03 + 0.07 * distance)


def _sun(canvas: Canvas, draw: Generator, horizon: float) -> None:
    side = np.sign(canvas.light[0]) or 1
    x, y, r = side * draw.uniform(0.2, 0.6), horizon * draw.uniform(0.1, 0.6), draw.uniform(0.025, 0.05)
    shown = draw.random() < 0.5
    full = canvas.window()
    far = np.hypot(full.x - x, full.y - y)[..., None]
    glow = np.exp(-far / (0.12 if canvas.cel else 0.22)) * 0.6 * canvas.weather.sun.max()
    canvas.rgb += (1 - canvas.rgb) * glow.astype(np.float32) * np.array([1, 0.96, 0.8], np.float32)
    if shown:
        window = canvas.around(x, y, 2 * r)
        canvas.fill(window, ellipse(window, x, y, r, r), (1, 0.99, 0.92), ink=0, soft=0.02)


def _cloud(canvas: Canvas, draw: Generator, base: float, size: float) -> None:
    """A heap of balls on a flat base; one shape for both styles, frayed and soft in a photo."""
    x0, wide, count = draw.uniform(-0.8, 0.8), draw.uniform(1.6, 4.5) * size, draw.integers(12, 22)
    place = draw.uniform(-1, 1, count)
    reach = size * (1.05 - np.abs(place) * 0.75) * draw.uniform(0.5, 1, count)
    circles = np.stack([x0 + place * wide, base - reach * draw.uniform(0.1, 1.2, count), reach], 1)
    window = canvas.window(x0 - wide - 2 * size, base - 3 * size, x0 + wide + 2 * size, base + size)
    distance, facing = balls(window, circles, canvas.light)
    fray = canvas.noise(window.x, window.y, "wave" if canvas.cel else "cloud", (1.5 / size * 0.05, 2.5 / size * 0.05))
    distance = np.maximum(distance, (window.y - base) * 0.8) + fray * size * (0.04 if canvas.cel else 0.22)
    white = np.minimum(canvas.weather.horizon * 0.4 + 0.66, 1)
    if canvas.cel:
        light = np.clip((facing - 0.3 + fray * 0.08) * 12 + 0.5, 0, 1)[..., None]
        dim = white * 0.7 + canvas.weather.zenith * 0.24
        canvas.fill(window, distance, (dim + light * (white - dim) - 0.03) / 1.04, ink=0)
    else:
        light = np.clip(0.86 + facing * 0.13 + fray * 0.03, 0, 1.1)[..., None]
        canvas.fill(window, distance, white * light, soft=0.9 * size)


def ridges(canvas: Canvas, draw: Generator, horizon: float) -> None:
    """Mountains and hills, from far and pale to near."""
    count = draw.integers(1, 4)
    for i in range(count):
        near = (i + 1) / (count + 1)
        high = draw.uniform(0.05, 0.24) * (1.2 - near)
        window = canvas.window(top=horizon - 1.6 * high - 0.06, bottom=min(horizon + 0.1, 1))
        rocky = draw.random() < 0.5 and near < 0.5
        top = horizon - high * (0.55 + _outline(window.x, draw, rough=rocky)) + 0.02 * near
        relief = canvas.noise(
            window.x, window.y, "wave" if canvas.cel else "stone", (1.2, 1.8) if canvas.cel else (0.6, 0.9)
        )
        colour = np.array((0.42, 0.44, 0.50)) if rocky else np.array(GREENS[draw.integers(len(GREENS))])
        light = 0.1 + canvas.light[0] * np.gradient(top[0])[None] * canvas.height * 0.9 + relief * 0.28
        canvas.fill(
            window,
            (top - window.y) * 0.8,
            colour,
            light,
            texture=Texture("leaf", 0.16, (1.5, 2.5)),
            depth=0.72 - 0.55 * near,
            ink=0.6,
        )


def _outline(x: np.ndarray, draw: Generator, rough: bool) -> np.ndarray:
    """A sum of waves in about [-0.5, 0.5]; with folds where it is rough."""
    total = np.zeros_like(x)
    for octave in range(5 if rough else 3):
        wave = np.sin(x * draw.uniform(2.5, 5) * 2**octave + draw.uniform(0, 6.28))
        total += ((0.5 - np.abs(wave)) if rough else wave * 0.5) / 2**octave * (1 if rough else 0.6)
    return total * 0.6


def meadow(canvas: Canvas, draw: Generator, horizon: float) -> None:
    """Grass in perspective with a path, houses, trees and bushes, and flowers before the viewer."""
    _ground(canvas, draw, horizon, GREENS[draw.integers(len(GREENS))])
    if draw.random() < 0.6:
        _path(canvas, draw, horizon)
    _treeline(canvas, draw, horizon)
    things = np.sort(draw.uniform(0.02, 0.34, draw.integers(3, 8)))
    for below in things:
        x, near = draw.uniform(-0.75, 0.75), below / 0.34
        thing = draw.choice([house, tree, tree, conifer, bush])
        thing(canvas, draw, x, horizon + below, (0.10 + 0.26 * near) * draw.uniform(0.8, 1.25), 0.25 * (1 - near))
    _flowers(canvas, draw, horizon)


def _ground(canvas: Canvas, draw: Generator, horizon: float, colour: tuple) -> None:
    window = canvas.window(top=horizon - 0.04)
    edge = horizon + 0.012 * np.sin(window.x * draw.uniform(2, 5) + draw.uniform(0, 6))
    deep = 0.09 / np.maximum(window.y - edge + 0.05, 0.03)
    patches = canvas.noise(window.x * deep * 2, deep * 1.5, "patch", (1.2, 1.2))
    if canvas.cel:
        light = np.where(patches > 0.9, -0.2, 0.4) * np.ones_like(window.x)
        paint = np.array(colour) * (1 + 0.16 * np.clip(patches * 9 + 4, 0, 1))[..., None]
    else:
        blades = canvas.noise(window.x * deep * 6, deep * 6, "stone", (0.35, 0.35))
        light = 0.45 + 0.12 * patches
        dry = np.clip(patches * 0.25 + 0.25, 0, 0.6)[..., None]
        paint = np.array(colour) * (1.1 + 0.2 * blades)[..., None] * (1 - dry) + dry * np.array((0.50, 0.46, 0.24))
    canvas.fill(
        window, edge - window.y, paint.astype(np.float32), light, texture=Texture("grain", 0.13, (1, 0.6)), ink=0.6
    )


def _path(canvas: Canvas, draw: Generator, horizon: float) -> None:
    window = canvas.window(top=horizon + 0.015)
    near = np.maximum(window.y - horizon, 0) / (1 - horizon)
    middle = draw.uniform(-0.3, 0.3) * (1 - near) + draw.uniform(-0.25, 0.25) * np.sin(near * draw.uniform(3, 6)) * (
        1 - near * 0.4
    )
    ragged = canvas.noise(window.x, window.y, "leaf", (0.7, 1.4)) * 0.012 * near
    distance = np.abs(window.x - middle) - 0.02 - 0.2 * near**1.5 + ragged
    canvas.fill(
        window, distance * 0.8, (0.66, 0.55, 0.40), 0.5, texture=Texture("stone", 0.14, (1.2, 3)), ink=0.5, soft=0.02
    )


def _treeline(canvas: Canvas, draw: Generator, horizon: float) -> None:
    left, count = draw.uniform(-1, 0.4), draw.integers(8, 22)
    x = left + np.cumsum(draw.uniform(0.02, 0.06, count))
    r = draw.uniform(0.018, 0.04, count)
    _leaves(
        canvas, np.stack([x, np.full(count, horizon) - r * 0.5, r], 1), LEAVES[draw.integers(len(GREENS))], 0.35, 0.5
    )


def _leaves(canvas: Canvas, circles: np.ndarray, colour: tuple, depth: float, ink: float) -> None:
    """Foliage: balls with a frayed border, and the leaves' light and shade inside."""
    size = float(circles[:, 2].mean())
    x, y, reach = circles[:, 0], circles[:, 1], circles[:, 2].max() * 1.5
    window = canvas.window(x.min() - reach, y.min() - reach, x.max() + reach, y.max() + reach)
    distance, facing = balls(window, circles, canvas.light)
    scale = float(np.clip(0.05 / size, 0.5, 1.6))
    leaf = canvas.noise(window.x, window.y, "leaf", (scale, scale))
    if canvas.cel:
        canvas.fill(window, distance + leaf * size * 0.09, colour, facing - 0.28 + leaf * 0.22, depth=depth, ink=ink)
    else:
        light = facing * 0.75 + leaf * 0.3 - 0.1
        canvas.fill(
            window, distance + leaf * size * 0.17, colour, light, texture=Texture("grain", 0.16), depth=depth, soft=0.01
        )


def tree(canvas: Canvas, draw: Generator, x: float, base: float, size: float, depth: float) -> None:
    """A trunk with boughs under a crown of leaves; `size` is its height."""
    thick, lean = size * draw.uniform(0.035, 0.06), draw.uniform(-0.06, 0.06) * size
    crown = np.array([x + lean, base - size * 0.68])
    _cast(canvas, x, base, size * 0.36)
    window = canvas.window(x - size / 2, base - size * 0.7, x + size / 2, base + 0.01)
    up = (base - window.y) / (size * 0.7)
    half = thick * (1.25 - 0.7 * up + 0.6 * np.exp(-up * 12))
    off = window.x - x - lean * up
    light = np.clip(off / half, -1, 1) * canvas.light[0] * 1.2 + 0.05
    canvas.fill(
        window,
        np.maximum(np.abs(off) - half, window.y - base),
        (0.36, 0.27, 0.19),
        light,
        texture=Texture("stone", 0.25, (2.5, 0.6)),
        depth=depth,
        ink=0.8,
    )
    colour = LEAVES[draw.integers(len(LEAVES))]
    angle, far = draw.uniform(0, 6.28, 14), np.sqrt(draw.uniform(0, 1, 14))
    wide, high = draw.uniform(0.22, 0.34) * size, draw.uniform(0.16, 0.24) * size
    circles = np.stack(
        [
            crown[0] + np.cos(angle) * far * wide,
            crown[1] + np.sin(angle) * far * high,
            draw.uniform(0.1, 0.18, 14) * size,
        ],
        1,
    )
    _leaves(canvas, circles, tuple(np.array(colour) * 0.8), depth, 1)
    front = circles[:6] - [canvas.light[0] * -0.04 * size, 0.05 * size, 0.035 * size]
    _leaves(canvas, front[np.argsort(front[:, 1])], colour, depth, 0)


def conifer(canvas: Canvas, draw: Generator, x: float, base: float, size: float, depth: float) -> None:
    """A fir: tiers of drooping branches on a trunk."""
    colour = np.array((0.15, 0.30, 0.20)) * draw.uniform(0.8, 1.3)
    _cast(canvas, x, base, size * 0.2)
    canvas.stroke([(x, base), (x, base - size * 0.5)], size * 0.05, (0.30, 0.22, 0.16))
    for tier in range(5):
        low, wide = base - size * (0.1 + tier * 0.17), size * (0.25 - tier * 0.042)
        window = canvas.window(x - 1.3 * wide, low - size * 0.34, x + 1.3 * wide, low + 0.04 * size)
        down = (window.y - low) / (size * 0.3) + 1
        off = np.abs(window.x - x)
        leaf = canvas.noise(window.x, window.y, "leaf", (1.2, 0.6))
        sag = off / wide * 0.05 * size
        distance = np.maximum(off - wide * np.clip(down, 0, 2) ** 1.2, window.y - low + sag)
        light = (window.x - x) / wide * canvas.light[0] * 1.6 + (1 - down) * 0.5 + leaf * (0.15 if canvas.cel else 0.35)
        canvas.fill(
            window,
            distance * 0.8 + leaf * size * (0.006 if canvas.cel else 0.014),
            colour,
            light,
            texture=Texture("grain", 0.2),
            depth=depth,
            ink=0.8,
            soft=0.006,
        )


def bush(canvas: Canvas, draw: Generator, x: float, base: float, size: float, depth: float) -> None:
    """A low mound of leaves."""
    count, size = 7, size * 0.45
    _cast(canvas, x, base, size * 0.8)
    place = draw.uniform(-1, 1, count)
    r = size * draw.uniform(0.24, 0.38, count)
    circles = np.stack([x + place * size * 0.6, base - r * (1.5 - np.abs(place)) * 0.8, r], 1)
    _leaves(canvas, circles, LEAVES[draw.integers(len(GREENS))], depth, 1)


def house(canvas: Canvas, draw: Generator, x: float, base: float, size: float, depth: float) -> None:
    """A gabled front, one side in slanting perspective, roof, door and windows."""
    w, h, long = size * draw.uniform(0.5, 0.75), size * draw.uniform(0.4, 0.6), size * draw.uniform(0.5, 0.9)
    turn, eave, gable = draw.choice([-1, 1]), size * 0.06, size * draw.uniform(0.28, 0.42)
    wall, roof = WALLS[draw.integers(len(WALLS))], np.array(ROOFS[draw.integers(len(ROOFS))])
    door = ROOFS[draw.integers(len(ROOFS))]
    glass = (0.24, 0.31, 0.40) if draw.random() < 0.7 else (0.85, 0.72, 0.42)
    lift, front, beside = size * 0.05, 0.25 + 0.5 * canvas.light[2], canvas.light[0] * turn * 1.2
    corner, far, top = x + turn * w / 2, x + turn * (w / 2 + long), base - h - gable
    drip = base - h + eave * gable / (w / 2)
    _cast(canvas, x - np.sign(canvas.light[0]) * w * 0.5 + turn * long / 2, base, size * 0.7)
    side = [(corner, base), (far, base - lift), (far, base - lift - h), (corner, base - h)]
    _face(canvas, side, wall, beside, depth)
    gabled = [(x - w / 2, base), (x + w / 2, base), (x + w / 2, base - h), (x, top), (x - w / 2, base - h)]
    _face(canvas, gabled, wall, front, depth)
    slope = [(x, top - eave / 2), (x + turn * long, top - lift - eave / 2)]
    slope += [(far + turn * eave, drip - lift), (corner + turn * eave, drip)]
    _face(canvas, slope, roof, beside * 0.6 + 0.35, depth, texture=Texture("leaf", 0.16, (0.5, 2.2)))
    canvas.stroke([(x, top), (x - turn * (w / 2 + eave), drip)], size * 0.05, roof * 0.8)
    canvas.stroke([(x, top), (corner + turn * eave, drip)], size * 0.03, roof * 0.7)
    _opening(canvas, (x - w * 0.1, base - h * 0.62, w * 0.24, h * 0.62), door, front, depth)
    for place in (-0.38, 0.22):
        _opening(canvas, (x + place * w, base - h * 0.72, w * 0.2, h * 0.32), glass, front, depth)
    _opening(canvas, (x - w * 0.1, base - h * 0.98 - gable * 0.42, w * 0.2, gable * 0.42), glass, front, depth)


def _face(
    canvas: Canvas,
    points: ArrayLike,
    colour: ArrayLike,
    light: float,
    depth: float,
    ink: float = 1.0,
    texture: Texture = PLASTER,
) -> None:
    """A flat side of a thing: a convex polygon."""
    points = np.asarray(points, np.float32)
    (left, top), (right, bottom) = points.min(0) - 0.02, points.max(0) + 0.02
    window = canvas.window(left, top, right, bottom)
    canvas.fill(window, polygon(window, points), colour, light, texture=texture, depth=depth, ink=ink)


def _opening(canvas: Canvas, box: tuple, colour: ArrayLike, light: float, depth: float) -> None:
    """A door or a window with its frame; `box` is left, top, width, height."""
    left, top, width, height = box
    for inset, tint in ((0, (0.9, 0.88, 0.84)), (0.07 * width, colour)):
        x, y, w, h = left + inset, top + inset, width - 2 * inset, height - 2 * inset
        _face(canvas, [(x, y), (x + w, y), (x + w, y + h), (x, y + h)], tint, light, depth, 0.6)


def _cast(canvas: Canvas, x: float, base: float, reach: float) -> None:
    """The shadow that a thing casts on the ground."""
    x = x - canvas.light[0] * reach * 0.7
    window = canvas.window(x - 2 * reach, base - reach, x + 2 * reach, base + reach)
    canvas.shade(window, ellipse(window, x, base + 0.004, reach, reach * 0.16), 0.55)


def _flowers(canvas: Canvas, draw: Generator, horizon: float) -> None:
    colour = FLOWERS[draw.integers(len(FLOWERS))]
    for _ in range(draw.integers(0, 40)):
        x, y = draw.uniform(-0.75, 0.75), draw.uniform(horizon + 0.2, 1.02)
        r = 0.018 * (y - horizon) * draw.uniform(0.7, 1.3) + 0.002
        canvas.stroke([(x, y + 4 * r), (x, y)], r * 0.5, (0.22, 0.38, 0.14))
        window = canvas.around(x, y, 3 * r)
        canvas.fill(window, ellipse(window, x, y, r * 1.3, r), colour, 0.5, texture=Texture("grain", 0.15), ink=0.5)


def lake(canvas: Canvas, draw: Generator, horizon: float) -> None:
    """Water that mirrors what lies behind it, its far shore, and a near bank."""
    _treeline(canvas, draw, horizon)
    for _ in range(draw.integers(0, 4)):
        thing = draw.choice([tree, house, conifer])
        thing(canvas, draw, draw.uniform(-0.7, 0.7), horizon + 0.012, draw.uniform(0.1, 0.2), 0.2)
    shore = canvas.window(top=horizon - 0.03)
    canvas.fill(
        shore,
        horizon + 0.004 * np.sin(shore.x * 9) - shore.y,
        (0.45, 0.42, 0.30),
        0.4,
        texture=Texture("stone", 0.2),
        ink=0.5,
    )
    _water(canvas, draw, horizon + 0.022)
    bank = canvas.window(top=0.75)
    edge = 1 - draw.uniform(0.02, 0.14) * (1 + np.tanh((bank.x - draw.uniform(-0.5, 0.5)) * draw.choice([-8, 8])))
    canvas.fill(
        bank, edge - bank.y, GREENS[draw.integers(len(GREENS))], 0.4, texture=Texture("stone", 0.25, (1.5, 1.5))
    )
    for _ in range(draw.integers(0, 3)):
        x = draw.uniform(-0.7, 0.7)
        thing = draw.choice([bush, tree])
        thing(canvas, draw, x, 1.02, draw.uniform(0.3, 0.7), 0)


def _water(canvas: Canvas, draw: Generator, top: float) -> None:
    window = canvas.window(top=top)
    rows = window.pixels[0]
    near = (window.y - top) / (1 - top)
    ripple = canvas.noise(
        window.x * 0.5 / (near + 0.12), 0.35 / (near + 0.12), "wave" if canvas.cel else "stone", (0.5, 1.5)
    )
    shift = ripple * near * (0.008 if canvas.cel else 0.03) * canvas.height
    mirror = 2 * rows.start - 1 - np.arange(rows.start, rows.stop)[:, None]
    source = np.clip(mirror + shift, 0, rows.start - 1).astype(int)
    seen = canvas.rgb[source, np.arange(canvas.width)[None]]
    tint = np.array(draw.choice([(0.16, 0.36, 0.46), (0.14, 0.30, 0.42), (0.18, 0.40, 0.40)]), np.float32)
    blend = (0.3 + 0.35 * near)[..., None]
    paint = seen + (tint - seen) * blend
    if canvas.cel:
        paint = seen + (tint * 1.2 - seen) * np.round(blend * 6) / 6
        sparkle = np.clip((ripple - 1.5) * 9, 0, 1)[..., None] * 0.75
        paint += (canvas.weather.horizon - paint) * sparkle
    else:
        paint *= (1 + 0.12 * ripple)[..., None]
    canvas.rgb[window.pixels] = paint
    canvas.stroke([(-2, top), (2, top)], 0.004, (0.9, 0.93, 0.92), opacity=0.6)


def street(canvas: Canvas, draw: Generator, horizon: float) -> None:
    """A road towards the vanishing point between two rows of houses, with poles, wires and trees."""
    horizon = min(horizon, 0.52)
    middle, eye = draw.uniform(-0.12, 0.12), draw.uniform(0.5, 0.7)
    _road(canvas, draw, horizon, middle, eye)
    for side in (-1, 1):
        _row(canvas, draw, side, horizon, middle, eye)
    side = draw.choice([-1, 1])
    tops = []
    for far in (4.5, 2.6, 1.5, 0.9):
        x, base, size = middle + side * 0.92 / far, horizon + eye / far, 2.1 / far
        canvas.stroke([(x, base), (x, base - size)], 0.045 / far, (0.34, 0.32, 0.31))
        canvas.stroke(
            [(x - 0.18 / far, base - size * 0.93), (x + 0.18 / far, base - size * 0.93)], 0.03 / far, (0.3, 0.28, 0.27)
        )
        tops.append((x, base - size * 0.93))
        if draw.random() < 0.5:
            tree(canvas, draw, middle - side * 0.95 / far, base, 1.15 / far, 0.25 * far / 4.5)
    for lift in (-0.012, 0.012):
        canvas.stroke([(x + lift, y) for x, y in tops], 0.004, (0.15, 0.15, 0.17))


def _road(canvas: Canvas, draw: Generator, horizon: float, middle: float, eye: float) -> None:
    """The ground plane: asphalt, kerbs, a broken white line; world units are set by the eye's height above the road."""
    window = canvas.window(top=horizon)
    far = eye / np.maximum(window.y - horizon, 0.004)
    across = (window.x - middle) * far
    stones = canvas.noise(across, far, "stone", (0.4, 0.4)) * (0 if canvas.cel else 0.1)
    asphalt, kerb = np.array((0.40, 0.40, 0.43)), np.array((0.62, 0.60, 0.56))
    walk = np.clip((np.abs(across) - 0.62) / far * canvas.height + 0.5, 0, 1)[..., None]
    line = np.clip((0.025 - np.abs(across)) / far * canvas.height + 0.5, 0, 1) * (np.mod(far, 1) < 0.5)
    edge = np.clip((0.02 - np.abs(np.abs(across) - 0.56)) / far * canvas.height + 0.5, 0, 1)
    paint = asphalt + walk * (kerb - asphalt)
    paint = paint + np.maximum(line, edge)[..., None] * (np.array((0.92, 0.91, 0.86)) - paint)
    haze = np.clip(far / 40, 0, 0 if canvas.cel else 0.5)[..., None]
    paint = paint * (1 + stones)[..., None] * (1 - haze) + haze * canvas.weather.horizon
    shadow = np.where(across * np.sign(canvas.light[0]) > draw.uniform(-0.2, 0.5), -0.3, 0.5)
    canvas.fill(window, horizon - window.y, paint.astype(np.float32), shadow, texture=Texture("grain", 0.05))


def _row(canvas: Canvas, draw: Generator, side: int, horizon: float, middle: float, eye: float) -> None:
    """One side of the street by ray casting onto the plane of the house fronts: depth follows from x, height from y."""
    window = canvas.window(middle, 0, 9, 1) if side > 0 else canvas.window(-9, 0, middle, 1)
    offset, long = 1.15, draw.uniform(0.9, 1.4)
    far = offset / np.maximum((window.x - middle) * side, 0.02)
    up = eye - (window.y - horizon) * far
    number = np.floor(far / long).astype(int).clip(0, 63)
    storeys = draw.integers(1, 4, 64)[number]
    high = storeys * 0.55 + 0.15
    colour = np.array(WALLS)[draw.integers(0, len(WALLS), 64)[number]]
    scale = canvas.height / far  # pixels per unit of height; a unit of depth is narrower by offset / far
    u, v = np.mod(far / long, 1), up / 0.55
    pane_u, pane_v = np.abs(np.mod(u * 3, 1) - 0.5) - 0.26, np.abs(np.mod(v, 1) - 0.55) - 0.24
    pane = np.maximum(pane_u * long / 3 * offset / far, pane_v * 0.55) * scale
    border = np.minimum(u, 1 - u) * long * offset / far * scale
    glass = (
        np.array((0.23, 0.30, 0.38))
        * (1 + 0.5 * np.mod(number * 7 + np.floor(u * 3) * 3 + np.floor(v) * 5, 3) / 3)[..., None]
    )
    paint = colour + np.clip(0.5 - pane, 0, 1)[..., None] * (glass - colour)
    roof = np.clip((up - high + 0.12) * scale + 0.5, 0, 1)[..., None]
    paint = paint + roof * (np.array(ROOFS)[draw.integers(0, len(ROOFS), 64)[number]] - paint)
    if canvas.cel:
        ink = (
            np.clip(
                canvas.line / 2
                + 0.5
                - np.minimum.reduce(
                    [np.abs(pane), border + 0 * pane, np.abs(roof[..., 0] - 0.5) * 2 + (up < high - 0.3) * 9]
                ),
                0,
                1,
            )[..., None]
            * np.clip(1.4 - far / 8, 0, 1)[..., None]
        )
        paint = paint * (1 - 0.75 * ink)
    haze = np.clip(far / 16, 0, 0.7)[..., None]
    paint = paint * (1 - haze) + haze * canvas.weather.horizon
    distance = np.maximum(up - high, -up) / far
    light = np.full_like(up, -0.35 if side * canvas.light[0] > 0 else 0.5)
    canvas.fill(window, distance, paint.astype(np.float32), light, texture=Texture("stone", 0.05))
