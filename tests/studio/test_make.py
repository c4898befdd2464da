"""The view Make in a real browser, as people use it."""

import io
import json
import re
import zipfile
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import numpy as np
import pytest
from PIL import Image

from anime_app.studio.texts import TEXTS
from anime_model.runtime.enlarging import STROKE
from anime_model.runtime.models import FAVOURITE
from benchmarks.browser import PHONE
from benchmarks.studio import jpeg
from tests.studio.conftest import DESKTOP

pytestmark = pytest.mark.long
WIDE = {"viewport": {"width": 1920, "height": 1080}, "locale": "en-GB"}
TAP = {key: value for key, value in PHONE.items() if key != "device_scale_factor"} | {"locale": "en-GB"}


class Reader:
    """A person with the page open."""

    def __init__(self, page) -> None:
        self.page = page
        page.wait_for_selector("#make .drop, #make .album")
        self.asked: list[tuple[str, dict]] = []  # what the page asked for, and with what
        page.on("request", self._hear)

    def _hear(self, request) -> None:
        address = urlsplit(request.url)
        kind, sent = address.path.split("/")[-1], dict(parse_qsl(address.query))
        if kind in ("draw", "grade", "keep"):
            self.asked.append((kind, json.loads(request.post_data)))
        elif kind == "photo" and "order" in sent:
            self.asked.append(("send", sent | {"order": json.loads(sent["order"])}))

    def put(self, *files: Path, done: int | None = None) -> None:
        self.page.set_input_files("#files", list(map(str, files)))
        self.wait(done if done is not None else len(files))

    def wait(self, done: int) -> None:
        """Until so many photos are drawn, and everything is still."""
        drawn = "document.querySelectorAll('#make .tile.done').length"
        if done == 1:
            drawn = "Number(!document.querySelector('#make .compare').hidden)"
        self.page.wait_for_function(f"{drawn} === {done} && document.querySelector('#make .busy').hidden")
        self.page.wait_for_function("!document.querySelector('#make [data-do=full]').disabled")

    def shown(self) -> str:
        return self.page.locator("#make .half.after img").get_attribute("src")

    def click(self, action: str) -> None:
        self.page.locator(f"#make [data-do={action}]").filter(visible=True).first.click()

    def choose(self, field: str, value: str) -> None:
        """A palette or a style, and waits for its picture."""
        before = self.shown()
        self.page.locator(f"#make [name={field}][value={value}]").check(force=True)
        self.changed(before)

    def changed(self, before: str) -> None:
        after = "document.querySelector('#make .half.after img').src"
        self.page.wait_for_function(f"before => {after} && {after} !== before", arg=before)

    def save(self, action: str = "full") -> tuple[str, bytes]:
        with self.page.expect_download() as download:
            self.click(action)
        return download.value.suggested_filename, Path(download.value.path()).read_bytes()

    def says(self, text: str | re.Pattern) -> None:
        self.page.locator("#make").get_by_text(text).filter(visible=True).first.wait_for()

    def problems(self) -> list[str]:
        return self.page.locator("#make .messages .message").all_inner_texts()


EMPTIED = """() => {
    localStorage.clear();
    sessionStorage.clear();
    for (const away of document.querySelectorAll("#make .messages .away")) away.click();
    document.querySelector("#make .panel").reset();
    document.querySelector("#make [data-do=remove-all]").click();
    document.querySelector("#make .panel").dispatchEvent(new Event("input"));
}"""


@pytest.fixture(scope="module")
def opened(open_page) -> Reader:
    return Reader(open_page())


@pytest.fixture
def reader(opened) -> Reader:
    """The same page for all tests, emptied before each: to load it takes longer than most of them."""
    opened.page.unroute_all()
    opened.page.evaluate(EMPTIED)
    opened.page.wait_for_selector("#make .drop")
    opened.asked.clear()
    return opened


@pytest.fixture
def photos(tmp_path) -> list[Path]:
    files = [tmp_path / f"{name}.jpg" for name in ("river", "hill", "sea", "wood", "moor")]
    for seed, file in enumerate(files):
        file.write_bytes(jpeg(160, seed))
    return files


@pytest.fixture
def large(tmp_path) -> Path:
    """A photo that takes some seconds where the network sees every pixel."""
    corners = np.random.default_rng(1).integers(0, 255, (30, 40, 3), np.uint8)
    Image.fromarray(corners).resize((2600, 2000), Image.Resampling.BICUBIC).save(tmp_path / "large.jpg", quality=80)
    return tmp_path / "large.jpg"


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)


# The first look.


def test_a_photo_is_drawn_and_saved_in_full_size(reader, photos):
    assert not reader.page.is_visible("#make .compare")
    reader.put(photos[0])
    name, data = reader.save()
    assert (name, pixels(data).shape) == (f"river-{FAVOURITE}.jpg", (160, 160, 3))
    assert np.abs(pixels(data) - pixels(photos[0].read_bytes())).mean() > 2
    assert not reader.page.locator("#make [data-do=zip]").is_visible()


def test_a_large_photo_is_drawn_at_the_working_size_unless_told_otherwise(reader, large):
    reader.put(large)
    assert reader.asked[0][1]["order"]["lines"] == "bold"
    assert reader.page.locator("#lines option:checked").inner_text() == "clear at every size"
    _, bold = reader.save()
    before = reader.shown()
    reader.page.select_option("#lines", "finest")
    reader.changed(before)
    name, fine = reader.save()
    assert name == f"large-{FAVOURITE}-finest.jpg"
    assert pixels(bold).shape == pixels(fine).shape == (2000, 2600, 3)
    assert min(pixels(bold).shape[:2]) > 2 * STROKE, "else both would be the same"
    assert np.abs(pixels(bold) - pixels(fine)).mean() > 0.5


def test_until_its_drawing_is_there_the_photo_itself_is_shown(reader, large):
    reader.page.select_option("#lines", "finest")
    reader.page.set_input_files("#files", str(large))
    reader.page.locator("#make .waiting img").wait_for()
    reader.says(re.compile(r"Drawing …"))
    assert not reader.page.is_visible("#make .compare")
    reader.wait(1)
    assert not reader.page.is_visible("#make .waiting")


def test_style_and_palette_are_apart_and_show_the_persons_own_photo(reader, photos):
    assert reader.page.locator("#make legend").all_inner_texts() == ["Style", "Palette"]
    picture = "all => all.map(chip => getComputedStyle(chip).backgroundImage.slice(0, 15))"
    chips = "#make .styles .chip-view, #make .palettes .chip-view"
    assert set(reader.page.eval_on_selector_all(chips, picture)) == {"none", "linear-gradient"}
    reader.put(photos[0])
    found = "document.querySelector('#make [data-palette=noir]').style.background.includes('data:')"
    reader.page.wait_for_function(found)
    shown = reader.page.eval_on_selector_all(chips, picture)
    assert set(shown) == {'url("data:image'}
    assert len(shown) >= 2 + 9
    reader.choose("palette", "noir")
    _, data = reader.save()
    assert np.ptp(pixels(data), axis=2).mean() < 3, "black and white"


def test_on_a_phone_the_result_comes_first_and_nothing_sticks_out(visit, photos):
    reader = Reader(visit(**TAP))
    reader.put(*photos)
    page = reader.page
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    picture, panel = (page.locator(f"#make {name}").bounding_box() for name in (".compare", ".panel"))
    assert picture["y"] < 200
    assert picture["y"] + picture["height"] <= panel["y"]
    frame = page.locator("#make .album").bounding_box()
    for tile in page.locator("#make .tile").all():
        box = tile.bounding_box()
        assert frame["x"] <= box["x"]
        assert box["x"] + box["width"] <= frame["x"] + frame["width"]
    for button in page.locator("#make button, #header button").filter(visible=True).all():
        box = button.bounding_box()
        own = "away" in (button.get_attribute("class") or "")
        assert box["height"] >= (36 if own else 44), button.inner_text()
        assert 0 <= box["x"] <= box["x"] + box["width"] <= 390


def test_on_a_large_screen_the_page_is_as_wide_as_it_reads_well(visit):
    page = visit(**WIDE)
    box = page.locator("#make").bounding_box()
    assert box["width"] <= 1240
    assert abs(box["x"] + box["width"] / 2 - 960) < 10


# Photos in.


DROP = """([where, files]) => {
    const dropped = new DataTransfer();
    for (const [name, size] of files) dropped.items.add(new File([new Uint8Array(size)], name, { type: "image/jpeg" }));
    const to = document.querySelector(where);
    for (const kind of ["dragover", "drop"])
        to.dispatchEvent(new DragEvent(kind, { dataTransfer: dropped, bubbles: true, cancelable: true }));
}"""
PASTE = """([name, bytes]) => {
    const held = new DataTransfer();
    if (name) held.items.add(new File([new Uint8Array(bytes)], name, { type: "image/png" }));
    document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData: held, bubbles: true }));
}"""


def png() -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels(jpeg(96, 3)).astype(np.uint8)).save(stream, "PNG")
    return stream.getvalue()


def test_a_picture_is_pasted_by_keys(reader):
    reader.page.evaluate(PASTE, ["image.png", list(png())])
    reader.wait(1)
    name, data = reader.save()
    assert re.fullmatch(rf"pasted-[\d-]+-{FAVOURITE}\.png", name)
    assert pixels(data).shape == (96, 96, 3)


def test_a_paste_without_a_picture_is_said(reader):
    reader.page.evaluate(PASTE, ["", []])
    reader.says("There is no picture to paste")


def test_a_picture_is_pasted_by_the_button(reader, address):
    reader.page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=address)
    put = """async bytes => navigator.clipboard.write(
        [new ClipboardItem({ "image/png": new Blob([new Uint8Array(bytes)], { type: "image/png" }) })])"""
    reader.page.bring_to_front()
    reader.page.evaluate(put, list(png()))
    reader.click("paste")
    reader.wait(1)
    assert reader.save()[0].endswith(f"-{FAVOURITE}.png")


def test_photos_are_dropped_anywhere_in_the_window(reader, photos):
    reader.put(photos[0])
    reader.page.evaluate(DROP, ["#header h1", [["notes.txt", 9], ["huge.jpg", 3_000_001], ["empty.jpg", 10]]])
    reader.says("notes.txt")
    reader.says("huge.jpg: too large, at most 3 MB for one file.")
    reader.says("empty.jpg: not a picture that can be read")
    assert reader.page.is_visible("#make .compare"), "what was there stays"


def test_a_folder_is_taken_with_its_folders(reader, photos, tmp_path):
    folder = tmp_path / "trip"
    (folder / "day one").mkdir(parents=True)
    photos[0].rename(folder / "a.jpg")
    photos[1].rename(folder / "day one" / "a.jpg")
    (folder / "notes.txt").write_text("no picture")
    reader.page.set_input_files("#folder", str(folder))
    reader.wait(2)
    reader.says("notes.txt")
    _, data = reader.save("zip")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert sorted(archive.namelist()) == [f"trip/a-{FAVOURITE}.jpg", f"trip/day one/a-{FAVOURITE}.jpg"]


ENTRIES = """() => {
    const file = (name) => ({ isFile: true, name, file: (done) => done(new File([new Uint8Array(9)], name)) });
    const folder = (name, inside) => ({ isDirectory: true, name, createReader: () => {
        const parts = [inside, []];
        return { readEntries: (done) => done(parts.shift()) };
    } });
    DataTransferItem.prototype.webkitGetAsEntry = () => folder("trip", [file("a.txt"), folder("b", [file("c.xyz")])]);
}"""


def test_a_folder_is_dropped(reader):
    reader.page.evaluate(ENTRIES)
    reader.page.evaluate(DROP, ["body", [["trip", 0]]])
    reader.says("a.txt, c.xyz")
    reader.page.evaluate("DataTransferItem.prototype.webkitGetAsEntry = () => null")


def test_the_camera_takes_a_photo(reader):
    reader.click("camera")
    reader.page.wait_for_function("document.querySelector('.viewfinder video').currentTime > 0")
    reader.click("shoot")
    reader.wait(1)
    assert re.fullmatch(rf"camera-[\d-]+-{FAVOURITE}\.jpg", reader.save()[0])
    assert reader.page.evaluate("document.querySelector('.viewfinder video').srcObject") is None


def test_without_a_camera_it_is_said_in_the_readers_language(visit):
    reader = Reader(visit(**DESKTOP | {"locale": "zh-CN"}))
    reader.page.evaluate("() => { navigator.mediaDevices.getUserMedia = async () => { throw new Error('none'); }; }")
    reader.click("camera")
    reader.says(TEXTS["no_camera"][1])
    assert not reader.page.get_by_text("camera").filter(visible=True).count()


TWICE = """() => {
    const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    window.streams = [];
    navigator.mediaDevices.getUserMedia = async (wanted) => {
        const stream = await real(wanted);
        window.streams.push(stream);
        await new Promise((done) => setTimeout(done, 400));
        return stream;
    };
    window.restore = () => { navigator.mediaDevices.getUserMedia = real; };
}"""


def test_the_other_camera_pressed_twice_leaves_none_on(reader):
    page = reader.page
    page.evaluate(TWICE)
    reader.click("camera")
    page.wait_for_function("document.querySelector('.viewfinder video').currentTime > 0")
    page.evaluate("for (const _ of [1, 2]) document.querySelector('.viewfinder [data-do=turn]').click()")
    page.wait_for_function("streams.length === 3")
    page.wait_for_function("document.querySelector('.viewfinder video').currentTime > 0")
    page.wait_for_timeout(1000)
    on = "streams.map(stream => stream.getTracks().some(track => track.readyState === 'live'))"
    assert page.evaluate(on) == [False, False, True]
    reader.click("turn")
    reader.click("leave")
    page.wait_for_function("streams.length === 4")
    page.wait_for_timeout(1000)
    assert page.evaluate(on) == [False] * 4
    page.evaluate("restore()")


def test_a_sample_is_there_for_who_has_no_photo_at_hand(reader):
    reader.click("sample")
    reader.wait(1)
    assert reader.save()[0] == f"sample-{FAVOURITE}.jpg"


# The picture.


def test_the_slider_has_names_on_its_sides_and_moves_by_mouse_and_keys(reader, photos):
    reader.put(photos[0])
    page = reader.page
    assert page.locator("#make .tag").all_inner_texts() == ["Photo", "Anime"]
    box = page.locator("#make .compare").bounding_box()
    split = "document.querySelector('#make .compare').style.getPropertyValue('--split')"
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 4, box["y"] + box["height"] / 2, steps=4)
    page.mouse.up()
    assert page.evaluate(split) == "25%"
    page.keyboard.press("ArrowRight")
    assert page.evaluate(split) == "26%"
    slider = page.get_by_role("slider", name="Photo on the left, anime on the right")
    assert slider.get_attribute("aria-valuetext") == "26 %"


def scale(page) -> float:
    matrix = "new DOMMatrix(getComputedStyle(document.querySelector('#make .half.before img')).transform).a"
    return page.evaluate(matrix)


def test_one_can_look_closer_and_back(reader, photos):
    reader.put(photos[0])
    reader.click("zoom-in")
    reader.click("zoom-in")
    assert scale(reader.page) == pytest.approx(2.25)
    reader.page.locator("#make .split").press("-")
    assert scale(reader.page) == pytest.approx(1.5)
    reader.click("zoom-whole")
    assert scale(reader.page) == 1


def test_the_picture_does_not_trap_scrolling(visit, photos):
    reader = Reader(visit(**TAP))
    reader.put(*photos)
    page, box = reader.page, reader.page.locator("#make .compare").bounding_box()
    finger, x, y = page.context.new_cdp_session(page), box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    finger.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
    for step in range(1, 12):
        point = {"x": x, "y": y - 20 * step}
        finger.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [point]})
    finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    page.wait_for_function("scrollY > 100")
    assert page.evaluate("document.querySelector('#make .compare').style.getPropertyValue('--split')") == "50%"


# Choices.


def test_another_look_is_made_without_the_network_and_another_photo_leaves_the_first_alone(reader, photos):
    reader.put(photos[0])
    reader.page.wait_for_function(
        "document.querySelector('#make [data-palette=noir]').style.background.includes('url')"
    )
    reader.asked.clear()
    for palette in ("noir", "dusk"):
        reader.choose("palette", palette)
    assert {name for name, _ in reader.asked} == {"grade"}
    reader.page.set_input_files("#files", str(photos[1]))
    reader.wait(2)
    drawn = [asked["name"] for name, asked in reader.asked if name == "draw"]
    assert set(drawn) == {"hill.jpg"}


def test_strength_by_keys_gives_the_file_that_is_shown(reader, photos):
    reader.put(photos[0])
    _, strong = reader.save()
    before = reader.shown()
    reader.page.locator("#strength").press("Home")
    reader.changed(before)
    name, weak = reader.save()
    photo = pixels(photos[0].read_bytes())
    assert name == f"river-{FAVOURITE}-0.jpg"
    assert np.abs(pixels(weak) - photo).mean() < 1.5 < np.abs(pixels(strong) - photo).mean()


def test_no_choice_can_be_emptied(reader):
    numbers = reader.page.locator("#make").locator("input[type=number], input[type=text]")
    assert numbers.count() == 0


def test_the_longest_side_is_followed(reader, large):
    reader.put(large)
    reader.page.select_option("#size", "1200")
    name, data = reader.save()
    assert name == f"large-{FAVOURITE}-1200px.jpg"
    assert pixels(data).shape == (923, 1200, 3)


def test_two_choices_never_have_one_name(reader, photos):
    reader.put(photos[0])
    reader.choose("palette", "shinkai")
    first = reader.save()
    reader.choose("network", "shinkai")
    second = reader.save()
    assert (first[0], second[0]) == (f"river-{FAVOURITE}-shinkai.jpg", "river-shinkai-shinkai.jpg")
    assert first[1] != second[1]


def test_a_change_stays_with_the_picture_that_is_looked_at(reader, photos):
    reader.put(*photos[:3])
    reader.page.locator("#make .tile").nth(2).click()
    reader.says(re.compile("sea.jpg: 160"))
    reader.choose("palette", "noir")
    assert reader.page.locator("#make .tile").nth(2).get_attribute("aria-pressed") == "true"
    assert reader.save()[0] == f"sea-{FAVOURITE}-noir.jpg"


def test_choices_are_remembered(visit, photos):
    reader = Reader(visit())
    page = reader.page
    page.locator("#make [name=palette][value=noir]").check(force=True)
    page.locator("#strength").press("ArrowLeft")
    page.locator("#make [name=keep]").check()
    page.select_option("#size", "2000")
    page.reload()
    page.wait_for_selector("#make .drop")
    reader.put(photos[0])
    order = {"network": FAVOURITE, "palette": "noir", "lines": "bold", "size": 2000, "strength": 0.95, "keep": True}
    assert reader.asked[-1][1]["order"] == order | {"speed": "lite"}


# How it goes.


def test_one_photo_has_progress_and_can_be_stopped(reader, large):
    reader.page.select_option("#lines", "finest")
    reader.page.set_input_files("#files", str(large))
    reader.says(re.compile("Drawing …"))
    reader.click("stop")
    reader.says("Stopped. What is drawn is kept.") if reader.page.is_visible("#make .tools") else None
    reader.page.wait_for_function("document.querySelector('#make .busy').hidden")
    reader.page.locator("#make [data-do=go-on]").wait_for()
    reader.page.select_option("#lines", "bold")
    reader.click("go-on")
    reader.wait(1)


def test_after_a_stop_the_others_go_into_the_zip(reader, photos, large):
    reader.put(*photos[:2])
    reader.page.select_option("#lines", "finest")
    reader.page.set_input_files("#files", str(large))
    reader.says(re.compile(r"Drawing \d of 3"))
    reader.click("stop")
    reader.page.locator("#make [data-do=go-on]").wait_for()
    with zipfile.ZipFile(io.BytesIO(reader.save("zip")[1])) as archive:
        assert archive.namelist() == [f"river-{FAVOURITE}-finest.jpg", f"hill-{FAVOURITE}-finest.jpg"]


def test_several_photos_make_an_album_and_a_zip(reader, photos):
    reader.put(*photos[:3])
    name, data = reader.save("zip")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert (name, archive.testzip()) == ("anime.zip", None)
        assert archive.namelist() == [f"river-{FAVOURITE}.jpg", f"hill-{FAVOURITE}.jpg", f"sea-{FAVOURITE}.jpg"]
        third = archive.read(f"sea-{FAVOURITE}.jpg")
    reader.page.locator("#make .tile").nth(2).click()
    assert reader.save() == (f"sea-{FAVOURITE}.jpg", third)
    reader.page.get_by_role("button", name="Remove hill.jpg").click()
    assert reader.page.locator("#make .tile").count() == 2


def test_a_file_is_stopped_that_was_asked_for_while_something_was_drawn(reader, photos):
    reader.put(*photos[:2])
    held = []

    def hold(route) -> None:
        held.append(route) if len(held) < 2 else route.continue_()

    for kind in ("draw", "keep"):
        reader.page.route(f"**/studio/{kind}", hold)
    reader.page.select_option("#lines", "finest")
    reader.says(re.compile(r"Drawing \d of 2"))
    reader.click("full")
    reader.says("Making the file")
    reader.page.wait_for_timeout(200)
    assert [route.request.url.split("/")[-1] for route in held] == ["draw", "keep"]
    reader.click("stop")
    reader.says("Stopped. What is drawn is kept.")
    reader.wait(2)


FOCUSED = "document.activeElement.dataset.open ?? document.activeElement.textContent"


def test_the_album_keeps_the_focus_while_it_is_drawn_and_where_a_photo_is_removed(reader, photos):
    reader.put(*photos[:3])
    page, tiles = reader.page, reader.page.locator("#make .tile")
    tiles.nth(1).focus()
    before = page.evaluate(FOCUSED)
    page.locator("#make [name=palette][value=noir]").evaluate("chip => chip.click()")
    reader.wait(3)
    page.keyboard.press("Enter")
    reader.says(re.compile("hill.jpg: 160"))
    assert page.evaluate(FOCUSED) == before
    page.keyboard.press("Tab")
    for gone, near in (("hill", "sea"), ("sea", "river")):
        assert f"Remove {gone}.jpg" in page.evaluate(FOCUSED)
        page.keyboard.press("Enter")
        if gone == "hill":
            assert f"Remove {near}.jpg" in page.evaluate(FOCUSED)
    assert page.evaluate("document.activeElement.dataset.do") == "choose", "one photo has no tile"
    reader.put(photos[1], done=2)
    assert tiles.evaluate_all("all => all.map(tile => tile.title)") == ["river.jpg", "hill.jpg"]


def test_what_cannot_be_drawn_stays_named_until_it_is_taken_away(reader, photos, tmp_path):
    (tmp_path / "notes.png").write_text("no picture")
    reader.page.set_input_files("#files", [str(tmp_path / "notes.png"), str(photos[0])])
    reader.says("notes.png: not a picture that can be read")
    reader.wait(1)
    reader.choose("palette", "noir")
    assert len(reader.problems()) == 1
    assert "Traceback" not in reader.page.content()
    reader.page.get_by_role("button", name="Dismiss").click()
    assert reader.problems() == []


@pytest.mark.parametrize("asked_for", ["**/studio/photo?*", "**/studio/draw"])
def test_a_busy_studio_says_so_and_is_asked_again(reader, photos, asked_for):
    answers = [429]

    def refuse(route) -> None:
        status = answers.pop() if answers else None
        route.fulfill(status=status, body="{}") if status else route.continue_()

    reader.page.route(asked_for, refuse)
    reader.page.set_input_files("#files", str(photos[0]))
    reader.says("The studio is busy")
    reader.wait(1)
    assert reader.problems() == []


def test_a_photo_that_a_busy_studio_has_is_not_sent_again(reader, photos):
    sent = []

    def refuse(route) -> None:
        sent.append(route.request.url)
        address = route.request.url.split("&order=")[0]  # which takes the photo, and draws nothing
        route.fulfill(status=429, body=reader.page.request.post(address, data=photos[0].read_bytes()).text())

    reader.page.route("**/studio/photo?*", refuse)
    reader.page.set_input_files("#files", str(photos[0]))
    reader.says("The studio is busy")
    reader.wait(1)
    assert len(sent) == 1
    assert [kind for kind, _ in reader.asked][:2] == ["send", "draw"]


@pytest.mark.parametrize("asked_for", ["**/studio/photo?*", "**/studio/draw"])
def test_a_silent_studio_says_so_and_is_asked_again(reader, photos, asked_for):
    calls = []

    def refuse(route) -> None:
        calls.append(route)
        route.abort() if len(calls) == 1 else route.continue_()

    reader.page.route(asked_for, refuse)
    reader.page.set_input_files("#files", str(photos[0]))
    reader.says("The studio does not answer")
    reader.wait(1)


def test_a_reload_keeps_the_photos_and_says_which_are_gone(reader, photos):
    reader.put(*photos[:2])
    reader.page.reload()
    reader.wait(2)
    reader.page.evaluate(
        """() => sessionStorage.setItem("studio_photos", JSON.stringify(
            [{ key: "0".repeat(32), name: "old.jpg", place: "", film: false }]))"""
    )
    reader.page.reload()
    reader.says("old.jpg: cleared away")
    assert reader.page.is_visible("#make .drop")


def test_a_photo_that_was_cleared_away_is_taken_in_again(reader, photos, project):
    reader.put(photos[0])
    for about in project.parent.glob("anime-studio-*/photos/*/about.json"):
        about.unlink()
    reader.choose("palette", "noir")
    assert reader.save()[0] == f"river-{FAVOURITE}-noir.jpg"


def test_a_zip_of_photos_that_were_cleared_away_takes_them_in_again_and_names_the_others(reader, photos, project):
    def cleared() -> None:
        for about in project.parent.glob("anime-studio-*/photos/*/about.json"):
            about.unlink()

    def zipped() -> list[str]:
        with zipfile.ZipFile(io.BytesIO(reader.save("zip")[1])) as archive:
            return archive.namelist()

    reader.put(*photos[:2])
    cleared()
    assert zipped() == [f"river-{FAVOURITE}.jpg", f"hill-{FAVOURITE}.jpg"]
    assert reader.problems() == []
    reader.wait(2)
    reader.page.reload()
    reader.wait(2)
    reader.put(photos[2], done=3)
    cleared()
    assert zipped() == [f"sea-{FAVOURITE}.jpg"]
    assert [line.splitlines()[0].rstrip("×") for line in reader.problems()] == [
        f"{name}.jpg: cleared away; please put it in again" for name in ("river", "hill")
    ]


# More than a picture.


def test_before_and_after_are_saved_as_a_picture_and_as_an_animation(reader, photos):
    reader.put(photos[0])
    name, data = reader.save("pair")
    assert (name, pixels(data).shape) == (f"river-{FAVOURITE}-before-after.jpg", (160, 320, 3))
    assert np.abs(pixels(data)[:, :160] - pixels(photos[0].read_bytes())).mean() < 3
    name, data = reader.save("gif")
    animation = Image.open(io.BytesIO(data))
    assert (name, animation.format, animation.size) == (f"river-{FAVOURITE}-before-after.gif", "GIF", (160, 160))
    assert animation.n_frames > 10


@pytest.fixture
def film(tmp_path) -> Path:
    av = pytest.importorskip("av", reason="films need PyAV: pip install '.[video]'")
    with av.open(str(tmp_path / "walk.mp4"), "w") as output:
        stream = output.add_stream("libx264", rate=24)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        corners = np.random.default_rng(2).integers(0, 255, (6, 8, 3), np.uint8)
        for index in range(48):
            picture = Image.fromarray(np.roll(corners, index // 8, 1)).resize((320, 240), Image.Resampling.BICUBIC)
            output.mux(stream.encode(av.VideoFrame.from_image(picture)))
        output.mux(stream.encode(None))
    return tmp_path / "walk.mp4"


def test_a_film_shows_its_first_frame_and_is_drawn_with_progress_and_time_left(reader, film, tmp_path):
    import av

    reader.put(film)
    reader.says("walk.mp4: a film; this is its first frame")
    with reader.page.expect_download() as download:
        reader.click("full")
        reader.says(re.compile(r"Drawing the film … \d+ %"))
        reader.says(re.compile(r"about \d+ s left"))
    assert download.value.suggested_filename == f"walk-{FAVOURITE}.mp4"
    with av.open(download.value.path()) as made:
        frames = [frame.to_ndarray(format="rgb24") for frame in made.decode(video=0)]
    assert (len(frames), frames[0].shape) == (48, (240, 320, 3))
    assert reader.page.is_visible("#make video.film")


def test_a_film_can_be_stopped(reader, film):
    reader.put(film)
    reader.click("full")
    reader.says(re.compile(r"Drawing the film … [1-9]\d* %"))
    reader.click("stop")
    reader.says("Stopped. What is drawn is kept.")
    reader.choose("palette", "noir")
    assert not reader.page.is_visible("#make video.film")


def test_programs_have_a_page_and_are_drawn_in_their_turn(visit, address, photos):
    client = pytest.importorskip("gradio_client", reason="comes with Gradio")
    page = visit("api")
    assert page.locator("pre").inner_text().startswith("from gradio_client import Client, handle_file")
    assert address in page.locator("pre").inner_text()
    studio = client.Client(address, verbose=False)
    options = {"style": "hayao", "palette": "noir", "strength": 1, "keep_colour": False, "lines": "bold"}
    made = studio.predict(client.handle_file(str(photos[0])), **options, longest_side=0, api_name="/make")
    assert Path(made).name == "river-hayao-noir.jpg"
    assert np.ptp(pixels(Path(made).read_bytes()), axis=2).mean() < 3


# Language and light.


def test_the_browsers_language_is_spoken_and_can_be_switched(visit, photos):
    reader = Reader(visit(**DESKTOP | {"locale": "zh-CN"}))
    for key in ("style", "palette", "strength", "sakura", "empty_title", "tagline", "choose"):
        assert reader.page.get_by_text(TEXTS[key][1], exact=True).first.is_visible(), key
        assert reader.page.get_by_text(TEXTS[key][0], exact=True).filter(visible=True).count() == 0, key
    assert reader.page.locator("#lines option:checked").inner_text() == TEXTS["lines_bold"][1]
    reader.put(*photos[:2])
    shown = reader.shown()
    reader.asked.clear()
    reader.page.click("#language")
    reader.says("Download")
    assert reader.page.locator("#lines option:checked").inner_text() == TEXTS["lines_bold"][0]
    assert (reader.shown(), reader.asked) == (shown, []), "nothing is drawn again"
    reader.page.reload()
    reader.says("Download")


def test_dark_follows_the_system_and_the_button(visit):
    page = visit(**DESKTOP | {"color_scheme": "dark"})
    page.wait_for_selector("#make .drop")
    colour = "getComputedStyle(document.body).color"
    assert page.evaluate("document.body.classList.contains('dark')")
    dark_text = page.evaluate(colour)
    page.click("#dark")
    page.wait_for_function("!document.body.classList.contains('dark')")
    assert page.evaluate(colour) != dark_text
    page.reload()
    page.wait_for_selector("#make .drop")
    assert not page.evaluate("document.body.classList.contains('dark')")
