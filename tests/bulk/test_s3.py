"""Pictures from and to an S3 API: moto's own server, over HTTP."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec

import fsspec
import pytest

from anime_app.bulk import places
from anime_app.cli.command import main
from tests.bulk.conftest import digests, ended, environment, film, photo, played, repeatable, stylize

pytest.importorskip("moto", reason="needs moto's server: pip install 'moto[server]'")
s3fs = pytest.importorskip("s3fs", reason="needs s3fs")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
PATIENCE = 120  # seconds for the server to start on a busy machine
# fsspec's clients end with the process; what their loop says then is about nothing
pytestmark.append(pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"))


@pytest.fixture
def server(monkeypatch) -> Iterator[subprocess.Popen]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    line = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    running = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    settings = {"ENDPOINT_URL": f"http://127.0.0.1:{port}", "ACCESS_KEY_ID": "a", "SECRET_ACCESS_KEY": "b"}
    for name, value in (settings | {"DEFAULT_REGION": "us-east-1"}).items():
        monkeypatch.setenv(f"AWS_{name}", value)
    s3fs.S3FileSystem.clear_instance_cache()
    end = time.monotonic() + PATIENCE
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            break
        except OSError:
            assert time.monotonic() < end
            time.sleep(0.1)
    s3fs.S3FileSystem().mkdir("album")
    yield running
    running.kill()
    running.wait()
    s3fs.S3FileSystem.clear_instance_cache()


def put_photos(count: int) -> None:
    for index in range(count):
        path = photo(f"in/{index % 3}/{index:02}.{('png', 'jpg')[index % 2]}", index, (20, 30))
        places.write(f"s3://album/{path}", path.read_bytes())


def got(url: str) -> dict[str, str]:
    for name, _ in places.listing(url):
        places.write(f"got/{name}", places.read(f"{url}/{name}"))
    return digests("got")


def ray(*arguments: str) -> int:
    return main(["stylize", *arguments, "--engine", "ray"])


def test_a_bucket_to_a_bucket(server, monkeypatch, capsys):
    calls = played(monkeypatch)
    put_photos(20)
    assert main(["stylize", "in", "-o", "plain"]) == 0
    assert ray("s3://album/in", "-o", "s3://album/out") == 0
    assert got("s3://album/out") == digests("plain")
    assert ray("s3://album/in", "-o", "s3://album/out") == 0
    s3fs.S3FileSystem().rm_file("album/out/1/01.jpg")
    places.write("s3://album/in/0/00.png", photo("new.png", 99).read_bytes())
    capsys.readouterr()
    assert ray("s3://album/in", "-o", "s3://album/out") == 0
    assert capsys.readouterr().err == "2 made, 18 already there (--force makes them again)\n"
    assert calls == [20, 2]
    assert places.names("s3://album/out/.anime") == ["manifest.parquet"]


def test_a_bucket_that_is_not_there_is_one_line(server, monkeypatch, capsys):
    played(monkeypatch)
    photo("in/a.png")
    assert ray("in", "-o", "s3://nowhere/out") == 1
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith("anime: s3://nowhere/out/.anime/run.lock: ")
    assert ray("s3://nowhere/in", "-o", "out") == 1
    assert capsys.readouterr().err.splitlines() == ["s3://nowhere/in: nothing there", "1 failed"]


def test_a_storage_that_goes_away_is_one_line(server, monkeypatch, capsys):
    played(monkeypatch)
    monkeypatch.setattr("anime_app.cli.bulk.GONE", 3)
    monkeypatch.setattr(s3fs.S3FileSystem, "retries", 1)
    patience = {"connect_timeout": 2, "read_timeout": 2, "retries": {"max_attempts": 0}}
    monkeypatch.setitem(fsspec.config.conf, "s3", {"config_kwargs": patience})
    s3fs.S3FileSystem.clear_instance_cache()
    for index in range(30):
        photo(f"in/{index:02}.png", index)
    save, count = places.save, 0

    def going(picture, name: str):
        nonlocal count
        count += 1
        if count == 6:
            server.kill()
            server.wait()
        return save(picture, name)

    monkeypatch.setattr(places, "save", going)
    assert ray("in", "-o", "s3://album/out") == 1
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith("anime: s3://album/out takes no more files (s3://album/out/")
    assert said.endswith(" left: the same command goes on from here")


@pytest.mark.long
@pytest.mark.skipif(find_spec("ray") is None, reason="needs Ray: pip install 'animegan-lite[ray]'")
def test_real_workers_reach_the_bucket(server, weights):
    put_photos(20)
    assert main(["stylize", "in", "-o", "plain"]) == 0
    running = stylize("s3://album/in", "-o", "s3://album/out", env=environment(), weights=weights)
    assert ended(running) == (0, ["20 made"])
    assert got("s3://album/out") == digests("plain")


def test_a_film_from_and_to_s3(server, monkeypatch, capsys):
    """Parts are read piece by piece, and drawings wait in the storage."""
    repeatable(monkeypatch)
    counts = played(monkeypatch)
    places.write("s3://album/in/a.mp4", film("in/a.mp4").read_bytes())
    assert main(["stylize", "in", "-o", "plain"]) == 0
    assert main(["stylize", "s3://album/in", "-o", "s3://album/out", "--engine", "ray"]) == 0
    assert capsys.readouterr().err.splitlines()[-1] == "1 made"
    assert got("s3://album/out") == digests("plain")
    assert counts == [4]
    assert [name for name, _ in places.listing("s3://album/out")] == [".anime/manifest.parquet", "a.mp4"]
