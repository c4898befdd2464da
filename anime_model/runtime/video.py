"""Films: every frame drawn, sound copied, frame rate kept, flicker measured and reduced. Needs PyAV (`video` extra).

A network draws each frame by itself, and where nothing moves it answers camera noise with small changes that the eye
sees as flicker. `Steady` holds the earlier drawing where the film itself stands still: an exponential mean over time
(a still pixel keeps 80 % of the frame before), whose weight falls to zero as the film's own change grows, in blocks
of 4 x 4 pixels and their neighbours, since a drawing depends on what is around it. No optical flow is needed.
"""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image

from anime_model.pictures.atomic import whole_file
from anime_model.runtime.session import first_line

SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi")
FORMATS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm", ".avi": "avi"}
H264 = ("libx264", {"crf": "18", "preset": "veryfast"})
VP9 = ("libvpx-vp9", {"crf": "24", "b:v": "0", "deadline": "realtime", "cpu-used": "6", "row-mt": "1"})
BLOCK = 4  # pixels
HOLD = 0.8  # of the frame before, where nothing moves
MOVES = 6.0  # levels of 255 by which a block's colours change from which on it is left as it was drawn
STILL = 2.0  # levels under which a block counts as still when flicker is measured
HD = 720  # lines from which an unmarked film is taken to have the colour matrix of high definition
Draw = Callable[[np.ndarray], np.ndarray]


class VideoError(ValueError):
    """A film that cannot be read or written; the message is one line: the file and the reason."""


@dataclass(frozen=True)
class FilmReport:
    """What was made. Flicker: how much more a drawing changes from frame to frame than the film, where that is still,
    in levels of 255 (mean absolute difference); None where no pixel is ever still."""

    frames: int
    flicker_drawn: float | None
    flicker_kept: float | None


def stylize_video(
    source: Path,
    target: Path,
    draw: Draw,
    workers: int = 2,
    steady: bool = True,
    max_size: int | None = None,
    compare: bool = False,
    tick: Callable[[int, int], None] = lambda done, total: None,
) -> FilmReport:
    """Draws the film `source` with `draw` (uint8 [H, W, 3] to the same) into `target`, which appears whole or not.

    `compare` writes before | after. At most `workers` + 2 frames are in memory. `tick(done, total)` hears of each; what
    it raises ends the work. A film is written as H.264 (WebM: VP9), upright, with even sides. Raises `VideoError`,
    `ModelError`, `OSError`.
    """
    av = _av(source)
    source, target = Path(source), Path(target)
    if target.suffix.lower() not in FORMATS:
        raise VideoError(f"{target}: films are written as {', '.join(SUFFIXES)}")
    try:
        with whole_file(target) as file, ExitStack() as stack:
            film = _Film(av, stack, source, file, FORMATS[target.suffix.lower()], max_size, compare)
            return film.make(draw, workers, steady, tick)
    except av.error.FFmpegError as error:
        raise VideoError(f"{source}: {first_line(error)}") from error


def _av(source: Path):
    try:
        import av

        return av
    except ModuleNotFoundError as error:
        raise VideoError(f"{source}: films need PyAV; pip install 'animegan-lite[video]'") from error


class _Film:
    """The two files of one film while it is made."""

    def __init__(
        self, av, stack: ExitStack, source: Path, file: BinaryIO, kind: str, max_size: int | None, compare: bool
    ) -> None:
        self.av, self.source, self.compare = av, source, compare
        first = self._first_frame()
        self.quarter_turns = round((first.rotation or 0) / 90) % 4  # counterclockwise, as numpy turns
        self.stored = _size(first.width, first.height, max_size)
        self.matrix = self._matrix(first)
        self.input = stack.enter_context(av.open(str(source)))
        self.video = self.input.streams.best("video")
        self.video.thread_type = "AUTO"
        self.output = stack.enter_context(av.open(file, "w", format=kind))
        self.drawn = self._add_video(kind)
        self.sound = {stream.index: self.output.add_stream_from_template(stream) for stream in self.input.streams.audio}
        self.to_rgb, self.to_yuv = av.video.reformatter.VideoReformatter(), av.video.reformatter.VideoReformatter()

    def make(self, draw: Draw, workers: int, steady: bool, tick: Callable[[int, int], None]) -> FilmReport:
        steadied, pending, done = Steady(HOLD if steady else 0), deque(), 0
        total = self.video.frames or round(float((self.input.duration or 0) / 1e6 * (self.video.average_rate or 0)))
        with ThreadPoolExecutor(workers) as pool:
            for photo, pts in self._frames():
                pending.append((photo, pts, pool.submit(draw, photo)))
                if len(pending) >= workers + 2:
                    self._write(steadied, *pending.popleft())
                    tick(done := done + 1, max(total, done))
            for item in pending:
                self._write(steadied, *item)
                tick(done := done + 1, max(total, done))
        self.output.mux(self.drawn.encode(None))
        return FilmReport(done, steadied.flicker_drawn, steadied.flicker_kept)

    def _first_frame(self):
        with self.av.open(str(self.source)) as film:
            stream = film.streams.best("video")
            if stream is None:
                raise VideoError(f"{self.source}: holds no film")
            first = next(film.decode(stream), None)
        if first is None:
            raise VideoError(f"{self.source}: holds no frame that can be read")
        return first

    def _matrix(self, first) -> int:
        """The film's matrix between RGB and YUV, in swscale's numbers, which files share: 1 is BT.709, 5 is BT.601."""
        known = {1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9}
        return known.get(int(first.colorspace), 1 if max(first.height, 0) >= HD else 5)

    def _add_video(self, kind: str):
        codec, options = VP9 if kind == "webm" else H264
        stream = self.output.add_stream(codec, rate=self.video.average_rate or 25, options=options)
        width, height = self.stored[::-1] if self.quarter_turns % 2 else self.stored
        self.width, self.height = width // 2 * 2, height // 2 * 2  # colour has half the resolution
        if 0 in (self.width, self.height):
            raise VideoError(f"{self.source}: {width} x {height} pixels are too few for a film")
        stream.width, stream.height, stream.pix_fmt = self.width * (1 + self.compare), self.height, "yuv420p"
        context = stream.codec_context
        context.time_base = self.video.time_base
        context.colorspace = {5: 6}.get(self.matrix, self.matrix)
        context.color_range = 1
        if self.video.sample_aspect_ratio and not self.quarter_turns % 2:
            context.sample_aspect_ratio = self.video.sample_aspect_ratio
        return stream

    def _frames(self) -> Iterator[tuple[np.ndarray, int]]:
        """Upright frames and their times; packets of sound are copied on the way."""
        last = None
        for packet in self.input.demux(self.video, *self.input.streams.audio):
            if packet.stream.index in self.sound:
                if packet.dts is not None:
                    packet.stream = self.sound[packet.stream.index]
                    self.output.mux(packet)
                continue
            for frame in packet.decode():
                pts = frame.pts if frame.pts is not None else (last or 0) + 1
                if last is None or pts > last:  # an encoder takes no frame of the past
                    last = pts
                    yield self._photo(frame), pts

    def _photo(self, frame) -> np.ndarray:
        width, height = self.stored
        options = {"src_colorspace": self.matrix, "interpolation": "BICUBIC"}
        rgb = self.to_rgb.reformat(frame, width, height, "rgb24", **options).to_ndarray()
        upright = np.rot90(rgb, self.quarter_turns)
        return np.ascontiguousarray(upright[: self.height, : self.width])

    def _write(self, steadied: "Steady", photo: np.ndarray, pts: int, drawing) -> None:
        kept = steadied(photo, drawing.result())
        shown = np.concatenate([photo, kept], axis=1) if self.compare else kept
        made = self.av.VideoFrame.from_ndarray(shown, "rgb24")
        frame = self.to_yuv.reformat(made, format="yuv420p", dst_colorspace=self.matrix, dst_color_range=1)
        frame.pts, frame.time_base = pts, self.video.time_base
        self.output.mux(self.drawn.encode(frame))


class Steady:
    """Drawings one after another, held where the film stands still; measures their flicker before and after.

    `hold` from 0 (nothing is held, flicker is only measured) to under 1.
    """

    def __init__(self, hold: float = HOLD) -> None:
        self.hold = hold
        self.photo: np.ndarray | None = None
        self.drawn: np.ndarray | None = None
        self.kept: np.ndarray | None = None
        self.sums = np.zeros(4)  # of the film, the drawing and the held drawing over still pixels; and their number

    def __call__(self, photo: np.ndarray, anime: np.ndarray) -> np.ndarray:
        """The film's frame and its drawing, uint8 [H, W, 3], to the drawing to show."""
        kept = anime
        if self.photo is not None:
            change = block_change(photo, self.photo)
            if self.hold:
                kept = self._held(anime, change)
            self._measure(photo, anime, kept, change < STILL)
        self.photo, self.drawn, self.kept = photo, anime, kept
        return kept

    @property
    def flicker_drawn(self) -> float | None:
        return (self.sums[1] - self.sums[0]) / self.sums[3] if self.sums[3] else None

    @property
    def flicker_kept(self) -> float | None:
        return (self.sums[2] - self.sums[0]) / self.sums[3] if self.sums[3] else None

    def _held(self, anime: np.ndarray, change: np.ndarray) -> np.ndarray:
        still = (1 - change / MOVES).clip(0, 1).astype(np.float32)
        still = Image.fromarray(_least_of_neighbours(still))
        weight = self.hold * np.asarray(still.resize(anime.shape[1::-1], Image.Resampling.BILINEAR))[..., None]
        return np.rint(anime + weight * (self.kept.astype(np.float32) - anime)).astype(np.uint8)

    def _measure(self, photo: np.ndarray, anime: np.ndarray, kept: np.ndarray, still: np.ndarray) -> None:
        """One pixel of each still block stands for it."""
        pairs = ((photo, self.photo), (anime, self.drawn), (kept, self.kept))
        for index, (now, before) in enumerate(pairs):
            steps = np.abs(now[::BLOCK, ::BLOCK].astype(np.int16) - before[::BLOCK, ::BLOCK])
            self.sums[index] += steps[still].sum()
        self.sums[3] += 3 * still.sum()


def block_change(now: np.ndarray, before: np.ndarray) -> np.ndarray:
    """Mean absolute difference of two uint8 [H, W, 3] in blocks of 4 x 4 pixels: float32 [ceil(H / 4), ceil(W / 4)]."""
    steps = np.maximum(now, before) - np.minimum(now, before)
    height, width, _ = steps.shape
    steps = np.pad(steps, ((0, -height % BLOCK), (0, -width % BLOCK), (0, 0)), mode="edge")
    rows = np.add.reduce(steps.reshape(-1, BLOCK, *steps.shape[1:]), axis=1, dtype=np.uint16)
    blocks = rows.reshape(len(rows), -1, BLOCK * 3).sum(axis=2, dtype=np.uint16)
    return blocks.astype(np.float32) / (BLOCK * BLOCK * 3)


def _least_of_neighbours(values: np.ndarray) -> np.ndarray:
    """The smallest of each block and the eight around it."""
    padded = np.pad(values, 1, mode="edge")
    rows = np.minimum(np.minimum(padded[:-2], padded[1:-1]), padded[2:])
    return np.ascontiguousarray(np.minimum(np.minimum(rows[:, :-2], rows[:, 1:-1]), rows[:, 2:]))


def _size(width: int, height: int, max_size: int | None) -> tuple[int, int]:
    scale = min(1.0, (max_size or max(width, height)) / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))
