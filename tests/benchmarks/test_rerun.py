import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks import rerun
from tests.declared import STYLE, declared_project
from tests.flows.forked import forking_python

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]


@pytest.fixture
def make_style(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path, str], None]:
    """In place of a second run of all stages, with the same recipe: what they have made in the declared project."""
    made = declared_project(tmp_path_factory) / "artifacts" / STYLE

    def make(root: Path, style: str) -> None:
        rerun.copy_artifacts(made, root / "artifacts" / style)

    return make


def test_the_toy_passes_the_flow_s_checks_and_has_nothing_to_do(
    make_style: Callable[[Path, str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The whole benchmark: a toy that has fallen behind the flow ends it, or leaves stages that are not cached."""
    monkeypatch.setattr(sys, "executable", forking_python())
    monkeypatch.setattr(rerun, "make_style", make_style)
    monkeypatch.setattr(rerun, "RESULTS", tmp_path / "rerun.json")
    monkeypatch.setattr(rerun, "REPEATS", 1)
    monkeypatch.setattr(sys, "argv", ["rerun", "2"])
    rerun.main()
    (row,) = json.loads((tmp_path / "rerun.json").read_text())["rows"]
    assert row["styles"] == 2
    assert row["stages"] == 2 * 9, "all cached"
