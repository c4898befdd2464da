"""Files appear whole or not at all, also where a file system refuses what others allow."""

import errno
import os
from contextlib import suppress
from pathlib import Path

import pytest

from anime_model.pictures.atomic import whole_file


def refuse(number: int):
    def link(*arguments, **how):
        raise OSError(number, os.strerror(number))

    return link


@pytest.mark.parametrize(
    "number", [errno.EPERM, errno.EXDEV, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOENT, errno.EACCES]
)
@pytest.mark.parametrize("before", [None, b"old"])
def test_where_hard_links_are_refused_the_file_appears_by_a_rename(tmp_path, monkeypatch, number, before):
    path = tmp_path / "a.bin"
    if before is not None:
        path.write_bytes(before)
    monkeypatch.setattr(os, "link", refuse(number))
    content = os.urandom(3_000_000)
    with whole_file(path) as file:
        file.write(content)
        file.seek(10)  # a writer may leave the position anywhere
    assert path.read_bytes() == content
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.bin"]


def test_refused_links_and_an_error_leave_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, "link", refuse(errno.EPERM))
    with suppress(KeyboardInterrupt), whole_file(path) as file:
        file.write(b"new")
        raise KeyboardInterrupt
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.bin"]


def test_a_full_disk_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "link", refuse(errno.ENOSPC))
    if not hasattr(os, "O_TMPFILE"):
        pytest.skip("no nameless files here")
    with pytest.raises(OSError, match="No space left"), whole_file(tmp_path / "a.bin") as file:
        file.write(b"new")
    assert list(tmp_path.iterdir()) == []


def test_names_of_255_bytes_deep_in_folders(tmp_path: Path):
    path = tmp_path / ("é" * 127) / ("b" * 255) / ("c" * 251 + ".png")
    for content in (b"one", b"two"):
        with whole_file(path) as file:
            file.write(content)
        assert path.read_bytes() == content
