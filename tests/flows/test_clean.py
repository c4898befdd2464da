"""Removed styles and abandoned trainings are found, said, and removed when told to."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from flows import clean
from flows.pipeline.graph import load_stages


@pytest.fixture
def left(made: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project that had the style ink, a training broken off long ago and one of today."""
    recipe = made / "params.yaml"
    recipe.write_text(recipe.read_text().replace("[cel, ink]", "[cel]"))
    for name, seconds in (("old", 0), ("new", None)):
        folder = made / "scratch" / "distill" / name
        folder.mkdir(parents=True)
        (folder / "state").write_bytes(bytes(2_000_000))
        if seconds is not None:
            for path in (folder / "state", folder):
                os.utime(path, (seconds, seconds))
    (made / "scratch" / "logs" / "old").mkdir(parents=True)
    os.utime(made / "scratch" / "logs" / "old", (0, 0))
    monkeypatch.setattr(clean, "WORKSPACE", made)
    return made


def run(capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> list[str]:
    monkeypatch.setattr(sys, "argv", ["clean", *arguments])
    assert clean.main() == 0
    return capsys.readouterr().out.splitlines()


def test_it_is_said_first_and_removed_when_told_to(left: Path, capsys, monkeypatch):
    said = run(capsys, monkeypatch)
    assert [line.split("  ")[0] for line in said] == [
        "artifacts/ink", "scratch/distill/old", "dvc.lock: train_teacher@ink, export@ink, evaluate@ink",
        "python -m flows.clean --delete removes it",
    ]  # fmt: skip
    assert said[1].endswith("2.0 MB")
    assert (left / "artifacts" / "ink").is_dir()
    assert run(capsys, monkeypatch, "--delete")[:3] == said[:3]
    assert not (left / "artifacts" / "ink").exists()
    assert [path.name for path in (left / "scratch" / "distill").iterdir()] == ["new"]
    assert all(name.endswith("@cel") for name in yaml.safe_load((left / "dvc.lock").read_text())["stages"])
    assert {stage.changed for stage in load_stages(left)} == {""}, "the style that stays is as it was"
    status = subprocess.run([sys.executable, "-m", "dvc", "status"], capture_output=True, text=True)
    assert "up to date" in status.stdout
    assert run(capsys, monkeypatch) == ["nothing to remove"]


def test_what_a_search_has_trained_stays(left: Path, capsys, monkeypatch):
    search = left / "artifacts/ink/search"
    search.mkdir()
    (search / "family.safetensors").write_bytes(bytes(1000))
    run(capsys, monkeypatch, "--delete")
    assert (search / "family.safetensors").exists()
    assert [path.name for path in (left / "artifacts/ink").iterdir()] == ["search"]
    assert run(capsys, monkeypatch) == ["nothing to remove"]


def test_that_it_stays_is_said(left: Path, capsys, monkeypatch):
    (left / "artifacts/ink/search").mkdir()
    assert "artifacts/ink/search stays: no cache has it" in run(capsys, monkeypatch)


@pytest.mark.parametrize("text", ["", "schema: '2.0'\nstages:\n  evaluate@cel: {cmd"])
def test_a_lock_file_that_was_cut_off_is_no_fault(left: Path, capsys, monkeypatch, text: str):
    (left / "dvc.lock").write_text(text)
    assert run(capsys, monkeypatch)[-1] == "python -m flows.clean --delete removes it"
