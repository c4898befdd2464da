"""Films of many kinds through the identity network: what a person would miss is still there, or is named."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from anime_model.pictures import hdr
from anime_model.pictures.hdr import HLG, PQ, to_sdr
from anime_model.runtime.video import FORMATS, SUFFIXES, VideoError, stylize_video

av = pytest.importorskip("av")
SIZE, RATE, FRAMES = (48, 64), 10, 12


def scene(index: int) -> np.ndarray:
    rows, columns = np.mgrid[0 : SIZE[0], 0 : SIZE[1]]
    picture = np.stack([rows * 4, columns * 3, 200 - rows * 3], 2).astype(np.uint8)
    picture[8:20, 4 + 2 * index : 16 + 2 * index] = 230, 40, 30
    return picture


def same(photo: np.ndarray) -> np.ndarray:
    return photo


def tone(out, codec: str, count: int = 1, rate: int = 48000, **about: str):
    """Sounds of 1.2 s; call what comes back after the first picture was written."""
    made = []
    for _ in range(count):
        stream = out.add_stream(codec, rate=rate, layout="mono")
        stream.metadata.update(about)
        made.append(stream)

    def write() -> None:
        for stream in made:
            wave = (np.sin(np.arange(rate * 12 // 10) / 20) * 8000).astype(np.int16)
            for at in range(0, len(wave), 960):
                part = av.AudioFrame.from_ndarray(wave[None, at : at + 960], format="s16", layout="mono")
                part.sample_rate, part.pts, part.time_base = rate, at, Fraction(1, rate)
                out.mux(stream.encode(part))
            out.mux(stream.encode(None))

    return made, write


def film(
    path: Path,
    codec: str = "libx264",
    kind: str | None = None,
    sound: str | None = None,
    pixels: str = "yuv420p",
    picture=scene,
    options: dict | None = None,
    prepare=lambda out, stream: None,
    **marks,
) -> Path:
    with av.open(str(path), "w", format=kind) as out:
        stream = out.add_stream(codec, rate=RATE, options=options or {})
        stream.width, stream.height, stream.pix_fmt = SIZE[1], SIZE[0], pixels
        for name, value in marks.items():
            setattr(stream.codec_context, name, value)
        prepare(out, stream)
        write = tone(out, sound)[1] if sound else lambda: None
        for index in range(FRAMES):
            array = picture(index)
            frame = av.VideoFrame.from_ndarray(array, "rgba" if array.shape[2] == 4 else "rgb24").reformat(
                format=pixels
            )
            frame.pts, frame.time_base = index, Fraction(1, RATE)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
        write()
    return path


def frames_of(path: Path) -> list[tuple[float, np.ndarray]]:
    with av.open(str(path)) as opened:
        return [(frame.time, frame.to_ndarray(format="rgb24").astype(int)) for frame in opened.decode(video=0)]


def made(source: Path, target: Path, **how):
    return stylize_video(source, target, same, steady=False, **how)


@pytest.mark.parametrize("index", [3, FRAMES - 1])
def test_a_damaged_packet_costs_one_frame_and_is_said(tmp_path, index):
    source = film(tmp_path / "a.mp4", options={"g": "1", "bf": "0"}, sound="aac")
    with av.open(str(source)) as opened:
        packet = [packet for packet in opened.demux(video=0) if packet.size][index]
    data = bytearray(source.read_bytes())
    data[packet.pos : packet.pos + packet.size] = (
        np.random.default_rng(1).integers(0, 256, packet.size, np.uint8).tobytes()
    )
    source.write_bytes(data)
    report = made(source, tmp_path / "b.mp4")
    assert report.frames == len(frames_of(tmp_path / "b.mp4")) == FRAMES - 1
    assert [time for time, _ in frames_of(tmp_path / "b.mp4")] == pytest.approx(
        [i / RATE for i in range(FRAMES) if i != index], abs=0.01
    )
    assert report.notes == (f"1 damaged part was left out, the first at {index / RATE:.1f} s",)


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4"])
def test_a_cut_off_film_is_made_as_far_as_it_goes_and_it_is_said(tmp_path, name):
    options = {"g": "1"}
    faststart = {"options": {"movflags": "faststart"}} if name == "a.mp4" else {}
    source = film(tmp_path / "whole.mkv", options=options)
    with av.open(str(source)) as whole, av.open(str(tmp_path / name), "w", **faststart) as out:
        stream = out.add_stream_from_template(whole.streams.video[0])
        for packet in whole.demux(video=0):
            if packet.size:
                packet.stream = stream
                out.mux(packet)
    data = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(data[: int(len(data) * 0.6)])
    report = made(tmp_path / name, tmp_path / "b.mp4")
    assert 3 <= report.frames < FRAMES
    assert any("cut off: it ends at" in note or "damaged" in note for note in report.notes)


@pytest.mark.parametrize("name", ["12:30.mp4", "file:x.mp4", "http:x.mp4", "concat:a|b.mp4"])
def test_a_name_with_a_colon_is_no_protocol(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    film(tmp_path / "x.mp4", picture=lambda index: 255 - scene(index))
    film(tmp_path / "other.mp4").rename(name)
    made(Path(name), tmp_path / "b.mp4")
    wanted = np.stack([scene(index) for index in range(FRAMES)])
    assert np.abs(np.stack([frame for _, frame in frames_of(tmp_path / "b.mp4")]) - wanted.astype(int)).mean() < 8


def test_what_is_damaged_from_the_start_is_one_line(tmp_path):
    source = film(tmp_path / "a.mp4", options={"g": "1"})
    with av.open(str(source)) as opened:
        packets = [(packet.pos, packet.size) for packet in opened.demux(video=0) if packet.size]
    data = bytearray(source.read_bytes())
    for at, size in packets:
        data[at : at + size] = bytes(255 for _ in range(size))
    source.write_bytes(data)
    with pytest.raises(VideoError, match=r"a\.mp4: [^\n]+$"):
        made(source, tmp_path / "b.mp4")
    assert not (tmp_path / "b.mp4").exists()


def test_avi_keeps_times_and_size(tmp_path):
    """It has one frame rate and no order of display: empty frames fill it up else, and pictures come late."""

    def flash(index: int) -> np.ndarray:
        return np.full((*SIZE, 3), 250 if index >= 5 else 5, np.uint8)

    source = film(tmp_path / "a.mkv", picture=flash, sound="aac")
    made(source, tmp_path / "b.avi")
    made(source, tmp_path / "b.mkv")
    for target in ("b.avi", "b.mkv"):
        frames = frames_of(tmp_path / target)
        times = [time - frames[0][0] for time, _ in frames]  # a reader of AVI takes H.264 to come a frame late
        assert times == pytest.approx([index / RATE for index in range(FRAMES)], abs=2e-3)
        assert [picture.mean() > 128 for _, picture in frames] == [index >= 5 for index in range(FRAMES)]
    assert (tmp_path / "b.avi").stat().st_size < 2 * (tmp_path / "b.mkv").stat().st_size + 20_000
    with av.open(str(tmp_path / "b.avi")) as opened:
        assert opened.streams.video[0].average_rate == RATE
        assert not opened.streams.video[0].codec_context.has_b_frames


def test_uneven_times_in_avi_become_one_frame_rate(tmp_path):
    source = tmp_path / "a.mkv"
    with av.open(str(source), "w") as out:
        stream = out.add_stream("libx264", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = SIZE[1], SIZE[0], "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for pts in (0, 100, 500, 600, 700, 1100):
            frame = av.VideoFrame.from_ndarray(np.full((*SIZE, 3), pts // 5, np.uint8), "rgb24").reformat(
                format="yuv420p"
            )
            frame.pts, frame.time_base = pts, Fraction(1, 1000)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    made(source, tmp_path / "b.avi")
    frames = frames_of(tmp_path / "b.avi")
    for time, picture in frames:
        shown = 1000 * (time - frames[0][0])
        latest = max(pts for pts in (0, 100, 500, 600, 700, 1100) if pts <= shown + 1)
        assert picture.mean() == pytest.approx(latest // 5, abs=6)


def dress(out, stream) -> None:
    out.metadata["title"] = "My holiday"
    out.set_chapters(
        [
            {
                "id": n,
                "start": 500 * n,
                "end": 500 * n + 500,
                "time_base": Fraction(1, 1000),
                "metadata": {"title": name},
            }
            for n, name in enumerate(("One", "Two"))
        ]
    )


def with_subtitles(source: Path, target: Path) -> Path:
    """The same film with two sounds, of which the second is the one that players choose, and subtitles."""
    (source.parent / "s.srt").write_text("1\n00:00:00,100 --> 00:00:01,000\nhello\n")
    with av.open(str(source)) as film, av.open(str(source.parent / "s.srt")) as words, av.open(str(target), "w") as out:
        dress(out, None)
        pictures = out.add_stream_from_template(film.streams.video[0])
        sounds = [out.add_stream_from_template(film.streams.audio[0]) for _ in range(2)]
        sounds[0].metadata["language"], sounds[1].metadata["language"] = "eng", "jpn"
        sounds[1].metadata["title"] = "Commentary"
        default = type(film.streams.video[0].disposition).default
        sounds[0].disposition, sounds[1].disposition = type(default)(0), default
        text = out.add_stream_from_template(words.streams.subtitles[0])
        text.metadata["language"] = "fra"
        for packet in words.demux():
            if packet.size:
                packet.stream = text
                out.mux(packet)
        kinds = {0: [pictures], 1: sounds}
        for turn in range(2):
            with av.open(str(source)) as film:
                for packet in film.demux():
                    if packet.size and turn < len(kinds[packet.stream.index]):
                        packet.stream = kinds[packet.stream.index][turn]
                        out.mux(packet)
    return target


def about(path: Path) -> dict:
    with av.open(str(path)) as opened:
        sounds = [
            (s.metadata.get("language"), s.metadata.get("title"), bool(s.disposition & s.disposition.default))
            for s in opened.streams.audio
        ]
        words = (
            [bytes(packet) for packet in opened.demux(subtitles=0) if packet.size] if opened.streams.subtitles else []
        )
        chapters = [
            (chapter["metadata"]["title"], float(chapter["start"] * chapter["time_base"]))
            for chapter in opened.chapters()
        ]
        return {"sounds": sounds, "words": words, "chapters": chapters, "title": opened.metadata.get("title")}


def test_sounds_subtitles_chapters_and_titles_are_kept_or_named(tmp_path):
    plain = film(tmp_path / "plain.mkv", sound="aac")
    source = with_subtitles(plain, tmp_path / "a.mkv")
    report = made(source, tmp_path / "b.mkv")
    found = about(tmp_path / "b.mkv")
    assert found == about(source)
    assert found["sounds"] == [("eng", None, False), ("jpn", "Commentary", True)]
    assert (found["words"], found["title"]) == ([b"hello"], "My holiday")
    assert found["chapters"] == [("One", 0), ("Two", 0.5)]
    assert report.notes == ()
    report = made(source, tmp_path / "b.mp4")
    found = about(tmp_path / "b.mp4")
    assert [sound[::2] for sound in found["sounds"]] == [("eng", False), ("jpn", True)]
    assert (found["chapters"], found["title"]) == ([("One", 0), ("Two", 0.5)], "My holiday")
    assert found["words"] or any("subtitles" in note and "fra" in note for note in report.notes)


def test_a_sound_that_the_container_does_not_take_is_encoded_anew_and_said(tmp_path):
    source = film(tmp_path / "a.mkv", sound="aac")
    report = made(source, tmp_path / "b.webm")
    assert report.notes == ("a sound (aac) is encoded anew as opus",)
    with av.open(str(tmp_path / "b.webm")) as opened:
        assert opened.streams.audio[0].codec_context.name in ("opus", "libopus")
        seconds = sum(frame.samples / frame.sample_rate for frame in opened.decode(audio=0))
    assert seconds == pytest.approx(1.2, abs=0.05)


@pytest.mark.parametrize(
    ("suffix", "codec", "sound"),
    [
        (".ts", "libx264", "aac"),
        (".m2ts", "libx264", "ac3"),
        (".mpg", "mpeg1video", "mp2"),
        (".wmv", "wmv2", "libmp3lame"),
        (".flv", "libx264", "aac"),
        (".3gp", "libx264", "aac"),
        (".mov", "mjpeg", "pcm_s16le"),
    ],
)
def test_films_of_other_kinds_are_read_and_begin_at_the_start(tmp_path, suffix, codec, sound):
    kinds = {".m2ts": "mpegts", ".mpg": "mpeg", ".wmv": "asf"}
    rate = {"mpeg1video": 25}.get(codec, RATE)
    pixels = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    source = tmp_path / f"a{suffix}"
    with av.open(str(source), "w", format=kinds.get(suffix)) as out:
        stream = out.add_stream(codec, rate=rate)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = SIZE[1], SIZE[0], pixels, 2_000_000
        _, write = tone(out, sound)
        for index in range(FRAMES):
            frame = av.VideoFrame.from_ndarray(scene(index), "rgb24").reformat(format=pixels)
            frame.pts, frame.time_base = index, Fraction(1, rate)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
        write()
    report = made(source, tmp_path / "b.mp4")
    frames = frames_of(tmp_path / "b.mp4")
    assert report.frames == len(frames) >= FRAMES - 1
    assert frames[0][0] < 0.2, "a broadcast's clock does not begin at 0, a film does"
    assert np.abs(frames[0][1] - scene(0)).mean() < 12
    with av.open(str(tmp_path / "b.mp4")) as opened:
        assert len(opened.streams.audio) == 1
    assert suffix in SUFFIXES


def test_full_range_and_unmarked_colours_keep_their_levels(tmp_path):
    def steps(index: int) -> np.ndarray:
        return np.tile(np.linspace(0, 255, SIZE[1]).astype(np.uint8)[None, :, None], (SIZE[0], 1, 3))

    for name, marks in (("a.mkv", {"pixels": "yuvj420p"}), ("b.mkv", {})):
        source = film(tmp_path / name, picture=steps, options={"crf": "1"}, **marks)
        made(source, tmp_path / f"made-{name}")
        assert np.abs(frames_of(tmp_path / f"made-{name}")[0][1] - steps(0)).mean() < 3


def test_marks_of_colour_and_the_shape_of_pixels_are_kept(tmp_path):
    def prepare(out, stream) -> None:
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)

    marks = {"colorspace": 9, "color_primaries": 9, "color_trc": 14, "color_range": 1}
    source = film(tmp_path / "a.mkv", pixels="yuv420p10le", prepare=prepare, **marks)
    made(source, tmp_path / "b.mkv")
    with av.open(str(tmp_path / "b.mkv")) as opened:
        context = opened.streams.video[0].codec_context
        assert context.sample_aspect_ratio == Fraction(4, 3)
        frame = next(opened.decode(video=0))
        assert (int(frame.colorspace), int(frame.color_primaries), int(frame.color_trc)) == (9, 9, 14)

    def turned(out, stream) -> None:
        prepare(out, stream)
        stream.set_display_rotation(90)

    source = film(tmp_path / "c.mp4", prepare=turned)
    made(source, tmp_path / "d.mp4")
    with av.open(str(tmp_path / "d.mp4")) as opened:
        assert opened.streams.video[0].codec_context.sample_aspect_ratio == Fraction(3, 4)


@pytest.mark.parametrize(("transfer", "word"), [(PQ, "PQ"), (HLG, "HLG")])
def test_hdr_is_mapped_to_sdr_and_said(tmp_path, transfer, word):
    """Grey is what the curve says; primaries and transfer of the result are those of SDR."""
    level = 0.5

    def grey(index: int) -> np.ndarray:
        return np.full((*SIZE, 3), round(255 * level), np.uint8)

    marks = {"colorspace": 9, "color_primaries": 9, "color_trc": transfer, "color_range": 1}
    source = film(tmp_path / "a.mkv", pixels="yuv420p10le", picture=grey, options={"crf": "1"}, **marks)
    report = made(source, tmp_path / "b.mp4")
    assert report.notes == (f"HDR ({word}) is tone-mapped to SDR (BT.709)",)
    wanted = 255 * to_sdr(np.full((1, 3), 128 / 255), transfer)[0]
    assert np.abs(frames_of(tmp_path / "b.mp4")[0][1][24, 32] - wanted).max() < 5
    with av.open(str(tmp_path / "b.mp4")) as opened:
        frame = next(opened.decode(video=0))
        assert (int(frame.colorspace), int(frame.color_primaries), int(frame.color_trc)) == (1, 1, 1)


def test_the_curve_of_hdr():
    """BT.2408: reference white of 203 nits is 58.1 % of PQ's signal and 75 % of HLG's; BT.2100: 1000 nits at 75.2 %."""
    for transfer, signal in ((PQ, 0.581), (HLG, 0.75)):
        light = (hdr._light_of_pq if transfer == PQ else hdr._light_of_hlg)(np.full((1, 3), signal))
        assert light == pytest.approx(203, rel=0.02)
    assert hdr._light_of_pq(np.array(0.7518)) == pytest.approx(1000, rel=0.01)
    nits = np.linspace(0, 1000, 500)
    mapped = hdr._rolled_off(nits)
    assert (np.diff(mapped) > 0).all()
    assert mapped[-1] == pytest.approx(203, rel=0.01)
    assert np.abs(mapped - nits)[nits < 80].max() < 0.5, "dark parts keep their light"
    black_to_white = to_sdr(np.linspace(0, 0.7518, 50)[:, None].repeat(3, 1), PQ)
    assert np.abs(black_to_white - black_to_white[:, :1]).max() < 2e-3, "grey stays grey"
    assert black_to_white[-1].max() == pytest.approx(1, abs=0.01)


def combs(picture: np.ndarray) -> float:
    """How much rows differ from both neighbours more than these from each other: the teeth of two fields."""
    rows = picture[..., 1].astype(float)
    return float(np.abs(2 * rows[1:-1] - rows[:-2] - rows[2:]).mean())


def test_an_interlaced_film_is_deinterlaced_and_said(tmp_path):
    def woven(index: int) -> np.ndarray:
        picture = np.full((*SIZE, 3), 40, np.uint8)
        for field in (0, 1):
            left = 4 + 4 * (2 * index + field) % 40
            picture[field::2, left : left + 12] = 220
        return picture

    source = film(tmp_path / "a.mp4", picture=woven, options={"x264-params": "tff=1", "crf": "4"})
    report = made(source, tmp_path / "b.mp4")
    assert "interlaced: deinterlaced, at the same frame rate" in report.notes
    before, after = frames_of(source), frames_of(tmp_path / "b.mp4")
    assert len(after) == len(before)
    assert combs(after[5][1]) < 0.3 * combs(before[5][1])
    with av.open(str(tmp_path / "b.mp4")) as opened:
        assert not next(opened.decode(video=0)).interlaced_frame
    source = film(tmp_path / "c.mp4", options={"crf": "4"})
    assert made(source, tmp_path / "d.mp4").notes == ()


def clear(index: int) -> np.ndarray:
    picture = np.dstack([scene(index), np.full(SIZE, 255, np.uint8)])
    picture[:, :32, 3] = 0
    return picture


def alpha_of(path: Path) -> np.ndarray:
    with av.open(str(path)) as opened:
        decoder = av.CodecContext.create("libvpx-vp9", "r")
        for packet in opened.demux(video=0):
            for frame in decoder.decode(packet):
                return frame.to_ndarray(format="rgba")[..., 3]
    raise AssertionError("no frame")


@pytest.mark.parametrize("target", ["b.webm", "b.mkv", "b.mp4"])
def test_transparency_is_kept_or_named(tmp_path, target):
    source = film(tmp_path / "a.webm", "libvpx-vp9", pixels="yuva420p", picture=clear, options={"auto-alt-ref": "0"})
    report = made(source, tmp_path / target, compare=target == "b.mkv")
    if target == "b.mp4":
        assert report.notes == ("transparency is left out, on black: H.264 holds none (.webm and .mkv keep it)",)
        assert frames_of(tmp_path / target)[3][1][:, :28].max() < 30
        return
    found = alpha_of(tmp_path / target)
    assert found[:, :28].max() < 20
    assert found[:, 36:60].min() > 235
    assert report.notes == ()


def test_room_for_transparency_alone_is_no_transparency(tmp_path):
    source = film(tmp_path / "a.mkv", "ffv1", pixels="bgra")
    assert made(source, tmp_path / "b.mp4").notes == ()


def test_a_film_that_changes_its_size_on_the_way_goes_on(tmp_path):
    source = tmp_path / "a.ts"
    parts = []
    for index, (height, width) in enumerate([(48, 64), (96, 128)]):
        with av.open(str(tmp_path / f"{index}.ts"), "w") as out:
            stream = out.add_stream("libx264", rate=RATE, options={"bf": "0"})
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            for number in range(6):
                frame = av.VideoFrame.from_ndarray(np.full((height, width, 3), 90, np.uint8), "rgb24").reformat(
                    format="yuv420p"
                )
                frame.pts, frame.time_base = number + 6 * index, Fraction(1, RATE)
                out.mux(stream.encode(frame))
            out.mux(stream.encode(None))
        parts.append((tmp_path / f"{index}.ts").read_bytes())
    source.write_bytes(b"".join(parts))
    report = made(source, tmp_path / "b.mp4")
    assert report.frames >= 10 or any("left out" in note for note in report.notes)
    assert {picture.shape for _, picture in frames_of(tmp_path / "b.mp4")} == {(*SIZE, 3)}


def test_what_is_not_written_says_what_is(tmp_path):
    source = film(tmp_path / "a.mkv")
    with pytest.raises(VideoError, match=r"b\.ts: films are written as \.mp4"):
        made(source, tmp_path / "b.ts")
    assert set(FORMATS) < set(SUFFIXES)


@pytest.mark.parametrize(("codec", "kind"), [("libx264", "avi"), ("mpeg4", "avi"), ("libx264", "flv")])
def test_frames_that_are_decoded_in_another_order_are_all_kept(tmp_path: Path, codec: str, kind: str):
    """H.264 in AVI says of each frame when it is decoded, not when it is shown; they come in order all the same."""
    source = tmp_path / f"a.{kind}"
    with av.open(str(source), "w") as film:
        stream = film.add_stream(codec, rate=25, options={"bf": "2"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for level in range(30):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 20 + 7 * level, np.uint8), "rgb24")
            frame.pts = level
            film.mux(stream.encode(frame))
        film.mux(stream.encode(None))
    report = stylize_video(source, tmp_path / "b.mp4", lambda photo: photo, 1, False)
    with av.open(str(tmp_path / "b.mp4")) as film:
        frames = list(film.decode(video=0))
    assert (report.frames, len(frames), report.notes) == (30, 30, ())
    levels = [float(frame.to_ndarray(format="rgb24").mean()) for frame in frames]
    assert levels == sorted(levels)
    times = [float(frame.pts * frame.time_base) for frame in frames]
    assert np.diff(times) == pytest.approx([1 / 25] * 29, abs=0.045)
    assert times[-1] - times[0] == pytest.approx(29 / 25, abs=0.1)
