import json
import sys
from pathlib import Path

import mlflow
import pytest

from benchmarks import registry

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:.*Any type hint:UserWarning"),  # MLflow about its own types, when imported
]


def test_every_call_is_timed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(registry, "RESULTS", tmp_path / "registry.json")
    monkeypatch.setattr(sys, "argv", ["registry", "10"])
    registry.main()
    mlflow.set_tracking_uri(None)
    found = json.loads((tmp_path / "registry.json").read_text())
    assert found["versions"] == 10
    assert set(found["seconds"]) >= {"promotion", "rollback"}
