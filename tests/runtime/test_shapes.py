import io
import pickle
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from anime_app.bulk.worker import settings_of
from anime_app.drawing import Order, frames_by
from anime_model.pictures import images
from anime_model.runtime.shapes import changed_shapes, strokes
from anime_model.runtime.stylizer import Look, Stylizer
from anime_model.training import imitation
from tests.tiny_onnx import identity_model

SIZES = [64, 91, 128, 181, 256]


def test_working_sizes_grow_by_the_root_of_two_within_what_is_asked_for_and_there():
    assert strokes(64, 256, 1000) == SIZES
    assert strokes(64, 255, 1000) == SIZES[:-1]
    assert strokes(64, 256, 181) == SIZES[:3], "a picture is never drawn larger than it is"
    assert strokes(64, 64, 1000) == strokes(64, 10, 1000) == [64]
    assert strokes(64, 256, 64) == []


@pytest.mark.parametrize("size", [(64, 48), (160, 304)])
def test_the_change_is_the_mean_of_what_training_looks_at(size: tuple[int, int]):
    photo, made = np.random.default_rng(0).integers(0, 256, (2, *size, 3), np.uint8)
    planes = [torch.from_numpy(each).permute(2, 0, 1) / 127.5 - 1 for each in (photo, made)]
    wanted = imitation.changed_shapes(*planes).mean().item()
    assert wanted > 1e-6
    assert changed_shapes(photo, made) == pytest.approx(wanted, rel=1e-4)


def test_a_tint_and_an_untouched_picture_have_no_other_shapes():
    photo = np.random.default_rng(0).integers(0, 200, (300, 200, 3), np.uint8)
    assert changed_shapes(photo, photo) == 0
    assert changed_shapes(photo, photo + np.uint8(40)) == pytest.approx(0, abs=1e-20)
    eye = photo.copy()
    eye[100:124, 60:90] = 255
    assert changed_shapes(photo, eye) > 1e-5


def stylizer_that_changes(tmp_path: Path, by: dict[int, int], **options) -> tuple[Stylizer, list[int]]:
    """A stylizer whose network puts stripes, `by` levels lighter, into pictures of these short sides; sides it saw."""
    model = identity_model(tmp_path / "m.onnx", stroke="64", stroke_most="256", receptive_radius="0")
    stylizer, seen = Stylizer(model, **options), []

    def run(photo: np.ndarray, **more) -> np.ndarray:
        short = min(photo.shape[:2])
        size = min(SIZES, key=lambda each: abs(each - short))  # without the border for a multiple of 4
        seen.append(size)
        stripes = np.arange(photo.shape[1]) // 16 % 2 * by.get(size, 0)
        return photo + stripes[None, :, None].astype(np.uint8)

    stylizer.fixed()._network.run = run
    return stylizer, seen


def grey(width: int = 300, height: int = 270) -> Image.Image:
    return Image.new("RGB", (width, height), (90, 90, 90))


@pytest.mark.parametrize(
    ("by", "chosen", "tried"),
    [
        ({64: 60, 91: 20}, 64, [64, 91]),
        ({64: 20, 91: 40, 128: 90, 181: 30}, 128, [64, 91, 128, 181]),
        ({64: 20, 91: 20, 128: 60, 181: 20}, 128, [64, 91, 128, 181]),
        ({64: 20, 91: 40, 128: 60, 181: 80, 256: 100}, 256, SIZES),
        ({}, 64, [64, 91]),
    ],
    ids=["large faces", "small ones", "no more on the way", "ever more", "no face"],
)
def test_the_size_at_which_most_changes_is_kept(tmp_path: Path, by, chosen, tried):
    stylizer, seen = stylizer_that_changes(tmp_path, by)
    assert min(stylizer.sketch(grey()).shape[:2]) == chosen
    assert seen == tried
    made = stylizer(grey())
    assert made.size == (300, 270)
    assert np.asarray(made).mean() == pytest.approx(90 + by.get(chosen, 0) / 2, abs=5)


def test_whoever_names_a_size_gets_it_and_pays_for_no_other(tmp_path: Path):
    stylizer, seen = stylizer_that_changes(tmp_path, {128: 90})
    stylizer(grey(), stroke=91)
    assert seen == [91]
    told, seen = stylizer_that_changes(tmp_path, {128: 90}, stroke=181)
    told(grey())
    assert seen == [181]


def test_films_are_drawn_at_one_size(tmp_path: Path):
    stylizer, seen = stylizer_that_changes(tmp_path, {128: 90})
    draw = frames_by(stylizer, Look())
    for _ in range(2):
        draw(np.asarray(grey()))
    assert seen == [64, 64]


def decoded(kind: str, count: int) -> images.Picture:
    frames, stream = [Image.new("RGB", (300, 270), (90 + n, 90, 90)) for n in range(count)], io.BytesIO()
    frames[0].save(stream, kind, save_all=count > 1, append_images=frames[1:])
    return images.decode(stream.getvalue())


SEARCH = [64, 91, 128, 181]


@pytest.mark.parametrize(
    ("kind", "count", "tried"),
    [
        ("JPEG", 1, SEARCH),
        ("TIFF", 2, SEARCH * 2),
        ("GIF", 2, [*SEARCH, 128, 128]),
        ("PNG", 3, [*SEARCH, 128, 128, 128]),
    ],
    ids=["a photo", "pages", "an animation", "a longer one"],
)
def test_an_animation_keeps_the_size_of_its_first_frame_and_pages_have_their_own(tmp_path: Path, kind, count, tried):
    stylizer, seen = stylizer_that_changes(tmp_path, {64: 20, 91: 20, 128: 90})
    picture, ticks = decoded(kind, count), []
    made = Order(Look()).draw(picture, stylizer, lambda: ticks.append(len(seen)))
    assert all(np.asarray(frame).mean() == pytest.approx(135, abs=6) for frame in made.frames)
    assert seen == tried
    assert set(range(len(tried))) <= set(ticks), "whoever gives up is heard before every run of the network"


def test_where_the_first_frame_is_drawn_already_nothing_is_looked_for(tmp_path: Path):
    stylizer, seen = stylizer_that_changes(tmp_path, {})
    sketch = np.zeros((128, 142, 3), np.uint8)
    assert stylizer.stroke_of(decoded("GIF", 2), sketch=sketch) == 128
    assert stylizer.stroke_of(decoded("GIF", 2), 91) == 91
    assert stylizer.stroke_of(decoded("GIF", 2), sketch=sketch[:20]) is None, "smaller than any working size: its own"
    assert seen == []


def test_cells_of_a_large_picture_take_little_memory():
    photo = np.random.default_rng(0).integers(0, 256, (1200, 2000, 3), np.uint8)
    made = 255 - photo
    tracemalloc.start()
    changed_shapes(photo, made)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 0.5 * photo.nbytes


def test_workers_of_a_pool_search_as_this_process_does_and_a_manifest_tells_a_search_from_a_size(tmp_path: Path):
    model = identity_model(tmp_path / "m.onnx", stroke="64", stroke_most="256")
    again = pickle.loads(pickle.dumps(Stylizer(model)))
    assert again._strokes(1000, None) == SIZES
    for stylizer, stroke in ((again, "64 to 256"), (Stylizer(model, stroke=64), 64), (Stylizer(model, stroke=0), 0)):
        settings = settings_of(Order(Look()), "m", model.read_bytes(), stylizer.strokes_for())
        assert settings["stroke"] == stroke
