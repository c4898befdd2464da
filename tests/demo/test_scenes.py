"""The generated pictures: the same from the same seed; photos have grain, drawings flat colour, and both one scene."""

from importlib.machinery import ModuleSpec

import numpy as np
import pytest
from PIL import Image

from anime_model.demo import scenes
from anime_model.demo.canvas import CEL, NOISES, PHOTO, Canvas, balls, ellipse, noise_tile, polygon, segment
from anime_model.demo.landscapes import WEATHERS
from anime_model.demo.scenes import SUBJECTS, generate_demo, render
from anime_model.pictures.arrays import picture_files, read_picture


def _flat(picture: np.ndarray) -> float:
    """The share of pixels that equal their neighbours to the right and below."""
    right = (picture[:-1, 1:] == picture[:-1, :-1]).all(-1)
    return float((right & (picture[1:, :-1] == picture[:-1, :-1]).all(-1)).mean())


def _thumbnail(picture: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(picture).convert("L").resize((24, 16), Image.Resampling.BOX), float).ravel()


@pytest.mark.parametrize("style", [PHOTO, CEL])
@pytest.mark.parametrize("subject", SUBJECTS)
def test_a_seed_is_a_picture(subject, style):
    first, other = render(1, (48, 72), subject, style), render(2, (48, 72), subject, style)
    assert first.shape == (48, 72, 3)
    assert first.dtype == np.uint8
    assert np.array_equal(first, render(1, (48, 72), subject, style))
    assert np.abs(first.astype(int) - other).mean() > 5


@pytest.mark.parametrize("subject", SUBJECTS)
def test_drawings_are_flat_and_photos_are_not(subject):
    for seed in range(4):
        assert _flat(render(seed, (96, 144), subject, PHOTO)) < 0.02
        assert _flat(render(seed, (96, 144), subject, CEL)) > 0.15


@pytest.mark.parametrize("subject", SUBJECTS)
def test_both_styles_show_the_same_scene(subject):
    photos, drawings = (
        [_thumbnail(render(seed, (96, 144), subject, style)) for seed in range(6)] for style in (PHOTO, CEL)
    )
    likeness = np.corrcoef(photos, drawings)[:6, 6:]
    assert np.diag(likeness).min() > 0.3
    assert np.diag(likeness).mean() > likeness[~np.eye(6, dtype=bool)].mean() + 0.2


@pytest.mark.parametrize("size", [(16, 16), (33, 70), (70, 33)])
@pytest.mark.parametrize("style", [PHOTO, CEL])
def test_any_shape_and_many_seeds(size, style):
    for seed in range(12):
        for subject in SUBJECTS:
            assert render(seed, size, subject, style).std() > 5


def test_the_demo_set_is_the_same_whoever_draws_it(tmp_path):
    steps = []
    generate_demo(tmp_path, photos=4, frames=3, test=2, size=32, seed=5, on_step=lambda *step: steps.append(step))
    found = {folder: picture_files(tmp_path / folder) for folder in ("photos/train", "photos/test/faces", "frames/cel")}
    assert {folder: len(files) for folder, files in found.items()} == dict(zip(found, (4, 2, 3), strict=True))
    assert len(picture_files(tmp_path / "photos/test/scenes")) == 2 + len(scenes.real_photos())
    assert steps == [(i, 11, {}) for i in range(1, 12)]
    pictures = {path.relative_to(tmp_path): read_picture(path) for path in picture_files(tmp_path)}
    assert all(min(picture.shape[:2]) == (51 if "frames" in path.parts else 32) for path, picture in pictures.items())
    assert len({picture.tobytes() for picture in pictures.values()}) == len(pictures)
    generate_demo(tmp_path / "again", photos=4, frames=3, test=2, size=32, seed=5, workers=2)
    assert all((tmp_path / path).read_bytes() == (tmp_path / "again" / path).read_bytes() for path in pictures)


@pytest.mark.parametrize("found", [lambda name: None, lambda name: ModuleSpec(name, None, is_package=True)])
def test_without_scikit_learn_nothing_is_drawn_that_would_be_another_demo(tmp_path, monkeypatch, found):
    def spec(name: str):
        made = found(name)
        if made:
            made.submodule_search_locations.append(str(tmp_path))
        return made

    monkeypatch.setattr(scenes, "find_spec", spec)
    with pytest.raises(ValueError, match="two photos of scikit-learn, which is not there: pip install scikit-learn"):
        generate_demo(tmp_path, photos=1, frames=0, test=1, size=16, seed=0)
    assert picture_files(tmp_path) == []


@pytest.fixture
def canvas() -> Canvas:
    return Canvas((100, 200), PHOTO, WEATHERS["day"], (0, 0, 1), [0])


def test_shapes_cover_their_area(canvas):
    """Antialiased coverage adds up to the area in closed form, whatever way a polygon turns."""
    full = canvas.window()
    square = [(-0.3, 0.2), (0.1, 0.2), (0.1, 0.7), (-0.3, 0.7)]
    shapes = {
        np.pi * 0.3 * 0.2: ellipse(full, 0.1, 0.5, 0.3, 0.2),
        np.pi * 0.25**2: balls(full, [(0, 0.5, 0.25), (0, 0.5, 0.2)], canvas.light)[0],
        0.4 * 0.5: polygon(full, square),
        0.2: polygon(full, square[::-1]),
        0.6 * 0.1 + np.pi * 0.05**2: segment(full, (-0.3, 0.5), (0.3, 0.5)) - 0.05,
    }
    for area, distance in shapes.items():
        canvas.rgb[:] = 0
        canvas.fill(full, distance, (1, 1, 1))
        assert canvas.rgb[..., 0].sum() / 100**2 == pytest.approx(area, rel=0.01)


def test_a_window_is_clipped_and_may_be_empty(canvas):
    assert canvas.window().x.shape == (1, 200)
    assert canvas.window().y[[0, -1], 0] == pytest.approx([0.005, 0.995])
    away = canvas.around(5, 5, 0.1)
    assert away.x.size * away.y.size == 0
    canvas.fill(away, ellipse(away, 5, 5, 0.1, 0.1), (1, 1, 1), 0.5)


def test_a_ball_is_brightest_towards_the_sun(canvas):
    window = canvas.around(0, 0.5, 0.2)
    cosine = balls(window, [(0, 0.5, 0.2)], np.array([0.6, -0.8, 0.0]))[1]
    row, column = np.unravel_index(cosine.argmax(), cosine.shape)
    toward = np.array([window.x[0, column], window.y[row, 0] - 0.5])
    assert toward / np.linalg.norm(toward) == pytest.approx([0.6, -0.8], abs=0.15)


@pytest.mark.parametrize("kind", NOISES)
def test_noise_repeats_without_a_seam(kind):
    tile = noise_tile(kind)
    assert (tile.mean(), tile.std()) == pytest.approx((0, 1), abs=1e-3)
    inside = np.abs(np.diff(tile, axis=1)).mean()
    assert np.abs(tile[:, 0] - tile[:, -1]).mean() < 1.5 * inside
