"""`anime stylize --engine ray` as people use it, with Ray's part played by workers in this process."""

import io
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from pyarrow import parquet

from anime_app.bulk import cluster, places, worker
from anime_app.cli.command import main
from tests.bulk.conftest import digests, photo, played
from tests.tiny_onnx import identity_model

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def calls(monkeypatch) -> list[int]:
    return played(monkeypatch)


def ray(*arguments: str) -> int:
    return main(["stylize", *arguments, "--engine", "ray"])


def rows_of(target: str = "out") -> list[dict]:
    return parquet.read_table(Path(target) / ".anime/manifest.parquet").to_pylist()


def rows_at(url: str) -> list[dict]:
    return parquet.read_table(io.BytesIO(places.read(f"{url}/.anime/manifest.parquet"))).to_pylist()


def folder_of_all_kinds() -> None:
    for index, name in enumerate(("1.png", "x/2.jpg", "x/y/3.webp", ".git/4.png", "x/.5.png", "6.pgm", "a-ink.png")):
        photo(f"in/{name}", index, (20, 30))
    photo("in/a.png", 9)
    photo("in/bad.png").write_bytes(b"no picture")
    Path("in/raw.cr2").touch()
    Path("in/notes.txt").touch()


def put(folder: str, url: str) -> None:
    for path in Path(folder).rglob("*"):
        if path.is_file():
            places.write(f"{url}/{path.relative_to(folder)}", path.read_bytes())


def got(url: str, folder: str) -> dict[str, str]:
    for name, _ in places.listing(url):
        places.write(f"{folder}/{name}", places.read(f"{url}/{name}"))
    return digests(folder)


@pytest.mark.parametrize("source", ["in", "shelf://album/in", "shelf://album/in/", "file://in"])
@pytest.mark.parametrize("target", ["out", "shelf://album/out", "file://out"])
def test_bytes_names_and_words_are_the_plain_engine_s(source, target, shelf, capsys):
    folder_of_all_kinds()
    put("in", "shelf://album/in")
    source, target = (text.replace("file://", f"file://{Path.cwd()}/") for text in (source, target))
    assert main(["stylize", str(Path("in").absolute()), "-o", "plain", "--palette", "dusk", "--compare"]) == 1
    plain = capsys.readouterr().err
    assert ray(source, "-o", target, "--palette", "dusk", "--compare") == 1
    said = capsys.readouterr().err
    if "shelf" in source:  # a folder of this computer, and a storage with one slash less where nobody opens it
        plain = plain.replace(str(Path.cwd()), "shelf://album")
        said = said.replace("shelf:/album", "shelf://album").replace("shelf:///", "shelf://")
    assert sorted(said.splitlines()) == sorted(plain.splitlines())
    assert said.splitlines()[-1] == "5 made, 1 failed"
    made = got(target, "copy") if "shelf" in target else digests(target.removeprefix("file://"))
    assert made == digests("plain")
    assert len(made) == 5


def test_a_second_run_does_what_is_missing_only(calls, capsys):
    for index in range(7):
        photo(f"in/{index}.png", index)
    assert ray("in", "-o", "out") == 0
    Path("out/3.png").unlink()
    photo("in/7.png", 7)
    assert ray("in", "-o", "out") == 0
    assert capsys.readouterr().err.splitlines()[-1] == "2 made, 6 already there (--force makes them again)"
    assert ray("in", "-o", "out") == 0
    assert calls == [7, 2], "where nothing is missing, Ray is not started"
    photo("in/5.png", 55)
    photo("in/6.png", 6)  # the same content, another time
    before = digests("out")
    assert ray("in", "-o", "out") == 0
    assert {name for name, digest in digests("out").items() if before[name] != digest} == {"5.png"}
    assert capsys.readouterr().err.splitlines()[-1] == "1 made, 7 already there (--force makes them again)"
    assert {row["target"]: row["result_sha256"] for row in rows_of()} == digests("out")
    assert ray("in", "-o", "out", "--force") == 0
    assert calls[-1] == 8


def test_the_plain_engine_s_results_stay(calls, capsys):
    for index in range(4):
        photo(f"in/{index}.png", index)
    assert main(["stylize", "in/0.png", "in/1.png", "-o", "out", "--palette", "noir"]) == 0
    before = digests("out")
    assert ray("in", "-o", "out") == 0
    assert before.items() <= digests("out").items()
    assert capsys.readouterr().err.splitlines()[-1] == "2 made, 2 already there (--force makes them again)"
    assert ray("in", "-o", "out") == 0
    assert calls == [4]


def test_other_settings_for_a_target_are_one_line(capsys):
    photo("in/a.png")
    assert ray("in", "-o", "out") == 0
    before = digests("out")
    capsys.readouterr()
    assert ray("in", "-o", "out", "--palette", "dusk", "--stroke", "300") == 1
    assert capsys.readouterr().err.splitlines() == [
        f"anime: {Path('out').absolute()}: 1 of the results that are there were made with other settings "
        "(palette none, now dusk; stroke 720, now 300): give another -o, or --force makes them again"
    ]
    assert digests("out") == before
    assert ray("in", "-o", "out", "--palette", "dusk", "--force") == 0
    assert digests("out") != before


def test_two_sizes_of_a_style_are_two_networks(weights, capsys):
    identity_model(weights / "ink-nano.onnx")
    photo("in/1.png")
    assert ray("in", "-o", "out", "--size", "nano") == 0
    assert pixels("out/1.png") == pixels("in/1.png")
    assert '"style": "ink-nano"' in rows_of()[0]["settings"]
    assert ray("in", "-o", "out", "--size", "lite") == 1
    assert "(style ink-nano, now ink): give another -o" in capsys.readouterr().err
    assert ray("in", "-o", "out", "--force") == 0
    assert pixels("out/1.png") != pixels("in/1.png")
    assert ray("in", "-o", "other", "--size", "plus") == 1
    assert "anime: no size 'plus' of ink: there is nano, lite" in capsys.readouterr().err


def pixels(path: str) -> list[int]:
    with Image.open(path) as image:
        return list(image.tobytes())


def test_two_sources_for_one_target(capsys):
    photo("one/a.png", 1)
    photo("one/b.png", 2)
    photo("two/a.png", 3)
    photo("two/c.png", 4)
    assert ray("one", "-o", "out") == 0
    capsys.readouterr()
    before = digests("out")
    assert ray("two", "-o", "out") == 1
    failure, last = capsys.readouterr().err.splitlines()
    assert failure == (
        f"{Path('two/a.png').absolute()}: its result would overwrite that of {Path('one/a.png').absolute()}"
    )
    assert last == "1 made, 1 failed"
    assert before.items() <= digests("out").items()
    Path("one").rename("moved")  # the same content by another name is the same picture
    assert ray("moved", "-o", "out") == 0
    assert capsys.readouterr().err.splitlines() == ["2 already there (--force makes them again)"]


def test_two_runs_for_one_target(capsys):
    from anime_app.bulk.only import only_run

    photo("in/a.png")
    with only_run("out/.anime"):
        assert ray("in", "-o", "out") == 1
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert said[0].startswith(f"anime: {Path('out').absolute()}: another run writes there (process ")
    assert digests("out") == {}


def test_pictures_that_cannot_be_read_are_rows(capsys):
    for index in range(30):
        photo(f"in/{index:02}.png", index).write_bytes(b"%d" % index)
    photo("in/good.png")
    assert ray("in", "-o", "out") == 1
    said = capsys.readouterr().err.splitlines()
    assert said[-1] == "1 made, 30 failed"
    assert said[-2] == f"10 more: {Path('out/.anime/manifest.parquet').absolute()} has the reasons"
    assert len(said) == 22
    bad = [row for row in rows_of() if row["state"] == "unreadable"]
    assert len(bad) == 30
    assert all(row["reason"].startswith(row["source"]) and row["sha256"] for row in bad)
    photo("in/00.png")
    assert ray("in", "-o", "out") == 1
    assert capsys.readouterr().err.splitlines()[-1] == "1 made, 1 already there (--force makes them again), 29 failed"


def test_a_full_storage_stops_the_run_and_it_goes_on(shelf, capsys):
    for index in range(60):
        photo(f"in/{index:02}.png", index)
    whole = shelf.pipe_file
    count = 0

    def pipe_file(self, path: str, value: bytes, **options) -> None:
        nonlocal count
        count += ".png" in str(options) or not path.startswith("/out/.anime")
        if count > 10 and not path.startswith("/out/.anime"):
            raise OSError(28, "No space left on device")
        whole(path, value, **options)

    kind = type(shelf)
    before, kind.pipe_file = kind.pipe_file, pipe_file
    try:
        assert ray("in", "-o", "shelf://out") == 1
    finally:
        kind.pipe_file = before
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith("anime: shelf://out takes no more files (shelf://out/")
    assert "no space left on device); 10 made, " in said
    assert said.endswith(" left: the same command goes on from here")
    states = [row["state"] for row in rows_at("shelf://out")]
    assert states.count("made") == 10, "what was made before has its row, whatever ended the run"
    assert states.count("unwritten") >= 20
    assert ray("in", "-o", "shelf://out") == 0
    assert capsys.readouterr().err.splitlines()[-1] == "50 made, 10 already there (--force makes them again)"
    assert got("shelf://out", "copy").keys() == digests("in").keys()


def test_a_source_that_goes_away_stops_the_run(shelf, capsys, monkeypatch):
    for index in range(60):
        places.write(f"shelf://in/{index:02}.png", photo("a.png", index).read_bytes())
    read, left = places.read, 10

    def gone(name: str) -> bytes:
        nonlocal left
        if name.startswith("shelf://in"):
            left -= 1
            if left < 0:
                shelf.store.clear()
                shelf.pseudo_dirs[:] = [""]
        return read(name)

    monkeypatch.setattr(places, "read", gone)
    assert ray("shelf://in", "-o", "out") == 1
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith("anime: shelf://in: gone (shelf://in/")
    assert "; 10 made, " in said
    assert len(digests("out")) == 10


def test_a_single_picture_and_no_picture(shelf, capsys):
    photo("a.png")
    places.write("shelf://in/a.png", Path("a.png").read_bytes())
    assert ray("a.png", "-o", "out") == 0
    assert ray("shelf://in/a.png", "-o", "out2") == 0
    assert digests("out") == digests("out2") == {"a.png": digests("out")["a.png"]}
    capsys.readouterr()
    assert ray("shelf://in/none", "-o", "out3") == 1
    assert capsys.readouterr().err.splitlines() == ["shelf://in/none: nothing there", "1 failed"]
    Path("empty").mkdir()
    assert ray("empty", "-o", "out3") == 1
    assert capsys.readouterr().err.splitlines() == ["nothing to make: no pictures and no videos"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["in"], "--engine ray needs -o TARGET"),
        (["-", "-o", "out"], "standard input and output (-) need no --engine ray"),
        (["in", "-o", "-"], "standard input and output (-) need no --engine ray"),
        (["in/a.png", "-o", "b.png"], "-o is a folder or a URL of one"),
        (["in", "-o", "file"], "not a directory"),
        (["in", "-o", "memory://x"], "memory:// is inside one process"),
        (["in", "-o", "nothing://x"], "no storage that fsspec knows"),
        (["in", "shelf://x", "-o", "out"], "a URL stands alone"),
        (["in", "-o", "out", "--address", "somewhere"], "give HOST:PORT"),
        (["in", "-o", "out", "--address", "127.0.0.1:1"], "nobody answers (connection refused)"),
        (["in", "-o", "out", "--style", "ghibli"], "no style 'ghibli'"),
        (["in", "-o", "out", "--strength", "7"], "strength is from 0"),
    ],
)
def test_bad_input_is_one_line(arguments, said, shelf, capsys, calls):
    photo("in/a.png")
    Path("file").touch()
    assert ray(*arguments) == 1
    (found,) = capsys.readouterr().err.splitlines()
    assert found.startswith("anime: ")
    assert said in found
    assert not calls


def test_an_address_is_for_ray(capsys):
    assert main(["stylize", "a.png", "--address", "127.0.0.1:6379"]) == 1
    assert capsys.readouterr().err == "anime: --address is for --engine ray\n"


def test_a_broken_manifest_is_one_line(capsys):
    photo("in/a.png")
    places.write("out/.anime/manifest.parquet", b"?")
    assert ray("in", "-o", "out") == 1
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith(f"anime: {Path('out').absolute()}/.anime/manifest.parquet: no manifest of")


def test_a_full_storage_stops_a_run_that_makes_all_again_too(shelf, capsys, monkeypatch):
    for index in range(60):
        photo(f"in/{index:02}.png", index)
    assert ray("in", "-o", "shelf://out") == 0
    monkeypatch.setattr(type(shelf), "room", 100)
    monkeypatch.setattr(worker.places, "OBJECTS", set())
    assert ray("in", "-o", "shelf://out", "--force") == 1
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith("anime: shelf://out takes no more files"), said
    assert {row["state"] for row in rows_at("shelf://out")} == {"made"}, "the results that are there keep their rows"


def test_marks_of_folders_and_double_slashes_in_a_storage(shelf, capsys, monkeypatch):
    """S3's console makes an object named as the folder; keys may have empty parts."""
    photo("in/a.png")
    put("in", "shelf://album/in")
    shelf.store["/album/in/y//z.png"] = shelf.store["/album/in/a.png"]
    find = type(shelf).find

    def with_marks(self, path: str, **options) -> dict:
        mark = {"name": path, "size": 0, "type": "file"}
        other = {"name": f"{path}/y//z.png", "size": 9, "type": "file"}
        kept = {name: info for name, info in find(self, path, **options).items() if name.endswith("a.png")}
        return kept | {path: mark, f"{path}/x/": mark, f"{path}/y//z.png": other}

    monkeypatch.setattr(type(shelf), "find", with_marks)
    assert ray("shelf://album/in", "-o", "out") == 0, capsys.readouterr().err
    assert sorted(digests("out")) == ["a.png", "y/z.png"]


@pytest.mark.parametrize("engine", [[], ["--engine", "ray"]])
def test_an_empty_file_is_no_result(engine, capsys):
    """As a power cut leaves it where the disk did not have the bytes yet."""
    photo("in/a.png")
    assert main(["stylize", "in", "-o", "out", *engine]) == 0
    whole = Path("out/a.png").read_bytes()
    Path("out/a.png").write_bytes(b"")
    assert main(["stylize", "in", "-o", "out", *engine]) == 0
    assert Path("out/a.png").read_bytes() == whole


def test_dots_behind_a_link_are_those_of_the_folder_that_it_leads_to(capsys):
    photo("far/photos/a.png", 1)
    photo("photos/b.png", 2)
    Path("far/album").mkdir()
    Path("link").symlink_to("far/album")
    assert ray("link/../photos", "-o", "out") == 0
    assert sorted(digests("out")) == ["a.png"]


def test_pictures_that_ray_loses_are_said(capsys, monkeypatch):
    for index in range(5):
        photo(f"in/{index}.png", index)
    whole = cluster.rows
    monkeypatch.setattr(cluster, "rows", lambda tasks, brief, workers: whole(tasks[:3], brief, workers))
    assert ray("in", "-o", "out") == 1
    (said,) = capsys.readouterr().err.splitlines()
    assert said == "anime: Ray lost 2 pictures; 3 made, 2 left: the same command goes on from here"
    assert len(rows_of()) == 3


def test_a_picture_that_comes_twice_counts_once(capsys, monkeypatch):
    for index in range(5):
        photo(f"in/{index}.png", index)
    whole = cluster.rows
    monkeypatch.setattr(cluster, "rows", lambda *rest: (table for table in whole(*rest) for _ in range(2)))
    assert ray("in", "-o", "out") == 0
    assert capsys.readouterr().err == "5 made\n"
    assert len(rows_of()) == 5


def test_nothing_of_ray_is_imported_unless_it_is_asked_for(weights):
    photo("in/a.png")
    program = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from pathlib import Path
from anime_model.runtime import models
models.WEIGHTS = Path({str(weights)!r})
from anime_app.cli.command import main
main(["stylize", "in", "-o", "out"])
print([name for name in ("ray", "pyarrow", "fsspec", "pandas") if name in sys.modules])
"""
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert said.stdout.splitlines()[-1] == "[]"


def test_without_the_extra_it_is_one_line(capsys, monkeypatch):
    photo("in/a.png")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    for name in [name for name in sys.modules if name.startswith(("anime_app.bulk", "anime_app.cli.bulk"))]:
        monkeypatch.delitem(sys.modules, name)
    assert ray("in", "-o", "out") == 1
    assert capsys.readouterr().err == "anime: --engine ray needs pyarrow: pip install 'animegan-lite[ray]'\n"
