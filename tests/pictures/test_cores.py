"""A container's quota, by the files of control groups of both versions."""

import os
from pathlib import Path

import pytest

from anime_model.pictures import cores
from anime_model.pictures.cores import cores_here, quota_here


def group(tmp_path: Path, lines: str, files: dict[str, str]) -> tuple[Path, Path]:
    (tmp_path / "cgroup").write_text(lines)
    for name, content in files.items():
        file = tmp_path / "mount" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    return tmp_path / "cgroup", tmp_path / "mount"


@pytest.mark.parametrize(
    ("lines", "files", "quota"),
    [
        ("0::/\n", {"cpu.max": "50000 100000\n"}, 0.5),
        ("0::/\n", {"cpu.max": "max 100000\n"}, None),
        ("0::/a/b\n", {"a/b/cpu.max": "max 100000\n", "a/cpu.max": "150000 100000\n"}, 1.5),
        ("0::/a/b\n", {"a/b/cpu.max": "300000 100000\n", "a/cpu.max": "200000 100000\n"}, 2.0),
        ("0::/host/only\n", {"cpu.max": "100000 100000\n"}, 1.0),
        (
            "4:cpu,cpuacct:/a\n",
            {"cpu,cpuacct/a/cpu.cfs_quota_us": "25000", "cpu,cpuacct/a/cpu.cfs_period_us": "50000"},
            0.5,
        ),
        ("4:cpu,cpuacct:/x\n", {"cpu/cpu.cfs_quota_us": "100000", "cpu/cpu.cfs_period_us": "50000"}, 2.0),
        ("4:cpu:/\n", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None),
        ("3:memory:/a\n0::/\n", {}, None),
        ("0::/\n", {"cpu.max": "nonsense"}, None),
        ("5:cpuset:/a\n", {"cpuset/a/cpu.max": "1 100"}, None),
    ],
)
def test_the_smallest_quota_on_the_way_up(tmp_path, lines, files, quota):
    assert quota_here(*group(tmp_path, lines, files)) == quota


def test_no_control_groups_no_quota(tmp_path):
    assert quota_here(tmp_path / "none", tmp_path) is None


@pytest.mark.parametrize(("quota", "bound", "wanted"), [(0.5, 2, 1), (1.5, 8, 2), (9.0, 4, 4), (None, 3, 3)])
def test_cores_are_those_that_are_bound_and_paid_for(monkeypatch, quota, bound, wanted):
    monkeypatch.setattr(cores, "quota_here", lambda: quota)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(bound)), raising=False)
    assert cores_here() == wanted
