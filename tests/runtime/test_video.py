"""Films through the identity network: frames, times, sound and turn are those of the film."""

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from anime_model.runtime import video
from anime_model.runtime.stylizer import Stylizer
from anime_model.runtime.video import Steady, VideoError, block_change, stylize_video
from tests.tiny_onnx import identity_model

av = pytest.importorskip("av")
FRAMES, SIZE = 12, (48, 64)


@pytest.fixture
def identity(tmp_path: Path) -> Stylizer:
    return Stylizer(identity_model(tmp_path / "same.onnx"), threads=1)


def scene(index: int) -> np.ndarray:
    """A square that moves over a gradient."""
    rows, columns = np.mgrid[0 : SIZE[0], 0 : SIZE[1]]
    picture = np.stack([rows * 4, columns * 3, 200 - rows * 3], 2).astype(np.uint8)
    picture[8:20, 4 + 2 * index : 16 + 2 * index] = 230, 40, 30
    return picture


def film(path: Path, times: list[int] | None = None, turn: int = 0, sound: bool = True, size=SIZE) -> Path:
    codec = "libvpx-vp9" if path.suffix == ".webm" else "libx264"
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=Fraction(30000, 1001), options={"crf": "4"})
        stream.width, stream.height, stream.pix_fmt = size[1], size[0], "yuv420p"
        if times:
            stream.codec_context.time_base = Fraction(1, 1000)
        if turn:
            stream.set_display_rotation(turn)
        voice = (
            out.add_stream("libopus" if path.suffix == ".webm" else "aac", rate=48000, layout="mono") if sound else None
        )
        for index in range(FRAMES):
            frame = av.VideoFrame.from_ndarray(scene(index)[: size[0], : size[1]], "rgb24").reformat(format="yuv420p")
            frame.pts = times[index] if times else index
            frame.time_base = Fraction(1, 1000) if times else Fraction(1001, 30000)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
        if voice:
            wave = (np.sin(np.arange(960 * 20) / 20) * 8000).astype(np.int16)
            for at in range(0, len(wave), 960):
                tone = av.AudioFrame.from_ndarray(wave[None, at : at + 960], format="s16", layout="mono")
                tone.sample_rate, tone.pts = 48000, at
                out.mux(voice.encode(tone))
            out.mux(voice.encode(None))
    return path


def frames_of(path: Path) -> list[tuple[float, np.ndarray]]:
    with av.open(str(path)) as opened:
        return [(frame.time, frame.to_ndarray(format="rgb24")) for frame in opened.decode(video=0)]


def sound_of(path: Path) -> list[bytes]:
    with av.open(str(path)) as opened:
        return [bytes(packet) for packet in opened.demux(audio=0) if packet.size]


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm"])
def test_frames_times_and_sound_are_those_of_the_film(identity, tmp_path, suffix):
    source, target = film(tmp_path / f"a{suffix}"), tmp_path / f"b{suffix}"
    report = stylize_video(source, target, identity, steady=False)
    before, after = frames_of(source), frames_of(target)
    assert report.frames == len(after) == FRAMES
    assert [time for time, _ in after] == pytest.approx([time for time, _ in before], abs=2e-3)
    assert max(np.abs(a.astype(int) - b).mean() for (_, a), (_, b) in zip(after, before, strict=True)) < 6
    assert sound_of(target) == sound_of(source)
    with av.open(str(target)) as opened:
        assert opened.streams.video[0].average_rate == pytest.approx(Fraction(30000, 1001), rel=0.02)
    assert sorted(path.name for path in tmp_path.glob("*.*")) == [source.name, target.name, "same.onnx"]


def test_uneven_frame_times_are_kept(identity, tmp_path):
    times = [0, 10, 50, 60, 200, 210, 220, 400, 401, 500, 600, 990]
    source = film(tmp_path / "a.mkv", times)
    stylize_video(source, tmp_path / "b.mkv", identity)
    assert [time for time, _ in frames_of(tmp_path / "b.mkv")] == pytest.approx([t / 1000 for t in times], abs=1e-3)


@pytest.mark.parametrize("turn", [90, 180, -90])
def test_a_turned_film_is_shown_as_before(identity, tmp_path, turn):
    source = film(tmp_path / "a.mp4", turn=turn)
    with av.open(str(source)) as opened:
        first = next(opened.decode(video=0))
        wanted = np.rot90(first.to_ndarray(format="rgb24"), first.rotation // 90)
    stylize_video(source, tmp_path / "b.mp4", identity, steady=False)
    with av.open(str(tmp_path / "b.mp4")) as opened:
        made = next(opened.decode(video=0))
        assert made.rotation == 0
        assert np.abs(made.to_ndarray(format="rgb24").astype(int) - wanted).mean() < 6


def test_sides_become_even_and_smaller(identity, tmp_path):
    source = film(tmp_path / "a.mkv", sound=False)
    stylize_video(source, tmp_path / "b.mkv", identity, max_size=33)
    assert frames_of(tmp_path / "b.mkv")[0][1].shape == (24, 32, 3)


def test_few_frames_are_in_memory(tmp_path):
    source = film(tmp_path / "a.mkv", sound=False)
    alive = {"now": 0, "most": 0}

    def draw(photo: np.ndarray) -> np.ndarray:
        alive["now"] += 1
        alive["most"] = max(alive.values())
        return photo

    def tick(done: int, total: int) -> None:
        alive["now"] -= 1

    stylize_video(source, tmp_path / "b.mkv", draw, workers=2, tick=tick)
    assert alive["most"] <= 4


def test_a_stopped_film_leaves_nothing(identity, tmp_path):
    source = film(tmp_path / "a.mp4")

    def tick(done: int, total: int) -> None:
        assert total == FRAMES
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stylize_video(source, tmp_path / "b.mp4", identity, tick=tick)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "same.onnx"]


@pytest.mark.parametrize("content", [b"", b"no film", bytes(5000)])
def test_what_is_no_film_is_one_line(identity, tmp_path, content):
    (tmp_path / "a.mp4").write_bytes(content)
    with pytest.raises(VideoError, match=r"^\S+a\.mp4: .*$"):
        stylize_video(tmp_path / "a.mp4", tmp_path / "b.mp4", identity)
    with pytest.raises(VideoError, match=r"films are written as"):
        stylize_video(tmp_path / "a.mp4", tmp_path / "b.png", identity)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "same.onnx"]


def test_a_cut_off_film_ends_or_is_refused_but_leaves_no_half_file(identity, tmp_path):
    whole = film(tmp_path / "a.mp4").read_bytes()
    (tmp_path / "a.mp4").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(VideoError):
        stylize_video(tmp_path / "a.mp4", tmp_path / "b.mp4", identity)
    assert not (tmp_path / "b.mp4").exists()


def test_without_pyav_the_line_says_what_to_install(identity, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(VideoError, match=r"a\.mp4: films need PyAV; pip install 'animegan-lite\[video\]'"):
        stylize_video(tmp_path / "a.mp4", tmp_path / "b.mp4", identity)


def grain(seed: int, level: float) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, level, (*SIZE, 3))


def test_flicker_of_a_still_film_is_measured_and_reduced():
    steady, still = Steady(), scene(0)
    for seed in range(20):
        steady(still, (still // 2 + 60 + grain(seed, 5)).round().clip(0, 255).astype(np.uint8))
    expected = 5 * 2 / np.pi**0.5  # mean absolute difference of two normal numbers
    assert steady.flicker_drawn == pytest.approx(expected, rel=0.1)
    assert steady.flicker_kept < 0.35 * steady.flicker_drawn


def test_moving_parts_and_cuts_are_left_as_drawn():
    steady, first, second = Steady(), scene(0), scene(10)
    steady(first, first)
    made = steady(second, second)
    assert np.array_equal(made[8:20, 24:36], second[8:20, 24:36])
    assert np.array_equal(made[8:20, 4:16], second[8:20, 4:16]), "no ghost stays behind"
    assert np.array_equal(steady(255 - second, second), second), "a cut"


def test_nothing_is_held_that_did_not_flicker():
    steady = Steady()
    for _ in range(3):
        assert np.array_equal(steady(scene(1), scene(2)), scene(2))
    assert steady.flicker_drawn == steady.flicker_kept == 0
    assert Steady().flicker_drawn is None


@pytest.mark.parametrize("size", [(48, 64), (47, 61), (1, 1), (3, 9)])
def test_change_is_the_mean_of_each_block(size):
    one, other = (np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8) for seed in (0, 1))
    change = block_change(one, other)
    assert change.shape == (-(-size[0] // 4), -(-size[1] // 4))
    if min(size) >= 4:
        assert change[0, 0] == pytest.approx(np.abs(one[:4, :4].astype(int) - other[:4, :4]).mean(), rel=1e-5)


def test_kill_9_leaves_no_film(identity, tmp_path):
    source = film(tmp_path / "a.mp4")
    program = f"""
import os, signal, sys
sys.path.insert(0, {str(Path(video.__file__).parents[2])!r})
from pathlib import Path
from anime_model.runtime.video import stylize_video
def tick(done, total):
    if done == 6:
        os.kill(os.getpid(), signal.SIGKILL)
stylize_video(Path({str(source)!r}), Path({str(tmp_path / "b.mp4")!r}), lambda photo: photo, tick=tick)
"""
    assert subprocess.run([sys.executable, "-c", program]).returncode == -9
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "same.onnx"]
