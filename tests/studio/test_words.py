"""Every view in Chinese and in English, in a real browser: what can be seen is in the reader's language."""

import re
from pathlib import Path

import pytest
from PIL import Image

from tests.studio.conftest import DESKTOP, TOKEN
from tests.studio.project import STEPS, photo

pytestmark = pytest.mark.long
# What is the same in every language: names of things, units, and what a person wrote.
UNITS = {"MB", "ms", "px", "dB", "p50", "p95", "vs"}
FIGURES = {
    "FID",
    "KID",
    "LPIPS",
    "PSNR",
    "SSIM",
    "Bradley",
    "Terry",
    "Student",
    "inception",
    "squeeze",
    "bytes",
    "GIF",
    "API",
    "zip",
    "Ctrl",
    "Tab",
}
THINGS = {"AnimeGAN", "Lite", "MLflow", "ONNX", "Runtime", "processor", "csv", "panel", "scores", "ratings", "jpg"}
NAMES = {
    *STEPS,
    "cel",
    "animegan",
    "champion",
    "both",
    "gone",
    "shinkai",
    "hayao",
    "nano",
    "plus",
    "pond",
    "faces",
    "scenes",
}
RATERS = {"ada", "bob", "eve"}  # of the panels that tests before these have made in the same project
OWN = {"river", "words", "slow", "lamp"}  # a file, a rater, a reason
# Addresses, options, versions, layers, commands: the same in every language.
OTHER = r"https?://\S+|\?panel=\S+|(python -m )?flows\.\w+|--\w+|\bv\d+|\b[a-e]\d\b|benchmarks\.explore|scratch/explore"
SEEN = """() => {
    const texts = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const hidden = new Set(["SCRIPT", "STYLE", "TITLE"]);
    while (walker.nextNode()) {
        const { nodeValue, parentElement } = walker.currentNode;
        if (!hidden.has(parentElement.tagName) && parentElement.checkVisibility()) texts.push(nodeValue);
    }
    for (const input of document.querySelectorAll("input:not([type=password]), textarea"))
        if (input.checkVisibility()) texts.push(input.placeholder, /^text/.test(input.type) ? input.value : "");
    return texts;
}"""


def foreign(page, language: str) -> set[str]:
    """The words that can be seen and are of the other language."""
    texts = [re.sub(OTHER, " ", text) for text in page.evaluate(SEEN)]
    if language == "en":
        return {text for text in texts if re.search(r"[\u4e00-\u9fff]", text)} - {"中文"}
    same = {name.lower() for name in UNITS | FIGURES | THINGS | NAMES | RATERS | OWN | {"English"}}
    return {word for text in texts for word in re.findall(r"[A-Za-z]\w+", text) if word.lower() not in same}


@pytest.fixture(params=["zh", "en"])
def language(request) -> str:
    return request.param


@pytest.fixture
def page(visit, language: str):
    return visit(**DESKTOP | {"locale": {"zh": "zh-CN", "en": "en-GB"}[language]})


def tab(page, name: str) -> None:
    page.locator(f"#views [role=tab][data-tab-id={name}]").click()


def test_make(page, language: str, tmp_path: Path):
    (tmp_path / "words.jpg").write_text("no picture")
    Image.fromarray(photo(1)).save(tmp_path / "river.jpg")
    page.wait_for_selector("#make .drop")
    assert foreign(page, language) == set()
    page.set_input_files("#files", [str(tmp_path / name) for name in ("river.jpg", "words.jpg")])
    page.wait_for_selector("#make .messages .message")
    page.wait_for_selector("#make .compare:not([hidden])")
    assert foreign(page, language) == set()


def test_compare_and_promotion(page, language: str, tmp_path: Path):
    tab(page, "compare")
    page.wait_for_function("document.querySelectorAll('#compare-panes .pane img').length === 6")
    assert foreign(page, language) == set()
    page.locator("#compare-axis label").nth(1).click()
    page.locator("#compare-pareto .axis [lang]", has_text="FID").first.wait_for(state="attached")
    assert foreign(page, language) == set()
    page.locator("#compare-axis label").nth(0).click()
    page.locator('#compare-pareto [data-key="trial/cel/both"]').click()
    page.wait_for_function("document.querySelectorAll('#compare-panes .pane img').length === 7")
    page.locator('#compare-pareto [data-key="trial/cel/gone"]').press(" ")
    page.locator("#compare-notes .problem").wait_for()
    page.locator("#promote-version input").click()
    assert foreign(page, language) == set()
    (tmp_path / "words.jpg").write_text("no picture")
    with page.expect_file_chooser() as chooser:
        page.locator("#compare-upload").click()
    chooser.value.set_files(tmp_path / "words.jpg")
    page.locator("#compare-notes").get_by_text("words.jpg").filter(visible=True).wait_for()
    assert foreign(page, language) == set()
    said = page.locator("#promote-verdict")

    def press(button: str, shown: str) -> None:
        page.click(button)
        said.locator(shown).first.wait_for()
        assert foreign(page, language) == set(), button

    page.locator("#promote-token input").fill("")
    press("#promote", ".problem")
    page.locator("#promote-token input").fill(TOKEN)
    press("#promote-back", ".problem")
    press("#promote-check", ".verdict .good")
    page.locator("#promote-reason input, #promote-reason textarea").first.fill("slow")
    press("#promote-back", ".verdict .good")
    page.locator("#promote-version input").click()
    page.get_by_role("option", name="cel v1 · teacher").click()
    press("#promote", ".verdict .bad")


def test_the_administrator_s_part(page, language: str, project: Path):
    tab(page, "judge")
    assert foreign(page, language) == set()
    page.click("#judge-open")
    page.locator("#judge-notice .problem").wait_for()
    assert foreign(page, language) == set()
    page.locator("#judge-token input").fill(TOKEN)
    page.locator("#judge-token input").press("Enter")
    page.locator("#judge-new button").first.click()
    page.click("#judge-make")
    page.locator("#judge-notice .problem").wait_for()
    assert foreign(page, language) == set()
    page.locator("#judge-name input, #judge-name textarea").first.fill("lamp")
    for name in ("cel v1 · teacher", "cel v5 · int8"):
        page.locator("#judge-versions input").first.fill(name)
        page.get_by_role("option", name=name).first.click()
    page.locator("#judge-raters textarea").fill("slow")
    page.click("#judge-make")
    page.locator("#judge-notice [role=status]").wait_for()  # the links of the panel before are there until then
    assert foreign(page, language) == set()
    rate_all(project, page.locator("#judge-links a").get_attribute("href").split("=")[1])
    page.click("#judge-again")
    page.locator("#judge-results .chart").wait_for()
    page.click("#judge-log")
    page.locator("#judge-logged .notice").nth(1).wait_for()
    page.locator("[data-copy]").click()
    assert foreign(page, language) == set()


def rate_all(project: Path, key: str) -> None:
    from anime_app.panel.store import CRITERIA, Store

    store = Store(project / "panel.db")
    while pair := store.next_pair(key):
        store.rate(key, pair.key, dict.fromkeys(CRITERIA, 4), dict.fromkeys(CRITERIA, 3), 20)


def test_switching_keeps_what_compare_and_the_administrator_s_part_show(visit):
    page = visit(**DESKTOP)
    tab(page, "compare")
    page.locator('#compare-pareto [data-key="trial/cel/both"]').click()
    page.wait_for_function("document.querySelectorAll('#compare-panes .pane img').length === 7")
    pictures = "[...document.querySelectorAll('#compare-panes img')].map(image => image.src.length)"
    before = page.evaluate(pictures)
    tab(page, "judge")
    page.locator("#judge-token input").fill(TOKEN)
    page.locator("#judge-token input").press("Enter")
    page.locator("#judge-new").wait_for()
    page.click("#language")
    page.locator("#judge-new").get_by_text("新建评审").wait_for()
    assert foreign(page, "zh") == set()
    tab(page, "compare")
    assert page.evaluate(pictures) == before
    page.get_by_role("button", name="检查门槛").wait_for()
    assert foreign(page, "zh") == set()
    page.click("#language")
    page.get_by_role("button", name="Check the gates").wait_for()
    assert foreign(page, "en") == set()
