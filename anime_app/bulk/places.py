"""Files by name: paths of this computer, or URLs of storages that fsspec knows. Written whole or not at all."""

import hashlib
import io
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote

from anime_model.pictures import images
from anime_model.pictures.atomic import write_whole
from anime_model.pictures.opening import check_file

# An object of these takes its name when its last byte is there; elsewhere a file is renamed when it is whole.
OBJECTS = {"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "oss", "oci", "http", "https", "memory"}
HERE = "file://"
# Lives in one process: no worker would see what another one wrote.
OWN = ("memory",)


class Away(OSError):
    """A storage that does not do what it was asked for; the message is one line."""


def plain(text: str) -> str:
    """A `file://` URL as the path that it names; any other text as it is."""
    return unquote(text.removeprefix(HERE)) if text.startswith(HERE) else text


def is_url(name: str) -> bool:
    return "://" in name


def absolute(name: str) -> str:
    """The name that means the same file to every process of this computer; a URL without slashes at its end.

    `..` stays: behind a link it leads elsewhere than its text says.
    """
    if not is_url(name):
        return str(Path(name).absolute())
    kind, _, place = name.partition("://")
    return f"{kind}://{place.rstrip('/')}"


def check(name: str) -> None:
    """Raises `ValueError` with one line where a URL is of no use: a kind that is not known, or a package missing."""
    if not is_url(name):
        return
    kind = name.partition("://")[0]
    if kind in OWN:
        raise ValueError(f"{name}: {kind}:// is inside one process, and Ray's workers are others")
    try:
        _opened(name)
    except ImportError as error:
        raise ValueError(f"{name}: {first_line(error)}") from error
    except ValueError as error:
        raise ValueError(f"{name}: no storage that fsspec knows ({first_line(error)})") from error


def first_line(error: BaseException) -> str:
    """What an exception says, in one line of at most 300 characters."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 300 else text[:297] + "..."


def fetch(name: str) -> tuple[Path | io.BytesIO, str]:
    """What `images.decode` takes, and the SHA-256 of the content. Raises `OSError`, `Unreadable`."""
    if not is_url(name):
        check_file(name)
        return Path(name), digest(name)[0]
    data = read(name)
    stream = io.BytesIO(data)
    stream.name = name
    return stream, hashlib.sha256(data).hexdigest()


def read(name: str) -> bytes:
    """Raises `FileNotFoundError`, `Away`, `OSError`."""
    if not is_url(name):
        return Path(name).read_bytes()
    with _asked(name):
        fs, path = _opened(name)
        return fs.cat_file(path)


def digest(name: str) -> tuple[str, int]:
    """The SHA-256 of a file, and its bytes. Raises `OSError`."""
    if not is_url(name):
        with open(name, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest(), file.tell()
    data = read(name)
    return hashlib.sha256(data).hexdigest(), len(data)


def film_digest(name: str) -> str:
    """The SHA-256 of a file that need not fit into memory. Raises `OSError`."""
    with film(name).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def save(picture: images.Picture, name: str) -> tuple[str, int]:
    """A picture in the format of its suffix, whole or not at all: the SHA-256 of the file, and its bytes.

    Raises `ValueError`, `OSError`.
    """
    if not is_url(name):
        images.write(picture, Path(name))
        return digest(name)
    kind, stream = images.kind_of(Path(name)), io.BytesIO()
    try:
        images.encode(picture, stream, kind)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error
    write(name, stream.getvalue())
    return hashlib.sha256(stream.getbuffer()).hexdigest(), stream.tell()


def write(name: str, data: bytes) -> None:
    """Raises `OSError`."""
    if not is_url(name):
        return write_whole(Path(name), data)
    with _asked(name, FileNotFoundError):  # the bucket itself is not there
        fs, path = _opened(name)
        _send(fs, path, lambda place: fs.pipe_file(place, data))


def _send(fs, path: str, send: Callable[[str], None]) -> None:
    """What `send` puts at a place appears at `path` whole or not at all."""
    if OBJECTS.intersection([fs.protocol] if isinstance(fs.protocol, str) else fs.protocol):
        send(path)
        return
    folder = path.rpartition("/")[0]
    part = f"{folder}/.{secrets.token_hex(8)}.part"
    fs.makedirs(folder, exist_ok=True)
    try:
        send(part)
        fs.mv(part, path)
    except BaseException:
        if fs.exists(part):
            fs.rm_file(part)
        raise


@contextmanager
def written(name: str) -> Iterator[Path]:
    """For writers that need a file of this computer: its path, and in a storage what they wrote there, once it is
    whole. Raises `OSError`."""
    if not is_url(name):
        yield Path(name)
        return
    with tempfile.TemporaryDirectory(prefix="anime-") as folder:
        path = Path(folder, name.rpartition("/")[2])
        yield path
        with _asked(name, FileNotFoundError):
            fs, target = _opened(name)
            _send(fs, target, lambda place: fs.put_file(str(path), place))


def film(name: str) -> "Path | Stored":
    """What films are read from: a path, or something that opens as a file and has the name as text."""
    return Stored(name) if is_url(name) else Path(name)


@dataclass(frozen=True)
class Stored:
    """A file in a storage, read piece by piece."""

    name: str

    def __str__(self) -> str:
        return self.name

    def open(self, mode: str = "rb") -> BinaryIO:
        """Raises `Away`."""
        with _asked(self.name, FileNotFoundError):
            fs, path = _opened(self.name)
            return io.BufferedReader(_Asked(self.name, fs.open(path, mode)))


class _Asked(io.RawIOBase):
    """An open file of a storage, whose faults are `Away`."""

    def __init__(self, name: str, file: BinaryIO) -> None:
        self._name, self._file = name, file

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, room) -> int:
        with _asked(self._name):
            data = self._file.read(len(room))
        room[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        with _asked(self._name):
            return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()


def remove_folder(name: str) -> None:
    """A folder with all that is in it. Raises `OSError`."""
    if not is_url(name):
        shutil.rmtree(name, ignore_errors=True)
        return
    with _asked(name):
        fs, path = _opened(name)
        if fs.exists(path):
            fs.rm(path, recursive=True)


def free(folder: str) -> int | None:
    """Bytes that a folder of this computer still takes; None where nobody can tell."""
    try:
        return None if is_url(folder) else shutil.disk_usage(folder).free
    except OSError:
        return None


def exists(name: str) -> bool:
    """Raises `Away`."""
    if not is_url(name):
        return os.path.exists(name)
    with _asked(name):
        fs, path = _opened(name)
        fs.invalidate_cache()
        return fs.exists(path)


def remove(name: str) -> None:
    """Raises `OSError`; a file that is not there is gone already."""
    if not is_url(name):
        return Path(name).unlink(missing_ok=True)
    with _asked(name):
        fs, path = _opened(name)
        if fs.exists(path):
            fs.rm_file(path)


def names(folder: str) -> list[str]:
    """What lies directly in a folder, sorted; nothing where there is none. Raises `OSError`."""
    try:
        if not is_url(folder):
            return sorted(os.listdir(folder))
        with _asked(folder):
            fs, path = _opened(folder)
            fs.invalidate_cache()
            return sorted(found.rstrip("/").rpartition("/")[2] for found in fs.ls(path, detail=False))
    except FileNotFoundError:
        return []


def stamp(name: str) -> str:
    """What changes when a file of this computer does: its size and time. Empty where it cannot be asked."""
    try:
        status = os.stat(name)
        return f"{status.st_size} {status.st_mtime_ns}"
    except OSError:
        return ""


def listing(root: str) -> Iterator[tuple[str, str]]:
    """Every file below a URL, sorted: its name from there, and its stamp. A URL of one file gives one empty name.

    Raises `Away`, `FileNotFoundError`.
    """
    with _asked(root):
        fs, top = _opened(root)
        fs.invalidate_cache()
        if fs.isfile(top):
            yield "", _stamp(fs.info(top))
            return
        found = fs.find(top, detail=True)
    for path in sorted(found):
        if path.rstrip("/") != top and not path.endswith("/"):  # marks of folders, as S3's console makes them
            yield path.removeprefix(top).lstrip("/"), _stamp(found[path])


def _stamp(info: dict) -> str:
    marks = ("ETag", "etag", "md5Hash", "content_md5", "LastModified", "last_modified", "mtime", "modified", "created")
    mark = next((info[name] for name in marks if info.get(name)), "")
    return f"{info.get('size')} {mark}" if mark else ""


def _opened(name: str):
    """The file system of a URL and the path in it."""
    import fsspec

    fs, path = fsspec.core.url_to_fs(name)
    return fs, path.rstrip("/")


@contextmanager
def _asked(name: str, *fatal: type[Exception]) -> Iterator[None]:
    """Whatever a storage's client raises is `Away`, less that there is no such file unless that is `fatal`, too."""
    try:
        yield
    except Exception as error:  # each client has classes of its own
        if isinstance(error, FileNotFoundError) and FileNotFoundError not in fatal:
            raise
        raise Away(f"{name}: {_says(error)}") from error


def _says(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return first_line(error)
