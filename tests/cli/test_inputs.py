"""Which files `anime stylize` takes, by whatever name they are called, and what it says of those it leaves out."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anime_app.cli.command import main
from anime_app.cli.inputs import find_jobs, is_earlier
from anime_model.runtime import models
from tests.tiny_onnx import negative_model

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def weights(tmp_path: Path, monkeypatch) -> Path:
    """Two styles ship, `ink` and `oil`; the tests work in a folder of their own."""
    folder = tmp_path / ".weights"
    for name in ("ink", "oil"):
        negative_model(folder / f"{name}.onnx", receptive_radius="0")
    monkeypatch.setattr(models, "WEIGHTS", folder)
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return folder


def photo(path: str | Path) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (16, 12), (10, 100, 200)).save(path)


def files(folder: str | Path = ".") -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in Path(folder).rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("folder", "out"),
    [
        (".", "../hol/anime"),
        ("../hol", "anime"),
        ("../link", "anime"),
        (".", "../link/anime"),
        ("../x/../hol", "../hol/anime"),
        ("../hol/**/*.png", "../link/anime"),
        ("*.png", "../x/../hol"),
    ],
)
def test_results_inside_the_source_are_not_drawn_again_by_whatever_name(monkeypatch, capsys, folder, out):
    photo("hol/a.png")
    photo("hol/sub/b.png")
    Path("x").mkdir()
    os.symlink("hol", "link")
    monkeypatch.chdir("hol")
    if folder == "*.png":
        assert main(["stylize", folder, "-o", out]) == 1
        assert "the result would overwrite the photo itself" in capsys.readouterr().err
        return
    assert main(["stylize", folder, "-o", out]) == 0
    before = files()
    capsys.readouterr()
    assert main(["stylize", folder, "-o", out]) == 0
    assert files() == before
    assert capsys.readouterr().err == "2 already there (--force makes them again)\n"


@pytest.mark.parametrize("what", ["*.png", ".", "**/*.png"])
def test_results_of_earlier_runs_are_left_out_and_said(capsys, what):
    photo("a.png")
    photo("b-ink.png")  # no result: there is no b.png
    assert main(["stylize", "a.png"]) == 0
    assert main(["stylize", "a.png", "--style", "oil"]) == 0
    photo("in/c.png")
    assert main(["stylize", "in", "--style", "oil"]) == 0
    capsys.readouterr()
    assert main(["stylize", what, "-o", "../out"]) == 0
    said = capsys.readouterr().err
    assert {"a-ink.png", "a-oil.png"}.isdisjoint(files("../out"))
    assert {"a.png", "b-ink.png"} <= set(files("../out"))
    assert "left out as results of earlier runs: " in said
    assert "a-oil.png" in said
    if what != "*.png":
        assert "in-oil" in said
        assert not [name for name in files("../out") if "in-oil" in name]
    assert main(["stylize", "a-oil.png"]) == 0, "what is asked for by name is made"


@pytest.mark.parametrize("folder", ["Album [2020]", "Album [2020]/[x]*", "a]b[", "what?"])
def test_brackets_in_folders_are_taken_as_they_are(capsys, folder):
    photo(f"{folder}/1.png")
    photo(f"{folder}/sub/2.png")
    assert main(["stylize", f"{folder}/*.png", "-o", "out"]) == 0
    assert files("out") == ["1.png"]
    assert main(["stylize", f"{folder}/**/*.png", "-o", "deep"]) == 0
    assert files("deep") == ["1.png", "2.png"]
    assert main(["stylize", str(Path(folder).absolute() / "*.png"), "-o", "absolute"]) == 0
    assert files("absolute") == ["1.png"]


def test_no_photo_is_overwritten_by_another_ones_result(capsys):
    photo("in/a.png")
    Path("other").mkdir()
    Image.new("RGB", (16, 12), (200, 0, 0)).save("other/a.png")
    before = Path("in/a.png").read_bytes()
    assert main(["stylize", "in/a.png", "other/a.png", "-o", "in", "--force"]) == 1
    assert "other/a.png: its result would overwrite the photo in/a.png" in capsys.readouterr().err
    assert Path("in/a.png").read_bytes() == before


def test_a_pattern_over_folders_is_still_one(capsys):
    for name in ("d1/a.png", "d2/b.png", "e/c.png"):
        photo(name)
    assert main(["stylize", "d[12]/*.png", "-o", "out"]) == 0
    assert files("out") == ["a.png", "b.png"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
@pytest.mark.parametrize("suffix", [".jpg", ".mp4", ".ts"])
def test_pipes_are_named_and_the_others_made(capsys, suffix):
    photo("in/a.png")
    os.mkfifo(f"in/x{suffix}")
    done = threading.Thread(target=main, args=(["stylize", "in", "-o", "out"],), daemon=True)
    done.start()
    done.join(60)
    assert not done.is_alive(), "waits for the pipe"
    assert f"in/x{suffix}: no file but a pipe or a device" in capsys.readouterr().err
    assert files("out") == ["a.png"]
    assert main(["stylize", f"in/x{suffix}"]) == 1
    assert "no file but a pipe" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["a.psd", "IMG_1.CR2", "x.dng", "y.jxl"])
def test_pictures_of_kinds_that_are_not_read_are_named(capsys, name):
    photo("in/a.png")
    Path("in/notes.txt").touch()
    (Path("in") / name).write_bytes(b"8BPS" + bytes(200))
    assert main(["stylize", "in", "-o", "out"]) == 0
    said = capsys.readouterr().err
    assert f"in/{name}: " in said
    assert "export it as JPEG, PNG or TIFF" in said
    assert "notes.txt" not in said
    assert main(["stylize", f"in/{name}", "-o", "out"]) == 1
    assert f"in/{name}: " in capsys.readouterr().err


def test_names_that_pictures_have(capsys):
    for name, kind in {"a.jfif": "JPEG", "b.jpe": "JPEG", "c.apng": "PNG", "d.MPO": "JPEG", "e.dib": "BMP"}.items():
        Path("in").mkdir(exist_ok=True)
        Image.new("RGB", (8, 8)).save(f"in/{name}", kind)
    assert main(["stylize", "in", "-o", "out"]) == 0
    assert files("out") == ["a.jfif", "b.jpe", "c.apng", "d.MPO.png", "e.dib.png"]


def test_code_with_a_films_suffix_is_no_film(capsys):
    photo("in/a.png")
    Path("in/code.ts").write_text("const a = 1;\n")
    assert main(["stylize", "in", "-o", "out"]) == 0
    assert files("out") == ["a.png"]


def test_one_film_that_fails_ends_not_the_others_and_has_its_name(capsys, monkeypatch):
    av = pytest.importorskip("av")
    from anime_app.cli import stylize as module

    for name in ("a.mp4", "b.mp4"):
        with av.open(name, "w") as out:
            stream = out.add_stream("libx264", rate=10)
            stream.width, stream.height, stream.pix_fmt = 32, 16, "yuv420p"
            for index in range(4):
                frame = av.VideoFrame.from_ndarray(np.full((16, 32, 3), 90, np.uint8), "rgb24")
                frame.pts = index
                out.mux(stream.encode(frame.reformat(format="yuv420p")))
            out.mux(stream.encode(None))
    made = module.stylize_video

    def failing(source, *arguments):
        if source.name == "a.mp4":
            raise ZeroDivisionError("something that nobody thought of")
        return made(source, *arguments)

    monkeypatch.setattr(module, "stylize_video", failing)
    assert main(["stylize", "*.mp4", "-o", "out"]) == 1
    said = capsys.readouterr().err
    assert "a.mp4: something that nobody thought of" in said
    assert files("out") == ["b.mp4"]


@pytest.mark.skipif(sys.platform == "win32", reason="a POSIX shell closes the streams")
@pytest.mark.parametrize("closed", ["2>&-", "<&-", ">&-", "<&- >&- 2>&-"])
def test_closed_streams_cost_no_picture(closed, weights):
    photo("p.png")
    command = (
        f'"{sys.executable}" -m anime_app.cli.command stylize p.png -o q.png --style "{weights / "ink.onnx"}" {closed}'
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(["sh", "-c", command], env=environment, stderr=subprocess.PIPE, timeout=120)
    assert done.returncode == 0, done.stderr
    with Image.open("q.png") as image:
        assert image.getpixel((0, 0)) == (245, 155, 55)
    assert b"Traceback" not in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="a POSIX shell closes the streams")
@pytest.mark.parametrize(
    ("arguments", "closed", "said"), [("p.png -o -", ">&-", "output"), ("- -o q.png", "<&-", "input")]
)
def test_a_closed_stream_that_is_needed_is_one_line(weights, arguments, closed, said):
    photo("p.png")
    command = (
        f'"{sys.executable}" -m anime_app.cli.command stylize {arguments} --style "{weights / "ink.onnx"}" {closed}'
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(["sh", "-c", command], env=environment, stderr=subprocess.PIPE, timeout=120)
    assert done.returncode == 1
    assert done.stderr.decode().strip() == f"anime: standard {said} is closed"


@pytest.mark.parametrize("style", ["ink", "ink-nano", "my-own-style"])
def test_a_result_is_known_by_a_style_that_has_dashes_too(style):
    there = {Path("a.png"), Path("b")}.__contains__
    assert is_earlier(Path(f"a-{style}.png"), {"oil", style}, there)
    assert is_earlier(Path(f"b-{style}"), {"oil", style}, there)
    assert not is_earlier(Path(f"c-{style}.png"), {"oil", style}, there)
    assert not is_earlier(Path(f"-{style}.png"), {"oil", style}, there)
    assert not is_earlier(Path(f"a{style}.png"), {"oil", style}, there)


@pytest.mark.parametrize("other", ["other", "x.png"])
def test_results_inside_one_of_several_inputs_are_no_photos(other):
    photo("holiday/h.png")
    photo("other/o.png")
    photo("x.png")
    for _ in range(2):
        found = find_jobs(["holiday", other], Path("holiday/out"), "shinkai")
        assert not found.failures
        sources = [str(job.source) for job in found.jobs]
        assert sources == ["holiday/h.png", "other/o.png" if other == "other" else "x.png"]
        for job in found.jobs:
            photo(str(job.target))
