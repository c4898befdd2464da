"""The panel's file: blind order, one rating for a rater and a pair, resumable, many raters at once."""

import multiprocessing
import sqlite3
from collections import Counter
from pathlib import Path

import pytest

from anime_app.panel.store import CRITERIA, Candidate, Drawn, Store, StoreError
from anime_model.pictures.message import Message

VERSIONS = ("teacher", "pruned", "int8")
FINE = dict.fromkeys(CRITERIA, 4)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "below" / "panel.db")


def a_panel(store: Store, photos: int = 4, pairs: int = 100) -> int:
    drawn = [
        Drawn(f"photo {index}", b"photo", [f"{name} {index}".encode() for name in VERSIONS], [1000, 50, 40])
        for index in range(photos)
    ]
    candidates = [Candidate(name, "animegan-cel", str(number)) for number, name in enumerate(VERSIONS, 1)]
    return store.create("spring", candidates, drawn, pairs, "drawn by the test")


def test_how_pictures_were_made_keeps_its_template(store: Store):
    method = Message("the median of {count} runs", count=3)
    panels = [store.create("spring", *two_and_one(), 3, text) for text in (method, "an old text")]
    with sqlite3.connect(store.path) as base:  # as older releases wrote it
        base.execute("UPDATE panel SET method = 'an old text' WHERE id = ?", (panels[1],))
    assert [store.method(panel) for panel in panels] == [method, "an old text"]
    assert store.method(panels[0]).template == method.template
    assert store.method(99) == ""


def two_and_one() -> tuple[list[Candidate], list[Drawn]]:
    return [Candidate("teacher"), Candidate("int8")], [Drawn("photo", b"photo", [b"a", b"b"], [9, 8])]


def rate_all(store: Store, key: str, scores: dict[str, int]) -> int:
    """Rates every pair as the version behind it deserves; the number of pairs."""
    count = 0
    while pair := store.next_pair(key):
        sides = [dict.fromkeys(CRITERIA, scores[maker(store, key, pair.key, side)]) for side in ("left", "right")]
        assert store.rate(key, pair.key, *sides, seconds=1)
        count += 1
    return count


def maker(store: Store, key: str, pair: str, side: str) -> str:
    return store.picture(key, pair, side)[0].decode().split()[0]


def test_a_session_shows_every_pair_on_every_photo_once(store: Store):
    (key,) = store.invite(a_panel(store), ["Ada"])
    assert rate_all(store, key, {"teacher": 5, "pruned": 3, "int8": 4}) == 3 * 4
    shown = [(rating.photo, *sorted((rating.left, rating.right))) for rating in store.ratings(1)]
    assert len(set(shown)) == 12
    assert all(
        rating.left_scores["anime"] == {"teacher": 5, "pruned": 3, "int8": 4}[rating.left]
        for rating in store.ratings(1)
    )


def test_orders_and_sides_differ_by_rater_and_are_kept(store: Store):
    panel = a_panel(store)
    keys = store.invite(panel, [f"rater {index}" for index in range(8)])
    for key in keys:
        rate_all(store, key, dict.fromkeys(VERSIONS, 3))
    orders = {}
    for rating in store.ratings(panel):
        orders.setdefault(rating.rater, []).append((rating.photo, rating.left, rating.right))
    assert len({tuple(order) for order in orders.values()}) == 8
    sides = Counter(left for order in orders.values() for _, left, _ in order)
    assert all(sides[name] == 32 for name in VERSIONS), "as often left as right"


def test_a_short_session_shows_every_pair_of_versions_equally_often(store: Store):
    (key,) = store.invite(a_panel(store, pairs=7), ["Ada"])
    assert rate_all(store, key, dict.fromkeys(VERSIONS, 3)) == 7
    met = Counter(tuple(sorted((rating.left, rating.right))) for rating in store.ratings(1))
    assert sorted(met.values()) == [2, 2, 3]


def test_the_first_rating_of_a_pair_stands(store: Store):
    (key,) = store.invite(a_panel(store), ["Ada"])
    pair = store.next_pair(key)
    assert store.rate(key, pair.key, FINE, FINE, 2)
    assert not store.rate(key, pair.key, dict.fromkeys(CRITERIA, 1), FINE, 2)
    (rating,) = store.ratings(1)
    assert rating.left_scores == FINE


def test_a_session_goes_on_where_it_stopped(store: Store):
    (key,) = store.invite(a_panel(store), ["Ada"])
    first = store.next_pair(key)
    assert store.next_pair(key) == first, "not lost before it is rated"
    store.rate(key, first.key, FINE, FINE, 1)
    again = Store(store.path).next_pair(key)
    assert (again.position, again.total) == (2, 12)
    assert store.seats(1)[0].done == 1


def test_a_photo_without_a_face_has_no_naturalness(store: Store):
    (key,) = store.invite(a_panel(store), ["Ada"])
    pair = store.next_pair(key)
    with pytest.raises(StoreError, match="on both sides or on none"):
        store.rate(key, pair.key, FINE | {"naturalness": None}, FINE, 1)
    store.rate(key, pair.key, FINE | {"naturalness": None}, FINE | {"naturalness": None}, 1)
    assert store.ratings(1)[0].right_scores["naturalness"] is None


@pytest.mark.parametrize("score", [0, 6, 2.5, "5", None, True + 5])
def test_scores_are_from_one_to_five(store: Store, score):
    (key,) = store.invite(a_panel(store), ["Ada"])
    with pytest.raises(StoreError, match="colour: a score is a whole number from 1 to 5"):
        store.rate(key, store.next_pair(key).key, FINE | {"colour": score}, FINE, 1)
    assert store.ratings(1) == []


def test_one_rater_sees_nothing_of_another(store: Store):
    ada, bob = store.invite(a_panel(store), ["Ada", "Bob"])
    pair = store.next_pair(ada)
    with pytest.raises(StoreError, match="this picture is not there"):
        store.picture(bob, pair.key, "left")
    with pytest.raises(StoreError, match="this pair is not there"):
        store.rate(bob, pair.key, FINE, FINE, 1)
    with pytest.raises(StoreError, match="this link belongs to no panel"):
        store.next_pair("guessed")
    with pytest.raises(StoreError, match="this picture is not there"):
        store.picture(ada, pair.key, "left; DROP TABLE rating")


def test_names_are_given_once(store: Store):
    panel = a_panel(store)
    store.invite(panel, ["Ada"])
    with pytest.raises(StoreError, match="has a rater 'Ada' already"):
        store.invite(panel, ["Bob", "Ada"])
    assert [seat.name for seat in store.seats(panel)] == ["Ada"], "all or none"
    with pytest.raises(StoreError, match="there is no panel 9"):
        store.invite(9, ["Ada"])


def test_a_panel_is_made_whole_or_not_at_all(store: Store):
    broken = Drawn("second", b"", [b"a", b"b"], [1, 2])  # one picture too few
    whole = Drawn("first", b"", [b"a", b"b", b"c"], [1, 2, 3])
    with pytest.raises(ValueError, match="zip"):
        store.create("spring", [Candidate(name) for name in VERSIONS], [whole, broken], 3, "")
    assert store.panels() == []


def test_what_is_no_panel_file_is_one_line(tmp_path: Path):
    (tmp_path / "photo.db").write_bytes(b"a photo, by its name" * 100)
    with pytest.raises(StoreError, match=r"photo\.db: the panel's file cannot be used \(file is not a database\)"):
        Store(tmp_path / "photo.db").panels()
    with sqlite3.connect(tmp_path / "newer.db") as base:
        base.execute("PRAGMA user_version = 9")
    with pytest.raises(StoreError, match=r"newer\.db: was made by another release"):
        Store(tmp_path / "newer.db").panels()


def _session(path: Path, key: str) -> None:
    rate_all(Store(path), key, {"teacher": 5, "pruned": 2, "int8": 4})


def test_eight_raters_at_once_lose_nothing(store: Store):
    panel = a_panel(store)
    keys = store.invite(panel, [f"rater {index}" for index in range(8)])
    spawn = multiprocessing.get_context("fork")
    processes = [spawn.Process(target=_session, args=(store.path, key)) for key in keys]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * 8
    assert len(store.ratings(panel)) == 8 * 12
    with sqlite3.connect(store.path) as base:
        assert base.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert base.execute("PRAGMA integrity_check").fetchone() == ("ok",)
