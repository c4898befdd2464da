"""From a film's frames to pictures: progressive, upright, RGB with 8 bits, by FFmpeg's own filters (through PyAV).

HDR (PQ, HLG) is brought to SDR by a table of colours (`anime_model/pictures/hdr.py`).
"""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from anime_model.pictures.hdr import HDR_NAMES, cube

BT709 = 1
FULL_RANGE = 2
MATRICES = {1: "bt709", 4: "fcc", 5: "bt601", 6: "bt601", 7: "smpte240m", 9: "bt2020", 10: "bt2020"}
TURNS = {0: (), 1: (("transpose", "cclock"),), 2: (("hflip", None), ("vflip", None)), 3: (("transpose", "clock"),)}


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
