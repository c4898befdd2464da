"""HDR (PQ, HLG) brought to SDR, for pictures and films alike: which of them are HDR, and the table of colours.

Light in nits by BT.2100, highlights rolled off by the curve of BT.2390-11 (section 5.1.6) from 1000 to 203 nits, the
reference white of BT.2408, on the largest of R, G and B so that hues stay; then BT.2020 to BT.709 and the gamma 2.4 of
BT.1886. What is darker than about 90 nits keeps its light.
"""

import numpy as np
from PIL import Image

PQ, HLG = 16, 18  # transfer characteristics of ITU-T H.273, as files hold them
HDR_NAMES = {PQ: "PQ", HLG: "HLG"}
PEAK, WHITE = 1000.0, 203.0  # nits: of what is graded in HDR, and of its reference white
TABLE = 65  # steps of a side of the table of colours
M1, M2, C1, C2, C3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128  # of PQ, BT.2100
TO_709 = np.array([[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]])  # BT.2087
BAND = 64  # rows of a picture at once
BOXES = 1 << 16  # bytes at the start of a HEIC or AVIF in which its colours are described
COLOURS_BOX = b"colrnclx"


def transfer_in_boxes(head: bytes) -> int | None:
    """The transfer characteristic that the first `BOXES` bytes of a HEIC or AVIF name (ISO 23008-12); None: none."""
    at = head.find(COLOURS_BOX) + len(COLOURS_BOX)
    found = head[at + 2 : at + 4] if at >= len(COLOURS_BOX) else b""
    return int.from_bytes(found, "big") if len(found) == 2 else None


def brought_to_sdr(image: Image.Image, transfer: int) -> Image.Image:
    """An RGB or RGBA image with levels of PQ or HLG, BT.2020's colours, as a new one with levels of BT.709.

    Not by the table of films: with its steps the darkest greys would be up to eight levels off.
    """
    made = image.copy()
    for top in range(0, image.height, BAND):
        pixels = np.array(image.crop((0, top, image.width, min(top + BAND, image.height))))
        pixels[..., :3] = np.rint(255 * to_sdr(pixels[..., :3].astype(np.float32) / 255, transfer))
        made.paste(Image.fromarray(pixels), (0, top))
    return made


def cube(transfer: int) -> str:
    """The table of colours of PQ or HLG for FFmpeg's `lut3d`: text, the red level runs fastest."""
    lines = "\n".join(f"{r:.5f} {g:.5f} {b:.5f}" for r, g, b in _colours(transfer).tolist())
    return f"LUT_3D_SIZE {TABLE}\n{lines}\n"


def _colours(transfer: int) -> np.ndarray:
    steps = np.linspace(0, 1, TABLE)
    blue, green, red = np.meshgrid(steps, steps, steps, indexing="ij")
    return to_sdr(np.stack([red, green, blue], axis=-1).reshape(-1, 3), transfer)


def to_sdr(levels: np.ndarray, transfer: int) -> np.ndarray:
    """Levels of PQ or HLG with BT.2020's colours, [..., 3] from 0 to 1, to levels of BT.709 on an SDR screen."""
    nits = _light_of_pq(levels) if transfer == PQ else _light_of_hlg(levels)
    top = nits.max(axis=-1, keepdims=True)
    nits = nits * (_rolled_off(top) / np.maximum(top, 1e-6))
    return (nits @ TO_709.T / WHITE).clip(0, 1) ** (1 / 2.4)


def _light_of_pq(levels: np.ndarray) -> np.ndarray:
    """BT.2100, table 4: the EOTF, in nits."""
    power = levels ** (1 / M2)
    return 10_000 * (np.maximum(power - C1, 0) / (C2 - C3 * power)) ** (1 / M1)


def _pq(nits: np.ndarray | float) -> np.ndarray:
    power = (np.asarray(nits) / 10_000) ** M1
    return ((C1 + C2 * power) / (1 + C3 * power)) ** M2


def _light_of_hlg(levels: np.ndarray) -> np.ndarray:
    """BT.2100, table 5: the inverse OETF, and the OOTF of a screen of 1000 nits (its gamma is 1.2)."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(levels <= 0.5, levels**2 / 3, (np.exp((levels - c) / a) + b) / 12)
    luma = scene @ np.array([0.2627, 0.6780, 0.0593])
    return PEAK * scene * (luma**0.2)[..., None]


def _rolled_off(nits: np.ndarray) -> np.ndarray:
    """BT.2390's EETF: light of 0 to 1000 nits to 0 to 203, from a knee on by a Hermite spline over PQ's levels."""
    most = _pq(WHITE) / _pq(PEAK)
    knee = 1.5 * most - 0.5
    level = (_pq(nits) / _pq(PEAK)).clip(0, 1)
    t = (level - knee) / (1 - knee)
    curve = (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee) + (3 * t**2 - 2 * t**3) * most
    return _light_of_pq(np.where(level < knee, level, curve) * _pq(PEAK))
