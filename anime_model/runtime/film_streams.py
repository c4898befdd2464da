"""All of a film but its pictures: sounds, subtitles, chapters and what the file says of itself, copied or named."""

from collections.abc import Callable
from dataclasses import dataclass, field

# what a file says of how it was stored; the new one says its own
ABOUT_THE_FILE = {"major_brand", "minor_version", "compatible_brands", "encoder", "duration", "alpha_mode", "rotate"}
MICRO = 1_000_000
LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}
AAC_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000)


@dataclass
class Notes:
    """What a person should know of a film that was made: one line each."""

    lines: list[str] = field(default_factory=list)
    damaged: int = 0
    first: float | None = None

    def add(self, line: str) -> None:
        self.lines.append(line)

    def damage(self, seconds: float | None) -> None:
        self.damaged += 1
        self.first = seconds if self.first is None else self.first

    def all(self) -> tuple[str, ...]:
        if not self.damaged:
            return tuple(self.lines)
        where = "" if self.first is None else f", the first at {self.first:.1f} s"
        parts = "part was" if self.damaged == 1 else "parts were"
        return (f"{self.damaged} damaged {parts} left out{where}", *self.lines)


class Others:
    """The streams beside the pictures, on their way from one container to another.

    A sound that the new container does not take is encoded anew (WebM: Opus, else AAC); a subtitle that it does not
    take is named in `notes`.
    """

    def __init__(self, av, source, target, kind: str, video, notes: Notes) -> None:
        self.av, self.target, self.kind, self.notes = av, target, kind, notes
        self.start = max(0, source.start_time or 0)  # microseconds; streams of broadcasts begin anywhere
        self.muxers: dict[int, Callable] = {}
        self.flushes: list[Callable] = []
        self.streams = []
        for stream in source.streams:
            if stream.index == video.index:
                continue
            if stream.type in ("audio", "subtitle"):
                self._take(stream)
            elif stream.type == "video" and not stream.disposition & stream.disposition.attached_pic:
                notes.add(f"a second film in the file ({_named(stream)}) is left out")
        self._about(source)

    def mux(self, packet) -> None:
        if packet.dts is not None or packet.pts is not None:
            self.muxers[packet.stream.index](packet)

    def finish(self) -> None:
        for flush in self.flushes:
            flush()

    def offset(self, time_base) -> int:
        """The start of the film in units of a stream's time."""
        return round(self.start / MICRO / time_base)

    def _take(self, stream) -> None:
        try:
            copy = self.target.add_stream_from_template(stream)
        except (ValueError, self.av.error.FFmpegError):
            if stream.type == "subtitle":
                self.notes.add(f"subtitles ({_named(stream)}) are left out: this kind of film does not take them")
                return
            copy = self._encoded(stream)
            if copy is None:
                return
        else:
            self.muxers[stream.index] = lambda packet: self._copied(packet, copy)
        self.streams.append(stream)
        about_stream(stream, copy)

    def _copied(self, packet, stream) -> None:
        shift = self.offset(packet.time_base)
        packet.pts = None if packet.pts is None else packet.pts - shift
        packet.dts = None if packet.dts is None else packet.dts - shift
        packet.stream = stream
        self.target.mux(packet)

    def _encoded(self, stream):
        codec = "libopus" if self.kind == "webm" else "aac"
        rate = 48000 if codec == "libopus" or stream.rate not in AAC_RATES else stream.rate
        layout = LAYOUTS.get(stream.channels, "stereo")
        try:
            made = self.target.add_stream(codec, rate=rate, layout=layout)
        except (ValueError, self.av.error.FFmpegError):
            self.notes.add(f"a sound ({_named(stream)}) is left out: this kind of film does not take it")
            return None
        self.notes.add(f"a sound ({_named(stream)}) is encoded anew as {codec.removeprefix('lib')}")
        resample = self.av.AudioResampler(format=made.codec_context.format, layout=layout, rate=rate)

        def mux(packet) -> None:
            try:
                frames = packet.decode()
            except self.av.error.FFmpegError:
                self.notes.damage(None if packet.pts is None else float(packet.pts * packet.time_base))
                return
            for frame in frames:
                frame.pts = None if frame.pts is None else frame.pts - self.offset(frame.time_base)
                for part in resample.resample(frame):
                    self.target.mux(made.encode(part))

        def flush() -> None:
            for part in resample.resample(None):
                self.target.mux(made.encode(part))
            self.target.mux(made.encode(None))

        self.muxers[stream.index] = mux
        self.flushes.append(flush)
        return made

    def _about(self, source) -> None:
        self.target.metadata.update(_kept(source.metadata))
        if not (chapters := source.chapters()):
            return
        for chapter in chapters:
            shift = self.offset(chapter["time_base"])
            chapter["start"], chapter["end"] = max(0, chapter["start"] - shift), max(1, chapter["end"] - shift)
        try:
            self.target.set_chapters(chapters)
        except (ValueError, self.av.error.FFmpegError):
            self.notes.add("chapters are left out: this kind of film does not take them")


def about_stream(source, target) -> None:
    """Language, title and whether players choose it, of one stream."""
    target.metadata.update(_kept(source.metadata))
    target.disposition = getattr(source.disposition, "value", source.disposition)  # a number in some of PyAV's releases


def _kept(metadata: dict[str, str]) -> dict[str, str]:
    return {key: value for key, value in metadata.items() if key.lower() not in ABOUT_THE_FILE}


def _named(stream) -> str:
    codec = stream.codec_context.name if stream.codec_context else "of an unknown kind"
    language = stream.metadata.get("language", "und")
    return codec if language == "und" else f"{codec}, {language}"
