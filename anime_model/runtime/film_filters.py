"""From a film's frames to pictures: progressive, upright, RGB with 8 bits, by FFmpeg's own filters (through PyAV).

HDR (PQ, HLG) is brought to SDR by a table of colours: light in nits by BT.2100, highlights rolled off by the curve of
BT.2390-11 (section 5.1.6) from 1000 to 203 nits, the reference white of BT.2408, on the largest of R, G and B so that
hues stay; then BT.2020 to BT.709 and the gamma 2.4 of BT.1886. What is darker than about 90 nits keeps its light.
"""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

PQ, HLG = 16, 18  # transfer characteristics of ITU-T H.273, as files hold them
HDR_NAMES = {PQ: "PQ", HLG: "HLG"}
BT709 = 1
FULL_RANGE = 2
MATRICES = {1: "bt709", 4: "fcc", 5: "bt601", 6: "bt601", 7: "smpte240m", 9: "bt2020", 10: "bt2020"}
PEAK, WHITE = 1000.0, 203.0  # nits: of what is graded in HDR, and of its reference white
TABLE = 65  # steps of a side of the table of colours
TURNS = {0: (), 1: (("transpose", "cclock"),), 2: (("hflip", None), ("vflip", None)), 3: (("transpose", "clock"),)}
M1, M2, C1, C2, C3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128  # of PQ, BT.2100
TO_709 = np.array([[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]])  # BT.2087


@dataclass(frozen=True)
class Wanted:
    """What the pictures shall be: stored size before the turn, size after it, and what the film's marks say.

    `matrix` and `transfer` are numbers of H.273. `rate` evens out the times to one frame rate (None: times stay).
    """

    stored: tuple[int, int]
    shown: tuple[int, int]
    quarter_turns: int
    matrix: int
    transfer: int
    interlaced: bool
    alpha: bool
    time_base: Fraction
    rate: Fraction | None = None


class Filters:
    """A chain of filters for one film; made anew where the film changes its size or its format on the way."""

    def __init__(self, av, wanted: Wanted, stack: ExitStack) -> None:
        self.av, self.wanted = av, wanted
        self.kind, self.graph, self.table = None, None, None
        if wanted.transfer in HDR_NAMES:
            folder = stack.enter_context(tempfile.TemporaryDirectory())  # its name has nothing a filter would split at
            self.table = Path(folder, "sdr.cube")
            self.table.write_text(cube(wanted.transfer))

    def __call__(self, frame) -> Iterator:
        """The pictures that are ready after one more frame, `rgb24` or `rgba`; None: all that are left."""
        if frame is None:
            yield from self._drain()
            return
        kind = frame.width, frame.height, frame.format.name
        if kind != self.kind:
            yield from self._drain()
            self.kind, self.graph = kind, self._built(frame)
        self.graph.push(frame)
        yield from self._pulled()

    def _drain(self) -> Iterator:
        if self.graph is not None:
            self.graph.push(None)
            yield from self._pulled()
            self.graph = None

    def _pulled(self) -> Iterator:
        while True:
            try:
                yield self.graph.pull()
            except (self.av.error.BlockingIOError, self.av.error.EOFError):
                return

    def _built(self, frame):
        wanted, graph = self.wanted, self.av.filter.Graph()
        time = f"{wanted.time_base.numerator}/{wanted.time_base.denominator}"
        source = f"video_size={frame.width}x{frame.height}:pix_fmt={frame.format.name}:time_base={time}"
        nodes = [graph.add("buffer", source)]
        nodes += [graph.add(name) if not args else graph.add(name, args) for name, args in self._chain(frame, time)]
        graph.link_nodes(*nodes, graph.add("buffersink")).configure()
        return graph

    def _chain(self, frame, time: str) -> list[tuple[str, str | None]]:
        wanted, colours = self.wanted, "rgba" if self.wanted.alpha else "rgb24"
        chain = [("bwdif", "mode=send_frame:deint=interlaced")] if wanted.interlaced else []
        scale = f"w={wanted.stored[0]}:h={wanted.stored[1]}:flags=bicubic+accurate_rnd+full_chroma_int"
        if not frame.format.is_rgb:
            full = frame.color_range == FULL_RANGE or frame.format.name.startswith("yuvj")
            scale += f":in_color_matrix={MATRICES[wanted.matrix]}:in_range={'full' if full else 'limited'}"
        if self.table:
            chain += [("scale", scale), ("format", "gbrp12le"), ("lut3d", f"file={self.table}:interp=tetrahedral")]
            chain += [("scale", "flags=accurate_rnd")]
        else:
            chain += [("scale", scale)]
        chain += [("format", colours), *TURNS[wanted.quarter_turns]]
        chain += [("crop", f"{wanted.shown[0]}:{wanted.shown[1]}:0:0:exact=1")]
        if wanted.rate:
            return [*chain, ("fps", f"fps={wanted.rate.numerator}/{wanted.rate.denominator}:start_time=0")]
        return [*chain, ("settb", time)]


def cube(transfer: int) -> str:
    """The table of colours of PQ or HLG for `lut3d`: text, the red level runs fastest."""
    steps = np.linspace(0, 1, TABLE)
    blue, green, red = np.meshgrid(steps, steps, steps, indexing="ij")
    colours = to_sdr(np.stack([red, green, blue], axis=-1).reshape(-1, 3), transfer)
    lines = "\n".join(f"{r:.5f} {g:.5f} {b:.5f}" for r, g, b in colours.tolist())
    return f"LUT_3D_SIZE {TABLE}\n{lines}\n"


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
