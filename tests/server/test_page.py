"""The service's own page in a browser."""

import httpx
import pytest

from anime_model.runtime import models
from benchmarks.browser import CHROMIUM, FLAGS
from tests.server.conftest import picture
from tests.tiny_onnx import identity_model, negative_model

pytestmark = pytest.mark.long


def test_the_page_offers_the_networks_of_a_style_where_there_are_several(serve, tmp_path, monkeypatch):
    playwright = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
    if not CHROMIUM:
        pytest.skip("needs a Chromium that is installed")
    for name in ("ink", "fog"):
        negative_model(tmp_path / f"{name}.onnx")
    identity_model(tmp_path / "ink-nano.onnx")
    monkeypatch.setattr(models, "WEIGHTS", tmp_path)
    running = serve(styles=("fog", "ink"))
    with playwright.sync_playwright() as engine:
        browser = engine.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page()
        page.goto(running.url)
        page.wait_for_function("document.querySelector('[name=style]').options.length === 2")
        assert not page.is_visible("[name=network]")
        page.select_option("[name=style]", "ink")
        assert page.is_visible("[name=network]")
        assert page.input_value("[name=network]") == "lite"
        page.select_option("[name=network]", "nano")
        page.set_input_files("[name=file]", {"name": "a.png", "mimeType": "image/png", "buffer": picture()[0]})
        with page.expect_response("**/v1/stylize") as answer:
            page.click("button")
        assert answer.value.status == 200
        assert 'anime_pixels_total{style="ink-nano"} 192.0' in httpx.get(f"{running.url}/metrics").text
        browser.close()
