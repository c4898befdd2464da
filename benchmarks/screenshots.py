"""Pictures of the studio's views for the docs, taken in a real browser.

`python -m benchmarks.screenshots`: starts a studio, writes docs/studio-*.jpg. Needs Playwright and a Chromium that is
installed. The photos are those of `benchmarks.showcase`, free to show.
"""

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from benchmarks.browser import CHROMIUM, FLAGS, PHONE, save
from benchmarks.showcase import photo_files
from benchmarks.studio import server

DOCS = Path("docs")
DESK = {"viewport": {"width": 1240, "height": 900}, "locale": "en"}
PATIENCE = 120_000  # milliseconds


def main() -> None:
    if not CHROMIUM:
        raise SystemExit("error: no Chromium is installed")
    with server() as running, sync_playwright() as tools:
        browser = tools.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        for name, (settings, act) in VIEWS.items():
            context = browser.new_context(**settings)
            page = context.new_page()
            page.set_default_timeout(PATIENCE)
            page.goto(running.url)
            page.wait_for_selector("#make .drop")
            act(page)
            page.wait_for_timeout(1500)
            save(page.screenshot(), DOCS / f"studio-{name}.jpg", 1240, 1700)
            context.close()
        browser.close()


def drawn(count: int, look: str = "none") -> Callable[[Page], None]:
    """Puts in the first `count` photos and waits for their drawings."""

    def act(page: Page) -> None:
        page.locator(f"#make [name=palette][value={look}]").check(force=True)
        page.set_input_files("#files", [str(file) for file in photo_files()[:count]])
        page.wait_for_selector("#make .compare:not([hidden])")
        done = f"document.querySelectorAll('#make .tile.done').length === {count if count > 1 else 0}"
        page.wait_for_function(f"{done} && document.querySelector('#make .busy').hidden")

    return act


def on_a_phone(page: Page) -> None:
    drawn(2, "sakura")(page)


# A name, the browser's settings, and what a person does before the picture is taken.
VIEWS = {
    "make": (DESK, drawn(4, "shinkai")),
    "dark": (DESK | {"locale": "zh-CN", "color_scheme": "dark"}, drawn(1, "dusk")),
    "phone": (PHONE, on_a_phone),
}

if __name__ == "__main__":
    main()
