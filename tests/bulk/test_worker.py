"""What a worker makes of its tasks, in this process and without Ray."""

import os
from dataclasses import replace
from pathlib import Path

import onnx
import pytest
from PIL import Image

from anime_app.bulk import manifest, places, worker
from anime_app.bulk.plan import ADOPT, COMPARE, DRAW, REPLACE, Task, blocks
from anime_app.bulk.worker import Brief, Ledger, Worker, other_code, own_code
from anime_app.drawing import Order
from anime_model.runtime.stylizer import Look
from tests.bulk.conftest import photo
from tests.tiny_onnx import save_model


@pytest.fixture
def brief(weights) -> Brief:
    return Brief(Order(Look()), (weights / "ink.onnx").read_bytes(), "ink", 1, 0, '{"style": "ink"}', own_code())


def task(name: str, what: str = DRAW, index: int = 0, **others: str) -> Task:
    return Task(index, str(Path("in", name).absolute()), str(Path("out", name).absolute()), name, what, **others)


def rows(worker: Worker, *tasks: Task) -> list[dict]:
    (block,) = blocks(list(tasks), 100)
    return sorted(worker(block).to_pylist(), key=lambda row: row["index"])


def test_rows_say_what_became_of_each_picture(brief):
    photo("in/a.png")
    photo("in/b.png").write_bytes(b"no picture")
    photo("in/c.png", size=(2, 17_000)).rename("in/c.webp")
    Path("out").mkdir()
    Path("out/d").touch()
    photo("in/d/x.png")
    names = ("a.png", "b.png", "c.webp", "d/x.png", "none.png")
    found = rows(Worker(brief), *(task(name, index=index) for index, name in enumerate(names)))
    states = ["made", "unreadable", "unfit", "unwritten", "unread"]
    assert [row["state"] for row in found] == states
    assert (found[0]["result_sha256"], found[0]["result_bytes"]) == places.digest("out/a.png")
    assert found[0]["sha256"] == places.digest("in/a.png")[0]
    assert found[2]["reason"].startswith(f"{Path('out/c.webp').absolute()}: cannot be written as WEBP")
    assert found[3]["reason"].endswith("/out/d/x.png: not a directory")
    assert found[4]["reason"].endswith("/in/none.png: no such file or directory")


def test_a_result_that_nobody_knows_stays_and_gets_its_row(brief):
    photo("in/a.png")
    photo("out/a.png", 1)
    before = Path("out/a.png").read_bytes()
    (found,) = rows(Worker(brief), task("a.png", ADOPT))
    assert (found["state"], found["settings"]) == ("there", None)
    assert (found["result_sha256"], found["result_bytes"]) == places.digest("out/a.png")
    assert Path("out/a.png").read_bytes() == before


def test_a_source_is_drawn_again_only_where_its_content_changed(brief):
    photo("in/a.png")
    photo("out/a.png", 1)
    before, same = Path("out/a.png").read_bytes(), places.digest("in/a.png")[0]
    (found,) = rows(Worker(brief), task("a.png", COMPARE, known=same, owner="/else/a.png"))
    assert (found["state"], Path("out/a.png").read_bytes()) == ("there", before)
    (found,) = rows(Worker(brief), task("a.png", COMPARE, known="other", owner="/else/a.png"))
    assert (found["state"], Path("out/a.png").read_bytes()) == (worker.REFUSED, before)
    assert found["reason"].endswith("in/a.png: its result would overwrite that of /else/a.png")
    (found,) = rows(Worker(brief), task("a.png", COMPARE, known="other"))
    assert (found["state"], Path("out/a.png").read_bytes() == before) == ("made", False)


def test_a_failure_does_not_take_the_row_of_a_result_that_is_there(brief):
    photo("in/a.png").write_bytes(b"no picture any more")
    for what in (COMPARE, REPLACE):
        (found,) = rows(Worker(brief), task("a.png", what, known="of the result"))
        assert found["state"] == f"{worker.REFUSED}unreadable"
        assert "not a picture" in found["reason"]


def test_a_model_that_cannot_draw_stops_the_run(brief, tmp_path):
    photo("in/a.png")
    nan = save_model(tmp_path / "nan.onnx", [onnx.helper.make_node("Log", ["photo"], ["anime"])], {})
    for model, said in ((b"no model", "cannot open it"), (nan.read_bytes(), "no numbers")):
        (found,) = rows(Worker(replace(brief, model=model)), task("a.png"))
        assert found["state"] == worker.STOP
        assert found["reason"].startswith("ink: ")
        assert said in found["reason"]


def test_other_code_is_refused(brief):
    photo("in/a.png")
    own = own_code()
    assert other_code(own, own) == ""
    for name in ("pillow", "animegan-lite"):
        (found,) = rows(Worker(replace(brief, code=own | {name: "other"})), task("a.png"))
        assert found["state"] == worker.STOP
        assert f"{name} there is {own[name]}, here other" in found["reason"]
    assert not Path("out").exists()


def with_ledger(brief: Brief, ledger: Ledger) -> Worker:
    made = Worker(brief, ledger)
    made._ask = lambda what, indices, wait=True: getattr(ledger, what)(indices)
    return made


def test_what_a_dead_process_had_finished_is_not_drawn_again(brief):
    ledger = Ledger()
    for name in "ab":
        photo(f"in/{name}.png")
    photo("out/a.png", 1)  # by the one that died
    before = Path("out/a.png").read_bytes()
    ledger.begun([0, 1])
    found = rows(with_ledger(brief, ledger), task("a.png"), task("b.png", index=1))
    assert [row["state"] for row in found] == ["made", "made"]
    assert Path("out/a.png").read_bytes() == before
    assert found[0]["result_sha256"] == places.digest("out/a.png")[0]
    assert ledger.begun([0, 1]) == {0: 0, 1: 0}


def test_only_the_picture_that_kills_is_given_up(brief, monkeypatch):
    """Pictures before and behind it are drawn, however many processes die."""
    ledger, read = Ledger(), places.fetch
    for name in "abc":
        photo(f"in/{name}.png")

    def fetch(name: str):
        if name.endswith("b.png"):
            raise KeyboardInterrupt  # passes through the worker as a kill would
        return read(name)

    monkeypatch.setattr(places, "fetch", fetch)
    tasks = [task(f"{name}.png", index=index) for index, name in enumerate("abc")]
    ledger.begun([0, 1, 2])  # the first process that died had all three
    made = with_ledger(brief, ledger)
    monkeypatch.setattr(
        worker, "run", lambda works, stages, *rest: [_serially(work, stages, rest[1]) for work in works]
    )
    deaths = 0
    while True:
        try:
            found = rows(made, *tasks)
            break
        except KeyboardInterrupt:
            deaths += 1
            assert deaths < 10
    assert [row["state"] for row in found] == ["made", "unreadable", "made"]
    assert deaths == worker.GIVE_UP - 1
    assert found[1]["reason"].endswith("b.png: 3 processes died over it")


def _serially(work, stages, report) -> None:
    stages.write(work, stages.draw(work, stages.read(work, lambda pixels: None)))
    report(work, None)


def test_names_of_any_bytes_are_drawn(brief):
    name = os.fsdecode(b"\xff.png")
    photo("in/a.png").rename(f"in/{name}")
    odd = Task(0, os.path.abspath(f"in/{name}"), os.path.abspath(f"out/{name}"), manifest.text(name), DRAW)
    (found,) = rows(Worker(brief), odd)
    assert found["state"] == "made"
    assert os.path.exists(f"out/{name}")


def test_before_and_after_in_a_storage(brief, shelf):
    source = photo("in/a.png", size=(10, 20))
    places.write("shelf://in/a.png", source.read_bytes())
    compared = replace(brief, order=Order(Look(), compare=True))
    (found,) = rows(Worker(compared), Task(0, "shelf://in/a.png", "shelf://out/a.png", "a.png", DRAW))
    assert found["state"] == "made", found
    Path("b.png").write_bytes(places.read("shelf://out/a.png"))
    with Image.open("b.png") as made:
        assert made.size == (40, 10)
