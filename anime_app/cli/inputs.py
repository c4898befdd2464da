"""What to make of the arguments of `anime stylize`: which files are read, and where each result goes."""

import fnmatch
import glob
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from anime_model.pictures.arrays import SUFFIXES
from anime_model.pictures.images import kind_of, same_file
from anime_model.pictures.opening import NOT_READ, Unreadable, check_file, why_not_read
from anime_model.runtime.models import file_names
from anime_model.runtime.video import FORMATS as VIDEO_FORMATS
from anime_model.runtime.video import SUFFIXES as VIDEO_SUFFIXES

NAMED = 5  # of the files that are left out as earlier results
TRANSPORT = b"G"  # a film's first byte, where the suffix is also that of TypeScript


@dataclass(frozen=True)
class Job:
    source: Path
    target: Path

    @property
    def is_video(self) -> bool:
        return self.source.suffix.lower() in VIDEO_SUFFIXES


@dataclass
class Found:
    """Jobs in the order of the arguments, a line for each argument or folder that cannot be used, and remarks on what
    was not asked for by name and is left out."""

    jobs: list[Job] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    earlier: list[Path] = field(default_factory=list)

    @property
    def remarks(self) -> list[str]:
        names = [str(path) for path in self.earlier[:NAMED]] + ["..."] * (len(self.earlier) > NAMED)
        return self.unread + [f"left out as results of earlier runs: {', '.join(names)}"] * bool(names)


def find_jobs(inputs: list[str], out: Path | None, style: str) -> Found:
    """Files, folders (recursive, structure kept, hidden files left out) and patterns, each with its result's place.

    Without `out` a file's result lies beside it as `<stem>-<style><suffix>`, a folder's in `<folder>-<style>`. `out` is
    the result itself where one file goes in and `out` has a picture's suffix, else the folder for all results.
    """
    found = Found()
    suffixes = {style, *file_names()}
    wanted = [(path, out, len(inputs) > 1) for text in inputs for path in _expanded(text, out, suffixes, found)]
    for path, where, several in wanted:
        if path.is_dir():
            root = _folder_for(path, where, several, style)
            files = list(_walk(path, [root, where], suffixes, found))
            found.jobs += [
                Job(file, root / named_for(file.relative_to(path))) for file in _without_earlier(files, suffixes, found)
            ]
        elif where and len(wanted) == 1 and (why := _not_written(where)):
            found.failures.append(f"{where}: {why}")
        elif _is_file(path, found):
            found.jobs.append(Job(path, file_for(path, where, len(wanted) > 1, style)))
    drop_collisions(found)
    return found


def _expanded(text: str, out: Path | None, suffixes: set[str], found: Found) -> list[Path]:
    if os.path.lexists(text) or not glob.has_magic(text):
        if not os.path.lexists(text):
            found.failures.append(f"{text}: no such file or folder")
        return [Path(text)] if os.path.lexists(text) else []
    base, pattern = _literal(Path(text))
    if "**" in pattern:
        matching = list(_below(base, pattern, suffixes, found))
    else:
        matching = [Path(path) for path in sorted(glob.glob(os.path.join(glob.escape(str(base)), *pattern)))]
    inside = Path(os.path.realpath(out)) if out and not same_file(out, base) else None  # results of an earlier run
    matching = [path for path in matching if not path.is_dir() and not (inside and _place(path).is_relative_to(inside))]
    files = [path for path in matching if _wanted(path, found)]
    if not files:
        found.failures.append(f"{text}: matches no picture and no video")
    return _without_earlier(files, suffixes, found)


def _literal(path: Path) -> tuple[Path, tuple[str, ...]]:
    """The longest beginning that is there by that very name (`Album [2020]`), and the rest, which is the pattern."""
    base, parts = Path(path.anchor), path.parts[bool(path.anchor) :]
    while len(parts) > 1 and (os.path.lexists(base / parts[0]) or not glob.has_magic(parts[0])):
        base, parts = base / parts[0], parts[1:]
    return base, parts


def _below(base: Path, pattern: tuple[str, ...], suffixes: set[str], found: Found) -> Iterator[Path]:
    """Files that a pattern with `**` matches. Python's own search would follow two links in a circle for ever."""
    for path in _walk(base, [], suffixes, found):
        if _matches(path.relative_to(base).parts, pattern):
            yield path


def _wanted(path: Path, found: Found) -> bool:
    """Whether a file is a picture or a film that is read; one that is not read is named."""
    if why := why_not_read(path):
        found.unread.append(f"{path}: {why}")
        return False
    suffix = path.suffix.lower()
    return suffix in SUFFIXES or (suffix in VIDEO_SUFFIXES and (suffix != ".ts" or _first_byte(path) == TRANSPORT))


def _first_byte(path: Path) -> bytes:
    try:
        check_file(path)
        with path.open("rb") as file:
            return file.read(1)
    except (OSError, Unreadable):
        return TRANSPORT  # what is wrong with it is said when it is read


def _is_file(path: Path, found: Found) -> bool:
    """Named where it is a pipe or a device; what is not there, as a link to nowhere, is said when it is read."""
    try:
        check_file(path)
    except Unreadable as error:
        found.failures.append(f"{path}: {error}")
        return False
    except OSError:
        pass
    return True


def _without_earlier(files: list[Path], suffixes: set[str], found: Found) -> list[Path]:
    """Without results of an earlier run, `<stem>-<style><suffix>` beside a photo that is there."""
    kept = [path for path in files if not is_earlier(path, suffixes)]
    found.earlier += [path for path in files if is_earlier(path, suffixes)]
    return kept


def is_there(result: Path | str) -> bool:
    """Whether a result is there: an empty file is what a power cut leaves of one that the disk did not have yet."""
    try:
        status = os.stat(result)
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) or status.st_size > 0


def is_earlier(path: Path, suffixes: set[str], there: Callable[[Path], bool] = os.path.lexists) -> bool:
    """Whether a path is named as the result of a file or folder that is there, too."""
    for whole, suffix in ((path.stem, path.suffix), (path.name, "")):  # a folder's name has no suffix
        for end in (f"-{style}" for style in suffixes):  # the style may have dashes of its own
            stem = whole.removesuffix(end)
            if stem not in ("", whole) and any(there(path.with_name(name)) for name in (stem + suffix, stem)):
                return True
    return False


def _matches(parts: tuple[str, ...], patterns: tuple[str, ...]) -> bool:
    if not patterns or not parts:
        return not parts and all(pattern == "**" for pattern in patterns)
    if patterns[0] == "**":
        return _matches(parts, patterns[1:]) or _matches(parts[1:], patterns)
    return fnmatch.fnmatchcase(parts[0], patterns[0]) and _matches(parts[1:], patterns[1:])


def _walk(folder: Path, results: list[Path | None], suffixes: set[str], found: Found) -> Iterator[Path]:
    """Pictures and videos below `folder`, sorted, but for those in `results`. Links to folders are followed, each real
    folder is visited once."""

    def refused(error: OSError) -> None:
        found.failures.append(f"{error.filename}: {(error.strerror or str(error)).lower()}")

    seen = {_identity(folder)}
    seen |= {_identity(place) for place in results if place is not None}
    for place, folders, names in os.walk(folder, followlinks=True, onerror=refused):
        inside = [Path(place, name) for name in sorted(folders) if not name.startswith(".")]
        inside.sort(key=Path.is_symlink)  # a folder under its own name before a link to it
        folders[:] = []
        for path in _without_earlier(inside, suffixes, found):
            if (identity := _identity(path)) not in seen:
                seen.add(identity)
                folders.append(path.name)
        for name in sorted(names):
            path = Path(place, name)
            if not name.startswith(".") and _wanted(path, found) and _is_file(path, found):
                yield path


def _identity(path: Path) -> tuple[int, int] | Path:
    try:
        status = path.stat()
        return status.st_dev, status.st_ino
    except OSError:
        return Path(os.path.realpath(path))


def _place(path: Path) -> Path:
    """Where a file is, by whatever links and `..` it was named; a link stays the link that it is."""
    return Path(os.path.realpath(path.parent), path.name)


def _name(path: Path) -> str:
    """`_place` as text, which takes a fourth of the memory."""
    return os.path.normcase(os.path.join(os.path.realpath(path.parent), path.name))


def _folder_for(path: Path, out: Path | None, several: bool, style: str) -> Path:
    whole = path.resolve()
    if out is None:
        return (
            whole.with_name(f"{whole.name}-{style}")
            if path.name in ("", "..")
            else path.with_name(f"{path.name}-{style}")
        )
    return out / whole.name if several else out


def file_for(path: Path, out: Path | None, several: bool, style: str) -> Path:
    """The result's place of one file that was named."""
    if out is None:
        named = named_for(path)
        return named.with_name(f"{named.stem}-{style}{named.suffix}")
    is_file = (kind_of(out) or out.suffix.lower() in VIDEO_SUFFIXES) and not out.is_dir() and not several
    return out if is_file else out / named_for(Path(path.name))


def _not_written(out: Path) -> str | None:
    """Why a result cannot have that name, which is a picture's but of a format that is not written."""
    if kind_of(out) or out.suffix.lower() not in (*SUFFIXES, *NOT_READ) or out.is_dir():
        return None
    return f"pictures are not written as {out.suffix}; .png loses nothing"


def named_for(path: Path) -> Path:
    """The same name where its format is written here, `.png` or `.mp4` after it where not (`a` and `a.jpf` differ)."""
    if kind_of(path) or path.suffix.lower() in VIDEO_FORMATS:
        return path
    return path.with_name(path.name + (".mp4" if path.suffix.lower() in VIDEO_SUFFIXES else ".png"))


def drop_collisions(found: Found) -> None:
    """Takes out what would overwrite a photo or another result."""
    targets: dict[str, Path] = {}
    sources = {_name(job.source) for job in found.jobs}
    kept = []
    for job in found.jobs:
        target = _name(job.target)
        if target == _name(job.source) or same_file(Path(target), job.source):
            found.failures.append(f"{job.source}: the result would overwrite the photo itself")
        elif targets.get(target, job.source) != job.source:
            found.failures.append(f"{job.source}: its result would overwrite that of {targets[target]}")
        elif target in sources:
            found.failures.append(f"{job.source}: its result would overwrite the photo {job.target}")
        elif os.path.isdir(target):
            found.failures.append(f"{job.target}: is a folder, where the result would be; -o names another place")
        elif target not in targets:
            targets[target] = job.source
            kept.append(job)
    found.jobs = kept
