"""The page: its tables are those of Python, and its own tests (web/test/) pass in a headless browser."""

import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from anime_model.runtime.enlarging import STRETCH, STROKE, SUPPORT
from anime_model.runtime.models import ENLARGERS, FAVOURITE, SIZES, sizes, styles
from anime_model.runtime.palettes import PALETTES
from benchmarks import web

WEB = Path("web").resolve()
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
TEXTS = json.loads((WEB / "src/texts.json").read_text())


def missing() -> str | None:
    """What this machine lacks for these tests, in words."""
    if not shutil.which("node"):
        return "node is not installed"
    if not (WEB / "node_modules/vite").is_dir():
        return "web/node_modules is not installed (make web)"
    if not os.environ.get("CHROMIUM") and not any(map(shutil.which, BROWSERS)):
        return f"none of {', '.join(BROWSERS)} is installed"
    return None


def run(command: list[str], **environment: str) -> str:
    done = subprocess.run(command, cwd=WEB, env=os.environ | environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
    return done.stdout


def test_the_palettes_are_those_of_python():
    printed = run([sys.executable, "build/palettes.py"], PYTHONPATH=str(WEB.parent))
    kept = (WEB / "package/src/palettes.json").read_text()
    assert printed == kept, "PYTHONPATH=. python web/build/palettes.py > web/package/src/palettes.json"


def test_every_style_and_palette_has_a_name_in_each_language():
    for language, texts in TEXTS.items():
        assert set(texts["styles"]) >= set(styles()), language
        assert set(texts["styleNotes"]) >= set(styles()), language
        assert set(texts["palettes"]) == {"none", *PALETTES}, language


def test_every_size_of_a_network_has_a_name_in_each_language():
    assert all(set(texts["speeds"]) == set(SIZES) for texts in TEXTS.values())


def test_the_languages_say_the_same_things():
    assert keys(TEXTS["en"]) == keys(TEXTS["zh"])


def keys(texts: dict) -> set[str]:
    """Names of all texts, those of groups as group.name."""
    return {f"{key}.{name}" for key, value in texts.items() for name in (value if isinstance(value, dict) else [""])}


def test_models_are_small_enough_for_a_page():
    files = [path for style in styles() for size, path in sizes(style).items() if size != "plus"]
    assert all(path.stat().st_size < 500_000 for path in [*files, *ENLARGERS.values()])
    assert all(path.stat().st_size < 1_000_000 for style in styles() for path in sizes(style).values())


def test_the_working_size_is_that_of_python():
    source = (WEB / "package/src/enlarging.js").read_text()
    for name, value in {"STROKE": STROKE, "STRETCH": STRETCH, "SUPPORT": SUPPORT}.items():
        assert f"const {name} = {value}" in source, name


def test_the_style_that_is_taken_where_none_is_named_is_that_of_python():
    assert f"const FAVOURITE = '{FAVOURITE}'" in (WEB / "package/src/favourite.js").read_text()


def test_the_package_has_the_version_of_the_project():
    project = tomllib.loads(Path("pyproject.toml").read_text())["project"]["version"]
    for path in ("package.json", "package/package.json"):
        assert json.loads((WEB / path).read_text())["version"] == project, path


def test_the_lock_file_names_no_host():
    packages = json.loads((WEB / "package-lock.json").read_text())["packages"].values()
    assert not [package for package in packages if "resolved" in package]


def test_the_figures_of_the_page_are_those_of_their_file():
    page = web.PAGE.read_text()
    assert web.filled(page, json.loads(web.RESULTS.read_text())) == page


@pytest.mark.long
@pytest.mark.timeout(2400)
@pytest.mark.skipif(missing() is not None, reason=missing() or "")
def test_the_page_makes_the_pictures_of_the_python_runtime(tmp_path):
    site = str(tmp_path / "site")
    run(["node", "node_modules/vite/bin/vite.js", "build", "--outDir", site])
    said = run(["npm", "test"], WEB_DIST=site, PYTHON=sys.executable)
    assert "# fail 0" in said
