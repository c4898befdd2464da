"""Parts of the studio by themselves: drawings as files, the folder, what is let in, texts."""

import os
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anime_app.cli.command import main
from anime_app.studio import drawing
from anime_app.studio.drawing import SIDE, Order, Painter, pack, reason
from anime_app.studio.folder import ABANDONED, PREFIX, own_folder, sweep
from anime_app.studio.guard import READ, WRITE, Guard, Refused, _files_of
from anime_app.studio.launch import without_stubs
from anime_model.pictures.arrays import PictureError
from anime_model.runtime import models, network, session
from anime_model.runtime.palettes import PALETTES
from anime_model.runtime.session import ModelError
from anime_model.runtime.stylizer import Look
from tests.tiny_onnx import negative_model

pytest.importorskip("gradio", reason="the studio needs Gradio: pip install '.[studio]'")


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


def test_a_drawing_keeps_its_size_and_format_and_the_page_shows_the_files_themselves(painter, tmp_path):
    array = photo(tmp_path / "a.png")
    made = painter.draw(tmp_path / "a.png", tmp_path / "results", Order("ink"))
    assert np.array_equal(pixels(made.full), 255 - array)
    assert (made.full.name, made.before, made.after) == ("a-ink.png", tmp_path / "a.png", made.full)


def test_of_a_large_picture_the_page_gets_small_ones_and_the_person_the_full_size(painter, tmp_path):
    photo(tmp_path / "a.jpg", (SIDE + 400, 600))
    made = painter.draw(tmp_path / "a.jpg", tmp_path / "results", Order("ink"))
    assert pixels(made.full).shape == (600, SIDE + 400, 3)
    assert pixels(made.before).shape == pixels(made.after).shape == (480, SIDE, 3)
    assert np.abs(255.0 - pixels(made.before) - pixels(made.after)).mean() < 12


@pytest.mark.parametrize(("name", "made"), [("a.tif", "a-ink.tif"), ("a.jp2", "a-ink.jp2"), ("a.bmp", "a-ink.bmp")])
def test_what_no_browser_shows_is_shown_as_something_else_and_kept_as_it_was(painter, tmp_path, name, made):
    photo(tmp_path / name)
    result = painter.draw(tmp_path / name, tmp_path / "results", Order("ink"))
    assert (result.full.name, result.before.suffix, result.after.suffix) == (made, ".jpg", ".jpg")


def test_a_file_with_the_wrong_suffix_gets_the_one_of_its_content(painter, tmp_path):
    photo(tmp_path / "a.jpg", format="PNG")
    assert painter.draw(tmp_path / "a.jpg", tmp_path / "results", Order("ink")).full.name == "a-ink.png"


def test_a_picture_on_its_side_is_upright_before_and_after(painter, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    photo(tmp_path / "a.jpg", (SIDE + 2, 100), exif=exif)
    made = painter.draw(tmp_path / "a.jpg", tmp_path / "results", Order("ink"))
    assert [pixels(path).shape[:2] for path in (made.full, made.before)] == [(SIDE + 2, 100), (SIDE, 100)]


def test_a_longest_side_and_a_look_are_followed(painter, tmp_path):
    photo(tmp_path / "a.png", (160, 80))
    made = painter.draw(tmp_path / "a.png", tmp_path / "results", Order("ink", Look("noir"), max_size=40))
    assert made.full.name == "a-noir.png"
    assert pixels(made.full).shape == pixels(made.before).shape == (20, 40, 3)
    assert np.ptp(pixels(made.full).astype(int), axis=2).max() <= 1


def test_every_look_is_made_by_one_session_that_opens_with_the_first_picture(painter, tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr(network, "open_session", lambda *a: opened.append(a) or session.open_session(*a))
    photo(tmp_path / "a.png")
    painter.stylizer("ink")
    assert not opened
    looks = [Look(), *(Look(palette) for palette in PALETTES)]
    made = [painter.draw(tmp_path / "a.png", tmp_path / "results", Order("ink", look)).full for look in looks]
    assert len(opened) == 1
    assert len({pixels(path).tobytes() for path in made}) == len(looks)


@pytest.mark.parametrize("name", ["water", "../ink", "models:/ink@champion", "/etc/passwd"])
def test_only_networks_that_ship_are_opened(painter, tmp_path, name):
    photo(tmp_path / "a.png")
    with pytest.raises(ModelError, match="there is ink, oil"):
        painter.draw(tmp_path / "a.png", tmp_path / "results", Order(name))


def test_a_bomb_is_refused_in_both_languages(painter, tmp_path):
    Image.new("1", (10_000, 10_000)).save(tmp_path / "bomb.png")
    with pytest.raises(PictureError) as error:
        painter.draw(tmp_path / "bomb.png", tmp_path / "results", Order("ink"))
    english, chinese = reason(tmp_path / "bomb.png", error.value)
    assert english == "10000 x 10000 pixels, more than the bound of 8 million"
    assert chinese == "10000 x 10000 像素，超过上限 8 百万像素"
    assert not (tmp_path / "results").exists()


def test_no_reason_tells_a_folder_of_this_machine(painter, tmp_path):
    (tmp_path / "a.jpg").write_text("no picture")
    for name in ("a.jpg", "gone.jpg"):
        with pytest.raises(PictureError) as error:
            painter.draw(tmp_path / name, tmp_path / "results", Order("ink"))
        assert not any(str(tmp_path) in text for text in reason(tmp_path / name, error.value))


@pytest.mark.parametrize("error", [MemoryError(), OSError(28, "No space left on device", "/tmp/x")])
def test_what_the_machine_lacks_is_said_in_chinese_too(error):
    english, chinese = reason(Path("a.jpg"), error)
    assert english.isascii()
    assert not chinese.isascii()


def test_a_zip_holds_every_picture_under_a_name_of_its_own(tmp_path):
    files = [tmp_path / folder / "a.jpg" for folder in "xyz"]
    for index, file in enumerate(files):
        file.parent.mkdir()
        file.write_bytes(bytes([index]))
    with zipfile.ZipFile(pack(files, tmp_path / "all.zip")) as archive:
        assert [archive.read(name) for name in ("a.jpg", "a-2.jpg", "a-3.jpg")] == [b"\0", b"\1", b"\2"]


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


def test_every_text_is_there_in_both_languages_with_the_same_gaps():
    from anime_app.studio.create import LOOKS
    from anime_app.studio.texts import TEXTS

    assert set(LOOKS) <= set(TEXTS)
    for english, chinese in TEXTS.values():
        assert english
        assert chinese
        assert set(_gaps(english)) == set(_gaps(chinese))


def _gaps(text: str) -> list[str]:
    from string import Formatter

    return [name for _, name, _, _ in Formatter().parse(text) if name]


def test_names_of_files_are_no_markup():
    from anime_app.studio.texts import both

    assert "<b>" not in both("done_one", name="<b>.jpg")
    assert both("failed", name="a", reason=("one", "一")) == '<span lang="en">a: one</span><span lang="zh">a：一</span>'


def test_gradio_writes_no_stubs_while_it_is_imported():
    import inspect

    from gradio.components import Image as Component

    with without_stubs():
        with pytest.raises(OSError, match="no stubs"):
            inspect.getfile(Component)
        assert inspect.getfile(Painter) == drawing.__file__
    assert inspect.getfile(Component)


def test_a_port_that_is_taken_and_a_folder_that_is_not_there_are_one_line(capsys, tmp_path):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert main(["studio", "--port", str(taken.getsockname()[1])]) == 1
    assert main(["studio", "--project", str(tmp_path / "none")]) == 1
    port, project = capsys.readouterr().err.splitlines()
    assert "address already in use; --port 0 takes a free one" in port
    assert project.endswith("no such folder; --project names the root of a pipeline project")
