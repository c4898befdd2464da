"""The view Compare in a real browser, and its parts by themselves."""

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.studio.conftest import TOKEN
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
    assert rows[0].split("\t")[:5] == ["untouched photo", "–", "–", "–", "2.40"], "what they are compared with"
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
    said.get_by_text("would promote").wait_for()
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
