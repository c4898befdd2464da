"""The page in a browser, as people use it."""

import asyncio
import io
import re
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anime_app.studio.texts import TEXTS
from benchmarks.browser import CHROMIUM, FLAGS
from benchmarks.studio import Server, jpeg, server, visit

pytest.importorskip("gradio", reason="the studio needs Gradio: pip install '.[studio]'")
playwright = pytest.importorskip("playwright.sync_api", reason="needs Playwright: pip install playwright")
FAKE_CAMERA = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not CHROMIUM, reason="needs a Chromium that is installed")]
PATIENCE = 30_000  # milliseconds: on a busy machine everything takes its time


@pytest.fixture(scope="module")
def studio() -> Iterator[Server]:
    with server("--queue", "1", "--concurrency", "1", "--max-upload", "3") as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    with playwright.sync_playwright() as tools:
        browser = tools.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, *FAKE_CAMERA])
        yield browser
        browser.close()


@pytest.fixture
def photos(tmp_path) -> list[Path]:
    files = [tmp_path / f"{name}.jpg" for name in ("river", "hill", "sea")]
    for seed, file in enumerate(files):
        file.write_bytes(jpeg(160, seed))
    return files


class Reader:
    """A person with the page open. Fails where the page calls elsewhere or a script breaks."""

    def __init__(self, browser, studio: Server, **settings: object) -> None:
        self.calls, self.broken = [], []
        defaults = {"locale": "en-GB", "viewport": {"width": 1200, "height": 900}, "permissions": ["camera"]}
        self.context = browser.new_context(**(defaults | settings))
        self.page = self.context.new_page()
        self.page.set_default_timeout(PATIENCE)
        self.page.on("request", lambda request: self.calls.append(request.url))
        self.page.on("pageerror", lambda error: self.broken.append(str(error)))
        self.page.goto(studio.url)
        self.page.wait_for_selector("#looks label")
        self.home = studio.url

    def put(self, *files: Path) -> None:
        self.page.set_input_files("#photos input[type=file]", list(map(str, files)))

    def wait(self, text: str) -> None:
        self.page.locator("#notice").get_by_text(text).wait_for()

    def saved(self, button: str) -> tuple[str, bytes]:
        with self.page.expect_download() as download:
            self.page.click(button)
        return download.value.suggested_filename, Path(download.value.path()).read_bytes()

    def close(self) -> None:
        self.context.close()
        assert not self.broken
        assert [url for url in self.calls if not url.startswith((self.home, "data:", "blob:"))] == []


@pytest.fixture
def reader(browser, studio) -> Iterator[Reader]:
    reader = Reader(browser, studio)
    yield reader
    reader.close()


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)


def test_a_photo_is_drawn_compared_and_saved_in_full_size(reader, photos):
    assert not reader.page.is_visible("#result")
    reader.put(photos[0])
    reader.wait("Done: river-shinkai.jpg")
    name, data = reader.saved("#download")
    assert (name, pixels(data).shape) == ("river-shinkai.jpg", (160, 160, 3))
    assert np.abs(pixels(data) - pixels(photos[0].read_bytes())).mean() > 2
    assert not reader.page.is_visible("#album")
    assert not reader.page.is_visible("#zip")


def test_the_slider_lies_between_before_and_after(reader, photos):
    reader.put(photos[0])
    reader.wait("Done: river")
    shown = reader.page.locator("#result img").evaluate_all("all => all.map(image => decodeURI(image.src))")
    assert any("river.jpg" in url for url in shown)
    assert any("river-shinkai.jpg" in url for url in shown)
    handle, frame = reader.page.locator("#result .outer, #result .slider-wrap").last, reader.page.locator("#result")
    handle.wait_for()
    before = frame.screenshot()
    box = handle.bounding_box()
    reader.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    reader.page.mouse.down()
    reader.page.mouse.move(box["x"] - 150, box["y"] + box["height"] / 2, steps=5)
    reader.page.mouse.up()
    assert handle.bounding_box()["x"] < box["x"] - 100
    assert frame.screenshot() != before


def test_one_click_on_a_look_draws_it(reader, photos):
    reader.put(photos[0])
    reader.wait("Done: river-shinkai.jpg")
    reader.page.locator("#looks label", has_text="Noir").click()
    reader.wait("Done: river-noir.jpg")
    _, data = reader.saved("#download")
    assert np.ptp(pixels(data), axis=2).mean() < 3


def test_strength_zero_gives_the_photo_back(reader, photos):
    reader.put(photos[0])
    reader.wait("Done: river")
    _, strong = reader.saved("#download")
    slider = reader.page.locator("#strength input[type=range]")
    slider.focus()
    shown = "[...document.querySelectorAll('#result img')].map(image => image.src).join()"
    before = reader.page.evaluate(shown)
    slider.press("Home")
    slider.dispatch_event("pointerup")
    reader.page.wait_for_function(f"before => {shown} !== before", arg=before)
    _, weak = reader.saved("#download")
    photo = pixels(photos[0].read_bytes())
    assert np.abs(pixels(weak) - photo).mean() < 1.5 < np.abs(pixels(strong) - photo).mean()


def test_several_photos_make_an_album_and_a_zip(reader, photos):
    reader.put(*photos)
    reader.wait("Done: 3 pictures")
    name, data = reader.saved("#zip")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert (name, archive.testzip()) == ("anime.zip", None)
        assert archive.namelist() == ["river-shinkai.jpg", "hill-shinkai.jpg", "sea-shinkai.jpg"]
        third = archive.read("sea-shinkai.jpg")
    reader.page.locator("#album button.thumbnail-item").nth(2).click()
    reader.wait("Done: sea-shinkai.jpg")
    assert reader.saved("#download") == ("sea-shinkai.jpg", third)


def test_what_cannot_be_drawn_is_named_and_the_rest_is_made(reader, photos, tmp_path):
    (tmp_path / "notes.png").write_text("no picture")
    reader.put(tmp_path / "notes.png", photos[0])
    reader.wait("notes.png: not a picture that can be read")
    reader.wait("Done: river-shinkai.jpg")
    assert "Traceback" not in reader.page.content()


@pytest.fixture
def huge(tmp_path) -> Path:
    """A byte more than the studio takes."""
    (tmp_path / "huge.jpg").write_bytes(b"\0" * 3_000_001)
    return tmp_path / "huge.jpg"


def test_a_file_over_the_limit_is_one_line_and_the_others_are_drawn(reader, photos, huge):
    said = reader.page.locator("#too-large")
    reader.put(huge)
    said.get_by_text("huge.jpg: too large, at most 3 MB for one file.", exact=True).wait_for()
    assert reader.page.get_by_text("exceed").count() == 0, "Gradio says nothing of its own"
    reader.page.click("#language")
    said.get_by_text("huge.jpg：文件过大，单个文件上限为 3 MB。", exact=True).wait_for()
    reader.put(huge, photos[0])
    reader.wait("完成：river-shinkai.jpg")
    assert said.is_visible()
    assert reader.page.locator("#photos img").count() == 1
    reader.put(photos[1])
    reader.wait("完成：2 张图片")
    assert not said.is_visible(), "it goes with the next choice"


DROP = """([zone, files]) => {
    const dropped = new DataTransfer();
    for (const [name, size] of files) dropped.items.add(new File([new Uint8Array(size)], name, { type: "image/jpeg" }));
    zone.dispatchEvent(new DragEvent("drop", { dataTransfer: dropped, bubbles: true, cancelable: true }));
}"""


def test_what_is_dropped_is_bounded_too(reader):
    zone = reader.page.locator("#photos").get_by_text("Drop photos here").element_handle()
    reader.page.evaluate(DROP, [zone, [["huge.jpg", 3_000_001], ["larger.jpg", 4_000_000]]])
    reader.page.get_by_text("huge.jpg, larger.jpg: too large, at most 3 MB for one file.").wait_for()
    reader.page.evaluate(DROP, [zone, [["huge.jpg", 3_000_001], ["empty.jpg", 3_000_000]]])
    reader.wait("empty.jpg: not a picture that can be read")
    assert reader.page.locator("#too-large").inner_text() == "huge.jpg: too large, at most 3 MB for one file."


def test_the_limit_holds_in_the_view_compare(reader, huge):
    reader.page.get_by_role("tab", name="Compare").click()
    with reader.page.expect_file_chooser() as chooser:
        reader.page.click("#compare-upload")
    chooser.value.set_files(huge)
    reader.page.get_by_text("huge.jpg: too large, at most 3 MB for one file.").wait_for()


def test_the_camera_takes_a_photo(reader):
    reader.page.get_by_role("button", name="Capture from camera").click()
    reader.page.get_by_text("Click to Access Webcam").click()
    reader.page.wait_for_function("document.querySelector('#photos video').currentTime > 0")
    reader.page.get_by_role("button", name=re.compile("capture photo", re.I)).click()
    reader.page.locator("#notice").get_by_text(re.compile("Done: .*-shinkai")).wait_for()


def test_a_full_queue_says_that_it_is_busy(reader, studio, photos):
    entered, leave = threading.Event(), threading.Event()
    crowd = threading.Thread(target=lambda: asyncio.run(occupy(studio.url, entered, leave)))
    crowd.start()
    try:
        assert entered.wait(PATIENCE / 1000)
        reader.put(photos[0])
        reader.page.get_by_text("The studio is busy").wait_for()
    finally:
        leave.set()
        crowd.join()
    reader.page.click("#draw")
    reader.wait("Done: river-shinkai.jpg")


async def occupy(url: str, entered: threading.Event, leave: threading.Event) -> None:
    """Keeps the one worker busy and the one place in the queue taken."""
    async with visit(url) as first, visit(url) as second:
        large = jpeg(1600, 0)
        path = await first.upload(large)
        await first.ask([path] * 24)
        while (await (await first.session.get("/gradio_api/queue/status")).json())["queue_size"]:
            await asyncio.sleep(0.05)
        await second.ask([await second.upload(large)])
        entered.set()
        while not leave.is_set():
            await asyncio.sleep(0.05)
        # whoever goes is taken out of the queue
        for visitor in (second, first):
            async for _ in visitor.messages():
                break


def test_the_browsers_language_is_spoken_and_can_be_switched(browser, studio):
    reader = Reader(browser, studio, locale="zh-CN")
    for key in ("draw", "preset", "strength", "sakura", "empty_title", "upload_text.drop_gallery", "tagline"):
        exact = key != "upload_text.drop_gallery"  # stands among other words
        assert reader.page.get_by_text(TEXTS[key][1], exact=exact).first.is_visible(), key
        assert reader.page.get_by_text(TEXTS[key][0], exact=exact).filter(visible=True).count() == 0, key
    reader.page.click("#language")
    reader.page.get_by_role("button", name="Draw", exact=True).wait_for()
    reader.page.reload()
    reader.page.get_by_role("button", name="Draw", exact=True).wait_for()
    assert reader.page.get_by_text(TEXTS["tagline"][1]).filter(visible=True).count() == 0
    reader.close()


SHOWN = """() => {
    const texts = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const hidden = new Set(["SCRIPT", "STYLE"]);
    while (walker.nextNode()) {
        const { nodeValue, parentElement } = walker.currentNode;
        if (hidden.has(parentElement.tagName) || !parentElement.checkVisibility()) continue;
        if (nodeValue.trim()) texts.push(nodeValue.trim());
    }
    return texts.concat([...document.querySelectorAll("#size input")].map((input) => input.value));
}"""


def test_switching_the_language_keeps_photos_results_and_settings(reader, photos):
    page = reader.page
    assert page.locator("#looks .selected").inner_text() == "Plain", "the value is not taken for a text"
    page.locator("#looks label", has_text="Noir").click()
    page.locator("#strength input[type=range]").press("ArrowLeft")
    page.locator("#more button").first.click()
    page.get_by_label("Keep the photo's colours").check()
    reader.put(*photos[:2])
    reader.wait("Done: 2 pictures")
    pictures = "[...document.querySelectorAll('#photos img, #result img, #album img')].map(image => image.src)"
    before, uploads = page.evaluate(pictures), len(reader.calls)
    assert len(before) == 6
    page.click("#language")
    reader.wait("完成：2 张图片")
    page.get_by_role("button", name=TEXTS["draw"][1], exact=True).wait_for()
    assert page.evaluate(pictures) == before
    assert page.locator("#looks .selected").inner_text() == TEXTS["noir"][1]
    assert page.locator("#strength input[type=range]").input_value() == "0.95"
    assert page.get_by_label(TEXTS["keep"][1]).is_checked()
    assert not [url for url in reader.calls[uploads:] if "queue" in url or "upload" in url], "nothing is drawn again"
    page.locator("#looks label", has_text=TEXTS["dusk"][1]).click()
    reader.wait("完成：2 张图片")


def test_after_switching_every_text_is_the_one_of_a_page_loaded_in_that_language(browser, studio):
    for locale, other in (("en-GB", "zh-CN"), ("zh-CN", "en-GB")):
        shown = []
        for first, switched in ((locale, False), (other, True)):
            reader = Reader(browser, studio, locale=first)
            reader.page.locator("#more button").first.click()
            if switched:
                reader.page.click("#language")
            reader.page.get_by_text(TEXTS["size"][locale == "zh-CN"]).wait_for()
            reader.page.get_by_text(TEXTS["upload_text.drop_gallery"][locale == "zh-CN"]).wait_for()
            shown.append(reader.page.evaluate(SHOWN))
            reader.close()
        assert shown[0] == shown[1]
        assert len(shown[0]) > 30


def test_dark_follows_the_system_and_the_button(browser, studio):
    reader = Reader(browser, studio, color_scheme="dark")
    colour = "getComputedStyle(document.body).color"
    assert reader.page.evaluate("document.body.classList.contains('dark')")
    dark_text = reader.page.evaluate(colour)
    reader.page.click("#dark")
    reader.page.wait_for_function("!document.body.classList.contains('dark')")
    assert reader.page.evaluate(colour) != dark_text
    reader.page.reload()
    reader.page.wait_for_selector("#looks label")
    assert not reader.page.evaluate("document.body.classList.contains('dark')")
    reader.close()


def test_on_a_phone_nothing_sticks_out_and_everything_can_be_pressed(browser, studio, photos):
    reader = Reader(browser, studio, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    reader.put(*photos)
    reader.wait("Done: 3 pictures")
    assert reader.page.evaluate("document.documentElement.scrollWidth") <= 390
    for button in ("#draw", "#download", "#zip", "#language", "#dark"):
        box = reader.page.locator(button).bounding_box()
        assert box["height"] >= 40
        assert 0 <= box["x"] <= box["x"] + box["width"] <= 390
    reader.close()
