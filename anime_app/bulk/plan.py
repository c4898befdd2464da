"""What is to be done of a list of jobs, from what the manifest knows and what is there."""

import json
import os
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import pyarrow as pa

from anime_app.bulk import manifest

# What a worker does with a job.
DRAW = "draw"  # there is no result
REPLACE = "replace"  # whatever is there
ADOPT = "adopt"  # a result is there that no row tells of: it stays, and gets its row
PART = "part"  # frames of a film, for who puts it together
COMPARE = "compare"  # the source looks changed, or is another file: drawn anew only where its content is another
SHAPE = pa.schema(
    {
        **{"index": pa.int64(), "source": pa.binary(), "target": pa.binary(), "below": pa.string()},
        **{"what": pa.string(), "stamp": pa.string(), "known": pa.string(), "owner": pa.string(), "part": pa.string()},
    }
)


class Task(NamedTuple):
    """One picture, or part of a film, as a worker gets it. Names are those of files, of whatever bytes; `below` is the
    manifest's.

    `known` is the SHA-256 of what the result that is there was made of, `owner` the source where that was another one,
    `part` what `films` says of a part.
    """

    index: int
    source: str
    target: str
    below: str
    what: str
    stamp: str = ""
    known: str | None = None
    owner: str | None = None
    part: str | None = None


class Job(NamedTuple):
    """A picture that is asked for. `stamp` is empty where nothing tells whether the source has changed."""

    source: str
    target: str
    below: str
    stamp: str = ""


@dataclass
class Plan:
    """What is to do, and how many results are there."""

    tasks: list[Task] = field(default_factory=list)
    there: int = 0


def plan(
    jobs: Iterable[Job], rows: pa.Table, settings: dict, exists: Callable[[str], bool], force: bool = False
) -> Plan:
    """What is missing, changed or not known to the manifest's `rows`; with `force` everything.

    Raises `ValueError` where results that are there were made with other settings.
    """
    known, made, others = _Known(rows), Plan(), Counter()
    for index, job in enumerate(jobs):
        row = known.row(job.below) if force or exists(job.target) else None
        if not force and row and row["settings"] and (other := differing(json.loads(row["settings"]), settings)):
            others[other] += 1
        elif not force and row and job.stamp == row["stamp"] != "" and row["source"] == manifest.text(job.source):
            made.there += 1
        else:
            made.tasks.append(_task(index, job, row, exists, force))
    if others:
        raise ValueError(
            f"{others.total()} of the results that are there were made with other settings "
            f"({others.most_common(1)[0][0]}): give another -o, or --force makes them again"
        )
    return made


def _task(index: int, job: Job, row: dict | None, exists: Callable[[str], bool], force: bool) -> Task:
    what = REPLACE if force else COMPARE if row else ADOPT if exists(job.target) else DRAW
    owner = row["source"] if row and row["source"] != manifest.text(job.source) else None
    return Task(index, job.source, job.target, job.below, what, job.stamp, row and row["sha256"], owner)


def differing(old: dict, new: dict) -> str:
    """What differs between two settings, in words; empty where nothing does. A model is known by its content."""
    keys = [key for key in dict.fromkeys((*old, *new)) if key not in ("style", "model")]
    changes = [
        f"{key} {_word(old.get(key))}, now {_word(new.get(key))}" for key in keys if old.get(key) != new.get(key)
    ]
    if old.get("model") != new.get("model"):
        names = [f"{each.get('style')}" for each in (old, new)]
        changes.insert(0, f"style {names[0]}, now {names[1] if names[0] != names[1] else 'another model of that name'}")
    return "; ".join(changes)


def _word(value: object) -> str:
    return {"None": "none", "True": "on", "False": "off"}.get(str(value), str(value))


class _Known:
    """Rows of results that are there, by the result's name."""

    def __init__(self, rows: pa.Table) -> None:
        states = rows["state"].to_pylist()
        self._rows = rows
        self._places = {
            name: place
            for place, (name, state) in enumerate(zip(rows["target"].to_pylist(), states, strict=True))
            if state in manifest.DONE
        }

    def row(self, name: str) -> dict | None:
        place = self._places.get(name)
        if place is None:
            return None
        return {key: self._rows[key][place].as_py() for key in ("source", "sha256", "stamp", "settings")}


def blocks(tasks: list[Task], size: int) -> list[pa.Table]:
    """The tasks as tables of at most `size` rows, in order; parts of films first, each in a table of its own."""
    parts, pictures = [[task] for task in tasks if task.part], [task for task in tasks if not task.part]
    shares = [pictures[start : start + size] for start in range(0, len(pictures), size)]
    return [pa.Table.from_pylist([_plain(task) for task in share], SHAPE) for share in parts + shares]


def _plain(task: Task) -> dict:
    return task._asdict() | {"source": os.fsencode(task.source), "target": os.fsencode(task.target)}


def tasks_of(block: pa.Table) -> list[Task]:
    """The tasks of such a table again."""
    rows = block.to_pylist()
    return [Task(**row | {name: os.fsdecode(row[name]) for name in ("source", "target")}) for row in rows]
