"""Files by name: paths of this computer, or URLs of storages that fsspec knows. Written whole or not at all."""

import hashlib
import io
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
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
    """The name that means the same file to every process of this computer."""
    return name if is_url(name) else os.path.abspath(name)


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
        if OBJECTS.intersection([fs.protocol] if isinstance(fs.protocol, str) else fs.protocol):
            fs.pipe_file(path, data)
            return
        folder = path.rpartition("/")[0]
        part = f"{folder}/.{secrets.token_hex(8)}.part"
        fs.makedirs(folder, exist_ok=True)
        try:
            fs.pipe_file(part, data)
            fs.mv(part, path)
        except BaseException:
            if fs.exists(part):
                fs.rm_file(part)
            raise


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
