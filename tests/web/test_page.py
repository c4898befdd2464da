"""Builds the page and runs its own tests (web/test/) in a headless browser."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

WEB = Path("web").resolve()
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def missing() -> str | None:
    """What this machine lacks for these tests, in words."""
    if not shutil.which("node"):
        return "node is not installed"
    if not (WEB / "node_modules/vite").is_dir():
        return "web/node_modules is not installed (make web)"
    if not any(map(shutil.which, BROWSERS)):
        return f"none of {', '.join(BROWSERS)} is installed"
    return None


def run(command: list[str], **environment: str) -> None:
    done = subprocess.run(command, cwd=WEB, env=os.environ | environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """The released models, or, in a tree that has none yet, networks of the same kind with random weights."""
    weights = Path("anime_model/weights").resolve()
    if any(weights.glob("*.onnx")):
        return weights
    folder = tmp_path / "models"
    folder.mkdir()
    run([sys.executable, str(Path("tests/web/stand_in.py").resolve()), str(folder)], PYTHONPATH=str(WEB.parent))
    return folder


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(missing() is not None, reason=missing() or "")
def test_the_page_makes_the_pictures_of_the_python_runtime(models, tmp_path):
    site = str(tmp_path / "site")
    run(["node", "node_modules/vite/bin/vite.js", "build", "--outDir", site], ANIME_MODELS=str(models))
    run(["npm", "test"], ANIME_MODELS=str(models), WEB_DIST=site, PYTHON=sys.executable)
