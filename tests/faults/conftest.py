"""Toy projects whose stores are there already, and what an undisturbed run leaves in them."""

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults import harness
from tests.flows.conftest import empty_store, made, made_template, prefect_api, toy_template

__all__ = ["empty_store", "made", "made_template", "prefect_api", "toy_template"]


@pytest.fixture(scope="session")
def whole(toy_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A toy project after one run that nothing disturbed."""
    root = tmp_path_factory.mktemp("whole") / "toy"
    shutil.copytree(toy_template, root)
    began = time.monotonic()
    assert harness.run(root) == 0, harness.said(root)
    (root / "seconds.txt").write_text(str(time.monotonic() - began))
    harness.assert_registered_once(root)
    return root


@pytest.fixture(scope="session")
def length(whole: Path) -> float:
    """Seconds that a run of the toy takes on this machine now: random moments are shares of it."""
    return float((whole / "seconds.txt").read_text())


@pytest.fixture(scope="session")
def undisturbed(whole: Path) -> dict[str, str]:
    return harness.files(whole)


@pytest.fixture
def project(toy_template: Path, tmp_path: Path) -> Iterator[Path]:
    """A toy project that has never run."""
    root = tmp_path / "toy"
    shutil.copytree(toy_template, root)
    yield root
    for process in harness.processes(root):  # what a failed test left: only the project's own
        harness.kill(process)


@pytest.fixture
def evaluated(made_template: Path, project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same after all its stages, with nothing registered, as the current folder."""
    shutil.rmtree(project)
    shutil.copytree(made_template, project, symlinks=True)
    monkeypatch.chdir(project)
    return project


@pytest.fixture
def with_stores(whole: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], Path]:
    """Gives a project the database that Prefect's server needs seconds to make."""

    def give(root: Path) -> Path:
        (root / ".prefect").mkdir(exist_ok=True)
        for file in (whole / ".prefect").glob("prefect.db*"):
            shutil.copy(file, root / ".prefect")
        return root

    return give
