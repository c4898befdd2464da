"""Rows of figures as CSV files."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from anime_model.pictures.atomic import write_whole


def write_table(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """A column for every key of any row, in the order in which they come; empty where a row has none. Whole or not at
    all. Raises `OSError`.
    """
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(dict.fromkeys(key for row in rows for key in row)), restval="")
    writer.writeheader()
    writer.writerows(rows)
    write_whole(path, text.getvalue())
