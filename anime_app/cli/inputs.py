"""What to make of the arguments of `anime stylize`: which files are read, and where each result goes."""

import fnmatch
import glob
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from anime_model.pictures.arrays import SUFFIXES
from anime_model.pictures.images import kind_of
from anime_model.runtime.video import SUFFIXES as VIDEO_SUFFIXES


@dataclass(frozen=True)
class Job:
    source: Path
    target: Path

    @property
    def is_video(self) -> bool:
        return self.source.suffix.lower() in VIDEO_SUFFIXES


@dataclass
class Found:
    """Jobs in the order of the arguments, and a line for each argument or folder that cannot be used."""

    jobs: list[Job] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


def find_jobs(inputs: list[str], out: Path | None, style: str) -> Found:
    """Files, folders (recursive, structure kept, hidden files left out) and patterns, each with its result's place.

    Without `out` a file's result lies beside it as `<stem>-<style><suffix>`, a folder's in `<folder>-<style>`. `out` is
    the result itself where one file goes in and `out` has a picture's suffix, else the folder for all results.
    """
    found = Found()
    wanted = [(path, out, len(inputs) > 1) for text in inputs for path in _expanded(text, found)]
    for path, where, several in wanted:
        if path.is_dir():
            root = _folder_for(path, where, several, style)
            files = _walk(path, root.absolute(), found)
            found.jobs += [Job(file, root / _named(file.relative_to(path))) for file in files]
        else:
            found.jobs.append(Job(path, _file_for(path, where, len(wanted) > 1, style)))
    _settle(found)
    return found


def _expanded(text: str, found: Found) -> list[Path]:
    if os.path.lexists(text) or not glob.has_magic(text):
        if not os.path.lexists(text):
            found.failures.append(f"{text}: no such file or folder")
        return [Path(text)] if os.path.lexists(text) else []
    if "**" in Path(text).parts:
        matching = list(_below(Path(text), found))
    else:
        matching = [Path(path) for path in sorted(glob.glob(text))]
    files = [path for path in matching if not path.is_dir() and path.suffix.lower() in (*SUFFIXES, *VIDEO_SUFFIXES)]
    if not files:
        found.failures.append(f"{text}: matches no picture and no video")
    return files


def _below(pattern: Path, found: Found) -> Iterator[Path]:
    """Files that a pattern with `**` matches. Python's own search would follow two links in a circle for ever."""
    fixed = next(index for index, part in enumerate(pattern.parts) if glob.has_magic(part))
    base = Path(*pattern.parts[:fixed])
    for path in _walk(base, None, found):
        if _matches(path.relative_to(base).parts, pattern.parts[fixed:]):
            yield path


def _matches(parts: tuple[str, ...], patterns: tuple[str, ...]) -> bool:
    if not patterns or not parts:
        return not parts and all(pattern == "**" for pattern in patterns)
    if patterns[0] == "**":
        return _matches(parts, patterns[1:]) or _matches(parts[1:], patterns)
    return fnmatch.fnmatchcase(parts[0], patterns[0]) and _matches(parts[1:], patterns[1:])


def _walk(folder: Path, results: Path | None, found: Found) -> Iterator[Path]:
    """Pictures and videos below `folder`, sorted, but for those in `results`. Links to folders are followed, each real
    folder is visited once."""

    def refused(error: OSError) -> None:
        found.failures.append(f"{error.filename}: {(error.strerror or str(error)).lower()}")

    seen = {_identity(folder)}
    for place, folders, names in os.walk(folder, followlinks=True, onerror=refused):
        inside = [Path(place, name) for name in sorted(folders) if not name.startswith(".")]
        inside.sort(key=Path.is_symlink)  # a folder under its own name before a link to it
        folders[:] = []
        for path in inside:
            if (identity := _identity(path)) not in seen and path.absolute() != results:
                seen.add(identity)
                folders.append(path.name)
        for name in sorted(names):
            if not name.startswith(".") and Path(name).suffix.lower() in (*SUFFIXES, *VIDEO_SUFFIXES):
                yield Path(place, name)


def _identity(path: Path) -> tuple[int, int] | Path:
    try:
        status = path.stat()
        return status.st_dev, status.st_ino
    except OSError:
        return path


def _same(one: Path, other: Path) -> bool:
    return os.path.exists(one) and os.path.exists(other) and os.path.samefile(one, other)


def _folder_for(path: Path, out: Path | None, several: bool, style: str) -> Path:
    whole = path.resolve()
    if out is None:
        return (
            whole.with_name(f"{whole.name}-{style}")
            if path.name in ("", "..")
            else path.with_name(f"{path.name}-{style}")
        )
    return out / whole.name if several else out


def _file_for(path: Path, out: Path | None, several: bool, style: str) -> Path:
    if out is None:
        named = _named(path)
        return named.with_name(f"{named.stem}-{style}{named.suffix}")
    is_file = (kind_of(out) or out.suffix.lower() in VIDEO_SUFFIXES) and not out.is_dir() and not several
    return out if is_file else out / _named(Path(path.name))


def _named(path: Path) -> Path:
    """The same name where its format is written here, `.png` after it where it is not (`a` and `a.jpf` stay apart)."""
    writable = kind_of(path) or path.suffix.lower() in VIDEO_SUFFIXES
    return path if writable else path.with_name(path.name + ".png")


def _settle(found: Found) -> None:
    """Takes out what would overwrite a photo or another result, and results of an earlier run."""
    targets: dict[Path, Path] = {}
    results = {job.target.absolute() for job in found.jobs}
    kept = []
    for job in found.jobs:
        target = job.target.absolute()
        if target == job.source.absolute() or _same(target, job.source):
            found.failures.append(f"{job.source}: the result would overwrite the photo itself")
        elif targets.get(target, job.source) != job.source:
            found.failures.append(f"{job.source}: its result would overwrite that of {targets[target]}")
        elif job.source.absolute() not in results and target not in targets:
            targets[target] = job.source
            kept.append(job)
    found.jobs = kept
