"""How much memory is left, by the files of the system and of control groups, and what each of many workers gets."""

from pathlib import Path

import pytest

from anime_model.pictures.memory import memory_here
from anime_model.runtime import shares
from anime_model.runtime.network import BASE, MEMORY, Network
from anime_model.runtime.shares import memory_of
from tests.tiny_onnx import identity_model

TWO = {"memory.max": "4000", "memory.current": "3000", "memory.stat": "anon 5\ninactive_file 500\n"}
ONE = {"memory.limit_in_bytes": "9000", "memory.usage_in_bytes": "8000", "memory.stat": "total_inactive_file 1\n"}


@pytest.mark.parametrize(
    ("available", "lines", "folder", "files", "left"),
    [
        ("3", "0::/a\n", "a", TWO, 1500),
        ("1", "0::/a\n", "a", TWO, 1024),  # the machine has less
        ("3", "0::/host/only\n", ".", TWO, 1500),  # inside a container
        ("3", "0::/a\n", "a", TWO | {"memory.max": "max"}, 3072),
        ("3", "0::/a\n", "a", TWO | {"memory.current": "5000"}, 0),
        ("3", "5:memory:/a\n", "memory/a", ONE, 1001),
        ("3", "5:cpu:/a\n", "memory/a", ONE, 3072),
        ("", "", ".", {}, None),
    ],
)
def test_what_is_left(tmp_path: Path, available: str, lines: str, folder: str, files: dict, left: int | None):
    for name, text in files.items():
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / name).write_text(text)
    (tmp_path / "cgroup").write_text(lines)
    (tmp_path / "meminfo").write_text(f"MemTotal: 9 kB\nMemAvailable:  {available} kB\n" if available else "")
    assert memory_here(tmp_path / "meminfo", tmp_path / "cgroup", tmp_path) == left


def test_many_workers_stay_within_what_is_left(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(shares, "memory_here", lambda: 2_000_000_000)
    assert memory_of(1) == MEMORY
    for workers in (2, 4, 8, 16):
        assert BASE + workers * (memory_of(workers) - BASE) <= 0.8 * 2_000_000_000, workers
    painter = Network(identity_model(tmp_path / "one.onnx"), memory=memory_of(16))
    assert painter.plan(720, 960) is None, "a file that does not say how far it sees is never cut"
    painter.__dict__["_radius"] = 8
    assert painter.plan(720, 960) is not None, "smaller tiles"
    monkeypatch.setattr(shares, "memory_here", lambda: 1)
    assert memory_of(64) > BASE, "however little there is, a tile of some size is drawn"
    monkeypatch.setattr(shares, "memory_here", lambda: None)
    assert memory_of(64) == MEMORY
