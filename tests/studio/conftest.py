"""The studio as a process, and a real browser that talks to nobody else: one of each for all tests."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from anime_app.studio.launch import without_stubs
from benchmarks.browser import CHROMIUM, FLAGS
from tests.studio.project import make_project, register

with without_stubs():  # half of the time that it takes
    import gradio  # noqa: F401

TOKEN = "a token of the tests"
DESKTOP = {"viewport": {"width": 1280, "height": 900}, "locale": "en-GB"}
FAKE_CAMERA = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
PATIENCE = 60_000  # milliseconds: on a busy machine everything takes its time
UPLOAD = 3  # MB that one file may have


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = make_project(tmp_path_factory.mktemp("studio") / "project")
    register(root)
    return root


@pytest.fixture(scope="session")
def address(project: Path) -> Iterator[str]:
    """One studio for all tests: it is what takes time."""
    pytest.importorskip("gradio", reason="the studio needs Gradio: pip install '.[studio]'")
    options = ["--project", project, "--database", project / "panel.db", "--port", "0", "--max-upload", UPLOAD]
    environment = os.environ | {"ANIME_STUDIO_TOKEN": TOKEN, "TMPDIR": str(project.parent)}
    environment.pop("MLFLOW_TRACKING_URI", None)
    with started([sys.executable, "-m", "anime_app.cli.command", "studio", *map(str, options)], environment) as url:
        yield url


@contextmanager
def started(command: list[str], environment: dict[str, str]) -> Iterator[str]:
    """A studio's address while it runs."""
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        for line in process.stdout:
            if "http://" in line:
                yield line.split()[2]
                break
        else:
            pytest.fail("the studio did not start")
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)


@pytest.fixture(scope="session")
def browser() -> Iterator:
    playwright = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
    if not CHROMIUM:
        pytest.skip("needs a Chromium that is installed")
    with playwright.sync_playwright() as engine:
        chromium = engine.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, *FAKE_CAMERA])
        yield chromium
        chromium.close()


@pytest.fixture
def visit(browser, address: str) -> Iterator[Callable]:
    """Opens a page of the studio; it must call nobody else and raise nothing."""
    yield from _pages(browser, address)


@pytest.fixture(scope="module")
def open_page(browser, address: str) -> Iterator[Callable]:
    """The same for all tests of a module."""
    yield from _pages(browser, address)


def _pages(browser, address: str) -> Iterator[Callable]:
    opened, wrong = [], []

    def open_(query: str = "", **device):
        context = browser.new_context(**(device or DESKTOP))
        opened.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("request", lambda request: None if ours(request.url) else wrong.append(request.url))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(f"{address}/{query}")
        return page

    def ours(url: str) -> bool:
        return url.startswith((address, "data:", "blob:"))

    yield open_
    for context in opened:
        context.close()
    assert wrong == []
