"""Parts of the studio by themselves: drawings as files, the folder, what is let in, texts."""

import os
import re
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anime_app.cli.command import main
from anime_app.studio import workshop as workshop_module
from anime_app.studio.create import speeds
from anime_app.studio.folder import ABANDONED, PREFIX, own_folder, sweep
from anime_app.studio.guard import READ, WRITE, Guard, Refused, _files_of
from anime_app.studio.launch import without_stubs
from anime_app.studio.make_page import make_page
from anime_app.studio.names import folder_of, numbered, result_name
from anime_app.studio.orders import STROKES, Order, read_order
from anime_app.studio.reasons import reason
from anime_app.studio.settings import Studio
from anime_app.studio.workshop import SIDE, Gone, Painter, Workshop
from anime_model.pictures.arrays import PictureError
from anime_model.runtime import models, network
from anime_model.runtime.palettes import PALETTES
from anime_model.runtime.session import ModelError
from anime_model.runtime.stylizer import Look
from tests.tiny_onnx import identity_model, negative_model

pytest.importorskip("gradio", reason="the studio needs Gradio: pip install '.[studio]'")


TURNED = Image.Exif()
TURNED[0x0112] = 6  # a quarter to the right


@pytest.fixture(autouse=True)
def weights(tmp_path: Path, monkeypatch) -> Path:
    """Two styles ship, each turns every level v into 255 - v."""
    folder = tmp_path / ".weights"
    for name in ("ink", "oil"):
        negative_model(folder / f"{name}.onnx", receptive_radius="0")
    monkeypatch.setattr(models, "WEIGHTS", folder)
    return folder


@pytest.fixture
def painter() -> Painter:
    return Painter(threads=1, max_pixels=8_000_000)


def photo(path: Path, size: tuple[int, int] = (16, 12), **options) -> np.ndarray:
    """Writes noise of `size` = (width, height); its pixels."""
    array = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8)
    Image.fromarray(array).save(path, **options)
    return array


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


@pytest.fixture
def workshop(painter, tmp_path) -> Workshop:
    return Workshop(tmp_path / "photos", painter)


def put(workshop: Workshop, name: str, size: tuple[int, int] = (16, 12), **options) -> tuple[str, np.ndarray]:
    """A photo of noise in the workshop: its key and its pixels."""
    key, source = workshop.new(name)
    return key, photo(source, size, **options)


def kept(workshop: Workshop, key: str, order: Order, kind: str = "full") -> Path:
    return workshop.finish(key, order, kind, lambda: None)


def test_a_drawing_keeps_its_size_and_format(workshop):
    key, array = put(workshop, "a.png")
    workshop.draw(key, Order("ink"))
    made = kept(workshop, key, Order("ink"))
    assert np.array_equal(pixels(made), 255 - array)
    assert made.name == "a-ink.png"


def test_a_photo_that_was_taken_in_again_is_kept_before_it_is_shown(workshop):
    key, array = put(workshop, "a.png")
    assert np.array_equal(pixels(kept(workshop, key, Order("ink"))), 255 - array)


def test_of_a_large_picture_the_page_gets_small_ones_and_the_person_the_full_size(workshop):
    key, _ = put(workshop, "a.jpg", (SIDE + 400, 600))
    shown = workshop.draw(key, Order("ink"))
    assert (shown.width, shown.height, shown.frames, shown.film) == (SIDE + 400, 600, 1, False)
    assert pixels(kept(workshop, key, Order("ink"))).shape == (600, SIDE + 400, 3)
    before, after = (pixels(workshop.place(key) / name) for name in (shown.before, shown.after))
    assert before.shape == after.shape == (480, SIDE, 3)
    assert np.abs(255.0 - before - after).mean() < 12


@pytest.mark.parametrize(("name", "made"), [("a.tif", "a-ink.tif"), ("a.jp2", "a-ink.jp2"), ("a.bmp", "a-ink.bmp")])
def test_what_no_browser_shows_is_shown_as_something_else_and_kept_as_it_was(workshop, name, made):
    key, _ = put(workshop, name)
    shown = workshop.draw(key, Order("ink"))
    assert (kept(workshop, key, Order("ink")).name, shown.before[-4:], shown.after[-4:]) == (made, ".jpg", ".jpg")


def test_a_small_jpeg_is_shown_as_it_came_and_one_that_is_turned_is_not(workshop):
    key, _ = put(workshop, "a.jpg", (160, 120))
    before = workshop.place(key) / workshop.draw(key, Order("ink")).before
    assert before.read_bytes() == (before.parent / "photo.jpg").read_bytes()
    for more in ({"exif": TURNED}, {"format": "PNG"}, {"format": "WEBP"}):  # also under the name of a JPEG
        key, _ = put(workshop, "a.jpg", (160, 120), **more)
        before = workshop.place(key) / workshop.draw(key, Order("ink")).before
        assert before.read_bytes() != (before.parent / "photo.jpg").read_bytes()
        assert pixels(before).shape == ((160, 120, 3) if "exif" in more else (120, 160, 3))


def test_a_photo_may_be_looked_at_twice_at_once(workshop):
    key, _ = put(workshop, "a.jpg")
    about = workshop.place(key) / "about.json"
    unseen = about.read_text()
    shown = workshop.draw(key, Order("ink"))
    about.write_text(unseen)  # the other one has read this
    assert workshop.draw(key, Order("ink")) == shown


def test_where_no_file_has_two_names_a_copy_is_made(workshop, monkeypatch):
    def refused(*names: Path, **how: object) -> None:
        raise OSError("no links here")

    monkeypatch.setattr("os.link", refused)
    key, _ = put(workshop, "a.jpg")
    before = workshop.place(key) / workshop.draw(key, Order("ink")).before
    assert before.read_bytes() == (before.parent / "photo.jpg").read_bytes()


def test_what_was_drawn_is_kept_once_where_it_is_shown_in_its_size(workshop):
    key, _ = put(workshop, "a.png")
    order = Order("ink")
    workshop.draw(key, order)
    kept_files = sorted(path.name for path in workshop.place(key).glob("*.npy"))
    assert kept_files == [f"{order.drawing}.npy", "photo.npy"]
    own, _ = put(workshop, "a.jpg")  # whose file has the photo's levels
    first = workshop.draw(own, order)
    assert [path.name for path in workshop.place(own).glob("*.npy")] == [f"{order.drawing}.npy"]
    assert workshop.grade(own, order) == first
    assert pixels(workshop.place(own) / workshop.grade(own, Order("ink", Look(strength=0))).after).shape == (12, 16, 3)
    assert (workshop.place(own) / "photo.npy").is_file()
    large, _ = put(workshop, "a.png", (SIDE + 100, 200))
    workshop.draw(large, order)
    (workshop.place(large) / f"{order.drawing}.small.npy").unlink()  # as the sweep may
    with pytest.raises(Gone):
        workshop.grade(large, order)


def test_looks_are_graded_from_what_the_network_drew_once(workshop, monkeypatch):
    ran = []
    run = network.Network.run
    monkeypatch.setattr(network.Network, "run", lambda *a: ran.append(a) or run(*a))
    key, array = put(workshop, "a.png")
    workshop.draw(key, Order("ink"))
    assert len(ran) == 1
    made = {pixels(kept(workshop, key, Order("ink", Look(name)))).tobytes() for name in (None, *PALETTES)}
    shown = {workshop.grade(key, Order("ink", Look(name))).after for name in (None, *PALETTES)}
    assert (len(ran), len(made), len(shown)) == (1, 1 + len(PALETTES), 1 + len(PALETTES))
    weak = pixels(kept(workshop, key, Order("ink", Look(strength=0))))
    assert np.array_equal(weak, array)


def test_every_frame_of_an_animation_is_drawn(workshop):
    key, source = workshop.new("a.gif")
    frames = [Image.new("RGB", (16, 12), colour) for colour in ("black", "white", "black")]
    frames[0].save(source, save_all=True, append_images=frames[1:], duration=80)
    assert workshop.draw(key, Order("ink")).frames == 3
    with Image.open(kept(workshop, key, Order("ink"))) as made:
        levels = [made.seek(index) or made.convert("RGB").getpixel((3, 3))[0] for index in range(made.n_frames)]
    assert levels == [255, 0, 255]


def test_a_longest_side_is_followed(workshop):
    key, _ = put(workshop, "a.png", (160, 80))
    workshop.draw(key, Order("ink"))
    made = kept(workshop, key, Order("ink", Look("noir"), size=40))
    assert (made.name, pixels(made).shape) == ("a-ink-noir-40px.png", (20, 40, 3))


def test_every_size_of_a_style_is_a_drawing_of_its_own(workshop, weights):
    identity_model(weights / "ink-nano.onnx")
    key, array = put(workshop, "a.png")
    for speed, name, made in (("nano", "a-ink-nano.png", array), ("lite", "a-ink.png", 255 - array)):
        order = read_order({"network": "ink", "speed": speed})
        workshop.draw(key, order)
        result = kept(workshop, key, order)
        assert result.name == name
        assert np.array_equal(pixels(result), made)
    with pytest.raises(ModelError, match=r"^no size 'plus' of ink: there is nano, lite$") as refused:
        workshop.draw(key, Order("ink", speed="plus"))
    assert reason("a.png", refused.value)[1] == "ink 没有“plus”这种大小，可选：nano, lite"


def test_the_page_offers_the_sizes_in_plain_words_and_tells_the_script_which_there_are(weights):
    identity_model(weights / "ink-nano.onnx")
    for value, words in (("nano", "Fastest"), ("lite", "Balanced"), ("plus", "Finest")):
        assert re.search(f'<option value="{value}"[^>]*>{words}</option>', make_page())
    assert re.search('<option value="lite"[^>]* selected>', make_page())
    assert speeds() == {"ink": ["nano", "lite"], "oil": ["lite"]}


@pytest.mark.parametrize("name", ["water", "../ink", "models:/ink@champion", "/etc/passwd"])
def test_only_networks_that_ship_are_opened(workshop, name):
    key, _ = put(workshop, "a.png")
    with pytest.raises(ModelError, match="there is ink, oil"):
        workshop.draw(key, Order(name))


@pytest.mark.parametrize("key", ["", "..", "0" * 32, "../" * 10 + "aa", "/etc"])
def test_a_key_leads_to_no_other_folder(workshop, key):
    with pytest.raises(Gone):
        workshop.place(key)


@pytest.mark.parametrize(
    "wrong",
    [
        {"strength": 2}, {"strength": "x"}, {"palette": "x"}, {"lines": []}, {"size": -1}, {"size": True},
        {"speed": "huge"}, {"speed": {}}, {"palette": []},
    ],
)  # fmt: skip
def test_an_odd_order_is_one_line(wrong):
    with pytest.raises(ValueError, match=r"^(strength|no palette|no lines|no size|no speed)"):
        read_order(wrong)


def test_by_default_a_network_is_asked_for_its_working_size():
    assert read_order({}).stroke is None
    assert list(STROKES.values()) == [None, 1080, 0]


def test_a_bomb_is_refused_in_both_languages(workshop):
    key, source = workshop.new("bomb.png")
    Image.new("1", (10_000, 10_000)).save(source)
    with pytest.raises(PictureError) as error:
        workshop.draw(key, Order("ink"))
    english, chinese = reason("bomb.png", error.value)
    assert english == "10000 x 10000 pixels, more than the bound of 8 million"
    assert chinese == "10000 x 10000 像素，超过上限 8 百万像素"


@pytest.mark.parametrize("error", [MemoryError(), OSError(28, "No space left on device", "/tmp/x")])
def test_what_the_machine_lacks_is_said_in_chinese_too(error):
    english, chinese = reason("a.jpg", error)
    assert english.isascii()
    assert not chinese.isascii()


def test_names_fit_and_lead_nowhere():
    assert len(result_name("长" * 300 + ".jpg", Order("ink"), ".jpg").encode()) <= 240
    assert result_name("../a/b.jpg", Order("ink", Look("dusk", 0.5, True)), ".jpg") == "b-ink-dusk-colours-50.jpg"
    assert str(folder_of("../x/../y/a.jpg")) == "x/y"
    assert list(numbered(["a.jpg", "A.jpg", "b/a.jpg", "a.jpg"])) == ["a.jpg", "A-2.jpg", "b/a.jpg", "a-3.jpg"]


def test_views_are_there_where_there_is_something_to_see(tmp_path):
    from anime_app.studio.app import views

    nothing = Studio(database=tmp_path / "none.db")
    assert list(views(nothing, None)) == ["make"]
    assert list(views(replace(nothing, project=tmp_path), None)) == ["make", "compare"]
    assert list(views(replace(nothing, token="t"), None)) == ["make", "judge"]


def test_the_folder_is_this_users_alone_and_gone_at_the_end(tmp_path):
    with own_folder(tmp_path) as folder:
        (folder / "a").write_text("a")
        assert folder.stat().st_mode & 0o777 == 0o700
    assert not list(tmp_path.glob(f"{PREFIX}*"))


def test_folders_of_killed_studios_are_removed_and_those_in_use_are_not(tmp_path):
    (left := tmp_path / f"{PREFIX}left").mkdir()
    (left / "a").write_text("a")
    os.utime(left, (0, time.time() - ABANDONED - 1))
    (used := tmp_path / f"{PREFIX}used").mkdir()
    with own_folder(tmp_path):
        assert used.exists()
        assert not left.exists()


def test_a_sweep_removes_the_old_then_the_oldest_beyond_the_bound(tmp_path):
    folder, now = tmp_path / "studio", time.time()
    for name, seconds, size in (("old", 7200, 1), ("first", 30, 600), ("second", 20, 600), ("third", 10, 300)):
        (folder / name).mkdir(parents=True)
        (folder / name / "file").write_bytes(b"\0" * size)
        os.utime(folder / name / "file", (now - seconds, now - seconds))
    gone = sweep(folder, age=3600, most=1000)
    assert gone == [folder / "old" / "file", folder / "first" / "file"]
    assert len(list(folder.iterdir())) == 4  # a request may be about to fill a folder that has just become empty
    for path in folder.iterdir():
        os.utime(path, (now - 600, now - 600))
    assert not sweep(folder, age=3600, most=1000)
    assert sorted(path.name for path in folder.iterdir()) == ["second", "third"]


@pytest.fixture
def guard(tmp_path) -> Guard:
    (tmp_path / "own").mkdir()
    return Guard(None, tmp_path / "own", 1000, "")


@pytest.mark.parametrize(
    "name",
    ["/etc/passwd", "etc/passwd", "{own}/../secret", "{own}/%2e%2e/secret", "{own}/link", "{own}/deep/secret",
     "{own}/..", "{own}2/file", "http://127.0.0.1/a.png", "https:/a.png", "file:///etc/passwd", "~/secret", "", "\0",
     "{own}/loop"],
)  # fmt: skip
def test_no_file_outside_the_folder_is_let_through(guard, tmp_path, name):
    own = tmp_path / "own"
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "own2").mkdir()
    (own / "link").symlink_to(tmp_path / "secret")
    (own / "deep").symlink_to(tmp_path)
    (own / "loop").symlink_to(own / "loop")
    with pytest.raises(Refused) as refusal:
        guard.check_file(name.format(own=own))
    assert refusal.value.status == 403


def test_a_file_in_the_folder_is_let_through(guard, tmp_path):
    guard.check_file(f"{tmp_path}/own/abc/photo 100%.jpg")
    guard.check_file(f"{tmp_path}/own/abc/照片.jpg")


def test_every_path_in_a_request_is_found():
    body = b'{"data": [[{"image": {"path": "a"}}, null, {"x": [{"path": "b", "url": "c"}]}], {"path": 3}]}'
    assert sorted(_files_of(body)) == ["a", "b"]
    for wrong in (b"{", b"\xff", b"[" * 100_000):
        with pytest.raises(Refused):
            list(_files_of(wrong))


@pytest.mark.parametrize(
    "path",
    ["/gradio_api/proxy=http://x", "/gradio_api/process_recording", "/gradio_api/vibe-edit", "/gradio_api/vibe-code",
     "/monitoring", "/gradio_api/deep_link", "/gradio_api/dev/reload", "/gradio_api/call/make", "/login", "/docs",
     "/openapi.json", "/gradio_api/openapi.json", "/gradio_api/runs", "/static/"],
)  # fmt: skip
def test_what_the_studio_does_not_need_does_not_exist(path):
    assert not READ.fullmatch(path)
    assert not WRITE.fullmatch(path)


def test_names_of_files_are_no_markup():
    from anime_app.studio.texts import both

    assert "<b>" not in both("saved", name="<b>.jpg")
    assert both("failed", name="a", reason=("one", "一")) == '<span lang="en">a: one</span><span lang="zh">a：一</span>'


def test_gradio_writes_no_stubs_while_it_is_imported():
    import inspect

    from gradio.components import Image as Component

    with without_stubs():
        with pytest.raises(OSError, match="no stubs"):
            inspect.getfile(Component)
        assert inspect.getfile(Painter) == workshop_module.__file__
    assert inspect.getfile(Component)


def test_a_port_that_is_taken_and_a_folder_that_is_not_there_are_one_line(capsys, tmp_path):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert main(["studio", "--port", str(taken.getsockname()[1])]) == 1
    assert main(["studio", "--project", str(tmp_path / "none")]) == 1
    port, project = capsys.readouterr().err.splitlines()
    assert "address already in use; --port 0 takes a free one" in port
    assert project.endswith("no such folder; --project names the root of a pipeline project")
