"""Data that DVC tracks: whether a folder holds what its `.dvc` file names, and which of the two has moved."""

import os
from dataclasses import dataclass
from pathlib import Path

from dvc.output import Output
from dvc.stage import Stage as DvcStage

SAME, CHANGED, OTHER, MISSING = "same", "changed", "another version", "missing"


@dataclass(frozen=True)
class Source:
    """A `.dvc` file, the folder or file that it names, and how the two stand to each other.

    CHANGED: a person has put data in or taken some away since. OTHER: the folder is an earlier version that DVC has
    kept, and the `.dvc` file has changed after it, as git does. MISSING: nothing is there. `imported` is what comes
    from a source of its own (`dvc import`, `dvc import-url`).
    """

    file: str
    path: str
    state: str
    imported: bool = False
    files: int = 0  # by the `.dvc` file


def sources_of(node: DvcStage, root: Path) -> list[Source]:
    """How a stage without a command stands. DVC keeps the hashes of what has not changed: asking again is cheap."""
    file, imported = os.path.relpath(node.path, root), bool(node.is_import or node.is_repo_import)
    return [
        Source(file, os.path.relpath(out.fs_path, root), _state(out, Path(node.path)), imported, out.meta.nfiles or 1)
        for out in node.outs
    ]


def _state(out: Output, file: Path) -> str:
    if not out.exists:
        return MISSING
    now = out.get_hash()
    if now == out.hash_info:
        return SAME
    kept = out.cache.exists(now.value)
    return OTHER if kept and file.stat().st_mtime > newest_change(Path(out.fs_path)) else CHANGED


def newest_change(path: Path) -> float:
    """When something below `path` was last written, put in, taken out or renamed, in seconds since 1970."""
    below = (Path(where, name) for where, folders, files in os.walk(path) for name in (*folders, *files))
    return max(found.lstat().st_mtime for found in (path, *below))


def count_files(path: Path) -> int:
    return sum(len(files) for _, _, files in os.walk(path)) if path.is_dir() else int(path.exists())
