"""A workspace that was moved or copied takes its MLflow files along: their paths in its own database are put right.

MLflow writes absolute paths. Without this a moved project would read, and write, in the old place.
"""

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

COLUMNS = {  # where MLflow 3 keeps places of files
    "experiments": ("artifact_location",),
    "runs": ("artifact_uri",),
    "logged_models": ("artifact_location",),
    "model_versions": ("source", "storage_location"),
}
FILES = "mlruns"  # beside the database


def put_right(database: Path) -> str:
    """The folder that the files were recorded in, where it is another one than the database's; else empty.

    Only where the files lie beside the database, as they do after a move or a copy of the whole.
    """
    here = database.absolute().parent
    if not database.is_file() or not (here / FILES).is_dir():
        return ""
    with closing(sqlite3.connect(database, timeout=30)) as store:
        former = next(_places(store, here), "")
        if former:
            with store:
                for table, column in _present(store):
                    _replace(store, table, column, former, str(here))
            logging.getLogger(__name__).warning("MLflow's files were recorded in %s: put right", former)
    return former


def _places(store: sqlite3.Connection, here: Path) -> Iterator[str]:
    """Of experiments: folders above `mlruns` that are gone, or whose files are here. A place that somebody has chosen
    for the files is neither.
    """
    for (location,) in store.execute("SELECT artifact_location FROM experiments"):
        path = (location or "").removeprefix("file://")
        place, _, rest = path.rpartition(f"/{FILES}")
        ours = (here / FILES / rest.lstrip("/")).is_dir() or not Path(place).exists()
        if place.startswith("/") and place != str(here) and ours:
            yield place


def _present(store: sqlite3.Connection) -> Iterator[tuple[str, str]]:
    for table, columns in COLUMNS.items():
        there = {row[1] for row in store.execute(f"PRAGMA table_info({table})")}
        yield from ((table, column) for column in columns if column in there)


def _replace(store: sqlite3.Connection, table: str, column: str, former: str, here: str) -> None:
    """Of whole folders only: /srv/a is no beginning of /srv/ab."""
    for scheme in ("", "file://"):
        old, new = f"{scheme}{former}/{FILES}", f"{scheme}{here}/{FILES}"
        store.execute(
            f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE substr({column}, 1, ?) = ?",
            (new, len(old) + 1, len(old), old),
        )
