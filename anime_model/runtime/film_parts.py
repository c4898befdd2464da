"""A film in parts that are drawn apart, wherever, and put together as if it had been drawn in one go.

Only drawings come from the parts: each is kept without loss, with a digest of the frame that it was made of.
`stylize_video` then makes the film and asks for drawings by frame, so that whatever has a memory of earlier frames (the
film's decoder, `Steady`, the encoder) runs once over all of them, and no seam can be seen. A frame that a part decoded
otherwise, or not at all, is drawn when it is asked for: that costs time, and never a wrong picture.
"""

import hashlib
import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from anime_model.pictures.message import about
from anime_model.runtime.video import (
    Draw,
    Film,
    Stored,
    Unseekable,
    VideoError,
    av_for,
    opened_film,
    opened_input,
    unread,
)

LEAST = 48  # frames of a part that ends at a keyframe
MOST = 144  # from here on a part ends between keyframes, too
RUN_IN = 4  # times as many frames as it draws, a part between keyframes reads at most
CODEC, OPTIONS = "libx264rgb", {"qp": "0", "preset": "ultrafast"}  # without loss; a third of FFV1's bytes and time


@dataclass(frozen=True)
class Part:
    """Frames from `start` to before `end`, read from the keyframe at `seek` on: times of the file in units of its
    stream. None: its first frame, its end, its beginning. `frames` as the file counts them."""

    start: int | None
    end: int | None
    seek: int | None
    frames: int

    @property
    def name(self) -> str:
        return f"{'begin' if self.start is None else self.start}-{'end' if self.end is None else self.end}"


def parts_of(source: Path | Stored) -> list[Part]:
    """The parts of a film, in order. Reads the whole file and decodes nothing. Raises `VideoError`."""
    av, times, keys = av_for(source), [], []
    try:
        with opened_input(av, source) as film:
            stream = film.streams.best("video")
            if stream is None:
                raise VideoError(about(source, "holds no film"))
            with suppress(av.error.InvalidDataError, av.error.EOFError):  # it ends where it cannot be read
                for packet in film.demux(stream):
                    if packet.size:
                        times.append(packet.pts)
                        keys += [packet.pts] * packet.is_keyframe
    except av.error.FFmpegError as error:
        raise unread(source, error) from error
    if not times:
        raise VideoError(about(source, "holds no frame that can be read"))
    if None in times:  # the times are counted, and nothing can be sought
        return cut(range(1, len(times) + 1), [])
    return cut(sorted(times), keys)


def cut(times: Sequence[int], keys: Sequence[int]) -> list[Part]:
    """Parts of a film whose frames are shown at `times`, rising, and whose keyframes, in the order of the file, at
    `keys`.

    Each begins at a keyframe where there is one every so often. It is read from one keyframe further ahead: frames
    around a keyframe may be made of those before it, as those of interlaced films are.
    """
    known = set(keys) if list(keys) == sorted(set(keys)) else set()  # else times begin anew on the way: nothing to seek
    parts, start, seek, count = [], None, None, 0
    before, key, passed = None, None, 0  # the last two keyframes, and the frames since
    for time in times:
        due = count >= (LEAST if time in known else max(MOST, passed // RUN_IN))
        if time in known:
            before, key, passed = key, time, 0
        if due:
            parts.append(Part(start, time, seek, count))
            start, seek, count = time, before, 0
        count, passed = count + 1, passed + 1
    return [*parts, Part(start, None, seek, count)]


def draw_part(
    source: Path | Stored, suffix: str, part: Part, draw: Draw, file: BinaryIO, max_size: int | None = None
) -> list[str]:
    """Draws the frames of a part into `file`, for a film of the kind of `suffix`: the digest of each frame.

    Raises `VideoError`, `ModelError`, `OSError`.
    """
    try:
        return _drawn(source, suffix, part, draw, file, max_size)
    except Unseekable:  # as some films of MPEG-2 are
        return _drawn(source, suffix, replace(part, seek=None), draw, file, max_size)


def _drawn(
    source: Path | Stored, suffix: str, part: Part, draw: Draw, file: BinaryIO, max_size: int | None
) -> list[str]:
    digests: list[str] = []
    with opened_film(source, io.BytesIO(), suffix, max_size) as film:
        film.pictures_only(part.seek)
        shift = film.others.offset(film.video.time_base)
        with _Kept(film, file) as kept:
            for photo, _, time in film.frames():
                if part.end is not None and time + shift >= part.end:
                    break
                if part.start is None or time + shift >= part.start:
                    digests.append(digest(photo))
                    kept.add(draw(photo))
    return digests


class _Kept:
    """Pictures of one size, one after another, without loss."""

    def __init__(self, film: Film, file: BinaryIO) -> None:
        self.av, self.count = film.av, 0
        self.output = film.av.open(file, "w", format="matroska")
        self.stream = self.output.add_stream(CODEC, rate=25, options=OPTIONS)
        self.stream.width, self.stream.height, self.stream.pix_fmt = film.width, film.height, "rgb24"

    def __enter__(self) -> "_Kept":
        return self

    def add(self, picture: np.ndarray) -> None:
        frame = self.av.VideoFrame.from_ndarray(picture, "rgb24")
        frame.pts, self.count = self.count, self.count + 1
        self.output.mux(self.stream.encode(frame))

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None and self.count:
            self.output.mux(self.stream.encode(None))
        self.output.close()


def digest(photo: np.ndarray) -> str:
    """Of a frame's pixels and shape."""
    return hashlib.blake2b(np.ascontiguousarray(photo).data, digest_size=12, key=b"%d" % photo.shape[1]).hexdigest()


@dataclass(frozen=True)
class Drawn:
    """A part that is drawn: its frames' digests in order, and the file of its pictures."""

    digests: list[str]
    file: Path | Stored


class Drawings:
    """`draw` for `stylize_video` with one worker: drawings out of `parts` in their order, and by `draw` what they lack.

    `parts` may keep its reader waiting until the next one is there.
    """

    def __init__(self, parts: Iterable[Drawn], draw: Draw) -> None:
        self.own = 0  # frames that no part had
        self._parts, self._draw = (_Reader(part) for part in parts), draw
        self._now: _Reader = _Reader(Drawn([], Path()))
        self._ahead: _Reader | None = None
        self._missed = 0  # frames asked for in a row that were not found
        self._last: tuple[str, np.ndarray] | None = None

    def __call__(self, photo: np.ndarray) -> np.ndarray:
        name = digest(photo)
        if self._last is None or name != self._last[0]:  # AVI shows frames twice, to have one frame rate
            self._last = name, self._drawing(name, photo)
        return self._last[1]

    def close(self) -> None:
        self._now.close()

    def _drawing(self, name: str, photo: np.ndarray) -> np.ndarray:
        self._move(name)
        found = self._now.take(name)
        if found is None or found.shape != photo.shape:
            self._missed, self.own = self._missed + 1, self.own + 1
            return self._draw(photo)
        self._missed = 0
        return found

    def _move(self, name: str) -> None:
        """To the next part where that has the frame, or where both parts' frames were asked for in vain."""
        while not self._now.holds(name):
            self._ahead = self._ahead or next(self._parts, None)
            if self._ahead is None:
                return
            if not self._ahead.holds(name) and self._missed < self._now.left + self._ahead.left:
                return
            self._now.close()
            self._now, self._ahead, self._missed = self._ahead, None, 0


class _Reader:
    """The pictures of one part, forward only."""

    def __init__(self, part: Drawn) -> None:
        self.part, self.place = part, 0
        self.input: Any = None  # PyAV's
        self.pictures: Iterator[Any] | None = None

    @property
    def left(self) -> int:
        return len(self.part.digests) - self.place

    def holds(self, name: str) -> bool:
        return name in self.part.digests[self.place :]

    def take(self, name: str) -> np.ndarray | None:
        """None where the part has no such frame, or its file is damaged."""
        if not self.holds(name):
            return None
        picture, end = None, self.part.digests.index(name, self.place) + 1
        while self.place < end:
            self.place += 1
            picture = self._following()
        return picture

    def _following(self) -> np.ndarray | None:
        av = av_for(self.part.file)
        try:
            if self.pictures is None:
                self.input = opened_input(av, self.part.file)
                self.pictures = iter(self.input.decode(video=0))
            frame = next(self.pictures, None)
        except av.error.FFmpegError:
            self.pictures = iter(())
            return None
        return None if frame is None else frame.to_ndarray(format="rgb24")

    def close(self) -> None:
        if self.input is not None:
            self.input.close()
            self.input = None
