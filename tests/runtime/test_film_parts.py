"""Films that were drawn in parts are the very films that are drawn in one go."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from anime_model.runtime import film_parts, video
from anime_model.runtime.film_parts import Drawings, Drawn, Part, cut, draw_part, parts_of
from anime_model.runtime.video import FilmReport, VideoError, stylize_video

av = pytest.importorskip("av")
SIZE, RATE, FRAMES = (96, 128), 10, 40
# With its macroblock tree x264 does not make the same bytes of the same frames each time, at some widths.
REPEATABLE = ("libx264", {"crf": "18", "preset": "veryfast", "x264-params": "mbtree=0"})


@pytest.fixture(autouse=True)
def short(monkeypatch) -> None:
    """Parts of a few frames."""
    monkeypatch.setattr(video, "H264", REPEATABLE)
    monkeypatch.setattr(film_parts, "LEAST", 6)
    monkeypatch.setattr(film_parts, "MOST", 15)


def scene(index: int) -> np.ndarray:
    """A square that moves over a still gradient with noise, so that much is held and nothing is ever the same."""
    rows, columns = np.mgrid[0 : SIZE[0], 0 : SIZE[1]]
    picture = np.stack([rows * 4, columns * 3, 200 - rows * 3], 2)
    picture[8:20, 4 + index % 40 : 16 + index % 40] = 230, 40, 30
    noise = np.random.default_rng(index).integers(-2, 3, picture.shape)
    return (picture + noise).clip(0, 255).astype(np.uint8)


def film(path: Path, codec: str = "libx264", times: list[int] | None = None, turn: int = 0, **options: str) -> Path:
    """40 frames with a sound. Keyframes by the encoder's `options`."""
    marks = {"bf": "2"} if codec == "libx264" else {}
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=RATE, options=marks | options)
        stream.width, stream.height, stream.pix_fmt = SIZE[1], SIZE[0], "yuv420p"
        if times:
            stream.codec_context.time_base = Fraction(1, 1000)
        if turn:
            stream.set_display_rotation(turn)
        voice = None if path.suffix in (".m2v",) else out.add_stream("mp2", rate=48000, layout="mono")
        for index in range(FRAMES):
            frame = av.VideoFrame.from_ndarray(scene(index), "rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = times[index] if times else index, Fraction(1, 1000 if times else RATE)
            out.mux(stream.encode(frame))
            if voice:
                tone = av.AudioFrame.from_ndarray(
                    np.full((1, 4800), index * 100, np.int16), format="s16", layout="mono"
                )
                tone.sample_rate, tone.pts, tone.time_base = 48000, index * 4800, Fraction(1, 48000)
                out.mux(voice.encode(tone))
        out.mux(stream.encode(None))
        if voice:
            out.mux(voice.encode(None))
        out.metadata["title"] = "a film"
    return path


def negative(photo: np.ndarray) -> np.ndarray:
    return 255 - photo


def in_parts(source: Path, target: Path, draw: Callable = negative, **options) -> tuple[FilmReport, Drawings, int]:
    """The film, made of parts that were drawn last to first; how many frames no part had, and of how many parts."""
    drawn, size = [], options.get("max_size")
    parts = parts_of(source)
    for place, part in reversed(list(enumerate(parts))):
        kept = target.with_name(f"{target.stem}-{place}.part.mkv")
        with kept.open("wb") as file:
            drawn.insert(0, Drawn(draw_part(source, target.suffix, part, draw, file, size), kept))
    drawings = Drawings(drawn, negative)
    report = stylize_video(source, target, drawings, 1, **options)
    drawings.close()
    return report, drawings, len(parts)


def content(path: Path) -> list[tuple]:
    """Every packet of every stream with its times, and what the file says of itself, but for Matroska's numbers."""
    with av.open(str(path)) as opened:
        packets = [(p.stream_index, p.pts, p.dts, p.duration, bytes(p)) for p in opened.demux()]
        return [*packets, opened.metadata, [stream.metadata for stream in opened.streams]]


def drawn_as_in_one_go(
    source: Path, folder: Path, suffix: str, parts: int | None = None, own: int = 0, **options
) -> None:
    report = stylize_video(source, folder / f"whole{suffix}", negative, 2, **options)
    found, drawings, count = in_parts(source, folder / f"parts{suffix}", **options)
    assert found == report
    assert content(folder / f"parts{suffix}") == content(folder / f"whole{suffix}")
    assert drawings.own <= own
    assert count == (parts or count)
    assert count > 1


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm", ".avi", ".mov"])
def test_every_packet_is_that_of_one_go(tmp_path, suffix):
    drawn_as_in_one_go(film(tmp_path / "a.mp4", g="8"), tmp_path, suffix, 6)


@pytest.mark.parametrize(
    "options", [{"steady": False}, {"compare": True}, {"max_size": 101}, {"compare": True, "max_size": 120}]
)
def test_options_are_those_of_one_go(tmp_path, options):
    drawn_as_in_one_go(film(tmp_path / "a.mp4", g="8"), tmp_path, ".mp4", 6, **options)


@pytest.mark.parametrize(
    ("name", "codec", "options", "parts"),
    [
        ("open groups.mp4", "libx264", {"g": "8", "x264-params": "open-gop=1"}, None),
        ("one keyframe.mkv", "libx264", {"g": "1000", "sc_threshold": "0"}, 3),
        ("only keyframes.mkv", "libx264", {"g": "1"}, 7),
        ("interlaced.mp4", "libx264", {"g": "8", "flags": "+ilme+ildct"}, 6),
        ("broadcast.ts", "mpeg2video", {"g": "8", "bf": "2"}, None),
        ("old.avi", "mpeg4", {"g": "8", "bf": "2"}, None),
        ("old.mpg", "mpeg2video", {"g": "8", "bf": "2"}, None),
        ("bare.m2v", "mpeg2video", {"g": "8", "bf": "2"}, None),
    ],
)
def test_kinds_of_films(tmp_path, name, codec, options, parts):
    """Without an index, with frames before their keyframe, with two fields: the film is the same."""
    drawn_as_in_one_go(film(tmp_path / name, codec, **options), tmp_path, ".mkv", parts, own=5 * (name == "old.mpg"))


def test_frames_that_a_part_decodes_otherwise_are_drawn_anew(tmp_path):
    """A film that becomes whole little by little has keyframes that are none."""
    source = film(tmp_path / "a.mp4", g="8", **{"x264-params": "intra-refresh=1"})
    report = stylize_video(source, tmp_path / "whole.mp4", negative, 2)
    found, drawings, _ = in_parts(source, tmp_path / "parts.mp4")
    assert found == report
    assert content(tmp_path / "parts.mp4") == content(tmp_path / "whole.mp4")
    assert 0 < drawings.own < FRAMES / 2


def test_uneven_times_and_a_turn(tmp_path):
    times = np.cumsum(np.random.default_rng(0).integers(10, 200, FRAMES)).tolist()
    drawn_as_in_one_go(film(tmp_path / "a.mkv", times=times, g="8"), tmp_path, ".mkv")
    drawn_as_in_one_go(film(tmp_path / "a.mkv", times=times, g="8"), tmp_path, ".avi")
    drawn_as_in_one_go(film(tmp_path / "b.mp4", turn=90, g="8"), tmp_path, ".mp4", 6)


def whole(parts: list[Part], times: list[int]) -> None:
    """Every time is in one part, and each part's frames are those that it says."""
    edges = [part.start for part in parts] + [None]
    assert edges[0] is None
    assert edges[1:] == [part.end for part in parts]
    for part in parts:
        inside = [t for t in times if (part.start is None or t >= part.start) and (part.end is None or t < part.end)]
        assert len(inside) == part.frames


def test_parts_begin_at_keyframes_and_are_read_from_the_one_before():
    times = list(range(0, 400, 10))
    parts = cut(times, list(range(0, 400, 40)))  # a keyframe every 4 frames
    whole(parts, times)
    assert [part.start for part in parts] == [None, 80, 160, 240, 320]
    assert [part.seek for part in parts] == [None, 40, 120, 200, 280]


def test_a_film_without_keyframes_is_cut_so_that_little_is_read_twice():
    times = list(range(1, 20_001))
    parts = cut(times, [])
    whole(parts, times)
    assert all(part.seek is None for part in parts)
    read = sum(part.end or times[-1] for part in parts)
    assert len(parts) > 15
    assert read < (film_parts.RUN_IN + 2) * len(times)
    assert cut([1, 2, 3], []) == [Part(None, None, None, 3)]


def test_times_that_begin_anew_are_not_sought():
    assert {part.seek for part in cut(list(range(100)), [0, 50, 10, 60])} == {None}


@pytest.mark.parametrize("content", [b"", b"no film", bytes(5000)])
def test_what_is_no_film_is_one_line(tmp_path, content):
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    with pytest.raises(VideoError, match=r"a\.mp4: ") as caught:
        parts_of(path)
    assert "\n" not in str(caught.value)
    with pytest.raises(VideoError, match=r"none\.mp4: "):
        parts_of(tmp_path / "none.mp4")


def test_a_damaged_part_costs_time_and_no_picture(tmp_path):
    source = film(tmp_path / "a.mp4", g="8")
    stylize_video(source, tmp_path / "whole.mp4", negative, 1)
    drawn = []
    for place, part in enumerate(parts_of(source)):
        kept = tmp_path / f"{place}.mkv"
        with kept.open("wb") as file:
            drawn.append(Drawn(draw_part(source, ".mp4", part, negative, file), kept))
    drawn[1].file.write_bytes(drawn[1].file.read_bytes()[:700])
    drawn[3].file.write_bytes(b"")
    drawn[4] = Drawn(["of another film"] * len(drawn[4].digests), drawn[4].file)
    drawings = Drawings(drawn, negative)
    stylize_video(source, tmp_path / "b.mp4", drawings, 1)
    assert content(tmp_path / "b.mp4") == content(tmp_path / "whole.mp4")
    assert len(drawn[3].digests) + len(drawn[4].digests) < drawings.own < FRAMES - len(drawn[0].digests)
