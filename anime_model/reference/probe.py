"""Finds how a network takes and gives pictures: from its file where that says so, else by showing it a picture.

What a probe tells: layout and sizes, by what runs; the range of the output, by how far it goes when the input is wild;
the range of the input, since a network that redraws a photo keeps its light and shade; whether its output has the
colours the other way round. What no probe tells: whether a network wants RGB or BGR, since either goes through.
"""

from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np

from anime_model.reference.names import LAYOUTS, ORDERS, RANGES
from anime_model.reference.network import Format, PublishedNetwork
from anime_model.reference.opening import NetworkError, Opened, open_network

BASE = 128, 192  # height and width of the probe, multiples of 64
MULTIPLES = (1, 2, 4, 8, 16, 32, 64)
SAME_RANGE = 0.8  # of the distance: most networks give pictures as they take them
CLEAR, CLEAR_FREE = 1.15, 1.5  # times farther that the second guess must be; where the output has no bound
ALIKE = 3.0  # levels: two guesses that make such pictures are one
# https://github.com/onnx/onnx/blob/main/docs/MetadataProps.md
NOTED_RANGES = {"NominalRange_0_255": "0..255", "Normalized_0_1": "0..1", "Normalized_1_1": "-1..1"}
NOTED_ORDERS = {"Rgb8": "rgb", "Bgr8": "bgr"}


def open_reference(path: Path, md5: str = "", threads: int = 1, hints: object = None) -> PublishedNetwork:
    """Opens the network and finds its format; what `hints` says is taken as said. Raises `NetworkError`.

    `hints` has `layout`, `values`, `values_out`, `channels` (empty where unsaid) and `multiple` (0 where unsaid).
    """
    network = open_network(Path(path), md5, threads)
    return PublishedNetwork(network, find_format(network, hints))


def find_format(network: Opened, hints: object = None) -> Format:
    """The format of a network's pictures. Raises `NetworkError` in one line that says which hint would help."""

    def said(key: str, none: object = "") -> object:
        return getattr(hints, key, none) or none

    channels = said("channels") or NOTED_ORDERS.get(network.notes.get("Image.BitmapPixelFormat", ""), "rgb")
    start = Format("nhwc", "-1..1", channels, 64, "nhwc", "-1..1", channels)
    start = _find_layouts(network, start, said("layout"))
    start = replace(start, multiple=said("multiple", 0) or _find_multiple(network, start))
    start = _find_ranges(network, start, said("values"), said("values_out"))
    return replace(start, channels_out=_find_order(PublishedNetwork(network, start)))


def probe_picture(height: int = BASE[0], width: int = BASE[1]) -> np.ndarray:
    """A picture [H, W, 3], uint8, with what photos have: soft shading, borders, all colours, few extremes."""
    down, across = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    sky = np.stack([90 + 60 * down, 140 + 40 * down, 215 - 40 * down], axis=2)
    ground = np.stack([70 + 90 * across, 120 - 40 * across, 45 + 30 * across], axis=2)
    picture = np.where((down > 0.55 + 0.1 * np.sin(6 * across))[..., None], ground, sky)
    for row, column, radius, colour in ((0.35, 0.3, 0.2, (225, 180, 150)), (0.6, 0.75, 0.15, (190, 40, 60))):
        inside = np.hypot(down - row, (across - column) * width / height) < radius
        picture[inside] = np.array(colour) * (1.1 - 0.5 * down[inside, None])
    return np.clip(picture, 8, 247).astype(np.uint8)


def _size(network: Opened, form: Format, height: int, width: int) -> np.ndarray | None:
    """What comes out for such a picture, or None where the network does not run on it."""
    try:
        return network.run(form.to_batch(probe_picture(height, width)))
    except Exception:  # ONNX Runtime has a class for each kind of failure
        return None


def _find_layouts(network: Opened, form: Format, said: object) -> Format:
    known = {"nchw": network.dims[1] == 3, "nhwc": network.dims[3] == 3}
    if said:
        choices = [said]
    elif any(known.values()):
        choices = [name for name, is_it in known.items() if is_it]
    else:
        choices = list(LAYOUTS)
    shapes = {}
    for name in choices:
        made = _size(network, replace(form, layout=name), *BASE)
        shapes[name] = None if made is None else made.shape
    outputs = {(1, *BASE, 3): "nhwc", (1, 3, *BASE): "nchw"}
    found = [(name, outputs[shape]) for name, shape in shapes.items() if shape in outputs]
    if len(found) == 1:
        return replace(form, layout=found[0][0], layout_out=found[0][1])
    if found:
        raise NetworkError(f"{network.path}: takes channels first and last alike; say `layout`: nhwc or nchw")
    raise NetworkError(f"{network.path}: {_why_not(network, shapes)}")


def _why_not(network: Opened, shapes: dict) -> str:
    ran = [list(shape) for shape in shapes.values() if shape is not None]
    if ran:
        return f"makes {ran[0]} of a picture {[*BASE, 3]}; a reference makes one of the same size"
    fixed = [side for side in network.dims[1:] if side not in (0, 3)]
    if fixed:
        return f"takes pictures of {' x '.join(map(str, fixed))} px only; export it for any height and width"
    return f"does not run on a picture of {BASE[1]} x {BASE[0]} px"


def _find_multiple(network: Opened, form: Format) -> int:
    """The smallest multiple whose pictures come out in their own size, at odd numbers of times of it."""
    for multiple in MULTIPLES:
        height, width = BASE[0] + multiple, BASE[1] + 3 * multiple
        wanted = (1, height, width, 3) if form.layout_out == "nhwc" else (1, 3, height, width)
        made = _size(network, form, height, width)
        if made is not None and made.shape == wanted:
            return multiple
    raise NetworkError(f"{network.path}: runs at no multiple up to {MULTIPLES[-1]} px; say `multiple`")


def _find_ranges(network: Opened, form: Format, said: object, said_out: object) -> Format:
    noted = NOTED_RANGES.get(network.notes.get("Image.NominalPixelRange", ""), "")
    values = "0..255" if network.kind is np.uint8 else said or noted
    made = _size(network, form, *BASE)
    values_out = "0..255" if made is not None and made.dtype == np.uint8 else said_out or _reach(network, form)
    pairs = [(a, b) for a, b in product([values] if values else RANGES, [values_out] if values_out else RANGES)]
    if not values_out:
        pairs = [(a, b) for a, b in pairs if a == b] or pairs
    guesses = [replace(form, values=a, values_out=b) for a, b in pairs]
    tried = sorted(((*_distance(network, guess), guess) for guess in guesses), key=lambda item: item[0])
    best = tried[0]
    if not np.isfinite(best[0]):
        raise NetworkError(f"{network.path}: makes numbers that are none (NaN or infinite) of a picture")
    clear = CLEAR if values_out else CLEAR_FREE
    for distance, picture, other in tried[1:]:
        if distance < clear * best[0] and np.abs(picture - best[1]).mean() > ALIKE:
            which = " or ".join(sorted((best[2].values, other.values)))
            raise NetworkError(f"{network.path}: takes levels as {which}, which is unclear; say `values`")
    return best[2]


def _distance(network: Opened, form: Format) -> tuple[float, np.ndarray]:
    """Mean difference in levels from the probe, and the picture; infinite where a number is none."""
    photo = probe_picture().astype(np.float32)
    made = form.from_batch(network.run(form.to_batch(photo)))
    if not np.isfinite(made).all():
        return np.inf, made
    prior = SAME_RANGE if form.values == form.values_out else 1.0
    return prior * float(np.abs(made - photo).mean()), made.clip(0, 255)


def _reach(network: Opened, form: Format) -> str:
    """The range that the output never leaves, whatever goes in; empty where it has no such bound."""
    draw = np.random.default_rng(0)
    shape = (1, *BASE, 3) if form.layout == "nhwc" else (1, 3, *BASE)
    wild = [draw.normal(0, scale, shape) for scale in (3, 1000)]
    wild += [np.full(shape, level, np.float32) for level in (-1000, 1000)]
    made = [network.run(batch) for batch in (*wild, form.to_batch(probe_picture()))]
    values = np.concatenate([each[np.isfinite(each)] for each in made])
    low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)
    if high - low < 0.5:
        return ""
    if low > -1.001 and high < 1.001:
        return "-1..1" if low < -0.05 else "0..1"
    return "0..255" if low > -0.5 and 2 < high < 255.5 else ""


def _find_order(reference: PublishedNetwork) -> str:
    """The order of the output's channels: the other one than the input's where that is plainly nearer to the photo."""
    photo = probe_picture().astype(np.float32)
    made = reference.levels(probe_picture())
    same, turned = (np.abs(colours - photo).mean() for colours in (made, made[..., ::-1]))
    channels = reference.format.channels
    return ORDERS[1 - ORDERS.index(channels)] if turned * CLEAR < same else channels
