import json
import sys
from pathlib import Path

import pytest

from benchmarks import rerun

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


def test_the_toy_passes_the_flow_s_checks_and_has_nothing_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The whole benchmark: a toy that has fallen behind the flow ends it, or leaves stages that are not cached."""
    monkeypatch.setattr(rerun, "RESULTS", tmp_path / "rerun.json")
    monkeypatch.setattr(rerun, "REPEATS", 1)
    monkeypatch.setattr(sys, "argv", ["rerun", "2"])
    rerun.main()
    (row,) = json.loads((tmp_path / "rerun.json").read_text())["rows"]
    assert row["styles"] == 2
    assert row["stages"] == 2 * 9, "all cached"
