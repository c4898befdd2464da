"""Pictures of the studio's views Compare and Judge, for the docs.

`python -m benchmarks.studio_views` makes a scratch project of the networks that ship, with their figures of
results/release.json, an MLflow store and photos that may be shown, starts the studio on it, and writes
docs/compare.jpg, docs/judge.jpg, docs/judge-phone.jpg and docs/panel.jpg. The ratings in them are drawn by chance.
Needs Chromium and Playwright.
"""

import csv
import json
import random
import shutil
import tempfile
from pathlib import Path

import mlflow
from PIL import Image
from playwright.sync_api import sync_playwright

from anime_app.panel.store import CRITERIA, Store
from anime_model.compression.export import export_onnx
from anime_model.networks.checkpoint import load_generator
from benchmarks.browser import CHROMIUM, FLAGS, PHONE, save
from benchmarks.showcase import photo_files
from benchmarks.studio import server
from flows.registry.versions import register

DOCS = Path("docs")
TOKEN = "for these pictures"
STYLES, STYLE = ("hayao", "shinkai", "cute"), "shinkai"
SHIPPED = {"teacher": "models/teachers/{}.safetensors", "distilled": "models/lite/{}.safetensors"}
INT8 = "anime_model/weights/{}.onnx"
JUDGED = ("v1 · teacher", "v2 · distilled", "v3 · int8")
RATERS = 6
WIDTH = 1000  # pixels of a picture in the docs


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = project(Path(folder))
        options = ("--project", str(root), "--database", str(root / "panel.db"))
        with server(*options, ANIME_STUDIO_TOKEN=TOKEN) as running, sync_playwright() as playwright:
            address = f"{running.url}/"
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
            links = make_panel(browser, address)
            rate(browser, address + links[0], "judge.jpg", viewport={"width": 1280, "height": 900})
            rate(browser, address + links[1], "judge-phone.jpg", **PHONE)
            by_chance(Store(root / "panel.db"), [link.split("=")[1] for link in links])
            results(browser, address)
            compare(browser, address)
            browser.close()


def project(root: Path) -> Path:
    """A project whose last run made the networks that ship, and registered them."""
    rows = json.loads(Path("results/release.json").read_text())
    shutil.copy("recipes/release.yaml", root / "params.yaml")
    (root / "results").mkdir()
    shutil.copy("results/explore.json", root / "results")
    for style in STYLES:
        exports, evaluation = root / "artifacts" / style / "exports", root / "artifacts" / style / "evaluation"
        for variant, checkpoint in SHIPPED.items():
            export_onnx(load_generator(Path(checkpoint.format(style))), exports / f"{variant}.onnx")
        shutil.copy(INT8.format(style), exports / "int8.onnx")
        put_figures([row for row in rows if row["style"] == style and row["variant"] in (*SHIPPED, "int8")], evaluation)
        put_photos(evaluation / "pictures")
    mlflow.set_tracking_uri(f"sqlite:///{root / 'mlflow.db'}")
    register(root, STYLES, "release")
    return root


def put_figures(rows: list[dict], evaluation: Path) -> None:
    evaluation.mkdir()
    for row in rows:
        (evaluation / f"{row['variant']}.json").write_text(json.dumps(row))
    with (evaluation / "metrics.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["variant"], *([row["variant"]] for row in rows)])


def put_photos(pictures: Path) -> None:
    for path in photo_files():
        place = pictures / ("faces" if path.stem == "astronaut" else "scenes") / path.stem
        place.mkdir(parents=True)
        with Image.open(path) as image:
            shown = image.convert("RGB")
        shown.thumbnail((768, 768))
        shown.save(place / "photo.jpg", quality=92)


def opened(browser, address: str, tab: str | None = None, **device):
    page = browser.new_page(**device)
    page.set_default_timeout(300_000)
    page.goto(address)
    if tab:
        page.get_by_role("tab", name=tab).click()
    return page


def keep(page, name: str) -> None:
    page.wait_for_timeout(500)
    save(page.screenshot(full_page=True), DOCS / name, WIDTH, 10_000)


def compare(browser, address: str) -> None:
    page = opened(browser, address, "Compare", viewport={"width": 1280, "height": 900})
    page.get_by_role("radio", name=STYLE.title()).check()
    page.locator("#compare-panes figcaption b", has_text=STYLE).nth(2).wait_for()
    page.wait_for_function("document.querySelectorAll('#compare-panes img').length === 4")
    keep(page, "compare.jpg")
    page.close()


def unlocked(browser, address: str):
    page = opened(browser, address, "Judge", viewport={"width": 1280, "height": 900})
    page.locator("#judge-token input").fill(TOKEN)
    page.locator("#judge-token input").press("Enter")
    page.locator("#judge-new").wait_for()
    return page


def make_panel(browser, address: str) -> list[str]:
    page = unlocked(browser, address)
    page.locator("#judge-new button").first.click()
    page.locator("#judge-name input, #judge-name textarea").first.fill("Spring panel")
    for name in JUDGED:
        page.locator("#judge-versions input").first.fill(f"{STYLE} {name}")
        page.get_by_role("option", name=f"{STYLE} {name}").first.click()
    page.locator("#judge-raters textarea").fill("\n".join(f"rater {number}" for number in range(1, RATERS + 1)))
    page.locator("#judge-make").click()
    page.locator("#judge-links a").nth(RATERS - 1).wait_for()
    links = [link.get_attribute("href") for link in page.locator("#judge-links a").all()]
    page.close()
    return links


def rate(browser, address: str, name: str, **device) -> None:
    """A pair with some scores given."""
    page = opened(browser, address, **device)
    page.locator("[data-do=start]").click()
    for side in ("left", "right"):
        page.locator(f".view[data-side={side}] img").wait_for()
    for point, left, right in (("naturalness", 4, 3), ("colour", 5, 3), ("anime", 4, 4)):
        page.locator(f"[name=left-{point}][value='{left}']").check(force=True)
        page.locator(f"[name=right-{point}][value='{right}']").check(force=True)
    page.evaluate("scrollTo(0, 0)")
    keep(page, name)
    page.close()


def by_chance(store: Store, keys: list[str]) -> None:
    rng = random.Random(1)
    for key in keys:
        while pair := store.next_pair(key):
            left, right = ({criterion: rng.randint(1, 5) for criterion in CRITERIA} for _ in range(2))
            store.rate(key, pair.key, left, right, 20)


def results(browser, address: str) -> None:
    page = unlocked(browser, address)
    page.locator("#judge-results .chart").wait_for()
    page.locator("#judge-log").click()
    page.locator("#judge-logged .notice").first.wait_for()
    keep(page, "panel.jpg")
    page.close()


if __name__ == "__main__":
    main()
