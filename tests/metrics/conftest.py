"""Real networks for the metrics, where somebody has their weights."""

import os
from pathlib import Path

import pytest

CHECKPOINTS = "hub/checkpoints"


@pytest.fixture
def torch_home(monkeypatch: pytest.MonkeyPatch):
    """Points torch's hub cache to a folder that has the named file of weights, or skips the test."""

    def need(file: str) -> None:
        beside = Path(__file__).resolve().parents[3] / "shared" / "torch_home"
        for folder in (os.environ.get("TORCH_HOME"), beside):
            if folder and Path(folder, CHECKPOINTS, file).is_file():
                return monkeypatch.setenv("TORCH_HOME", str(folder))
        return pytest.skip(f"{file} is in no torch hub cache: set TORCH_HOME to one that has it")

    return need


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """An empty hub cache, and downloads that fail as they do with no network."""

    def fail(*_: object, **__: object) -> None:
        raise OSError("Name or service not known")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("torch.hub.download_url_to_file", fail)
