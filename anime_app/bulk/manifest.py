"""The manifest of a target: a Parquet file with a row for each picture that was made, or could not be.

It lies in the hidden folder `.anime` of the target. While a run works, rows come in parts of their own, each whole;
they are put together when it ends, or when the next run begins. The latest row of a result counts.
"""

import io
import itertools
import secrets
import time
from collections.abc import Iterable

import pyarrow as pa
from pyarrow import parquet

from anime_app.bulk import places

FOLDER = ".anime"
NAME = "manifest.parquet"
PART = "part-"
ROWS, SECONDS = 1000, 10.0  # of one part at most
GROUP = 2000  # rows that are written at once
SCHEMA = pa.schema(
    {
        "source": pa.string(),  # a path from the root of the computer, or a URL
        "target": pa.string(),  # below the target's folder
        "state": pa.dictionary(pa.int32(), pa.string()),
        "reason": pa.string(),  # one line, of what was not made
        "sha256": pa.string(),  # of the source's content
        "stamp": pa.string(),  # the source's size and time, or a storage's own mark: unchanged, it is not read again
        "settings": pa.dictionary(pa.int32(), pa.string()),  # JSON: model and options
        "result_sha256": pa.string(),
        "result_bytes": pa.int64(),
    }
)
MADE, THERE = "made", "there"  # drawn by a run; found there and left alone
UNREADABLE = "unreadable"  # no picture, or none that is taken
UNFIT = "unfit"  # a picture that its format cannot hold
UNREAD, UNWRITTEN = "unread", "unwritten"  # a storage did not give it, or not take it
DONE = (MADE, THERE)


def text(name: str) -> str:
    """A file's name as text that Parquet can hold, whatever bytes it is of."""
    return name.encode("utf-8", "backslashreplace").decode()


def table_of(rows: Iterable[dict]) -> pa.Table:
    """Rows with the columns of `SCHEMA`; a column that a row lacks is null."""
    rows = list(rows)
    return pa.table({field.name: pa.array([row.get(field.name) for row in rows], field.type) for field in SCHEMA})


class Manifest:
    """The rows of one target, and where new ones go. Not for several threads."""

    def __init__(self, target: str) -> None:
        self.target = target
        self.folder = f"{target.rstrip('/')}/{FOLDER}"
        self.name = f"{self.folder}/{NAME}"
        self._waiting: list[dict] = []
        self._names: list[str] = []
        self._count, self._run, self._last = itertools.count(), secrets.token_hex(4), time.monotonic()

    def load(self) -> pa.Table:
        """All rows, the latest of each result, with what a run that was killed left in parts. Raises `ValueError` for a
        file that is no manifest, `OSError`."""
        parts = self._parts()
        table = self._joined([*([self.name] if places.exists(self.name) else []), *parts])
        if parts:
            self._merge_parts(table, parts)
        return table

    def add(self, rows: Iterable[dict]) -> None:
        """Rows of pictures that ended; now and then they are written. Raises `OSError`."""
        self._waiting += rows
        if len(self._waiting) >= ROWS or time.monotonic() - self._last >= SECONDS:
            self.flush()

    def flush(self) -> None:
        self._last = time.monotonic()
        if self._waiting:
            name = f"{self.folder}/{PART}{self._run}-{next(self._count):08}.parquet"
            places.write(name, _packed(table_of(self._waiting)))
            self._names.append(name)
            self._waiting = []

    def close(self) -> None:
        """Puts everything into one file. Raises `OSError`; parts that are left then are read by the next run."""
        self.flush()
        if self._names:
            known = [self.name] if places.exists(self.name) else []
            self._merge_parts(self._joined(known + self._names), self._names)
            self._names = []

    def _merge_parts(self, table: pa.Table, parts: list[str]) -> None:
        places.write(self.name, _packed(table))
        for part in parts:
            places.remove(part)

    def _parts(self) -> list[str]:
        """In the order in which they were written: there are never those of two runs."""
        return [f"{self.folder}/{name}" for name in places.names(self.folder) if name.startswith(PART)]

    def _joined(self, names: list[str]) -> pa.Table:
        tables = [self._read(name) for name in names]
        table = pa.concat_tables(tables).unify_dictionaries() if tables else SCHEMA.empty_table()
        latest = {target: index for index, target in enumerate(table["target"].to_pylist())}
        return table if len(latest) == len(table) else table.take(pa.array(sorted(latest.values())))

    def _read(self, name: str) -> pa.Table:
        try:
            # not `read_table`: that starts a scanner with threads of its own, which once crashed after Ray had ended
            table = parquet.ParquetFile(io.BytesIO(places.read(name))).read(use_threads=False)
            return pa.table({field.name: table[field.name].cast(field.type) for field in SCHEMA})
        except (pa.ArrowException, KeyError) as error:
            what = places.first_line(error)
            raise ValueError(
                f"{name}: no manifest of `anime stylize` ({what}); move it away: results that are there stay"
            ) from error


def _packed(table: pa.Table) -> bytes:
    """As Parquet: few rows at once, and dictionaries only of what repeats, or its writer takes some kB for each row."""
    stream, often = io.BytesIO(), ["state", "reason", "settings"]
    parquet.write_table(table, stream, compression="zstd", row_group_size=GROUP, use_dictionary=often)
    return stream.getvalue()
