"""What Compare shows of a search, without a browser."""

from pathlib import Path

import pytest

pytest.importorskip("gradio", reason="the studio needs Gradio: pip install '.[studio]'")

from anime_app.studio.found import found, tables
from tests.studio.project import write_search


def test_the_trials_come_before_the_front_and_a_committed_table(tmp_path: Path):
    trials, _, committed = tables(tmp_path, "cel")
    assert "python -m flows.search cel" in found(tmp_path, "cel")
    for path in (committed, trials):
        write_search(path)
    committed.write_text(committed.read_text().replace("\n0,", "\n777,"))
    assert "trial 777" not in found(tmp_path, "cel")
    trials.unlink()
    assert "trial 777" in found(tmp_path, "cel")
    assert "通道数" in found(tmp_path, "cel"), "in both languages"
    assert "flows.search" in found(None, "cel")
    assert "flows.search" in found(tmp_path, None)


def test_a_damaged_table_is_one_line(tmp_path: Path):
    path = tables(tmp_path, "cel")[0]
    path.parent.mkdir(parents=True)
    path.write_text("trial,ms\n<b>,2\n")
    said = found(tmp_path, "cel")
    assert "no table of a search" in said
    assert "<b>" not in said
    assert "search-chart" not in said
