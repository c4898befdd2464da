"""Files by name, on this computer and in storages."""

import hashlib
import io
from pathlib import Path

import pytest
from PIL import Image

from anime_app.bulk import places
from anime_model.pictures import images
from anime_model.pictures.opening import Unreadable
from tests.bulk.conftest import photo


def test_a_file_url_is_a_path():
    assert places.plain("file:///a/b%20c.png") == "/a/b c.png"
    assert places.plain("in/file://x") == "in/file://x"
    assert not places.is_url("/a/b")
    assert places.is_url("s3://bucket/a")
    assert places.absolute("s3://bucket/a") == "s3://bucket/a"
    assert places.absolute("a") == str(Path("a").absolute())


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nothing://x", "no storage that fsspec knows"),
        ("memory://x", "memory:// is inside one process"),
    ],
)
def test_a_url_of_no_use_is_one_line(name, said):
    with pytest.raises(ValueError, match=said) as caught:
        places.check(name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("root", ["here", "shelf://here"])
def test_files_are_written_read_and_removed(root, shelf):
    name = f"{root}/x/a.bin"
    assert not places.exists(name)
    with pytest.raises(FileNotFoundError):
        places.read(name)
    places.write(name, b"abc")
    places.write(name, b"abcd")
    assert places.read(name) == b"abcd"
    assert places.digest(name) == (hashlib.sha256(b"abcd").hexdigest(), 4)
    assert places.names(f"{root}/x") == ["a.bin"]
    assert places.names(f"{root}/y") == []
    for _ in range(2):
        places.remove(name)
    assert not places.exists(name)


def test_a_listing_has_names_and_marks(shelf):
    for name in ("b", "x/c", "x/y/a"):
        places.write(f"shelf://in/{name}", b"1")
    found = dict(places.listing("shelf://in"))
    assert list(found) == ["b", "x/c", "x/y/a"]
    places.write("shelf://in/b", b"12")
    again = dict(places.listing("shelf://in/"))
    assert {name for name in found if found[name] != again[name]} == {"b"}
    assert [name for name, _ in places.listing("shelf://in/b")] == [""]


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "gif", "tif", "avif"])
def test_a_storage_gets_the_bytes_that_a_disk_gets(suffix, shelf):
    picture = images.decode(photo("a.png", size=(30, 40)))
    picture.exif = Image.Exif().tobytes()
    here, there = (places.save(picture, f"{root}b.{suffix}") for root in ("", "shelf://x/"))
    assert here == there == (hashlib.sha256(Path(f"b.{suffix}").read_bytes()).hexdigest(), here[1])
    assert places.read(f"shelf://x/b.{suffix}") == Path(f"b.{suffix}").read_bytes()
    assert places.names("shelf://x") == [f"b.{suffix}"]


def test_a_full_storage_keeps_no_part(shelf):
    places.write("shelf://x/a", b"old")
    shelf.__class__.room = 2
    with pytest.raises(places.Away, match="shelf://x/a: no space left on device"):
        places.write("shelf://x/a", b"new ones")
    assert places.names("shelf://x") == ["a"]
    assert places.read("shelf://x/a") == b"old"


def test_what_is_decoded_has_a_name_and_a_digest(shelf):
    data = photo("a.png").read_bytes()
    places.write("shelf://x/a.png", data)
    stream, digest = places.fetch("shelf://x/a.png")
    assert isinstance(stream, io.BytesIO)
    assert (stream.name, stream.read()) == ("shelf://x/a.png", data)
    assert places.fetch("a.png") == (Path("a.png"), digest)
    with pytest.raises(Unreadable):
        places.fetch("/dev/null")


def test_a_client_s_own_exception_is_one_line(shelf, monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("connection\nlost")

    monkeypatch.setattr(shelf.__class__, "cat_file", broken)
    with pytest.raises(places.Away, match="shelf://x/a: connection lost"):
        places.read("shelf://x/a")
