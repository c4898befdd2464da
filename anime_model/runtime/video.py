"""Films: every frame drawn, sound copied, frame rate kept, flicker measured and reduced. Needs PyAV (`video` extra).

A network draws each frame by itself, and where nothing moves it answers camera noise with small changes that the eye
sees as flicker. `Steady` holds the earlier drawing where the film itself stands still: an exponential mean over time
(a still pixel keeps 80 % of the frame before), whose weight falls to zero as the film's own change grows, in blocks
of 4 x 4 pixels and their neighbours, since a drawing depends on what is around it. No optical flow is needed.
"""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np
from PIL import Image

from anime_model.pictures.atomic import whole_file
from anime_model.pictures.cutouts import spread_colours
from anime_model.pictures.hdr import HDR_NAMES
from anime_model.pictures.message import Message, about
from anime_model.runtime.film_filters import BT709, MATRICES, Filters, Wanted
from anime_model.runtime.film_streams import MICRO, Notes, Others, about_stream
from anime_model.runtime.session import first_line

SUFFIXES = (
    *(".mp4", ".m4v", ".mov", ".qt", ".mkv", ".webm", ".avi", ".divx", ".ts", ".m2ts", ".mts", ".mpg", ".mpeg", ".mpe"),
    *(".m2v", ".vob", ".wmv", ".asf", ".flv", ".f4v", ".3gp", ".3g2", ".ogv", ".mxf"),
)
FORMATS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm", ".avi": "avi"}
H264 = ("libx264", {"crf": "18", "preset": "veryfast"})
VP9 = ("libvpx-vp9", {"crf": "24", "b:v": "0", "deadline": "realtime", "cpu-used": "6", "row-mt": "1"})
BLOCK = 4  # pixels
ALPHA = ("webm", "matroska")  # hold a film with transparency, as VP9
ALPHA_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}  # FFmpeg's own leave it out
CUT_OFF = 0.2  # seconds that are missing at the end before it is said
SAY_THEIR_LENGTH = ("mov", "matroska")  # of other kinds it is a guess
LOOKED_AT = 5  # frames that tell whether a film is interlaced or has transparency
HOLD = 0.8  # of the frame before, where nothing moves
MOVES = 6.0  # levels of 255 by which a block's colours change from which on it is left as it was drawn
STILL = 2.0  # levels under which a block counts as still when flicker is measured
HD = 720  # lines from which an unmarked film is taken to have the colour matrix of high definition
Draw = Callable[[np.ndarray], np.ndarray]


class Stored(Protocol):
    """A film that is no file of this computer; as text it is its name."""

    def open(self, mode: str) -> BinaryIO: ...


class VideoError(ValueError):
    """A film that cannot be read or written; the message is one line: the file and the reason."""


class Unseekable(VideoError):
    """A film that can be read from its beginning only."""


@dataclass(frozen=True)
class FilmReport:
    """What was made. Flicker: how much more a drawing changes from frame to frame than the film, where that is still,
    in levels of 255 (mean absolute difference); None where no pixel is ever still."""

    frames: int
    flicker_drawn: float | None
    flicker_kept: float | None
    notes: tuple[str, ...] = ()  # what a person should know: lines for people


def stylize_video(
    source: Path | Stored,
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
    target = Path(target)
    if target.suffix.lower() not in FORMATS:
        raise VideoError(about(target, f"films are written as {', '.join(FORMATS)}"))
    with whole_file(target) as file, opened_film(source, file, target.suffix, max_size, compare) as film:
        return film.make(draw, workers, steady, tick)


@contextmanager
def opened_film(
    source: Path | Stored, file: BinaryIO, suffix: str, max_size: int | None = None, compare: bool = False
) -> "Iterator[Film]":
    """The film `source` on its way to `file`, of the kind of `suffix`. Faults of the block, too, are `VideoError`."""
    av = av_for(source)
    source = Path(source) if isinstance(source, str) else source
    try:
        with ExitStack() as stack:
            try:
                film = Film(av, stack, source, file, FORMATS[suffix.lower()], max_size, compare)
            except VideoError:
                raise
            except (ValueError, TypeError, KeyError, RuntimeError) as error:  # PyAV's, for what it cannot put together
                raise unread(source, error) from error
            yield film
    except av.error.FFmpegError as error:
        raise unread(source, error) from error


def unread(source: Path | Stored, error: Exception) -> VideoError:
    """One line, with the file's name once and no number of FFmpeg's."""
    why = error.strerror.lower() if getattr(error, "strerror", None) else first_line(error)
    other = isinstance(error, ValueError | TypeError | KeyError | RuntimeError)
    return VideoError(
        about(source, Message("a film of a kind that is not read ({reason})", reason=why) if other else why)
    )


def av_for(source: Path | Stored):
    """PyAV. Raises `VideoError` where it is missing."""
    try:
        import av

        return av
    except ModuleNotFoundError as error:
        raise VideoError(about(source, "films need PyAV; pip install 'animegan-lite[video]'")) from error


def opened_input(av, source: Path | Stored):
    """PyAV's container of a film's file."""
    # by its whole name: FFmpeg takes what stands before a colon for a protocol
    return av.open(str(source.absolute()) if isinstance(source, Path) else source.open("rb"))


class _Times:
    """When frames are shown, by what they say of it: AVI gives those of H.264 the times at which they are decoded.

    Where these go back, the times of the packets are taken from there on, which come in the order of the frames.
    """

    def __init__(self) -> None:
        self.last: int | None = None
        self.step, self.in_order = 1, True

    def of(self, frame) -> int | None:
        """In units of the frame's stream; None where it says nothing."""
        time, packet, last = frame.pts, frame.dts, self.last
        if time is not None and last is not None and packet is not None and time <= last < packet:
            self.in_order = False
        if not self.in_order and last is not None:
            time = packet if packet is not None else last + self.step  # the last frames have no packet of their own
        if time is not None:
            self.step, self.last = max(1, time - last) if last is not None else 1, time
        return time


class Film:
    """The two files of one film while it is made."""

    def __init__(
        self,
        av,
        stack: ExitStack,
        source: Path | Stored,
        file: BinaryIO,
        kind: str,
        max_size: int | None,
        compare: bool,
    ) -> None:
        self.av, self.source, self.compare, self.notes = av, source, compare, Notes()
        found = self._first_frames()
        self.first = first = found[0]
        interlaced = any(frame.interlaced_frame for frame in found)
        self.clear = any(_is_clear(frame) for frame in found)
        self.quarter_turns = round((first.rotation or 0) / 90) % 4  # counterclockwise, as numpy turns
        self.stored = _size(first.width, first.height, max_size)
        self.hdr = HDR_NAMES.get(int(first.color_trc))
        self.matrix = self._matrix(first)
        self.input = stack.enter_context(opened_input(av, source))
        self.video = self.input.streams.best("video")
        self.video.thread_type = "SLICE"  # with frames in parallel, a damaged one takes others with it
        # a sound begins before 0, by what its encoder needs to start; AVI would move pictures by a frame for it
        options = {"avoid_negative_ts": "disabled"} if kind == "avi" else {}
        self.output = stack.enter_context(av.open(file, "w", format=kind, options=options))
        self.alpha = self._holds_alpha(kind)
        self.drawn = self._add_video(kind)
        self.others = Others(av, self.input, self.output, kind, self.video, self.notes)
        self.filters = Filters(av, self._wanted(interlaced, kind), stack)
        self.to_yuv = av.video.reformatter.VideoReformatter()
        self._say(interlaced)

    def make(self, draw: Draw, workers: int, steady: bool, tick: Callable[[int, int], None]) -> FilmReport:
        steadied, pending, done = Steady(HOLD if steady else 0), deque(), 0
        total = self.video.frames or round(float((self.input.duration or 0) / 1e6 * (self.video.average_rate or 0)))
        with ThreadPoolExecutor(workers) as pool:
            for photo, alpha, pts in self.frames():
                pending.append((photo, alpha, pts, pool.submit(draw, photo)))
                if len(pending) >= workers + 2:
                    self._write(steadied, *pending.popleft())
                    tick(done := done + 1, max(total, done))
            for item in pending:
                self._write(steadied, *item)
                tick(done := done + 1, max(total, done))
        if not done:
            raise VideoError(about(self.source, "holds no frame that can be read"))
        self.output.mux(self.drawn.encode(None))
        self.others.finish()
        return FilmReport(done, steadied.flicker_drawn, steadied.flicker_kept, self.notes.all())

    def pictures_only(self, seek: int | None) -> None:
        """For parts: no other stream is read; frames begin at the keyframe at time `seek` of the file (None: the
        first), each at its own time. Raises `Unseekable`."""
        self.others.streams.clear()
        self.filters.wanted = replace(self.filters.wanted, rate=None)
        if seek is not None:
            try:
                self.input.seek(seek, stream=self.video)
            except self.av.error.FFmpegError as error:
                raise Unseekable(f"{self.source}: {first_line(error)}") from error

    def _first_frames(self) -> list:
        """The first frames that can be read: the film's marks stand in each."""
        found = []
        with opened_input(self.av, self.source) as film:
            stream = film.streams.best("video")
            if stream is None:
                raise VideoError(about(self.source, "holds no film"))
            decoder = self._decoder(stream)
            for packet in film.demux(stream):
                with suppress(self.av.error.InvalidDataError):
                    found += decoder.decode(packet)
                if len(found) >= LOOKED_AT:
                    break
        if not found:
            raise VideoError(about(self.source, "holds no frame that can be read"))
        return found

    def _decoder(self, stream):
        """What turns packets into frames: a decoder that knows transparency where the film has some."""
        own = stream.codec_context
        if stream.metadata.get("alpha_mode", stream.metadata.get("ALPHA_MODE")) != "1":
            return own
        with suppress(self.av.error.FFmpegError, ValueError):
            decoder = self.av.CodecContext.create(ALPHA_DECODERS[own.name], "r")
            decoder.extradata = own.extradata
            return decoder
        return own

    def _matrix(self, first) -> int:
        """The film's matrix between RGB and YUV by its number in H.273: where it is unmarked, that of its size."""
        marked = int(first.colorspace)
        return marked if marked in MATRICES else 1 if max(first.height, 0) >= HD else 5

    def _holds_alpha(self, kind: str) -> bool:
        if self.clear and kind not in ALPHA:
            self.notes.add("transparency is left out, on black: H.264 holds none (.webm and .mkv keep it)")
        return self.clear and kind in ALPHA

    def _say(self, interlaced: bool) -> None:
        if self.hdr:
            self.notes.add(Message("HDR ({curve}) is tone-mapped to SDR (BT.709)", curve=self.hdr))
        if interlaced:
            self.notes.add("interlaced: deinterlaced, at the same frame rate")

    def _wanted(self, interlaced: bool, kind: str) -> Wanted:
        rate = self.rate if kind == "avi" else None
        transfer, time_base = int(self.first.color_trc), self.video.time_base
        shown = self.width, self.height
        turns, clear = self.quarter_turns, self.clear
        return Wanted(self.stored, shown, turns, self.matrix, transfer, interlaced, clear, time_base, rate)

    def _add_video(self, kind: str):
        codec, options = VP9 if kind == "webm" or self.alpha else H264
        options = dict(options)
        if kind == "avi":  # which has one frame rate, and no times of frames that come out of order
            options["bf"] = "0"
        if self.alpha:
            options["auto-alt-ref"] = "0"
        self.rate = self.video.average_rate or self.video.guessed_rate or 25
        stream = self.output.add_stream(codec, rate=self.rate, options=options)
        width, height = self.stored[::-1] if self.quarter_turns % 2 else self.stored
        self.width, self.height = width // 2 * 2, height // 2 * 2  # colour has half the resolution
        if 0 in (self.width, self.height):
            sides = {"width": width, "height": height}
            raise VideoError(about(self.source, Message("{width} x {height} pixels are too few for a film", **sides)))
        self.format = "yuva420p" if self.alpha else "yuv420p"
        stream.width, stream.height, stream.pix_fmt = self.width * (1 + self.compare), self.height, self.format
        context = stream.codec_context
        self.time_base = context.time_base = 1 / Fraction(self.rate) if kind == "avi" else self.video.time_base
        self._mark(context)
        about_stream(self.video, stream)
        return stream

    def _mark(self, context) -> None:
        """Colours and shape of the pixels, as the film has them, or those of SDR."""
        self.out_matrix = BT709 if self.hdr else {10: 9}.get(self.matrix, self.matrix)
        context.colorspace = {5: 6}.get(self.out_matrix, self.out_matrix)
        context.color_range = 1
        context.color_primaries = BT709 if self.hdr else int(self.first.color_primaries)
        context.color_trc = BT709 if self.hdr else int(self.first.color_trc)
        if ratio := self.video.sample_aspect_ratio:
            context.sample_aspect_ratio = 1 / ratio if self.quarter_turns % 2 else ratio

    def frames(self) -> Iterator[tuple[np.ndarray, np.ndarray | None, int]]:
        """Upright frames, their transparency and their times; packets of sound are copied on the way."""
        last, past = None, 0
        for frame in self._filtered():
            pts = frame.pts if frame.pts is not None else (last or 0) + 1
            if last is not None and pts <= last:  # an encoder takes no frame of the past
                past += 1
                continue
            last = pts
            yield *self._photo(frame), pts
        if past:
            text = "{count} frames are left out: their times lie before those of the frames ahead of them"
            self.notes.add(Message(text, count=past))

    def _filtered(self) -> Iterator:
        decoder, shift, guessed = self._decoder(self.video), self.others.offset(self.video.time_base), 0
        times = _Times()
        for packet in self._packets():
            if packet.stream.index != self.video.index:
                self.others.mux(packet)
                continue
            for frame in self._decoded(decoder, packet):
                time = times.of(frame)
                guessed = frame.pts = guessed + 1 if time is None else time - shift
                frame.time_base = self.video.time_base
                yield from self.filters(frame)
        yield from self.filters(None)

    def _packets(self) -> Iterator:
        """All packets of the streams that are used, to the end of the file or to where it cannot be read."""
        packets, end = self.input.demux(self.video, *self.others.streams), 0.0
        while True:
            try:
                packet = next(packets, None)
            except (self.av.error.InvalidDataError, self.av.error.EOFError):
                self.notes.add("the file is damaged: the film ends where it cannot be read")
                return
            if packet is None:
                break
            if packet.pts is not None:
                end = max(end, float((packet.pts + (packet.duration or 0)) * packet.time_base))
            yield packet
        whole = ((self.input.duration or 0) + max(0, self.input.start_time or 0)) / MICRO
        if end < whole - CUT_OFF and any(name in self.input.format.name for name in SAY_THEIR_LENGTH):
            seconds = {"end": f"{end:.1f}", "whole": f"{whole:.1f}"}
            self.notes.add(Message("the file is cut off: it ends at {end} s of {whole} s", **seconds))

    def _decoded(self, decoder, packet) -> list:
        try:
            return decoder.decode(packet)
        except (self.av.error.InvalidDataError, self.av.error.EOFError):
            self.notes.damage(None if packet.pts is None else float(packet.pts * packet.time_base))
            return []

    def _photo(self, frame) -> tuple[np.ndarray, np.ndarray | None]:
        """uint8 [H, W, 3] and, where the film has it, its transparency [H, W, 1]."""
        pixels = frame.to_ndarray()
        if not self.clear:
            return pixels, None
        if not self.alpha:
            return np.rint(pixels[..., :3] * (pixels[..., 3:] / 255)).astype(np.uint8), None
        image = Image.fromarray(pixels)
        spread_colours(image)
        pixels = np.asarray(image)
        return np.ascontiguousarray(pixels[..., :3]), pixels[..., 3:]

    def _write(self, steadied: "Steady", photo: np.ndarray, alpha: np.ndarray | None, pts: int, drawing) -> None:
        kept = steadied(photo, drawing.result())
        sides = [photo, kept] if self.compare else [kept]
        if alpha is not None:
            sides = [np.concatenate([side, alpha], axis=2) for side in sides]
        made = self.av.VideoFrame.from_ndarray(np.concatenate(sides, axis=1), "rgb24" if alpha is None else "rgba")
        matrix = {6: 5}.get(self.out_matrix, self.out_matrix)  # swscale's number
        frame = self.to_yuv.reformat(made, format=self.format, dst_colorspace=matrix, dst_color_range=1)
        frame.pts, frame.time_base = pts, self.time_base
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


def _is_clear(frame) -> bool:
    """Whether a frame has transparency, and not only room for it."""
    room = any(part.is_alpha for part in frame.format.components)
    return room and frame.to_ndarray(format="rgba")[..., 3].min() < 255


def _size(width: int, height: int, max_size: int | None) -> tuple[int, int]:
    scale = min(1.0, (max_size or max(width, height)) / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))
