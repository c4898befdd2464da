"""Every view is examined by axe-core (in the package axe-playwright-python): no finding, light, dark and on a phone."""

from pathlib import Path

import pytest

from benchmarks.browser import PHONE
from benchmarks.studio import jpeg
from tests.studio.conftest import DESKTOP, TOKEN

axe = pytest.importorskip("axe_playwright_python", reason="needs axe-core: pip install axe-playwright-python")
pytestmark = pytest.mark.long
SOURCE = Path(axe.__file__).parent / "axe.min.js"
FINDINGS = """async () => (await axe.run(document, { resultTypes: ["violations"] })).violations.map(
    ({ id, nodes }) => `${id}: ${nodes.map((node) => node.target.join(" ")).slice(0, 4).join(" | ")}`)"""


def findings(page) -> list[str]:
    page.evaluate(SOURCE.read_text(encoding="utf-8"))
    return page.evaluate(FINDINGS)


DEVICES = pytest.mark.parametrize(
    "device", [DESKTOP, DESKTOP | {"color_scheme": "dark"}, PHONE], ids=["light", "dark", "phone"]
)


@DEVICES
def test_make_has_no_findings(visit, tmp_path, device):
    page = visit(**device)
    page.wait_for_selector("#make .drop")
    assert findings(page) == []
    files = [tmp_path / "a.jpg", tmp_path / "b.jpg"]
    for seed, file in enumerate(files):
        file.write_bytes(jpeg(160, seed))
    page.set_input_files("#files", list(map(str, files)))
    page.wait_for_function("document.querySelectorAll('#make .tile.done').length === 2")
    assert findings(page) == []


@DEVICES
def test_compare_and_judge_have_no_findings(visit, device):
    page = visit(**device)
    page.locator("#views [role=tab][data-tab-id=compare]").click()
    page.wait_for_function("document.querySelectorAll('#compare-panes .pane img').length > 1")
    assert findings(page) == []
    page.locator("#views [role=tab][data-tab-id=judge]").click()
    page.locator("#judge-token input").fill(TOKEN)
    page.locator("#judge-token input").press("Enter")
    page.locator("#judge-new").wait_for()
    assert findings(page) == []
