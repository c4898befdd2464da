"""The view Compare in a real browser, and its parts by themselves."""

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anime_app.studio.sheet import COLUMNS, figures_table
from anime_app.studio.versions import Version
from benchmarks.browser import PHONE
from tests.studio.conftest import DESKTOP, TOKEN
from tests.studio.project import STEPS, photo

pytestmark = pytest.mark.long


@pytest.fixture
def page(visit):
    page = visit()
    page.get_by_role("tab", name="Compare").click()
    drawn(page, 6)
    return page


def drawn(page, count: int) -> None:
    """Waits until so many pictures are there."""
    page.wait_for_function(f"document.querySelectorAll('#compare-panes .pane img').length === {count}")


def titles(page) -> list[str]:
    return page.locator("#compare-panes figcaption b").all_inner_texts()


def pixels(page, index: int) -> np.ndarray:
    source = page.locator("#compare-panes .pane img").nth(index).get_attribute("src")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(source.split(",")[1])))).astype(int)


def transform(page) -> np.ndarray:
    """The scale of all pictures, and where their upper left corners lie in hundredths of a pane."""
    read = """all => all.map(one => {
        const { a, e, f } = new DOMMatrix(getComputedStyle(one).transform);
        return [a, 100 * e / one.offsetWidth, 100 * f / one.offsetHeight];
    })"""
    found = np.array(page.eval_on_selector_all("#compare-panes .pane img", read))
    assert np.ptp(found, axis=0).max() < 1, "together"
    return found[0]


def test_one_photo_goes_through_every_step_beside_its_figures(page):
    assert titles(page) == ["photo", *(f"cel · {step}" for step in STEPS)]
    assert np.abs(255 - pixels(page, 5) - pixels(page, 0)).mean() < 4, "the toy's int8 model makes negatives"
    rows = page.locator("#compare-table tbody tr").all_inner_texts()
    assert len(rows) == 7
    assert rows[0].split("\t")[:5] == ["untouched photo", "-", "-", "-", "2.4"], "what they are compared with"
    assert rows[6].split("\t")[:4] == ["cel · int8v5", "219,132", "1.78 MB", "46 ms"]
    assert "champion" in rows[4]
    assert "ONNX Runtime 1, 2 threads, 512 px, a processor" in page.locator("#compare-table .small").inner_text()
    assert page.locator("#compare-trends svg").count() == 4
    assert page.locator("#compare-trends .ring").count() == 4, "the champion, in every chart"


def test_all_pictures_zoom_and_move_together(page):
    assert transform(page).tolist() == [1, 0, 0]
    view = page.locator("#compare-panes .pane .view").nth(1)
    view.click(position={"x": 30, "y": 20})
    closer = transform(page)
    assert closer[0] == 3
    box = view.bounding_box()
    page.mouse.move(box["x"] + 100, box["y"] + 80)
    page.mouse.down()
    page.mouse.move(box["x"] + 60, box["y"] + 60, steps=3)
    page.mouse.up()
    moved = transform(page)
    assert moved[0] == 3
    assert (moved[1:] < closer[1:] - 5).all()
    page.locator("#compare-panes .panes").focus()
    page.keyboard.press("+")
    assert transform(page)[0] == 4.5
    page.keyboard.press("0")
    assert transform(page).tolist() == [1, 0, 0]


def test_a_point_of_the_front_shows_its_pictures(page):
    page.locator('#compare-pareto [data-key="trial/cel/both"]').click()
    page.wait_for_function("document.querySelector('#compare-panes').innerText.includes('trial both')")
    drawn(page, 7)
    assert np.abs(pixels(page, 6) - pixels(page, 0)).mean() < 4, "the trial's model changes nothing"
    assert page.locator("#compare-table tbody tr").count() == 8
    pressed = '#compare-pareto [data-key="trial/cel/both"][aria-pressed="true"]'
    page.locator(pressed).press("Enter")
    drawn(page, 6)
    page.locator('#compare-pareto [data-key="trial/cel/gone"]').press(" ")
    page.wait_for_function("document.querySelector('#compare-notes').innerText.includes('its model file is not there')")


def put(page, file: Path) -> None:
    with page.expect_file_chooser() as chooser:
        page.locator("#compare-upload").click()
    chooser.value.set_files(file)


def test_a_person_s_own_photo_is_drawn_and_its_file_removed(page, project: Path, tmp_path: Path):
    Image.fromarray(photo(9)).save(tmp_path / "mine.png")
    put(page, tmp_path / "mine.png")
    page.wait_for_selector('#compare-strip [data-key="own"][aria-pressed="true"]')
    drawn(page, 6)
    page.wait_for_timeout(300)
    drawn(page, 6)
    assert np.abs(pixels(page, 0) - photo(9)).mean() < 4
    assert not list(project.parent.glob("anime-studio-*/**/mine.png"))
    page.locator('#compare-strip [data-key="scenes/pond"]').click()
    page.wait_for_selector('#compare-strip [data-key="scenes/pond"][aria-pressed="true"]')


def test_a_file_that_is_no_picture_is_one_line(page, tmp_path: Path):
    (tmp_path / "words.jpg").write_text("no picture")
    put(page, tmp_path / "words.jpg")
    said = page.locator("#compare-notes .problem")
    said.wait_for()
    assert said.inner_text() == "words.jpg: not a picture that can be read (damaged, empty or of an unknown kind)"


def asked(project: Path) -> list[str]:
    return (project / "asked.txt").read_text().splitlines() if (project / "asked.txt").exists() else []


def test_promote_and_roll_back_by_the_flow_only_with_the_token(page, project: Path):
    said = page.locator("#promote-verdict")
    page.locator("#promote").click()
    said.get_by_text("The token is missing or wrong: nothing was changed.").wait_for()
    page.locator("#promote-token input").fill("guessed")
    page.locator("#promote-back").click()
    page.wait_for_timeout(300)
    said.get_by_text("The token is missing or wrong").wait_for()
    assert asked(project) == [], "nothing was started"

    page.locator("#promote-token input").fill(TOKEN)
    page.locator("#promote-check").click()
    said.locator(".going", has_text=re.compile("[1-9] s")).wait_for()
    said.get_by_text("would promote").wait_for()
    assert said.locator("tbody tr").first.inner_text().split("\t")[1:3] == ["432,461", "500,000"]
    assert said.locator("tbody tr").nth(1).inner_text().split("\t") == ["LPIPS <b>", "0.126", "0.06", "passed"]
    page.locator("#promote").click()
    said.get_by_text("promoted", exact=True).wait_for()
    assert "champion before: v3" in said.inner_text()
    page.locator("#promote-back").click()
    said.get_by_text("Say why in a few words").wait_for()
    page.locator("#promote-reason input, #promote-reason textarea").first.fill("faces --json look $(odd)")
    page.locator("#promote-back").click()
    said.get_by_text("rolled back").wait_for()
    assert asked(project) == [
        "cel --dry-run --json",
        "cel --json",
        "cel --rollback --reason=faces --json look $(odd) --json",
    ]


def test_a_refusal_shows_the_gate(page):
    page.locator("#promote-token input").fill(TOKEN)
    page.locator("#promote-version input").click()
    page.get_by_role("option", name="cel v1 · teacher").click()
    page.locator("#promote").click()
    said = page.locator("#promote-verdict")
    said.get_by_text("refused").wait_for()
    assert "lpips failed: 0.126, at most 0.06" in said.inner_text()
    assert "not passed" in said.locator("tbody tr").nth(1).inner_text()


WIDTHS = {
    "phone": PHONE,
    "tablet": {"viewport": {"width": 800, "height": 1000}},
    "laptop": DESKTOP,
    "screen": {"viewport": {"width": 1920, "height": 1080}},
    "chinese, dark": {"viewport": {"width": 1280, "height": 900}, "locale": "zh-CN", "color_scheme": "dark"},
}
CUT = """() => [
    ...document.querySelectorAll('#views button:not(.label-wrap), #views label > span, #views input')
].filter(
    one => one.offsetParent && one.clientWidth > 20 && !['range', 'password'].includes(one.type)
        && one.scrollWidth > one.clientWidth + 1
).map(one => one.outerHTML.slice(0, 120))"""
OVERLAPS = """() => [...document.querySelectorAll('.chart svg')].flatMap(chart => {
    const words = [...chart.querySelectorAll('text')].map(one => [one.textContent, one.getBoundingClientRect()]);
    return words.flatMap(([text, box], index) => words.slice(index + 1).filter(([, other]) =>
        box.left < other.right - 1 && other.left < box.right - 1
        && box.top < other.bottom - 2 && other.top < box.bottom - 2
    ).map(([other]) => `${text} on ${other}`));
})"""


@pytest.mark.parametrize("device", WIDTHS.values(), ids=WIDTHS)
def test_compare_and_judge_fit_every_screen(visit, device):
    page = visit(**device)
    page.locator("#views [role=tab][data-tab-id=compare]").click()
    drawn(page, 6)
    page.locator("#compare-pareto svg").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate(CUT) == []
    scale = page.locator("#compare-pareto svg").evaluate("one => one.getBoundingClientRect().width / 640")
    assert scale > 0.75, "words of 13 px in a chart of 640"
    assert page.evaluate(OVERLAPS) == []
    page.locator("#views [role=tab][data-tab-id=judge]").click()
    page.locator("#judge-token input").fill(TOKEN)
    page.locator("#judge-token input").press("Enter")
    page.locator("#judge-new button").first.click()
    page.locator("#judge-make").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate(CUT) == []


def whole_table() -> str:
    """The release's longest figures in every column that there is."""
    figures = {
        "parameters": 2_143_552,
        "bytes": 8_900_000,
        "latency_p50_ms": 2290,
        "peak_memory_mb": 1152,
        "fid": 101.23,
    }
    figures = dict.fromkeys((key for key, *_ in COLUMNS), 0.123) | figures
    marks = ("champion", "challenger")
    return figures_table(
        [Version(f"run/shinkai/{step}", f"shinkai · {step}", "shinkai", step, figures, number=12, aliases=marks)
         for step in STEPS]
    )  # fmt: skip


@pytest.mark.parametrize("language", ["en-GB", "zh-CN"])
def test_every_figure_is_in_view_on_a_laptop_and_names_stay_on_what_is_smaller(visit, language):
    def table(width: int):
        page = visit(viewport={"width": width, "height": 900}, locale=language)
        page.locator("#views [role=tab][data-tab-id=compare]").click()
        page.locator("#compare-table .sheet").wait_for()
        page.locator("#compare-table .sheet").evaluate("(one, table) => { one.outerHTML = table; }", whole_table())
        return page.locator("#compare-table .sheet").first

    laptop, tablet = table(1280), table(800)
    assert laptop.evaluate("one => one.scrollWidth - one.clientWidth") <= 0
    assert laptop.locator("thead th").count() == 1 + len(COLUMNS)
    name, figure = (tablet.locator("tbody td").nth(place) for place in (0, 1))
    before = name.bounding_box()["x"], figure.bounding_box()["x"]
    assert tablet.evaluate("one => { one.scrollLeft = 100; return one.scrollLeft; }") == 100
    assert (name.bounding_box()["x"], figure.bounding_box()["x"]) == (before[0], before[1] - 100)


def test_a_search_s_points_say_what_they_are_to_the_keyboard_and_in_a_table(page):
    points = page.locator("#compare-search .member")
    assert points.count() == 6, "the front: every second of twelve"
    assert page.locator("#compare-search .chosen .name").all_text_contents() == ["lite", "plus"]
    about = points.nth(3).locator(".about")
    assert not about.is_visible()
    points.nth(2).focus()
    page.keyboard.press("Tab")
    assert about.is_visible()
    said = about.text_content()
    for word in ("trial", " 6: LPIPS 0.1400", "27.5 ms", "0.15 MB", "a0 64", "c1 64", "e0 5", "--pick 6"):
        assert word in said
    assert not points.nth(2).locator(".about").is_visible()
    page.locator("#compare-search summary").click()
    assert page.locator("#compare-search tbody tr").count() == 12
    assert "python -m flows.search cel --pick lite" in page.locator("#compare-search code").inner_text()
