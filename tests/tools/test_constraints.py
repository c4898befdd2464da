import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from tools import constraints

ROOT = Path(__file__).parents[2]
FOUND = "torch==2.9.1\nray[data]==2.60.0\nPyYAML==6.0.2 ; sys_platform == 'linux'\n# by uv\naiohttp==3.14.5\n"


def answer(monkeypatch: pytest.MonkeyPatch, status: int, out: str) -> None:
    monkeypatch.setattr(
        constraints.subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, status, out)
    )


def test_every_package_is_a_line(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    answer(monkeypatch, 0, FOUND)
    constraints.main()
    assert Path("constraints.txt").read_text() == "aiohttp==3.14.5\npyyaml==6.0.2\nray==2.60.0\ntorch==2.9.1\n"


def test_what_cannot_be_found_leaves_the_file(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    Path("constraints.txt").write_text("torch==2.9.1\n")
    answer(monkeypatch, 1, "")
    with pytest.raises(SystemExit, match=r"constraints\.txt: left as it was"):
        constraints.main()
    assert Path("constraints.txt").read_text() == "torch==2.9.1\n"


def test_the_extras_are_those_of_the_project():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert set(constraints.EXTRAS) <= project["optional-dependencies"].keys()


def test_the_file_of_the_project_holds_names_and_versions_only():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+==[0-9][A-Za-z0-9.+!]*", line) for line in lines)
