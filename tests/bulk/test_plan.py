"""What is to do: by what is there, and what the manifest knows of it."""

import os

import pytest

from anime_app.bulk import manifest
from anime_app.bulk.plan import ADOPT, COMPARE, DRAW, REPLACE, Job, Plan, Task, blocks, differing, plan, tasks_of
from anime_app.bulk.worker import settings_text

SETTINGS = {"style": "ink", "model": "1", "palette": None, "strength": 1.0, "compare": False}


def job(name: str, stamp: str = "1") -> Job:
    return Job(f"/in/{name}", f"/out/{name}", name, stamp)


def row(name: str, **others: str | None) -> dict:
    known = {"source": f"/in/{name}", "target": name, "state": "made", "sha256": f"sha of {name}", "stamp": "1"}
    return known | {"settings": settings_text(SETTINGS)} | others


def planned(jobs: list[Job], rows: list[dict], there: str = "", force: bool = False, **changed: object) -> Plan:
    return plan(
        jobs, manifest.table_of(rows), SETTINGS | changed, [f"/out/{name}" for name in there].__contains__, force
    )


def whats(found: Plan) -> dict[str, str]:
    return {task.below: task.what for task in found.tasks}


def test_a_second_run_does_what_is_missing_only():
    rows = [row("a"), row("b"), row("c", state="unreadable")]
    found = planned([job("a"), job("b"), job("c"), job("d")], rows, there="a")
    assert found.there == 1
    assert whats(found) == {"b": DRAW, "c": DRAW, "d": DRAW}


def test_results_that_no_row_tells_of_stay():
    assert whats(planned([job("a"), job("b")], [row("b", state="unreadable")], there="ab")) == {"a": ADOPT, "b": ADOPT}


def test_a_source_that_looks_changed_is_compared():
    found = planned(
        [job("a", stamp="2"), job("b", stamp=""), job("c")], [row("a"), row("b", stamp=""), row("c")], "abc"
    )
    assert whats(found) == {"a": COMPARE, "b": COMPARE}
    assert [(task.known, task.owner) for task in found.tasks] == [("sha of a", None), ("sha of b", None)]
    assert found.there == 1


def test_another_source_for_the_same_result_is_compared_and_knows_the_owner():
    found = planned([job("a")], [row("a", source="/else/a")], there="a")
    assert found.tasks == [Task(0, "/in/a", "/out/a", "a", COMPARE, "1", "sha of a", "/else/a")]


def test_force_makes_everything_again():
    found = planned([job("a"), job("b")], [row("a")], there="a", force=True, palette="dusk")
    assert whats(found) == {"a": REPLACE, "b": REPLACE}
    assert [task.known for task in found.tasks] == ["sha of a", None]


def test_other_settings_are_refused_with_what_differs():
    with pytest.raises(ValueError, match="1 of the results") as caught:
        planned([job("a"), job("b")], [row("a")], there="a", palette="dusk", compare=True)
    assert "(compare off, now on; palette none, now dusk): give another -o, or --force" in str(caught.value)
    assert whats(planned([job("a")], [row("a")], palette="dusk")) == {"a": DRAW}, "what is gone binds nobody"
    assert planned([job("a")], [row("a", settings=None)], there="a", palette="dusk").there == 1


def test_a_model_is_known_by_its_content():
    assert not differing(SETTINGS, SETTINGS | {"style": "another name"})
    assert differing(SETTINGS, SETTINGS | {"style": "fog", "model": "2"}) == "style ink, now fog"
    assert differing(SETTINGS, SETTINGS | {"model": "2"}) == "style ink, now another model of that name"


def test_tasks_travel_as_tables():
    odd = os.fsdecode(b"/in/\xff.png")
    tasks = [Task(index, odd, f"/out/{index}", str(index), DRAW, known=None if index else "x") for index in range(5)]
    tables = blocks(tasks, 2)
    assert [table.num_rows for table in tables] == [2, 2, 1]
    assert [task for table in tables for task in tasks_of(table)] == tasks
    assert blocks([], 2) == []
