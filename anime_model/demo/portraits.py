"""Portraits: head and shoulders before a landscape or a room, in varied light, pose, skin, hair and clothes.

A head is drawn in a frame of its own (`Head.frame`): the origin just above the eyes' line, u to the right and v down,
the chin at v = 1 and the skull's top near v = -1, turned with the head's tilt.
"""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from anime_model.demo.canvas import Canvas, Texture, Window, ellipse, polygon
from anime_model.demo.landscapes import landscape

SKINS = ((0.94, 0.78, 0.68), (0.89, 0.70, 0.57), (0.80, 0.60, 0.46), (0.64, 0.44, 0.32), (0.46, 0.31, 0.23))
HAIRS = (
    (0.10, 0.08, 0.09),
    (0.20, 0.13, 0.10),
    (0.36, 0.22, 0.13),
    (0.52, 0.28, 0.14),
    (0.78, 0.60, 0.34),
    (0.60, 0.60, 0.62),
)
IRISES = ((0.30, 0.18, 0.10), (0.22, 0.36, 0.52), (0.24, 0.42, 0.26), (0.42, 0.28, 0.12), (0.16, 0.12, 0.12))
CLOTHES = (
    (0.20, 0.28, 0.46),
    (0.66, 0.20, 0.20),
    (0.86, 0.84, 0.80),
    (0.24, 0.40, 0.32),
    (0.74, 0.58, 0.30),
    (0.30, 0.30, 0.33),
    (0.50, 0.34, 0.50),
    (0.42, 0.60, 0.72),
)
ROOMS = ((0.80, 0.76, 0.68), (0.62, 0.70, 0.72), (0.72, 0.60, 0.52), (0.56, 0.62, 0.54), (0.46, 0.48, 0.54))
WIDE = 0.74  # half width of a head in its own frame


@dataclass
class Head:
    """Where a head is and what it looks like; everything that both styles share."""

    x: float
    y: float
    size: float  # half the head's height, in picture heights
    tilt: float
    yaw: float  # radians
    jaw: float
    skin: np.ndarray
    hair: np.ndarray
    iris: np.ndarray
    smile: float
    open_eyes: float
    long: float  # how far down the hair falls, in the head's frame
    fringe: str

    def frame(self, window: Window, tilted: bool = True) -> Window:
        """The window with the head's own coordinates."""
        x, y, turn = (window.x - self.x) / self.size, (window.y - self.y) / self.size, self.tilt if tilted else 0
        return Window(window.pixels, x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn))

    def place(self, points: list) -> np.ndarray:
        """Points of the head's frame on the canvas."""
        u, v = np.array(points, np.float32).T
        c, s = np.cos(self.tilt), np.sin(self.tilt)
        return np.stack([self.x + (u * c - v * s) * self.size, self.y + (u * s + v * c) * self.size], 1)

    def across(self, angle: float) -> float:
        """The u of a feature at an angle from the middle of the face, turned with the head."""
        return WIDE * np.sin(angle + self.yaw)


def portrait(canvas: Canvas, draw: Generator) -> None:
    """Paints a person from the chest up."""
    head = _person(draw, canvas.aspect)
    _background(canvas, draw)
    if head.long > 0.5:
        _hair_behind(canvas, draw, head)
    _body(canvas, draw, head)
    _face(canvas, head)
    _features(canvas, head)
    _hair(canvas, draw, head)


def _person(draw: Generator, aspect: float) -> Head:
    size = draw.uniform(0.24, 0.34)
    return Head(
        x=draw.uniform(-0.25, 0.25) * (aspect - 0.8),
        y=draw.uniform(0.42, 0.5),
        size=size,
        tilt=draw.normal(0, 0.08),
        yaw=draw.uniform(-0.32, 0.32),
        jaw=draw.uniform(0.2, 0.36),
        skin=np.array(SKINS[draw.choice(len(SKINS), p=[0.25, 0.25, 0.2, 0.16, 0.14])]) * draw.uniform(0.95, 1.04),
        hair=np.array(HAIRS[draw.integers(len(HAIRS))]) * draw.uniform(0.85, 1.15),
        iris=np.array(IRISES[draw.integers(len(IRISES))]),
        smile=draw.uniform(0, 1),
        open_eyes=draw.uniform(0.8, 1.15),
        long=draw.choice([0.15, 0.3, 0.9, 1.3, 2.2], p=[0.2, 0.3, 0.2, 0.15, 0.15]),
        fringe=draw.choice(["locks", "parted", "swept"]),
    )


def _background(canvas: Canvas, draw: Generator) -> None:
    if draw.random() < 0.6:
        landscape(canvas, draw)
    else:
        _room(canvas, draw)
    radius = draw.uniform(0.008, 0.022)
    if not canvas.cel:
        canvas.defocus(radius)


def _room(canvas: Canvas, draw: Generator) -> None:
    full, wall = canvas.window(), np.array(ROOMS[draw.integers(len(ROOMS))])
    fall = 0.55 - 0.5 * np.abs(full.x - canvas.light[0] * 0.5) + 0 * full.y
    canvas.fill(full, np.full_like(fall, -1), wall, 0.4 if canvas.cel else fall, texture=Texture("cloud", 0.05), ink=0)
    for _ in range(draw.integers(1, 4)):
        x, y, w, h = draw.uniform(-0.8, 0.5), draw.uniform(0, 0.4), draw.uniform(0.15, 0.4), draw.uniform(0.2, 0.5)
        box = canvas.window(x - 0.03, y - 0.03, x + w + 0.03, y + h + 0.03)
        colour, frame = np.array(CLOTHES[draw.integers(len(CLOTHES))]), draw.uniform(0.01, 0.025)
        corners = np.array([(x, y), (x + w, y), (x + w, y + h), (x, y + h)])
        distance = polygon(box, corners)
        canvas.fill(box, distance, wall * 0.55, 0.3)
        canvas.fill(
            box, distance + frame, colour if canvas.cel else colour + (1 - colour) * (box.y[..., None] - y) / h, 0.5
        )
        canvas.fill(box, np.abs(box.x - x - w / 2) - frame / 3 + np.maximum(distance, 0) * 9, wall * 0.55, 0.3, ink=0.5)


def _skull(head: Head, at: Window) -> tuple[np.ndarray, np.ndarray]:
    """The face's implicit radius (1 on its outline) and u measured from its middle in half widths."""
    down = np.clip(at.y, 0, 1.2)
    side = (at.x - 0.1 * head.yaw * down) / (WIDE * (1 - head.jaw * down**2))
    return np.sqrt(side**2 + (at.y / np.where(at.y < 0, 1.06, 1.0)) ** 2), side


def _bell(at: Window, u: float, v: float, wide: float, high: float) -> np.ndarray:
    return np.exp(-(((at.x - u) / wide) ** 2) - ((at.y - v) / high) ** 2)


def _relief(head: Head, at: Window, detail: bool) -> np.ndarray:
    """How far the face stands out towards the viewer, in the head's units; `detail` adds sockets, nose and lips."""
    radius, _ = _skull(head, at)
    relief = 0.75 * np.sqrt(np.clip(1.12 - radius**2, 0.02, None))
    if not detail:
        return relief
    nose = head.across(0)
    ridge = np.clip((at.y + 0.05) / 0.5, 0, 1) * np.clip((0.56 - at.y) / 0.1, 0, 1)
    relief += 0.16 * ridge * np.exp(-(((at.x - nose) / (0.07 + 0.05 * ridge)) ** 2)) + 0.05 * _bell(
        at, nose, 0.44, 0.1, 0.08
    )
    for side in (-1, 1):
        relief -= 0.07 * _bell(at, head.across(side * 0.5), 0.06, 0.2, 0.12)
        relief += 0.04 * _bell(at, head.across(side * 0.55), 0.42, 0.22, 0.18)
    relief += 0.045 * _bell(at, head.across(0), 0.74, 0.2, 0.07) + 0.05 * _bell(at, head.across(0), 0.95, 0.2, 0.12)
    return relief


def _lit(canvas: Canvas, head: Head, relief: np.ndarray) -> np.ndarray:
    """The cosine to the sun on a relief given in the head's units."""
    if min(relief.shape) < 2:
        return np.zeros_like(relief)
    down, right = np.gradient(relief, 1 / (canvas.height * head.size))
    light = canvas.light * [1, 0.6, 1]
    return (light[2] - right * light[0] - down * light[1]) / np.sqrt(1 + right**2 + down**2)


def _face(canvas: Canvas, head: Head) -> None:
    window = canvas.around(head.x, head.y, 1.4 * head.size)
    at = head.frame(window)
    for side in (-1, 1):
        u = side * WIDE * 0.97 - 0.12 * head.yaw
        canvas.fill(
            at, ellipse(at, u, 0.2, 0.12, 0.22) * head.size, head.skin * 0.93, 0.1, texture=Texture("grain", 0.03)
        )
    radius, side = _skull(head, at)
    light = _lit(canvas, head, _relief(head, at, not canvas.cel))
    if canvas.cel:
        light = light + 0.12 - 0.5 * np.clip(np.abs(side) - 0.75, 0, 1)
    else:
        light = 0.85 * light + 0.2  # skin lets light through
    warm = np.clip(_bell(at, head.across(-0.6), 0.45, 0.2, 0.16) + _bell(at, head.across(0.6), 0.45, 0.2, 0.16), 0, 1)
    blush = warm[..., None] * np.array([0.02, -0.07, -0.06]) * (1 if not canvas.cel else 0)
    shine = 0 if canvas.cel else np.clip(light - 0.93, 0, 1)[..., None] * 0.9
    canvas.fill(
        at,
        (radius - 1) * 0.72 * head.size,
        (head.skin + blush + shine).astype(np.float32),
        light,
        texture=Texture("stone", 0.02, (head.size * 2, head.size * 2)),
    )
    if canvas.cel:
        pink = head.skin * np.array([1.02, 0.78, 0.76])
        for side in (-1, 1):
            canvas.fill(
                at, (ellipse(at, head.across(side * 0.62), 0.44, 0.13, 0.06)) * head.size, pink, 0.4, ink=0, opacity=0.5
            )


def _curve(u: float, v: float, half: float, bend: float, slant: float = 0.0, count: int = 9) -> list:
    """Points along a parabola: ends at v, middle raised by `bend`."""
    t = np.linspace(-1, 1, count)
    return list(zip(u + t * half, v - bend * (1 - t**2) + slant * t, strict=True))


def _features(canvas: Canvas, head: Head) -> None:
    for side in (-1, 1):
        _eye(canvas, head, side)
    _nose(canvas, head)
    _mouth(canvas, head)


def _eye(canvas: Canvas, head: Head, side: int) -> None:
    big = 1.25 if canvas.cel else 1.0
    u, v = head.across(side * 0.47), 0.1
    wide = 0.185 * (0.5 + 0.5 * np.cos(side * 0.5 + head.yaw)) * (1.1 if canvas.cel else 1)
    high = 0.105 * head.open_eyes * big
    window = canvas.around(*head.place([(u, v)])[0], 0.4 * head.size)
    at = head.frame(window)
    arc = 1 - ((at.x - u) / wide) ** 2
    lid = np.maximum(v - high * arc - at.y, at.y - v - 0.55 * high * arc) * 0.8
    if not canvas.cel:
        canvas.fill(
            at,
            ellipse(at, u, v - 0.02, wide * 1.1, high * 1.1) * head.size,
            head.skin * 0.72,
            0.3,
            opacity=0.35,
            soft=0.12 * head.size,
        )
    canvas.fill(at, lid * head.size, (0.93, 0.92, 0.91), 0.35, ink=0, soft=0.01 * head.size)
    _iris(canvas, head, at, lid, u + head.yaw * 0.06, v, big)
    dark = head.hair * 0.35
    lash = head.place(_curve(u, v, wide * 1.06, high))
    canvas.stroke(lash, head.size * (0.055 if canvas.cel else 0.035), dark, soft=0.008 * head.size)
    canvas.stroke(head.place(_curve(u, v + 0.01, wide * 0.8, -0.5 * high)), head.size * 0.014, dark, opacity=0.6)
    brow = head.place(_curve(u, v - 0.22 - 0.03 * head.open_eyes, wide * 1.15, 0.05, -side * 0.03 * head.smile))
    canvas.stroke(
        brow,
        head.size * (0.035 if canvas.cel else 0.055),
        head.hair * 0.8 * head.skin,
        opacity=0.85,
        soft=0.03 * head.size,
    )
    if not canvas.cel:
        canvas.stroke(
            head.place(_curve(u, v - 0.05, wide * 1.05, high)),
            head.size * 0.012,
            head.skin * 0.6,
            opacity=0.5,
            soft=0.02 * head.size,
        )


def _iris(canvas: Canvas, head: Head, at: Window, lid: np.ndarray, u: float, v: float, big: float) -> None:
    """Iris, pupil and the sun's glint, inside the lids."""
    r = 0.093 * (1.12 if canvas.cel else 1)
    iris, pupil = ellipse(at, u, v - 0.02, r, r * big), ellipse(at, u, v - 0.02, r * 0.5, r * 0.5 * big)
    glow = 1 + 0.9 * np.clip((at.y - v + 0.04) / r, 0, 1)[..., None]  # light gathers at the bottom of the iris
    canvas.fill(at, np.maximum(iris, lid) * head.size, head.iris * glow, 0.4, ink=0.8, soft=0.012 * head.size)
    canvas.fill(at, np.maximum(pupil, lid) * head.size, (0.04, 0.03, 0.04), 0.4, ink=0)
    gu, gv = u + 0.035 * np.sign(canvas.light[0]), v - 0.055 * big
    canvas.fill(at, ellipse(at, gu, gv, 0.026 * big, 0.03 * big) * head.size, (1, 1, 1), None, ink=0, opacity=0.9)


def _nose(canvas: Canvas, head: Head) -> None:
    u, v, shaded = head.across(0) + 0.16 * head.yaw, 0.47, -np.sign(canvas.light[0])
    if canvas.cel:
        window = canvas.around(*head.place([(u, v)])[0], 0.3 * head.size)
        wedge = polygon(head.frame(window), [(u, v - 0.16), (u + shaded * 0.09, v + 0.02), (u, v + 0.05)])
        canvas.fill(head.frame(window), wedge * head.size, head.skin, -1, ink=0)
        canvas.stroke(
            head.place([(u - 0.04, v + 0.05), (u + 0.01, v + 0.07), (u + 0.05, v + 0.04)]),
            head.size * 0.02,
            head.skin * 0.4,
        )
        return
    for side in (-1, 1):
        window = canvas.around(*head.place([(u, v)])[0], 0.3 * head.size)
        at = head.frame(window)
        canvas.fill(
            at,
            ellipse(at, u + side * 0.065, v + 0.055, 0.035, 0.018) * head.size,
            head.skin * 0.35,
            0.2,
            opacity=0.75,
            soft=0.04 * head.size,
        )


def _mouth(canvas: Canvas, head: Head) -> None:
    u, v, wide, bend = head.across(0), 0.7, 0.2 + 0.05 * head.smile, -0.005 - 0.09 * head.smile
    window = canvas.around(*head.place([(u, v)])[0], 0.4 * head.size)
    at = head.frame(window)
    t = np.clip((at.x - u) / wide, -1, 1)
    line = v - 0.5 * bend - bend * (0.5 - t**2)
    full = 1 - t**2
    off = np.maximum(np.abs(at.x - u) - wide, 0)
    gap = 0.07 * max(head.smile - 0.55, 0)
    lips = head.skin * np.array([0.86, 0.58, 0.58])
    reach = 0.06 * full * (1 - 0.35 * np.exp(-((t / 0.2) ** 2))), 0.085 * full + gap
    distance = np.maximum(line - reach[0] - at.y, at.y - line - reach[1]) + off
    canvas.fill(
        at,
        distance * head.size,
        lips,
        0.25,
        texture=Texture("grain", 0.04),
        ink=0,
        opacity=0.3 if canvas.cel else 0.75,
        soft=0.035 * head.size,
    )
    if gap:
        inside = np.maximum(line - at.y, at.y - line - gap * full * 1.6) + off
        canvas.fill(at, inside * head.size, (0.92, 0.90, 0.88), 0.3, ink=0.8)
    canvas.stroke(
        head.place(_curve(u, v - 0.5 * bend + bend * 0.5, wide, bend)),
        head.size * (0.028 if canvas.cel else 0.022),
        head.skin * np.array([0.36, 0.2, 0.2]),
        opacity=0.95,
        soft=0.01 * head.size,
    )


def _strands(canvas: Canvas, at: Window, scale: float = 1.0) -> np.ndarray:
    """Noise drawn out from the crown along the hair."""
    around, far = np.arctan2(at.x, at.y + 1.7), np.hypot(at.x, at.y + 1.7)
    return canvas.noise(around, far, "strand", (0.9 * scale, 0.07))


def _mane(at: Window, wide: float, top: float) -> np.ndarray:
    """A skull's arch that falls straight down at its sides; signed distance in the head's units."""
    return np.where(at.y < 0, ellipse(at, 0, 0, wide, top), np.abs(at.x) - wide)


def _hair_behind(canvas: Canvas, draw: Generator, head: Head) -> None:
    window = canvas.window(head.x - 1.6 * head.size, head.y - 1.5 * head.size, head.x + 1.6 * head.size, 1)
    at = head.frame(window)
    strands = _strands(canvas, at)
    ends = head.long + 0.08 * np.abs(np.mod(at.x * 3.3 + draw.random(), 1) - 0.5) * 2 - 0.15 * at.x**2
    curl = 0.06 * np.sin(at.y * draw.uniform(2, 6)) * np.clip(at.y, 0, 1)
    distance = np.maximum(_mane(at, WIDE + 0.2, 1.22) + curl, at.y - ends)
    light = -0.25 + at.x * canvas.light[0] * 0.5 + strands * (0.1 if canvas.cel else 0.3)
    canvas.fill(
        at, distance * head.size, head.hair * 0.85, light, texture=Texture("grain", 0.06), soft=0.02 * head.size
    )


def _hair(canvas: Canvas, draw: Generator, head: Head) -> None:
    window = canvas.window(
        head.x - 1.5 * head.size, head.y - 1.5 * head.size, head.x + 1.5 * head.size, head.y + 2.6 * head.size
    )
    at = head.frame(window)
    strands = _strands(canvas, at)
    edge = _hairline(draw, head, at)
    puff = 0.025 * (np.abs(np.mod(np.arctan2(at.x, at.y) * 3, 1) - 0.5) - 0.25) if canvas.cel else 0.012 * strands
    cap = np.maximum(_mane(at, WIDE + 0.11, 1.2) + puff, (at.y - edge) * 0.6)
    if not canvas.cel:
        shadow = np.maximum(cap - 0.05, _skull(head, at)[0] - 1)  # the fringe darkens the brow
        canvas.fill(at, shadow * head.size, head.skin * 0.5, 0.2, opacity=0.4, soft=0.1 * head.size)
    else:
        shifted = np.maximum((at.y - edge - 0.07) * 0.6, (_skull(head, at)[0] - 0.99) * 0.7)
        canvas.fill(at, np.maximum(shifted, _mane(at, WIDE, 1.2)) * head.size, head.skin, -1, ink=0)
    volume = _lit(
        canvas, head, 0.9 * np.sqrt(np.clip(1.3 - (at.x / 0.85) ** 2 - (np.minimum(at.y, 0) / 1.2) ** 2, 0.02, None))
    )
    light = volume + strands * (0.12 if canvas.cel else 0.3) - (0.05 if canvas.cel else 0.15)
    canvas.fill(at, cap * head.size, head.hair, light, texture=Texture("grain", 0.08), soft=0.02 * head.size)
    ring = np.abs(np.hypot(at.x, at.y * 0.95) - 0.88 + 0.04 * strands) - 0.05
    ring = np.maximum(np.maximum(ring, cap + 0.05), 0.25 - volume + (at.y + 0.25))
    sheen = head.hair + (canvas.weather.horizon - head.hair) * (0.35 if canvas.cel else 0.25)
    canvas.fill(at, ring * head.size, sheen, 0.6, ink=0, soft=0.15 * head.size, opacity=1 if canvas.cel else 0.7)


def _hairline(draw: Generator, head: Head, at: Window) -> np.ndarray:
    """The v down to which hair covers the face, for every u: a fringe, and side locks that fall before the ears."""
    u, turn = at.x, WIDE * np.sin(head.yaw)
    phase, count, part = draw.random(), draw.uniform(2.2, 3.4), turn + draw.choice([-1, 1]) * draw.uniform(0.1, 0.35)
    teeth = np.abs(np.mod(u * count + phase, 1) - 0.5) * 2
    if head.fringe == "locks":
        brow = -0.42 + 0.3 * teeth - 0.12 * np.cos(u * 4)
    elif head.fringe == "parted":
        brow = -0.74 + 0.85 * np.abs(u - part) ** 0.7 + 0.05 * teeth
    else:
        brow = -0.5 + 0.5 * np.clip((part - u) * np.sign(part), -0.2, 1) + 0.1 * teeth
    brow = np.minimum(brow, 0.02 + 0.1 * teeth)
    locks = np.clip((np.abs(u - 0.12 * turn) - WIDE * 0.8) / 0.12, 0, 1)
    fall = min(head.long, 1.5) * 0.85 + 0.15 * teeth
    return brow * (1 - locks) + np.maximum(fall, brow) * locks


def _body(canvas: Canvas, draw: Generator, head: Head) -> None:
    """Neck, shoulders and clothes, and the shadow that the chin casts on them."""
    colour, pattern = (
        np.array(CLOTHES[draw.integers(len(CLOTHES))]),
        draw.choice(["plain", "plain", "stripes", "checks"]),
    )
    second, collar = np.array(CLOTHES[draw.integers(len(CLOTHES))]), draw.choice(["round", "v", "shirt", "jacket"])
    window = canvas.window(top=head.y)
    at = head.frame(window, tilted=False)
    neck = np.abs(at.x) - 0.37 - 0.5 * np.clip(at.y - 1.15, 0, 1) ** 2
    light = at.x / 0.4 * canvas.light[0] + 0.25
    canvas.fill(at, np.maximum(neck, 0.3 - at.y) * head.size, head.skin * 0.94, light, texture=Texture("stone", 0.03))
    shoulder = 1.26 + 0.1 * at.x**2 + 1.6 * np.clip(np.abs(at.x) - 1.45, 0, 9) ** 2
    opening = {"round": ellipse(at, 0, 1.22, 0.44, 0.3), "v": polygon(at, [(-0.42, 1.1), (0.42, 1.1), (0, 2.0)])}
    hole = opening.get(collar, polygon(at, [(-0.4, 1.1), (0.4, 1.1), (0, 1.75)]))
    cloth = np.maximum(shoulder - at.y, -hole) * 0.85
    folds = canvas.noise(at.x + 0.35 * at.y, at.y, "wave", (0.22, 0.08))
    light = 0.3 + at.x * canvas.light[0] * 0.45 - 0.25 * np.abs(at.x) + folds * (0.1 if canvas.cel else 0.22)
    paint = colour + _pattern(pattern, at)[..., None] * (second - colour) * 0.8
    canvas.fill(at, cloth * head.size, paint.astype(np.float32), light, texture=Texture("grain", 0.1, (1.5, 1.5)))
    if collar in ("shirt", "jacket"):
        tone = second if collar == "jacket" else np.minimum(colour * 1.25, 1)
        for side in (-1, 1):
            flap = [
                (side * 0.38, 1.1),
                (side * 0.06, 1.72),
                (side * 0.3, 1.95 if collar == "shirt" else 2.3),
                (side * 0.62, 1.32),
            ]
            canvas.fill(
                at,
                polygon(at, flap) * head.size,
                tone,
                0.3 + side * canvas.light[0] * 0.5,
                texture=Texture("grain", 0.06),
            )
    chin = Window(at.pixels, at.x + canvas.light[0] * 0.12, at.y - 0.2)
    canvas.shade(
        at,
        np.maximum((_skull(head, chin)[0] - 1) * 0.7, np.minimum(neck, cloth)) * head.size,
        0.6,
        soft=0.15 * head.size,
    )


def _pattern(kind: str, at: Window) -> np.ndarray:
    """Where the cloth's second colour shows, in [0, 1]."""
    across, down = np.mod(at.x * 3.2, 1) < 0.3, np.mod(at.y * 3.2, 1) < 0.4
    flat = np.zeros(np.broadcast_shapes(at.x.shape, at.y.shape), np.float32)
    return flat + {"plain": 0 * down, "stripes": down, "checks": 0.5 * across + 0.5 * down}[kind]
