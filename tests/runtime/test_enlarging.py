import math
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from anime_app.cli.command import main
from anime_model.runtime import enlarging
from anime_model.runtime.enlarging import STRETCH, STROKE, Enlarged, factors, reduced, working_size
from anime_model.runtime.models import ENLARGERS, styles
from anime_model.runtime.session import ModelError
from anime_model.runtime.stylizer import Stylizer
from tests.tiny_onnx import identity_model, negative_model, reaching_model


def drawing(height: int, width: int) -> np.ndarray:
    """Lines and flat colours; uint8 [height, width, 3]."""
    picture = Image.new("RGB", (width, height), (90, 140, 200))
    pen = ImageDraw.Draw(picture)
    pen.rectangle((width // 4, height // 4, width // 2, height // 2), (230, 200, 120), (20, 20, 30), 2)
    pen.line((0, 0, width, height), (20, 20, 30), 2)
    return np.asarray(picture)


def tiled(large: Enlarged) -> np.ndarray:
    made = np.zeros((large.size[1], large.size[0], 3), np.uint8)
    for left, top, right, bottom in large.parts(0):
        made[top:bottom, left:right] = large.part((left, top, right, bottom))
    return made


@pytest.mark.parametrize(
    ("shape", "size"),
    [
        ((61, 90), (200, 135)),
        ((61, 90), (97, 66)),
        ((61, 90), (95, 64)),
        ((7, 300), (1400, 33)),
        ((40, 33), (264, 320)),
        ((40, 33), (400, 485)),
    ],
)
def test_parts_equal_the_whole(monkeypatch, shape: tuple[int, int], size: tuple[int, int]):
    monkeypatch.setattr(enlarging, "TILE", 53)
    large = Enlarged(drawing(*shape), size, 1)
    growth = max(size[0] / shape[1], size[1] / shape[0])
    assert math.prod(large.factors) * STRETCH >= growth
    whole = large.part((0, 0, *size)).astype(int)
    assert np.abs(tiled(large) - whole).max() <= 2, "two roundings to levels"
    assert len(list(large.parts(0))) > 3


@pytest.mark.parametrize(
    ("growth", "chain"), [(1, []), (1.1, []), (1.2, [2]), (2.2, [2]), (2.3, [4]), (4.4, [4]), (5, [2, 4]), (15, [4, 4])]
)
def test_a_drawing_is_enlarged_by_as_few_runs_as_reach_its_size(growth: float, chain: list[int]):
    assert factors(growth) == chain


@pytest.mark.parametrize("side", [1500, 3168, 3200, 4000, 4900, 6336, 6400, 10_000])
def test_no_run_gets_more_pixels_than_fit_in_memory(side: int, monkeypatch):
    """Whatever share of the doubled drawing is left: just above a bound nearly half of each side is thrown away."""
    memory, runs = 300_000_000, []
    large = Enlarged(np.zeros((720, 720, 3), np.uint8), (side, side), 1)

    def run(self: Enlarged, factor: int, values: np.ndarray) -> np.ndarray:
        runs.append(values[0].size * enlarging.RUN[factor])
        return values.repeat(factor, 1).repeat(factor, 2)

    monkeypatch.setattr(Enlarged, "_run", run)
    boxes = list(large.parts(memory))
    large.part(boxes[0])
    assert 0.6 < max(runs) / memory <= 1.01, "neither too many parts nor too large ones"


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (3, 2), (2, 70)])
def test_tiny_drawings_can_be_enlarged(shape: tuple[int, int]):
    flat = np.full((*shape, 3), 130, np.uint8)
    size = (shape[1] * 7, shape[0] * 7)
    made = tiled(Enlarged(flat, size, 1))
    assert made.shape == (size[1], size[0], 3)
    assert np.abs(made.astype(int) - 130).max() <= 4, "a flat colour stays one, up to the border"


def test_the_enlargement_is_the_picture_of_the_drawing_in_place_and_colour():
    small = drawing(80, 120)
    made = tiled(Enlarged(small, (431, 287), 1))
    back = np.asarray(Image.fromarray(made).resize((120, 80), Image.Resampling.BOX)).astype(int)
    moved = np.asarray(Image.fromarray(np.roll(made, 4, 1)).resize((120, 80), Image.Resampling.BOX)).astype(int)
    assert np.abs(back - small).mean() < 2.5
    assert np.abs(moved - small).mean() > np.abs(back - small).mean() * 1.5, "one pixel of the drawing would be seen"


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_a_photo_is_made_small_in_bands_as_at_once(monkeypatch, mode: str):
    monkeypatch.setattr(enlarging, "BAND", 40)
    photo = np.random.default_rng(0).integers(0, 256, (301, 173, len(mode)), np.uint8)
    wanted = Image.fromarray(photo[..., :3]).resize((67, 113), Image.Resampling.LANCZOS)
    found = reduced(Image.fromarray(photo), (67, 113))
    assert np.abs(found.astype(int) - np.asarray(wanted)).max() <= 1


def test_the_working_size_keeps_the_sides_in_proportion():
    assert working_size((4000, 3000), 900) == (1200, 900)
    assert working_size((900, 5000), 900) is None, "no larger than the stroke: as it is"
    assert working_size((4000, 3000), 0) is None
    assert working_size((100_000, 65), 64)[1] == 64


def test_the_network_sees_the_photo_at_the_working_size_only(tmp_path: Path):
    stylizer = Stylizer(negative_model(tmp_path / "m.onnx"), stroke=64)
    seen, run = [], stylizer._network.run
    stylizer._network.run = lambda photo, **more: seen.append(photo.shape) or run(photo, **more)
    picture = np.kron(drawing(64, 90), np.ones((3, 3, 1), np.uint8))
    made = stylizer(picture)
    assert made.shape == picture.shape
    assert seen == [(72, 100, 3)], "64 x 90, its margin and a multiple of 4"
    assert np.abs(made.astype(int) - (255 - picture)).mean() < 8
    seen.clear()
    assert np.array_equal(stylizer(picture, stroke=0), 255 - picture)
    assert seen[0][0] > 192


@pytest.mark.parametrize(
    ("noted", "told", "asked", "stroke"),
    [
        ({}, None, None, STROKE),
        ({"stroke": "96"}, None, None, 96),
        ({"stroke": "96"}, 200, None, 200),
        ({"stroke": "96"}, 200, 0, 0),
        ({"stroke": "96"}, 0, None, 0),
        ({"stroke": "0"}, None, None, 0),
        ({"stroke": "wide"}, None, None, STROKE),
    ],
)
def test_a_model_says_at_which_size_it_draws_best_unless_told(tmp_path: Path, noted, told, asked, stroke):
    model = identity_model(tmp_path / "m.onnx", **noted)
    stylizer = Stylizer(model, stroke=told)
    assert stylizer.stroke_for(asked) == stroke
    assert pickle.loads(pickle.dumps(stylizer)).stroke_for(asked) == stroke
    seen, run = [], stylizer._network.run
    stylizer._network.run = lambda photo, **more: seen.append(min(photo.shape[:2])) or run(photo, **more)
    stylizer(drawing(250, 300), stroke=asked)
    assert seen == [-(-((stroke if 0 < stroke < 250 else 250) + 8) // 4) * 4]


def test_a_model_that_asks_for_a_few_pixels_is_refused_in_one_line(tmp_path: Path):
    with pytest.raises(ValueError, match="stroke is the short side in pixels, from 64 up"):
        Stylizer(identity_model(tmp_path / "m.onnx", stroke="3"))(drawing(90, 90))


def test_transparency_and_types_stay_and_a_look_sees_the_photo_itself(tmp_path: Path):
    stylizer = Stylizer(identity_model(tmp_path / "m.onnx"), stroke=64)
    picture = np.random.default_rng(0).integers(1, 256, (150, 131, 4), np.uint8)  # nowhere quite clear
    made = stylizer(Image.fromarray(picture))
    assert np.array_equal(np.asarray(made)[..., 3], picture[..., 3])
    assert not np.array_equal(np.asarray(made)[..., :3], picture[..., :3])
    untouched = stylizer(Image.fromarray(picture), strength=0.0)
    assert np.array_equal(np.asarray(untouched), picture), "strength 0 is the photo at full size"


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_a_stylizer_with_little_memory_makes_the_same_picture(tmp_path: Path, monkeypatch, mode: str):
    monkeypatch.setattr("anime_model.runtime.network.SMALLEST", 20_000)
    model = reaching_model(tmp_path / "m.onnx")
    photo = np.random.default_rng(0).integers(0, 256, (40, 30, len(mode)), np.uint8)
    image = Image.fromarray(photo).resize((601, 803), Image.Resampling.BICUBIC)
    whole = np.asarray(Stylizer(model, stroke=200)(image)).astype(int)
    monkeypatch.setattr(enlarging, "TILE", 100)
    parts = np.asarray(Stylizer(model, memory=0, stroke=200)(image)).astype(int)
    assert whole[..., :3].std() > 20
    assert np.abs(whole - parts).max() <= 3


def test_a_stroke_of_a_few_pixels_is_refused(tmp_path: Path, capsys):
    model = identity_model(tmp_path / "m.onnx")
    for make in (lambda: Stylizer(model, stroke=5), lambda: Stylizer(model)(drawing(9, 9), stroke=-1)):
        with pytest.raises(ValueError, match="stroke is the short side in pixels, from 64 up, or 0 for full"):
            make()
    with pytest.raises(SystemExit):
        main(["stylize", "--stroke", "5", "x.png"])
    assert "--stroke: 5 is less than 64; 0 or full draws at full size" in capsys.readouterr().err


def test_the_command_takes_a_stroke(tmp_path: Path):
    model, source = negative_model(tmp_path / "m.onnx"), tmp_path / "a.png"
    Image.fromarray(np.kron(drawing(70, 80), np.ones((3, 3, 1), np.uint8))).save(source)
    made = {}
    for stroke in ("full", "0", "70"):
        target = tmp_path / f"{stroke}.png"
        assert main(["stylize", str(source), "--style", str(model), "--stroke", stroke, "-o", str(target)]) == 0
        made[stroke] = np.asarray(Image.open(target))
    assert np.array_equal(made["full"], 255 - np.asarray(Image.open(source)))
    assert np.array_equal(made["full"], made["0"])
    assert not np.array_equal(made["full"], made["70"])


def test_the_enlargers_are_no_styles():
    for path in ENLARGERS.values():
        assert path.exists()
        assert path.stem not in styles()


def test_an_enlarger_that_does_not_say_how_far_it_sees_is_refused(tmp_path: Path):
    path = identity_model(tmp_path / "m.onnx")
    with pytest.raises(ModelError, match="does not say how far"):
        Enlarged(drawing(9, 9), (18, 18), 1, {2: path})


@pytest.mark.parametrize(("side", "released"), [(300, True), (130, False)])
def test_the_engine_gives_its_memory_back_before_a_picture_is_much_enlarged(
    side: int, released: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    seen = []
    stylizer = Stylizer(identity_model(tmp_path / "m.onnx"), stroke=100)

    class Session:
        def run(self, names, feeds, options=None):
            seen.append(options and options.get_run_config_entry("memory.enable_memory_arena_shrinkage"))
            return [feeds["photo"]]

    monkeypatch.setitem(vars(stylizer._network), "session", Session())
    monkeypatch.setattr(stylizer._network, "plan", lambda *size: None)
    stylizer.draw(Image.fromarray(drawing(side, side)))
    assert seen == ["cpu:0" if released else None]


@pytest.mark.long
@pytest.mark.parametrize(("mode", "size"), [("RGB", (6000, 4000)), ("RGBA", (6000, 4000)), ("RGB", (8000, 1400))])
def test_a_large_picture_stays_within_the_bound(mode: str, size: tuple[int, int]):
    program = f"""
import re, sys
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from PIL import Image
from anime_model.runtime.stylizer import Stylizer
image = Image.radial_gradient("L").resize({size!r}).convert({mode!r})
Stylizer("shinkai", 2).draw(image)
print(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1])  # ru_maxrss begins with the parent's
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=os.environ)
    assert int(done.stdout) * 1024 < 550_000_000
