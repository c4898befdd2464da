"""What a rater's page is told, and when; and that nothing is promoted or made without the token."""

import asyncio
import inspect
from pathlib import Path

import pytest

pytest.importorskip("gradio", reason="the studio needs Gradio: pip install '.[studio]'")

from anime_app.panel.store import CRITERIA, Candidate, Drawn, Store
from anime_app.studio import compare, judge
from anime_app.studio.engineer_state import EngineerState
from anime_app.studio.judge_texts import TEXTS
from anime_app.studio.settings import Studio

FINE = dict.fromkeys(CRITERIA, 3)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path / "panel.db")
    drawn = [Drawn("photo", b"photo", [b"one", b"two"], [1234.0, 46.0])]
    store.create("spring", [Candidate("slow"), Candidate("fast")], drawn, 2, "")
    return store


def test_a_picture_waits_for_as_long_as_its_version_took(store: Store, monkeypatch):
    slept = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(judge.asyncio, "sleep", sleep)
    monkeypatch.setattr(judge.time, "perf_counter", lambda: 0.0)
    (key,) = store.invite(1, ["Ada"])
    answers = {function.__name__: function for function in judge.answers(store)}
    pair = store.next_pair(key).key
    for side in ("left", "right", "photo"):
        asyncio.run(answers["judge_picture"]({"rater": key, "pair": pair, "side": side}))
    assert sorted(slept) == [0, 0.046, 1.234]


@pytest.mark.parametrize("question", [None, [], {}, {"rater": 3}, {"rater": "guessed"}, {"rater": ["x"], "pair": {}}])
def test_odd_questions_get_one_line(store: Store, question):
    for function in judge.answers(store):
        assert asyncio.run(function(question))["problem"]


def test_a_second_rating_of_a_pair_is_not_kept(store: Store):
    (key,) = store.invite(1, ["Ada"])
    rate = judge.answers(store)[2]
    question = {"rater": key, "pair": store.next_pair(key).key, "left": FINE, "right": FINE, "seconds": 3}
    assert [asyncio.run(rate(question)) for _ in range(2)] == [{"kept": True}, {"kept": False}]
    assert "problem" in asyncio.run(rate(question | {"seconds": "long"}))


def test_the_page_has_every_text_in_both_languages():
    page = judge.page()
    for english, chinese in (TEXTS["judge_how"], TEXTS["no_face"], TEXTS["speed_hint"]):
        assert english in page
        assert chinese in page
    assert all(len(pair) == 2 and all(pair) for pair in TEXTS.values())


@pytest.mark.parametrize("token", [None, "", "guessed", "sécret"])
@pytest.mark.parametrize("own", [None, "secret"])
def test_nothing_is_promoted_without_the_studio_s_token(tmp_path: Path, monkeypatch, own, token):
    monkeypatch.setattr(compare, "GUESS", 0)
    monkeypatch.setattr(compare.promotion, "promote", lambda *arguments: pytest.fail("asked"))
    studio = Studio(project=tmp_path, token=own)
    said = list(compare._promoted(studio, EngineerState(studio), "promote", "cel", 1, "", token))
    assert len(said) == 1
    assert "problem" in said[0]


def test_a_page_s_new_question_ends_the_one_before(tmp_path: Path):
    state = EngineerState(Studio(project=tmp_path))
    first, other = state.begin("page"), state.begin("another page")
    assert state.is_last("page", first)
    second = state.begin("page")
    assert not state.is_last("page", first)
    assert state.is_last("page", second)
    assert state.is_last("another page", other)


def test_every_handler_of_the_administrator_s_part_asks_for_the_token():
    from anime_app.studio import judge_admin

    source = inspect.getsource(judge_admin._wire) + inspect.getsource(judge_admin.administration)
    handlers = [part for part in source.split("    def ")[1:] if "token" in part.split("\n")[0]]
    assert len(handlers) >= 4
    assert all("allowed(studio, token)" in handler for handler in handlers)
