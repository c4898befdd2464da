"""Prefect's database before its first use: making its tables is half of what a server's start takes.

The first server of all leaves them in pytest's cache, for later ones and later runs, until Prefect is another version.
"""

import os
import shutil
import sqlite3
from contextlib import closing
from importlib.metadata import version
from pathlib import Path

from tests.support import ROOT

DATABASE, NOTES = "prefect.db", "memo_store.toml"  # that its own blocks are registered


def lay_tables(home: Path) -> None:
    """Into the folder that a server will have as its home, if any server has made them before."""
    if _kept().is_dir():
        shutil.copytree(_kept(), home, dirs_exist_ok=True)


def keep_tables(home: Path) -> None:
    """Of a server that has just started there and had nothing to do yet."""
    kept = _kept()
    if kept.exists():
        return
    part = kept.with_name(f"{kept.name}.{os.getpid()}")
    part.mkdir(parents=True)
    with closing(sqlite3.connect(home / DATABASE)) as used, closing(sqlite3.connect(part / DATABASE)) as copy:
        used.backup(copy)
    shutil.copy(home / NOTES, part)
    for old in kept.parent.glob("prefect-*"):
        if old != part:
            shutil.rmtree(old, ignore_errors=True)
    part.replace(kept)


def _kept() -> Path:
    return ROOT / ".pytest_cache/d" / f"prefect-{version('prefect')}"  # --cache-clear empties that folder
