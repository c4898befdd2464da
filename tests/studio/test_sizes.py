"""The choice of a network's size in the view Make, in a studio and a browser of its own, with made-up networks."""

import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.studio.conftest import DESKTOP, started
from tests.studio.test_make import Reader
from tests.tiny_onnx import identity_model, negative_model

pytest.importorskip("gradio", reason="the studio needs Gradio: pip install '.[studio]'")
pytestmark = pytest.mark.long
START = """
import sys
from pathlib import Path
from anime_model.runtime import models
models.WEIGHTS = Path(sys.argv.pop(1))
from anime_app.cli.command import main
sys.exit(main(sys.argv[1:]))
"""
LEVEL = 40  # of the photo; an inverting network makes 215 of it


@pytest.fixture(scope="module")
def reader(browser, tmp_path_factory) -> Iterator[Reader]:
    """`hayao`, which inverts, has a nano network that changes nothing, `shinkai` has lite alone."""
    root: Path = tmp_path_factory.mktemp("sizes")
    for name in ("hayao", "shinkai"):
        negative_model(root / f"weights/{name}.onnx", receptive_radius="0")
    identity_model(root / "weights/hayao-nano.onnx", receptive_radius="0")
    Image.new("RGB", (64, 48), (LEVEL,) * 3).save(root / "a.png")
    command = [sys.executable, "-c", START, str(root / "weights"), "studio", "--port", "0"]
    with started([*command, "--database", str(root / "panel.db")], os.environ | {"TMPDIR": str(root)}) as address:
        page = browser.new_context(**DESKTOP).new_page()
        page.set_default_timeout(60_000)
        page.goto(address)
        made = Reader(page)
        made.put(root / "a.png")
        yield made
        page.context.close()


def drawn(reader: Reader) -> tuple[str, int]:
    name, data = reader.save()
    return name, round(np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).mean())


def test_a_style_with_sizes_offers_those_that_it_has_and_another_none(reader):
    speed = reader.page.locator("#speed")
    reader.choose("network", "shinkai")
    assert not speed.is_visible()
    reader.choose("network", "hayao")
    assert speed.is_visible()
    there = "all => all.filter((one) => !one.disabled && !one.hidden).map((one) => one.textContent)"
    assert reader.page.eval_on_selector_all("#speed option", there) == ["Fastest", "Balanced"]
    assert drawn(reader) == ("a-hayao.png", 255 - LEVEL)
    before = reader.shown()
    speed.select_option("nano")
    reader.changed(before)
    assert drawn(reader) == ("a-hayao-nano.png", LEVEL)
    reader.choose("network", "shinkai")
    assert not speed.is_visible()
    assert drawn(reader) == ("a-shinkai.png", 255 - LEVEL)


def test_the_choice_is_remembered(reader):
    reader.choose("network", "hayao")
    before = reader.shown()
    reader.page.locator("#speed").select_option("nano")
    reader.changed(before)
    reader.page.reload()
    reader.page.wait_for_selector("#make .compare", state="visible")
    assert reader.page.locator("#speed").input_value() == "nano"
    reader.wait(1)
    assert drawn(reader) == ("a-hayao-nano.png", LEVEL)


def test_programs_choose_a_size_too_and_need_not(reader, tmp_path):
    client = pytest.importorskip("gradio_client", reason="comes with Gradio")
    Image.new("RGB", (64, 48), (LEVEL,) * 3).save(tmp_path / "a.png")
    studio = client.Client(reader.page.url.split("?")[0], verbose=False)
    options = {"style": "hayao", "palette": "none", "strength": 1, "keep_colour": False, "lines": "bold"}
    for more, name in (({}, "a-hayao.png"), ({"speed": "nano"}, "a-hayao-nano.png")):
        photo = client.handle_file(str(tmp_path / "a.png"))
        assert Path(studio.predict(photo, **options, longest_side=0, **more, api_name="/make")).name == name
