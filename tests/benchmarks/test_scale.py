import json
import sys
from pathlib import Path

import pytest

from benchmarks import scale
from benchmarks.scale import Link, Work, fit, reduce_time, row

WORK = Work("student", 8, 0.5, 4_000_000, 20)


def test_the_fit_finds_the_link_that_made_the_times():
    true = Link("true", 50e-6, 2e9)
    found = fit(scale.SIZES, [reduce_time(size, true, 2) for size in scale.SIZES])
    assert (found.latency, found.bandwidth) == pytest.approx((true.latency, true.bandwidth))


def test_one_process_waits_for_nobody_and_a_perfect_link_gives_all_there_is():
    perfect = Link("perfect", 0.0, float("inf"))
    assert reduce_time(10**9, Link("slow", 1.0, 1.0), 1) == 0
    assert row(WORK, perfect, 64)["speed_up"] == 64
    assert row(WORK, perfect, 8)["pictures_per_s"] == 8 * 8 / 0.5


def test_more_processes_on_a_real_link_gain_less_each():
    rows = [row(WORK, scale.LINKS[-1], count) for count in (2, 8, 64)]
    shares = [each["efficiency"] for each in rows]
    assert shares == sorted(shares, reverse=True)
    assert rows[0]["step_s"] == pytest.approx(0.5 + 2 * (60e-6 + 2e6 / 1e9) + 20 * 2 * (60e-6 + 128 / 1e9), abs=1e-5)


@pytest.mark.long
def test_what_is_measured_and_what_is_assumed_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(scale, "RESULTS", tmp_path / "scale.json")
    monkeypatch.setattr(scale, "SIZES", (1 << 10, 1 << 16))
    arguments = ["--recipe", "recipes/demo.yaml", "--steps", "4", "--note", "a test"]
    monkeypatch.setattr(sys, "argv", ["scale", *arguments])
    scale.main()
    found = json.loads((tmp_path / "scale.json").read_text())
    assert [work["name"] for work in found["measured"]["steps"]] == ["teacher", "student"]
    assert all(work["seconds"] > 0 for work in found["measured"]["steps"])
    assert {each["link"].rpartition("(")[2] for each in found["rows"]} == {"measured)", "assumed)"}
    assert found["assumptions"]
    assert found["note"] == "a test"
