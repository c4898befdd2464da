import json
import re
import subprocess
from pathlib import Path

import pytest

from tools import constraints

FOUND = (("torch", "2.9.1"), ("animegan-lite", "0.2.0"), ("PyYAML", "6.0.2"), ("aiohttp", "3.14.5"))
REPORT = {"install": [{"metadata": {"name": name, "version": version}} for name, version in FOUND]}


def answer(monkeypatch: pytest.MonkeyPatch, status: int, out: str) -> None:
    monkeypatch.setattr(
        constraints.subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, status, out)
    )


def test_every_package_but_the_project_is_a_line(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    answer(monkeypatch, 0, json.dumps(REPORT))
    constraints.main()
    assert Path("constraints.txt").read_text() == "aiohttp==3.14.5\npyyaml==6.0.2\ntorch==2.9.1\n"


def test_what_pip_cannot_find_leaves_the_file(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    Path("constraints.txt").write_text("torch==2.9.1\n")
    answer(monkeypatch, 1, "")
    with pytest.raises(SystemExit, match=r"constraints\.txt: left as it was"):
        constraints.main()
    assert Path("constraints.txt").read_text() == "torch==2.9.1\n"


def test_the_file_of_the_project_holds_names_and_versions_only():
    lines = Path("constraints.txt").read_text().splitlines()
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+==[0-9][A-Za-z0-9.+!]*", line) for line in lines)
