"""`anime` as people use it, with a network that turns every level v into 255 - v."""

import io
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image

from anime_app.cli.command import main
from anime_model.runtime import models
from anime_model.runtime.onnx_layers import read_graph
from anime_model.runtime.session import ModelError
from tests.tiny_onnx import identity_model, negative_model, reaching_model, save_model, shipped

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def weights(tmp_path: Path, monkeypatch) -> Path:
    """One style ships, `ink`; the tests work in a folder of their own."""
    folder = tmp_path / ".weights"
    negative_model(folder / "ink.onnx", receptive_radius="0", card='{"style": "ink", "fid": 3.25, "parameters": 12345}')
    monkeypatch.setattr(models, "WEIGHTS", folder)
    monkeypatch.chdir(tmp_path)
    return folder


def photo(path: str | Path, seed: int = 0, size: tuple[int, int] = (12, 16)) -> np.ndarray:
    array = np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)
    return array


def pixels(path: str | Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def files(folder: str | Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in Path(folder).rglob("*") if path.is_file())


def test_a_file_gets_its_drawing_beside_it(capsys):
    array = photo("a.png")
    assert main(["stylize", "a.png"]) == 0
    assert np.array_equal(pixels("a-ink.png"), 255 - array)
    assert capsys.readouterr().err == "1 made\n"


def test_a_named_result_and_a_folder_for_results():
    array = photo("a.png")
    assert main(["stylize", "a.png", "-o", "new/b.tif"]) == 0
    assert main(["stylize", "a.png", "-o", "results"]) == 0
    assert np.array_equal(pixels("new/b.tif"), 255 - array)
    assert np.array_equal(pixels("results/a.png"), 255 - array)


def test_folders_keep_their_structure_and_hidden_files_stay_out(capsys):
    for name in ("1.png", "x/2.png", "x/y/3.bmp", ".git/4.png", "x/.5.png"):
        photo(f"in/{name}")
    Path("in/notes.txt").touch()
    assert main(["stylize", "in", "-o", "out"]) == 0
    assert files("out") == ["1.png", "x/2.png", "x/y/3.bmp"]
    assert main(["stylize", "in"]) == 0
    assert files("in-ink") == ["1.png", "x/2.png", "x/y/3.bmp"]
    assert main(["stylize", "in", "in-ink", "-o", "both"]) == 0
    assert files("both") == sorted(f"{folder}/{name}" for folder in ("in", "in-ink") for name in files("out"))


def test_results_inside_the_folder_are_not_photos(capsys):
    photo("in/1.png")
    for _ in range(2):
        assert main(["stylize", "in", "-o", "in/anime", "--force"]) == 0
    assert files("in") == ["1.png", "anime/1.png"]
    for _ in range(2):
        assert main(["stylize", "in/*.png", "--force"]) == 0
    assert files("in") == ["1-ink.png", "1.png", "anime/1.png"]


def test_patterns(capsys):
    for name in ("a1.png", "a2.png", "b1.png", "x/a3.png", "a4.txt"):
        photo(name) if name.endswith("png") else Path(name).touch()
    assert main(["stylize", "**/a*", "-o", "out"]) == 0
    assert files("out") == ["a1.png", "a2.png", "a3.png"]
    assert main(["stylize", "z*", "-o", "out"]) == 1
    assert "z*: matches no picture and no video" in capsys.readouterr().err
    photo("odd[1].png")
    assert main(["stylize", "odd[1].png"]) == 0
    assert Path("odd[1]-ink.png").exists()


def test_standard_input_and_output(monkeypatch, capsysbinary):
    array = photo("a.png")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(Path("a.png").read_bytes())))
    assert main(["stylize", "-"]) == 0
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(capsysbinary.readouterr().out))), 255 - array)
    assert main(["stylize", "a.png", "-o", "-"]) == 0
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(capsysbinary.readouterr().out))), 255 - array)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"no picture")))
    assert main(["stylize", "-"]) == 1
    assert capsysbinary.readouterr().err.startswith(b"anime: standard input: not a picture")


def test_what_is_there_is_skipped_unless_forced(capsys):
    array = photo("a.png")
    Image.new("RGB", (1, 1)).save("a-ink.png")
    assert main(["stylize", "a.png"]) == 0
    assert capsys.readouterr().err == "1 already there (--force makes them again)\n"
    assert pixels("a-ink.png").shape == (1, 1, 3)
    assert main(["stylize", "a.png", "--force"]) == 0
    assert np.array_equal(pixels("a-ink.png"), 255 - array)


def test_bad_files_are_named_at_the_end_and_the_others_are_made(capsys):
    for index in range(5):
        photo(f"in/{index}.png")
    Path("in/1.png").write_bytes(Path("in/1.png").read_bytes()[:200])
    Path("in/3.png").write_bytes(b"")
    os.symlink("nowhere.png", "in/5.png")
    os.symlink("6.png", "in/6.png")
    assert main(["stylize", "in", "-o", "out", "--workers", "2"]) == 1
    *failures, summary = capsys.readouterr().err.splitlines()
    assert summary == "3 made, 4 failed"
    assert sorted(line.split(": ")[0] for line in failures) == [f"in/{index}.png" for index in (1, 3, 5, 6)]
    assert files("out") == ["0.png", "2.png", "4.png"]
    assert main(["stylize", "none.png"]) == 1
    assert capsys.readouterr().err.startswith("none.png: no such file or folder\n")


def test_a_photo_is_never_overwritten(capsys):
    before = photo("in/a.png")
    photo("other/a.png", 1)
    assert main(["stylize", "in", "-o", "in", "--force"]) == 1
    assert "in/a.png: the result would overwrite the photo itself" in capsys.readouterr().err
    os.symlink(Path("in").absolute(), "link")
    assert main(["stylize", "in", "-o", "link", "--force"]) == 1
    assert main(["stylize", "in/a.png", "-o", "in/a.png", "--force"]) == 1
    assert np.array_equal(pixels("in/a.png"), before)
    assert main(["stylize", "in/a.png", "other/a.png", "-o", "out"]) == 1
    assert "other/a.png: its result would overwrite that of in/a.png" in capsys.readouterr().err
    assert np.array_equal(pixels("out/a.png"), 255 - before)


@pytest.mark.parametrize("result", ["own.png", "link.png", "hard.png"])
def test_a_photo_that_comes_in_by_a_stream_is_not_overwritten_either(result, weights):
    before = photo("own.png")
    os.symlink("own.png", "link.png")
    os.link("own.png", "hard.png")
    line = command("stylize", "-", "-o", result, "--force", weights=weights)
    with open("own.png", "rb") as stream:
        done = subprocess.run(line, stdin=stream, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (1, f"anime: {result}: the result would overwrite the photo itself\n")
    assert np.array_equal(pixels("own.png"), before)


def test_a_folder_where_a_result_would_be_is_named(monkeypatch, capsys):
    photo("a.png")
    photo("b.png")
    Path("a-ink.png").mkdir()
    assert main(["stylize", "a.png", "b.png"]) == 1
    said = capsys.readouterr().err.splitlines()
    assert said == ["a-ink.png: is a folder, where the result would be; -o names another place", "1 made, 1 failed"]
    Path("out").mkdir()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(Path("a.png").read_bytes())))
    assert main(["stylize", "-", "-o", "out"]) == 1
    assert capsys.readouterr().err == "anime: out: is a folder; name a file\n"
    assert files("out") == []


@pytest.mark.parametrize("result", ["x.heic", "x.psd", "x.DNG", "x.tga", "x.pgm", "x.PBM"])
def test_a_picture_in_a_format_that_is_not_written_is_no_folder_of_that_name(result, capsys):
    photo("a.png")
    assert main(["stylize", "a.png", "-o", result]) == 1
    wanted = f"{result}: pictures are not written as {Path(result).suffix}; .png loses nothing"
    assert capsys.readouterr().err.splitlines() == [wanted, "1 failed"]
    assert not Path(result).exists()
    Path(result).mkdir()
    assert main(["stylize", "a.png", "-o", result]) == 0
    assert files(result) == ["a.png"]


def test_links_in_a_circle_end(capsys):
    photo("in/x/a.png")
    os.symlink("..", "in/x/up")
    os.symlink(Path("in/x").absolute(), "in/again")
    assert main(["stylize", "in", "-o", "out"]) == 0
    assert capsys.readouterr().err == "1 made\n"
    assert main(["stylize", "in/**/*.png", "-o", "flat"]) == 0
    assert files("flat") == ["a.png"]


def test_a_folder_without_rights_is_named(monkeypatch, capsys):
    photo("in/a.png")
    photo("in/closed/b.png")
    scan = os.scandir

    def scandir(path):
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert main(["stylize", "in", "-o", "out"]) == 1
    assert capsys.readouterr().err == "in/closed: permission denied\n1 made, 1 failed\n"


@pytest.mark.parametrize(
    "name", ["a b.png", "ä日本.png", "-rf.png", "new\nline.png", "\x1b[31m.png", "%s{0}.png", "'.png"]
)
def test_names_of_any_kind(name, capsys):
    photo(f"in/{name}")
    Path(f"in/bad{name}").touch()
    assert main(["stylize", "in", "-o", "out"]) == 1
    assert files("out") == [name]
    failure, summary = capsys.readouterr().err.splitlines()
    assert failure.startswith("in/bad")
    assert failure.isprintable()
    assert summary == "1 made, 1 failed"


def test_a_name_that_is_no_text(capsys):
    path = os.fsdecode(b"in/\xff\xfe.png")
    photo("in/a.png")
    os.rename("in/a.png", path)
    Path(os.fsdecode(b"in/\xfd.png")).touch()
    assert main(["stylize", "in", "-o", "out"]) == 1
    assert files("out") == [os.fsdecode(b"\xff\xfe.png")]


def test_compare_stands_before_and_after_side_by_side():
    array = photo("a.png")
    assert main(["stylize", "a.png", "--compare"]) == 0
    assert np.array_equal(pixels("a-ink.png"), np.concatenate([array, 255 - array], axis=1))


def test_looks_and_sizes(capsys):
    array = photo("a.png", size=(40, 80))
    assert main(["stylize", "a.png", "-o", "s.png", "--strength", "0"]) == 0
    assert np.array_equal(pixels("s.png"), array)
    assert main(["stylize", "a.png", "-o", "p.png", "--palette", "noir"]) == 0
    assert np.ptp(pixels("p.png"), axis=2).max() <= 1
    assert main(["stylize", "a.png", "-o", "k.png", "--keep-colour"]) == 0
    assert main(["stylize", "a.png", "-o", "m.png", "--max-size", "20"]) == 0
    assert pixels("m.png").shape == (10, 20, 3)
    assert main(["stylize", "a.png", "-o", "x.png", "--strength", "7"]) == 1
    assert main(["stylize", "a.png", "-o", "x.png", "--max-pixels", "3_000"]) == 1
    assert "80 x 40 pixels, more than the bound of 0.003 million (--max-pixels raises it)" in capsys.readouterr().err
    assert not Path("x.png").exists()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (["stylize", "a.png", "--palette", "none"], "argument --palette: invalid choice: 'none'"),
        (["stylize", "a.png", "--threads", "0"], "argument --threads: 0 is less than 1"),
        (["stylize", "a.png", "--threads", "3000000000"], "argument --threads: 3000000000 is more than 1024"),
        (["stylize", "a.png", "--workers", "x"], "argument --workers: 'x' is no whole number"),
        (["stylize", "a.png", "--max-size", "-1"], "argument --max-size: -1 is less than 1"),
        (["stylize", "a.png", "--stroke", "abc"], "argument --stroke: 'abc' is no whole number; 0 or full"),
        (["stylize", "a.png", "--stroke", "3"], "argument --stroke: 3 is less than 64; 0 or full"),
        (["serve", "--port", "99999"], "argument --port: 99999 is more than 65535"),
        (["serve", "--port", "-1"], "argument --port: -1 is less than 0"),
        (["studio", "--port", "99999"], "argument --port: 99999 is more than 65535"),
        (["studio", "--concurrency", "3_000_000"], "argument --concurrency: 3000000 is more than 1024"),
    ],
)
def test_a_wrong_command_is_status_2_and_names_the_option(wrong, said, capsys):
    with pytest.raises(SystemExit) as caught:
        main(wrong)
    assert caught.value.code == 2
    assert said in capsys.readouterr().err


def test_a_bad_model_is_one_line_once(capsys):
    for index in range(4):
        photo(f"in/{index}.png")
    Path("bad.onnx").write_bytes(b"no model")
    save_model(Path("nan.onnx"), [onnx.helper.make_node("Log", ["photo"], ["anime"])], {})
    for model, said in (("bad.onnx", "cannot open it"), ("nan.onnx", "no numbers"), ("none.onnx", "no model file")):
        assert main(["stylize", "in", "-o", "out", "--style", model]) == 1
        assert re.fullmatch(rf"anime: .*{re.escape(model)}.*\n", said_now := capsys.readouterr().err), said_now
        assert said in said_now
    assert main(["stylize", "in", "--style", "ghibli"]) == 1
    assert capsys.readouterr().err == "anime: no style 'ghibli': there is ink; or name a model file\n"
    assert not Path("out").exists()


def test_a_result_that_cannot_be_written_is_named(capsys):
    photo("a.png")
    Path("out").touch()
    assert main(["stylize", "a.png", "-o", "out/b.png"]) == 1
    assert capsys.readouterr().err.splitlines() == ["out/b.png: not a directory", "1 failed"]


def command(*arguments: str, weights: Path, before: str = "") -> list[str]:
    program = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from pathlib import Path
from anime_model.runtime import models
models.WEIGHTS = Path({str(weights)!r})
{before}
from anime_app.cli.command import main
sys.exit(main({list(arguments)!r}))
"""
    return [sys.executable, "-c", program]


SLOW = """
import signal, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a test run in the background inherits an ignored one
from anime_model.runtime.stylizer import Stylizer
draw = Stylizer.draw
Stylizer.draw = lambda *rest: (time.sleep(0.15), draw(*rest))[1]
"""


def wait_for(folder: str, count: int) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end and len(files(folder)) < count:
        time.sleep(0.02)


@pytest.mark.parametrize("kill", [signal.SIGINT, signal.SIGKILL])
def test_stopped_and_started_again(weights, kill):
    """Ctrl-C ends clean and says how to go on; `kill -9` leaves whole files only. A second run makes the rest."""
    for index in range(30):
        photo(f"in/{index:02}.png", index)
    line = command("stylize", "in", "-o", "out", "--workers", "2", weights=weights, before=SLOW)
    process = subprocess.Popen(line, stderr=subprocess.PIPE, text=True)
    wait_for("out", 3)
    process.send_signal(kill)
    said = process.communicate()[1]
    made = files("out")
    assert 3 <= len(made) < 30
    assert all(np.array_equal(pixels(f"out/{name}"), 255 - pixels(f"in/{name}")) for name in made)
    if kill == signal.SIGINT:
        assert process.returncode == 130
        assert re.fullmatch(r"stopped: \d+ made, \d+ left; the same command goes on from here\n", said), said
    assert main(["stylize", "in", "-o", "out"]) == 0
    assert files("out") == files("in")


def test_a_film_is_drawn_beside_itself_and_a_broken_one_is_named(capsys):
    av = pytest.importorskip("av")
    with av.open("a.mp4", "w") as out:
        stream = out.add_stream("libx264", rate=25, options={"crf": "4"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(6):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((48, 64, 3), 200, np.uint8), "rgb24")))
        out.mux(stream.encode(None))
    Path("b.mp4").write_bytes(b"no film")
    assert main(["stylize", "a.mp4", "b.mp4", "--compare"]) == 1
    said = capsys.readouterr().err.splitlines()
    assert said[0].startswith("a-ink.mp4: 6 frames; flicker in levels of 255: ")
    assert said[1].startswith("b.mp4: ")
    assert said[2:] == ["1 made, 1 failed"]
    with av.open("a-ink.mp4") as made:
        frame = next(made.decode(video=0)).to_ndarray(format="rgb24")
    assert frame.shape == (48, 128, 3)
    assert frame[:, :60].mean() == pytest.approx(200, abs=4)
    assert frame[:, 68:].mean() == pytest.approx(55, abs=4)


def test_ctrl_c_shows_no_module_that_was_being_read(weights):
    """While Python imports the command, and while its options are read."""
    late = "import argparse; argparse.ArgumentParser.parse_args = interrupted"
    for before in ("sys.modules['anime_app.cli.stylize'] = Interrupted('x')", late):
        program = f"""
import sys, types
def interrupted(*rest):
    raise KeyboardInterrupt
class Interrupted(types.ModuleType):
    __getattr__ = interrupted
{before}
from anime_app.cli.start import main
sys.exit(main())
"""
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (130, "")


def test_the_package_installs_the_command():
    import tomllib

    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"] == {
        "anime": "anime_app.cli.start:main"
    }


def test_a_full_disk_is_named_and_leaves_nothing(weights):
    """A limit on the size of files stands for the disk."""
    photo("in/a.bmp", size=(100, 100))
    photo("in/b.bmp", size=(5, 5))
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))"
    line = command("stylize", "in", "-o", "out", weights=weights, before=limit)
    process = subprocess.run(line, capture_output=True, text=True)
    assert process.returncode == 1
    assert process.stderr == "out/a.bmp: file too large\n1 made, 1 failed\n"
    assert files("out") == ["b.bmp"]
    line = command("stylize", "-", "-o", "c.bmp", weights=weights, before=limit)
    with open("in/a.bmp", "rb") as stream:
        process = subprocess.run(line, stdin=stream, capture_output=True, text=True)
    assert (process.returncode, process.stderr) == (1, "anime: c.bmp: file too large\n")
    assert not Path("c.bmp").exists()


def test_the_command_starts_without_heavy_packages(weights):
    check = "import atexit; atexit.register(lambda: print([n for n in ('torch', 'pandas', 'av') if n in sys.modules]))"
    said = subprocess.run(command("styles", weights=weights, before=check), capture_output=True, text=True, check=True)
    assert said.stdout.splitlines()[-1] == "[]"


def test_styles_lists_what_ships_and_the_palettes(weights, capsys):
    shipped(weights, "fog")
    assert main(["styles"]) == 0
    said = capsys.readouterr().out
    assert re.search(r"^fog +lite +0 +\d+ +1\.5 +-$", said, re.MULTILINE)
    assert re.search(r"^ink +lite +0 +\d+ +3\.25 +-$", said, re.MULTILINE)
    assert re.search(r"^noir +black and white", said, re.MULTILINE)


@pytest.fixture
def sized(weights: Path) -> Path:
    """`ink` ships in two sizes more: nano leaves a photo as it is, plus inverts it as lite does."""
    identity_model(weights / "ink-nano.onnx", card='{"style": "ink", "size": "nano", "fid": 4}')
    negative_model(weights / "ink-plus.onnx")
    return weights


def test_styles_lists_every_size_of_a_style(sized, capsys):
    assert main(["styles"]) == 0
    lines = [line.split()[:2] for line in capsys.readouterr().out.splitlines()[:5]]
    assert lines == [["style", "size"], ["ink", "nano"], ["ink", "lite"], ["ink", "plus"], []]


def test_a_size_draws_with_its_own_network_into_files_of_its_own(sized, capsys):
    array = photo("in/a.png")
    for size in ("nano", "lite", "plus"):
        assert main(["stylize", "in/a.png", "in", "--style", "ink", "--size", size]) == 0
    assert main(["stylize", "in/a.png"]) == 0
    said = capsys.readouterr().err
    assert np.array_equal(pixels("in/a-ink-nano.png"), array)
    assert np.array_equal(pixels("in/a-ink.png"), 255 - array)
    assert files(".") == [*(f".weights/{path.name}" for path in sorted(sized.iterdir())), "in-ink-nano/a.png",
                          "in-ink-plus/a.png", "in-ink/a.png", "in/a-ink-nano.png", "in/a-ink-plus.png", "in/a-ink.png",
                          "in/a.png"]  # fmt: skip
    assert "left out as results of earlier runs: in/a-ink-nano.png, in/a-ink.png" in said
    assert said.endswith("1 already there (--force makes them again)\n")


def test_a_film_too_is_drawn_in_a_size(sized):
    av = pytest.importorskip("av", reason="films need PyAV: pip install '.[video]'")
    with av.open("a.mp4", "w") as out:
        stream = out.add_stream("libx264", 10, pix_fmt="yuv420p", width=32, height=32)
        for _ in range(3):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((32, 32, 3), 40, np.uint8), "rgb24")))
        out.mux(stream.encode())
    for size, level in (("nano", 40), ("lite", 215)):
        assert main(["stylize", "a.mp4", "-o", f"{size}.mp4", "--size", size]) == 0
        with av.open(f"{size}.mp4") as made:
            frame = next(made.decode(video=0)).to_ndarray(format="rgb24")
        assert abs(int(frame.mean()) - level) < 4


def test_a_size_that_is_not_there_is_one_line(sized, capsys):
    photo("a.png")
    (sized / "ink-plus.onnx").unlink()
    for arguments, said in (
        (["--size", "plus"], "no size 'plus' of ink: there is nano, lite"),
        (["--style", ".weights/ink.onnx", "--size", "lite"],
         ".weights/ink.onnx: has one size; nano, lite, plus are of styles that ship"),
        (["--style", "models:/animegan-ink@champion", "--size", "nano"],
         "models:/animegan-ink@champion: has one size; nano, lite, plus are of styles that ship"),
        (["--style", "fog", "--size", "nano"], "no style 'fog': there is ink; or name a model file"),
    ):  # fmt: skip
        assert main(["stylize", "a.png", *arguments]) == 1
        assert capsys.readouterr().err == f"anime: {said}\n"
    with pytest.raises(SystemExit):
        main(["stylize", "a.png", "--size", "huge"])


def test_info_and_bench_take_a_size(sized, capsys, monkeypatch):
    monkeypatch.setattr("anime_app.cli.tables.SIZES", ((16, 16),))
    monkeypatch.setattr("anime_app.cli.tables.SECONDS", 0)
    assert main(["info", "ink", "--size", "nano"]) == 0
    assert re.search(r"^size +nano$", capsys.readouterr().out, re.MULTILINE)
    assert main(["bench", "--size", "plus", "--threads", "1"]) == 0
    assert capsys.readouterr().out.startswith("ink-plus.onnx on this machine")


def test_info_counts_what_onnx_counts(weights, tmp_path, capsys):
    path = reaching_model(tmp_path / "m.onnx")
    graph, oracle = read_graph(path), onnx.load(path)
    kernels = [tensor for tensor in oracle.graph.initializer if tensor.name.startswith("k")]
    assert graph.parameters == sum(int(np.prod(tensor.dims)) for tensor in kernels)
    assert [conv.shape for conv in graph.convs] == [tuple(tensor.dims) for tensor in kernels]
    assert [conv.strides for conv in graph.convs] == [2, 2, 1]
    assert sum(graph.operators.values()) == len(oracle.graph.node)
    assert (graph.opset, graph.bytes) == (17, path.stat().st_size)
    assert main(["info", str(path)]) == 0
    said = capsys.readouterr().out
    assert re.search(r"^parameters +243$", said, re.MULTILINE)
    assert re.search(r"^tiles +overlap by 14 pixels$", said, re.MULTILINE)
    assert main(["info", "ink"]) == 0
    assert re.search(r"^fid +3\.25$", capsys.readouterr().out, re.MULTILINE)


@pytest.mark.parametrize("content", [b"", b"x", b"\x3a\xff", bytes(range(256))])
def test_info_of_what_is_no_model_is_one_line(content, capsys):
    Path("m.onnx").write_bytes(content)
    with pytest.raises(ModelError, match=r"m\.onnx: not an ONNX model"):
        read_graph(Path("m.onnx"))
    assert main(["info", "m.onnx"]) == 1
    assert capsys.readouterr().err == "anime: m.onnx: not an ONNX model\n"


def test_bench_prints_a_row_for_each_size(monkeypatch, capsys):
    monkeypatch.setattr("anime_app.cli.tables.SIZES", ((16, 16), (16, 32)))
    monkeypatch.setattr("anime_app.cli.tables.SECONDS", 0)
    assert main(["bench", "--threads", "2"]) == 0
    said = capsys.readouterr().out
    assert "1 thread, ms" in said
    assert re.search(r"^32 x 16 +\d+ +\d+$", said, re.MULTILINE)
