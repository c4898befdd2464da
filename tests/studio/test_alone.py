"""The studio of somebody who has no project: what is not there is not shown."""

from pathlib import Path

import pytest

from benchmarks.studio import server

pytestmark = pytest.mark.long
ROOT = Path(__file__).parents[2]


def test_compare_and_judge_are_there_only_where_there_is_something_to_see(browser, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a project is opened where the studio starts in one
    with server("--database", str(tmp_path / "none.db"), PYTHONPATH=str(ROOT)) as running:
        page = browser.new_page()
        page.goto(running.url)
        page.wait_for_selector("#make .drop")
        assert page.get_by_role("tab").filter(visible=True).count() == 0
        assert page.locator("#compare, #judge, #judge-admin").count() == 0
        page.close()
    assert not (tmp_path / "none.db").exists(), "looking makes no panel"
