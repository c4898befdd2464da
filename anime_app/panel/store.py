"""The panel's SQLite file: panels, their blind pictures, each rater's own order of pairs, and the ratings.

Every call opens the file for itself, so that any number of threads and processes may rate at once: WAL lets readers
go on beside the one writer, and a writer waits for another. A panel is written in one transaction, whole or not at all.
"""

import json
import random
import secrets
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from anime_app.panel.order import plan_pairs
from anime_model.pictures.message import Message, about, from_record, to_record

CRITERIA = ("naturalness", "colour", "anime", "speed")
SIDES = ("left", "right")
LOWEST, HIGHEST = 1, 5
PATIENCE = 20.0  # seconds that a writer waits for another
LAYOUT = 1  # of the tables, kept in the file
SCORES = ", ".join(
    f"{side}_{criterion} INTEGER {'' if criterion == 'naturalness' else 'NOT NULL '}"
    f"CHECK ({side}_{criterion} BETWEEN {LOWEST} AND {HIGHEST})"
    for side in SIDES
    for criterion in CRITERIA
)
TABLES = f"""
CREATE TABLE panel (id INTEGER PRIMARY KEY, name TEXT NOT NULL, created TEXT NOT NULL, pairs INTEGER NOT NULL,
    method TEXT NOT NULL);
CREATE TABLE candidate (id INTEGER PRIMARY KEY, panel INTEGER NOT NULL REFERENCES panel, label TEXT NOT NULL,
    model TEXT, version TEXT, UNIQUE (panel, label));
CREATE TABLE photo (id INTEGER PRIMARY KEY, panel INTEGER NOT NULL REFERENCES panel, name TEXT NOT NULL,
    jpeg BLOB NOT NULL);
CREATE TABLE picture (candidate INTEGER NOT NULL REFERENCES candidate, photo INTEGER NOT NULL REFERENCES photo,
    jpeg BLOB NOT NULL, milliseconds REAL NOT NULL, PRIMARY KEY (candidate, photo));
CREATE TABLE rater (id INTEGER PRIMARY KEY, panel INTEGER NOT NULL REFERENCES panel, name TEXT NOT NULL,
    key TEXT NOT NULL UNIQUE, seed INTEGER NOT NULL, UNIQUE (panel, name));
CREATE TABLE pair (id INTEGER PRIMARY KEY, rater INTEGER NOT NULL REFERENCES rater, position INTEGER NOT NULL,
    photo INTEGER NOT NULL REFERENCES photo, left INTEGER NOT NULL REFERENCES candidate,
    right INTEGER NOT NULL REFERENCES candidate, key TEXT NOT NULL UNIQUE, UNIQUE (rater, position));
CREATE TABLE rating (pair INTEGER PRIMARY KEY REFERENCES pair, {SCORES}, seconds REAL NOT NULL, rated TEXT NOT NULL,
    CHECK ((left_naturalness IS NULL) = (right_naturalness IS NULL)));
"""
Scores = dict[str, int | None]  # by criterion; naturalness is None where the photo shows no face


class StoreError(ValueError):
    """What cannot be stored or is not there; the message is one line to show to people."""


class UnknownKeyError(StoreError):
    """A link's or a pair's key that is not there."""


@dataclass(frozen=True)
class Candidate:
    """One version that is judged; `model` and `version` name it in MLflow's registry, where it is registered."""

    label: str
    model: str | None = None
    version: str | None = None


@dataclass(frozen=True)
class Drawn:
    """One photo of a panel and what every candidate made of it, in the candidates' order: JPEG bytes, milliseconds."""

    name: str
    photo: bytes
    pictures: Sequence[bytes]
    milliseconds: Sequence[float]


@dataclass(frozen=True)
class Pair:
    """What a rater may know of the next pair: two keys that say nothing, and how far along the session is."""

    key: str
    position: int  # from 1
    total: int


@dataclass(frozen=True)
class Rating:
    """One finished pair: the labels of both sides and their scores."""

    rater: str
    position: int
    photo: str
    left: str
    right: str
    left_scores: Scores
    right_scores: Scores
    seconds: float
    rated: str


@dataclass(frozen=True)
class Seat:
    """One rater's link and progress."""

    name: str
    key: str
    done: int
    total: int


@dataclass(frozen=True)
class Store:
    """The file at `path`; made with the first panel. What cannot be done raises `StoreError`."""

    path: Path

    def create(
        self, name: str, candidates: Sequence[Candidate], photos: Sequence[Drawn], pairs: int, method: str
    ) -> int:
        """A panel without raters; its id. `pairs` for each rater, `method` says how the pictures were made."""
        if len(candidates) < 2 or not photos:
            raise StoreError("a panel needs two versions or more, and a photo or more")
        with self._open(writing=True) as base:
            row = (name.strip() or "panel", _now(), pairs, json.dumps(to_record(method)))
            panel = base.execute("INSERT INTO panel (name, created, pairs, method) VALUES (?, ?, ?, ?)", row).lastrowid
            ids = [
                base.execute(
                    "INSERT INTO candidate (panel, label, model, version) VALUES (?, ?, ?, ?)",
                    (panel, candidate.label, candidate.model, candidate.version),
                ).lastrowid
                for candidate in candidates
            ]
            for photo in photos:
                self._add_photo(base, panel, ids, photo)
        return panel

    def _add_photo(self, base: sqlite3.Connection, panel: int, candidates: Sequence[int], photo: Drawn) -> None:
        row = (panel, photo.name, photo.photo)
        made = base.execute("INSERT INTO photo (panel, name, jpeg) VALUES (?, ?, ?)", row).lastrowid
        rows = zip(candidates, [made] * len(candidates), photo.pictures, photo.milliseconds, strict=True)
        base.executemany("INSERT INTO picture (candidate, photo, jpeg, milliseconds) VALUES (?, ?, ?, ?)", rows)

    def invite(self, panel: int, names: Sequence[str]) -> list[str]:
        """New raters of a panel, each with an order of pairs and sides of its own; the keys of their links."""
        wanted = [name.strip() for name in names if name.strip()]
        with self._open(writing=True) as base:
            row = base.execute("SELECT pairs FROM panel WHERE id = ?", (panel,)).fetchone()
            if row is None:
                raise StoreError(Message("there is no panel {panel}", panel=panel))
            known = {name for (name,) in base.execute("SELECT name FROM rater WHERE panel = ?", (panel,))}
            if twice := sorted({name for name in wanted if name in known or wanted.count(name) > 1}):
                text = "this panel has a rater {name!r} already: give each a name of their own"
                raise StoreError(Message(text, name=twice[0]))
            return [self._seat(base, panel, name, row[0]) for name in wanted]

    def _seat(self, base: sqlite3.Connection, panel: int, name: str, count: int) -> str:
        key, seed = secrets.token_urlsafe(16), secrets.randbelow(2**31)
        rater = base.execute(
            "INSERT INTO rater (panel, name, key, seed) VALUES (?, ?, ?, ?)", (panel, name, key, seed)
        ).lastrowid
        candidates = [row[0] for row in base.execute("SELECT id FROM candidate WHERE panel = ? ORDER BY id", (panel,))]
        photos = [row[0] for row in base.execute("SELECT id FROM photo WHERE panel = ? ORDER BY id", (panel,))]
        order = plan_pairs(candidates, photos, count, random.Random(seed))
        base.executemany(
            "INSERT INTO pair (rater, position, photo, left, right, key) VALUES (?, ?, ?, ?, ?, ?)",
            [(rater, index, *pair, secrets.token_urlsafe(16)) for index, pair in enumerate(order, 1)],
        )
        return key

    def next_pair(self, rater: str) -> Pair | None:
        """The first pair that the rater with this key has not rated; None at the end of the session."""
        with self._open() as base:
            total = base.execute(
                "SELECT COUNT(pair.id) FROM rater LEFT JOIN pair ON pair.rater = rater.id WHERE rater.key = ?"
                " GROUP BY rater.id",
                (rater,),
            ).fetchone()
            if total is None:
                raise UnknownKeyError("this link belongs to no panel: ask for yours again")
            row = base.execute(
                "SELECT pair.key, position FROM pair JOIN rater ON rater.id = pair.rater"
                " LEFT JOIN rating ON rating.pair = pair.id"
                " WHERE rater.key = ? AND rating.pair IS NULL ORDER BY position LIMIT 1",
                (rater,),
            ).fetchone()
        return Pair(*row, total[0]) if row else None

    def picture(self, rater: str, pair: str, side: str) -> tuple[bytes, float]:
        """The JPEG file of one side ("left", "right") or of the photo itself ("photo"), and its milliseconds."""
        if side not in (*SIDES, "photo"):
            raise StoreError("this picture is not there")
        found = (
            "SELECT photo.jpeg, 0.0 FROM pair JOIN rater ON rater.id = pair.rater JOIN photo ON photo.id = pair.photo"
            if side == "photo"
            else "SELECT picture.jpeg, milliseconds FROM pair JOIN rater ON rater.id = pair.rater"
            f" JOIN picture ON picture.candidate = pair.{side} AND picture.photo = pair.photo"
        )
        with self._open() as base:
            row = base.execute(f"{found} WHERE rater.key = ? AND pair.key = ?", (rater, pair)).fetchone()
        if row is None:
            raise UnknownKeyError("this picture is not there: open your link again")
        return row

    def rate(self, rater: str, pair: str, left: Scores, right: Scores, seconds: float) -> bool:
        """Keeps the scores of a pair; False where it was rated before: the first rating stands."""
        values = [_score(scores, criterion) for scores in (left, right) for criterion in CRITERIA]
        if (values[0] is None) != (values[len(CRITERIA)] is None):
            raise StoreError("a face is rated on both sides or on none")
        names = ", ".join(f"{side}_{criterion}" for side in SIDES for criterion in CRITERIA)
        with self._open(writing=True) as base:
            found = base.execute(
                "SELECT pair.id FROM pair JOIN rater ON rater.id = pair.rater WHERE rater.key = ? AND pair.key = ?",
                (rater, pair),
            ).fetchone()
            if found is None:
                raise UnknownKeyError("this pair is not there: open your link again")
            done = base.execute(
                f"INSERT INTO rating (pair, {names}, seconds, rated) VALUES ({', '.join('?' * 11)})"
                " ON CONFLICT (pair) DO NOTHING",
                (*found, *values, max(0.0, float(seconds)), _now()),
            )
            return done.rowcount == 1

    def take_back(self, rater: str) -> tuple[Scores, Scores] | None:
        """Takes back what the rater with this key said last: that pair is the next again. What was said of its left and
        right side; None where nothing was rated yet."""
        names = ", ".join(f"{side}_{criterion}" for side in SIDES for criterion in CRITERIA)
        with self._open(writing=True) as base:
            if base.execute("SELECT id FROM rater WHERE key = ?", (rater,)).fetchone() is None:
                raise UnknownKeyError("this link belongs to no panel: ask for yours again")
            row = base.execute(
                f"SELECT pair.id, {names} FROM rating JOIN pair ON pair.id = rating.pair"
                " JOIN rater ON rater.id = pair.rater WHERE rater.key = ? ORDER BY position DESC LIMIT 1",
                (rater,),
            ).fetchone()
            if row is None:
                return None
            base.execute("DELETE FROM rating WHERE pair = ?", row[:1])
        halves = row[1 : 1 + len(CRITERIA)], row[1 + len(CRITERIA) :]
        left, right = (dict(zip(CRITERIA, half, strict=True)) for half in halves)
        return left, right

    def panels(self) -> list[tuple[int, str]]:
        """Ids and names, the newest first."""
        if not self.path.exists():
            return []
        with self._open() as base:
            named = "SELECT id, name || ' · ' || substr(created, 1, 10) FROM panel ORDER BY id DESC"
            return base.execute(named).fetchall()

    def candidates(self, panel: int) -> list[Candidate]:
        with self._open() as base:
            rows = base.execute("SELECT label, model, version FROM candidate WHERE panel = ? ORDER BY id", (panel,))
            return [Candidate(*row) for row in rows]

    def method(self, panel: int) -> str:
        with self._open() as base:
            row = base.execute("SELECT method FROM panel WHERE id = ?", (panel,)).fetchone()
        try:
            return from_record(json.loads(row[0])) if row else ""
        except ValueError:  # a text of an older release
            return row[0]

    def seats(self, panel: int) -> list[Seat]:
        """The raters of a panel, in the order in which they were invited."""
        with self._open() as base:
            rows = base.execute(
                "SELECT rater.name, rater.key, COUNT(rating.pair), COUNT(pair.id) FROM rater"
                " LEFT JOIN pair ON pair.rater = rater.id LEFT JOIN rating ON rating.pair = pair.id"
                " WHERE rater.panel = ? GROUP BY rater.id ORDER BY rater.id",
                (panel,),
            )
            return [Seat(*row) for row in rows]

    def ratings(self, panel: int) -> list[Rating]:
        """All finished pairs of a panel, rater by rater, in the order in which they were shown."""
        scores = ", ".join(f"{side}_{criterion}" for side in SIDES for criterion in CRITERIA)
        with self._open() as base:
            rows = base.execute(
                f"SELECT rater.name, position, photo.name, one.label, other.label, {scores}, seconds, rated FROM rating"
                " JOIN pair ON pair.id = rating.pair JOIN rater ON rater.id = pair.rater"
                " JOIN photo ON photo.id = pair.photo JOIN candidate one ON one.id = pair.left"
                " JOIN candidate other ON other.id = pair.right WHERE rater.panel = ? ORDER BY rater.id, position",
                (panel,),
            ).fetchall()
        half = 5 + len(CRITERIA)
        named = [(dict(zip(CRITERIA, row[5:half], strict=True)), row[half : half + 4], row) for row in rows]
        return [
            Rating(*row[:5], left, dict(zip(CRITERIA, right, strict=True)), *row[-2:]) for left, right, row in named
        ]

    @contextmanager
    def _open(self, writing: bool = False) -> Iterator[sqlite3.Connection]:
        """A connection for one transaction: kept at the end, undone where something is raised."""
        try:
            base = _connect(self.path)
            try:
                base.execute("BEGIN IMMEDIATE" if writing else "BEGIN")
                with base:
                    yield base
            finally:
                base.close()
        except (sqlite3.Error, OSError) as error:
            why = Message("the panel's file cannot be used ({reason})", reason=str(error))
            raise StoreError(about(self.path, why)) from error


def _connect(path: Path) -> sqlite3.Connection:
    """Opens the file, and makes its tables where it is new; the one who comes first makes them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    base = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None)
    base.execute("PRAGMA foreign_keys = ON")
    if _layout(base) == 0:
        base.execute("PRAGMA journal_mode = WAL")
        base.execute("BEGIN IMMEDIATE")
        with base:
            if _layout(base) == 0:
                for table in TABLES.split(";")[:-1]:
                    base.execute(table)
                base.execute(f"PRAGMA user_version = {LAYOUT}")
    if (found := _layout(base)) != LAYOUT:
        base.close()
        text = "was made by another release (layout {found}, this one reads {layout})"
        raise StoreError(about(path, Message(text, found=found, layout=LAYOUT)))
    return base


def _layout(base: sqlite3.Connection) -> int:
    return base.execute("PRAGMA user_version").fetchone()[0]


def _score(scores: Scores, criterion: str) -> int | None:
    value = scores.get(criterion)
    if value is None and criterion == "naturalness":
        return None
    if not isinstance(value, int) or not LOWEST <= value <= HIGHEST:
        text = "a score is a whole number from {lowest} to {highest}, not {value!r}"
        raise StoreError(about(criterion, Message(text, lowest=LOWEST, highest=HIGHEST, value=value)))
    return value


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
