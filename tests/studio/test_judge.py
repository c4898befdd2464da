"""A panel in a real browser: made by an administrator, rated on a desktop and on a phone, blind, and read."""

import base64
import csv
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anime_app.panel.store import Store
from benchmarks.browser import PHONE
from tests.studio.conftest import TOKEN

pytestmark = pytest.mark.long
PAIRS = 6  # three versions on two photos
NAMES = ("teacher", "separable", "pruned", "distilled", "int8", "cel", "animegan", "onnx", "photo.jpg", "ada", "pond")

# Counts how many of Gradio's loading bars are seen at once, at most.
WATCH = """() => {
    window.mostBars = 0;
    const look = () => {
        const bars = [...document.querySelectorAll('[data-testid="status-tracker"]')].filter(
            one => one.checkVisibility({ opacityProperty: true }) && one.getBoundingClientRect().height > 0
                && !one.classList.contains('hide'));
        window.mostBars = Math.max(window.mostBars, bars.length);
        requestAnimationFrame(look);
    };
    look();
}"""


@pytest.fixture(scope="module")
def links(browser, address: str, project: Path) -> list[str]:
    """A panel made on the page itself; its raters' links."""
    page = browser.new_page()
    page.set_default_timeout(90_000)
    page.goto(address)
    page.get_by_role("tab", name="Judge").click()
    page.locator("#judge-token input").fill("guessed")
    page.locator("#judge-open").click()
    page.get_by_text("The token is missing or wrong.").wait_for()
    assert not page.locator("#judge-new").is_visible()
    page.locator("#judge-token input").fill(TOKEN)
    page.locator("#judge-token input").press("Enter")
    page.locator("#judge-new button").first.click()
    page.locator("#judge-versions input").first.click()
    offered = page.get_by_role("option").all_inner_texts()
    assert sorted(offered) == sorted(set(offered)), "each version once"
    assert len([name for name in offered if "int8" in name]) == 1
    for name in ("cel v1 · teacher", "cel v3 · pruned", "cel v5 · int8"):
        page.locator("#judge-versions input").first.fill(name)
        page.get_by_role("option", name=name).first.click()
    page.locator("#judge-raters textarea").fill("Ada\nBob\nEve")
    page.evaluate(WATCH)
    page.locator("#judge-make").click()
    page.locator("#judge-links a").nth(2).wait_for()
    assert page.evaluate("mostBars") == 1, "loading bars at once"
    page.locator("#judge-links .local", has_text="on this computer only").wait_for()
    found = [link.get_attribute("href") for link in page.locator("#judge-links a").all()]
    page.close()
    return found


def start(page) -> None:
    page.locator("[data-do=start]").click()


def arrived(page) -> None:
    for side in ("left", "right"):
        page.locator(f".view[data-side={side}] img").wait_for()


def rate(page, left: int, right: int, face: bool = True, again: bool = False) -> None:
    """One pair, by hand; `again` where it has been rated before."""
    arrived(page)
    assert page.locator(".next").is_disabled() != again
    if not face:
        page.locator("[name=no-face]").check()
    for side, score in (("left", left), ("right", right)):
        for point in ("naturalness", "colour", "anime", "speed")[0 if face else 1 :]:
            page.locator(f"[name={side}-{point}][value='{score}']").check(force=True)
    page.locator(".next").click()


def position(page, number: int) -> None:
    page.get_by_text(f"Pair {number} of {PAIRS}").wait_for()


def test_a_whole_session_on_a_desktop_with_a_break(visit, links, project: Path):
    page = visit(links[0])
    page.get_by_text("Which drawing do you like?").wait_for()
    assert not page.get_by_role("tab", name="Compare").is_visible()
    assert not page.locator("#judge-admin").is_visible()
    start(page)
    position(page, 1)
    assert page.locator("#judge form .back").is_disabled()
    rate(page, 1, 5)
    position(page, 2)
    arrived(page)
    page.locator("#judge form .back").click()
    position(page, 1)
    assert page.locator("[name=left-colour][value='1']").is_checked(), "what was said stands there"
    for number in range(1, 4):
        position(page, number)
        rate(page, 4, 2, face=number != 2, again=number == 1)
    position(page, 4)
    page.reload()
    page.locator("#judge").get_by_text("Go on", exact=True).wait_for()
    start(page)
    for number in range(4, PAIRS + 1):
        position(page, number)
        rate(page, 4, 2)
    page.get_by_text("Thank you!").wait_for()
    page.reload()
    page.get_by_text("Thank you!").wait_for()
    rated = [rating for rating in Store(project / "panel.db").ratings(1) if rating.rater == "Ada"]
    assert [rating.position for rating in rated] == [1, 2, 3, 4, 5, 6]
    assert [rating.left_scores["naturalness"] for rating in rated] == [4, None, 4, 4, 4, 4]
    assert {rating.right_scores["speed"] for rating in rated} == {2}
    assert all(rating.seconds > 0 for rating in rated)


def test_a_whole_session_on_a_phone_in_chinese(visit, links, project: Path):
    page = visit(links[1] + "&language=zh", **PHONE)
    page.get_by_text("你更喜欢哪一张？").wait_for()
    start(page)
    for number in range(1, PAIRS + 1):
        page.get_by_text(f"第 {number} 对，共 {PAIRS} 对").wait_for()
        arrived(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, "nothing sticks out to the side"
        for side, score in (("left", 3), ("right", 5)):
            for point in ("naturalness", "colour", "anime", "speed"):
                box = page.locator(f"label:has([name={side}-{point}][value='{score}'])")
                assert min(box.bounding_box()["width"], box.bounding_box()["height"]) >= 24, "large enough for a finger"
                box.tap()
        page.locator(".next").tap()
    page.get_by_text("谢谢！").wait_for()
    rated = [rating for rating in Store(project / "panel.db").ratings(1) if rating.rater == "Bob"]
    assert len(rated) == PAIRS


def test_nothing_that_reaches_a_rater_tells_the_version(visit, links, project: Path):
    """Everything but the pixels: addresses, headers, lengths, texts, and the order of both."""
    page, answers = visit(""), []
    page.on("response", lambda response: answers.append(response) if "component_server" in response.url else None)
    page.goto(page.url + links[2])
    start(page)
    versions = {}
    for number in range(1, PAIRS + 1):
        position(page, number)
        arrived(page)
        inside = page.locator("#judge").inner_html().lower()
        shown = page.eval_on_selector_all("#judge img", "all => all.map(one => [one.alt, one.title, one.id])")
        assert sorted(shown) == [["", "", ""], ["A", "", ""], ["B", "", ""]]
        assert told(inside) == []
        rate(page, 3, 3)
    page.get_by_text("Thank you!").wait_for()
    pictures = [answer for answer in answers if "picture" in answer.text()[:20]]
    assert len(pictures) == 3 * PAIRS
    assert len({len(answer.body()) for answer in pictures}) == 1, "sizes differ"
    assert len({answer.url for answer in pictures}) == 1, "addresses differ"
    heads = [{key: value for key, value in answer.headers.items() if key != "date"} for answer in pictures]
    assert all(head == heads[0] for head in heads), "headers differ"
    assert len({answer.body() for answer in pictures}) == 3 * 2 + 2, "each picture, and the two photos"
    for answer in answers:
        said = json.loads(answer.text())
        assert set(said) in ({"pair", "position", "total"}, {"picture"}, {"kept"}, {"pair"})
        assert told(answer.text() + str(answer.headers) + (answer.request.post_data or "")) == []
        if "picture" in said:
            image = Image.open(io.BytesIO(base64.b64decode(said["picture"].split(",")[1])))
            versions.setdefault(tuple(sorted(image.info)), set()).add(image.size)
    assert versions == {("comment", "jfif", "jfif_density", "jfif_unit", "jfif_version"): {(120, 90)}}


def told(text: str) -> list[str]:
    """The names that a text holds as words, its pictures left out: in base64 a short word may stand by chance."""
    words = "".join(part.partition('"')[2] if index else part for index, part in enumerate(text.split(";base64,")))
    return [name for name in NAMES if re.search(rf"\b{name}\b", words, re.IGNORECASE)]


def test_a_wrong_link_is_said_kindly(visit, links):
    page = visit("?panel=guessed")
    page.get_by_text("This link does not open a session").wait_for()


def test_results_are_shown_kept_as_csv_and_written_to_mlflow(visit, links, project: Path):
    page = visit()
    page.get_by_role("tab", name="Judge").click()
    page.locator("#judge-token input").fill(TOKEN)
    page.locator("#judge-open").click()
    page.locator("#judge-results .chart, #judge-results .notice").first.wait_for()
    rows = page.locator("#judge-results tbody tr").all_inner_texts()
    assert sorted(row.split("\t")[0] for row in rows) == ["cel v1 · teacher", "cel v3 · pruned", "cel v5 · int8"]
    assert "Student's t intervals over raters" in page.locator("#judge-results .small").inner_text()
    table = csv.DictReader(io.StringIO(file_of(page, "panel-ratings.csv")))
    ratings = list(table)
    assert len(ratings) == 3 * PAIRS
    scores = {row["version"]: row for row in csv.DictReader(io.StringIO(file_of(page, "panel-scores.csv")))}
    given = [float(row[f"{side}_colour"]) for row in ratings for side in ("left", "right")
             if row["rater"] == "Eve" and row[side] == "cel v5 · int8"]  # fmt: skip
    assert given == [3] * 4
    page.locator("#judge-log").click()
    page.get_by_text("written to animegan-cel v5").wait_for()
    overall = float(scores["cel v5 · int8"]["overall"])
    assert_written(project, overall)
    page.get_by_role("tab", name="Compare").click()
    heads = page.locator("#compare-table th", has_text="panel")
    heads.first.wait_for()
    place = page.locator("#compare-table th").all_inner_texts().index("panel")
    row = page.locator("#compare-table tbody tr", has_text="int8")
    assert row.locator("td").nth(place).inner_text() == f"{overall:.2f}", "what raters said stands in Compare"


def file_of(page, name: str) -> str:
    with page.expect_download() as download:
        page.locator(f"a[download='{name}']").click()
    return Path(download.value.path()).read_text("utf-8-sig")


def assert_written(project: Path, overall: float) -> None:
    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{project / 'mlflow.db'}")
    version = client.get_model_version("animegan-cel", "5")
    assert version.tags["panel_raters"] == "3"
    assert float(version.tags["panel_overall"]) == pytest.approx(overall, abs=0.001)
    metrics = client.get_run(version.run_id).data.metrics
    wanted = {f"panel_{key}" for key in ("naturalness", "colour", "anime", "speed", "overall")}
    assert wanted <= set(metrics)
    assert np.isclose(metrics["panel_overall"], overall, atol=1e-3)
    assert "panel_overall" not in client.get_model_version("animegan-cel", "2").tags
