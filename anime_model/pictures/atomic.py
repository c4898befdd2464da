"""Files that appear whole or not at all, whatever stops the program."""

import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

OPEN_FILES = "/proc/self/fd"
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.ENAMETOOLONG)  # a copy would fail likewise
COPY = 1 << 20  # bytes at once


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write and to seek in, which takes the name `path` when the block ends without an error.

    On Linux it has no name until then, so that even `kill -9` leaves nothing behind; elsewhere it is a hidden `.part`
    file beside `path`, removed on any error. Folders that are missing are made. Raises `OSError`.
    """
    path = Path(path)
    _make_folder(path.parent)
    part = path.with_name(f".{secrets.token_hex(8)}.part")
    file, nameless = _open_part(part)
    try:
        with file:
            yield file
            file.flush()
            named = nameless and _name(file, part, path)
        if not named:
            os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def whole_path(path: Path) -> Iterator[Path]:
    """A free name beside `path`, for writers that want a name: what they made takes the name `path` when the block ends
    without an error, and is removed otherwise. Folders that are missing are made. Raises `OSError`.
    """
    path = Path(path)
    _make_folder(path.parent)
    part = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        yield part
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def write_whole(path: Path, content: bytes | str) -> None:
    """A file of bytes, or of text in UTF-8. Raises `OSError`."""
    with whole_file(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder)) from error


def _open_part(part: Path) -> tuple[BinaryIO, bool]:
    """The file, and whether it has no name: not every system and file system can do that."""
    if hasattr(os, "O_TMPFILE") and os.path.isdir(OPEN_FILES):
        try:
            return os.fdopen(os.open(part.parent, os.O_TMPFILE | os.O_RDWR, 0o666), "w+b"), True
        except OSError:
            pass
    return part.open("w+b"), False


def _name(file: BinaryIO, part: Path, path: Path) -> bool:
    """Links the nameless file to `path`; over an existing file by way of `part`, since only a rename replaces.

    False where hard links are refused (some network and container file systems, hardened kernels): the content is then
    in `part`, to be renamed.
    """
    folder = os.open(part.parent, os.O_RDONLY | os.O_DIRECTORY)
    here = f"{OPEN_FILES}/{file.fileno()}"
    try:  # a folder descriptor makes Python call linkat, which follows the link to the file itself
        os.link(here, path.name, dst_dir_fd=folder, follow_symlinks=True)
        return True
    except FileExistsError:
        return _linked_over(here, part, path, folder) or _copied(file, part)
    except OSError as error:
        if error.errno in FULL:
            raise
        return _copied(file, part)
    finally:
        os.close(folder)


def _linked_over(here: str, part: Path, path: Path, folder: int) -> bool:
    try:
        os.link(here, part.name, dst_dir_fd=folder, follow_symlinks=True)
    except OSError as error:
        if error.errno in FULL:
            raise
        return False
    os.replace(part, path)
    return True


def _copied(file: BinaryIO, part: Path) -> bool:
    """Writes the content under the name `part`; always False."""
    file.seek(0)
    with part.open("wb") as copy:
        shutil.copyfileobj(file, copy, COPY)
    return False
