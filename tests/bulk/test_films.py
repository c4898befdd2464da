"""Films by `anime stylize --engine ray`, with Ray's part played by workers in this process."""

import re
import threading
from pathlib import Path

import numpy as np
import pytest
from pyarrow import parquet

from anime_app.bulk import cluster, films, places, worker
from anime_app.cli.command import main
from tests.bulk.conftest import digests, film, photo, played, repeatable

pytest.importorskip("av")


@pytest.fixture(autouse=True)
def calls(monkeypatch) -> list[int]:
    repeatable(monkeypatch)
    return played(monkeypatch)


def ray(*arguments: str) -> int:
    return main(["stylize", *arguments, "--engine", "ray"])


def rows_of(target: str = "out") -> dict[str, dict]:
    rows = parquet.read_table(Path(target) / ".anime/manifest.parquet").to_pylist()
    return {row["target"]: row for row in rows}


def parts_left(target: str = "out") -> list[str]:
    return sorted(path.name for path in Path(target, ".anime").rglob("*-*.json"))


@pytest.mark.parametrize("source", ["in", "shelf://album/in"])
@pytest.mark.parametrize("target", ["out", "shelf://album/out"])
def test_a_film_among_pictures_is_the_plain_engine_s(source, target, shelf, calls, capsys):
    film("in/b.mp4", 1)
    film("in/c/d.mov", 2)
    photo("in/a.png")
    for path in Path("in").rglob("*.*"):
        places.write(f"shelf://album/{path}", path.read_bytes())
    options = ["--palette", "dusk", "--compare", "--max-size", "120"]
    assert main(["stylize", "in", "-o", "plain", *options]) == 0
    plain = capsys.readouterr().err.splitlines()
    assert ray(source, "-o", target, *options) == 0
    said = capsys.readouterr().err.splitlines()
    assert said[-1] == plain[-1] == "3 made"
    wanted = [line.partition(" frames; ")[2] for line in plain if "flicker" in line]
    assert [line.partition(" frames; ")[2] for line in said[:-1]] == wanted
    for name, _ in places.listing(target) if "shelf" in target else []:
        places.write(f"out/{name}", places.read(f"{target}/{name}"))
    assert digests("out") == digests("plain")
    assert calls == [1 + 2 * 4], "a picture, and four parts of each film"
    assert {name: row["state"] for name, row in rows_of().items()} == dict.fromkeys(digests("plain"), "made")
    assert {name: row["result_sha256"] for name, row in rows_of().items()} == digests("plain")
    assert not parts_left()


def test_a_second_run_does_what_is_missing_only(calls, capsys):
    for name in "ab":
        film(f"in/{name}.mp4", ord(name))
    assert ray("in", "-o", "out") == 0
    before = digests("out")
    assert ray("in", "-o", "out") == 0
    assert len(calls) == 1, "where nothing is missing, Ray is not started"
    film("in/a.mp4", 1)
    Path("in/b.mp4").touch()  # the same content, another time
    assert ray("in", "-o", "out") == 0
    assert {name for name, digest in digests("out").items() if before[name] != digest} == {"a.mp4"}
    assert capsys.readouterr().err.splitlines()[-1] == "1 made, 1 already there (--force makes them again)"
    Path("out/.anime/manifest.parquet").unlink()
    assert ray("in", "-o", "out") == 0
    assert {row["state"] for row in rows_of().values()} == {"there"}
    assert ray("in", "-o", "out", "--no-steady", "--force") == 0
    assert ray("in", "-o", "out") == 1
    assert "were made with other settings (steady off, now on)" in capsys.readouterr().err.splitlines()[-1]


class Killed(BaseException):
    pass


def test_a_part_that_is_done_is_not_done_again_after_a_kill(calls, capsys, monkeypatch):
    film("in/a.mp4")
    assert main(["stylize", "in", "-o", "plain"]) == 0
    whole = cluster.rows

    def rows(*arguments):
        for count, table in enumerate(whole(*arguments)):
            if count == 2:
                raise Killed
            yield table

    monkeypatch.setattr(cluster, "rows", rows)
    with pytest.raises(Killed):
        ray("in", "-o", "out")
    assert digests("out") == {}
    assert len(parts_left()) == 3, "that were drawn, whoever heard of it"
    Path("in/a.mp4").rename("in/moved.mp4")
    Path("in/moved.mp4").rename("in/a.mp4")
    monkeypatch.setattr(cluster, "rows", whole)
    assert ray("in", "-o", "out") == 0
    assert calls == [4, 1]
    assert digests("out") == digests("plain")
    assert not parts_left()


def full(*arguments, **options):
    raise OSError(28, "No space left on device")


def test_a_target_that_is_full_keeps_the_parts_and_other_settings_take_none(calls, capsys, monkeypatch):
    film("in/a.mp4")
    with monkeypatch.context() as changed:
        changed.setattr(films, "stylize_video", full)
        assert ray("in", "-o", "out") == 1
    assert capsys.readouterr().err.splitlines() == [
        f"{Path('out/a.mp4').absolute()}: no space left on device",
        "1 failed",
    ]
    assert len(parts_left()) == 4
    assert rows_of()["a.mp4"]["state"] == "unwritten"
    with monkeypatch.context() as changed:
        changed.setattr(films, "stylize_video", full)
        assert ray("in", "-o", "out", "--palette", "dusk") == 1
    assert calls == [4, 4]
    assert len(parts_left()) == 4, "those of the other settings are gone"
    assert ray("in", "-o", "out", "--palette", "dusk") == 0
    assert calls == [4, 4], "all parts are there: Ray is not started"
    assert main(["stylize", "in", "-o", "plain", "--palette", "dusk"]) == 0
    assert digests("out") == digests("plain")


def test_bad_films_are_one_line_each_as_the_plain_engine_s_and_all_else_is_made(capsys):
    whole = film("in/good.mp4").read_bytes()
    Path("in/empty.mp4").touch()
    Path("in/text.mkv").write_text("no film")
    Path("in/cut.mp4").write_bytes(whole[: len(whole) // 2])  # its index is at its end
    Path("in/sound.mp4").write_bytes(sound_only())
    film("in/damaged.mkv")
    broken = bytearray(Path("in/damaged.mkv").read_bytes())
    broken[len(broken) // 2 : len(broken) // 2 + 3000] = bytes(3000)
    Path("in/damaged.mkv").write_bytes(broken)
    photo("in/a.png")
    assert main(["stylize", str(Path("in").absolute()), "-o", "plain"]) == 1
    plain = capsys.readouterr().err.replace(str(Path("plain")), str(Path("out").absolute()))
    assert ray("in", "-o", "out") == 1
    said = capsys.readouterr().err
    assert sorted(said.splitlines()) == sorted(plain.splitlines())
    assert said.splitlines()[-1] == "3 made, 4 failed"
    made = digests("plain")
    assert {name: digest for name, digest in digests("out").items() if name != "damaged.mkv"} == {
        name: digest
        for name, digest in made.items()
        if name != "damaged.mkv"  # Matroska numbers files at random
    }
    bad = {name: row for name, row in rows_of().items() if row["state"] == "unreadable"}
    assert bad.keys() == {"empty.mp4", "text.mkv", "cut.mp4", "sound.mp4"}
    assert all(row["reason"].startswith(row["source"]) and row["sha256"] for row in bad.values())


def sound_only() -> bytes:
    av = pytest.importorskip("av")
    with av.open("sound.mp4", "w") as out:
        voice = out.add_stream("aac", rate=48000, layout="mono")
        tone = av.AudioFrame.from_ndarray(np.zeros((1, 4800), np.int16), format="s16", layout="mono")
        tone.sample_rate, tone.pts = 48000, 0
        out.mux(voice.encode(tone))
        out.mux(voice.encode(None))
    return Path("sound.mp4").read_bytes()


def test_a_film_with_one_keyframe_is_spread_too(calls, capsys):
    film("in/a.mp4", every=1000, frames=40)
    assert main(["stylize", "in", "-o", "plain"]) == 0
    assert ray("in", "-o", "out") == 0
    assert calls == [3]
    assert digests("out") == digests("plain")


def test_parts_that_ray_loses_are_said(capsys, monkeypatch):
    film("in/a.mp4")
    photo("in/a.png")
    whole = cluster.rows
    monkeypatch.setattr(cluster, "rows", lambda tasks, brief, workers: whole(tasks[:3], brief, workers))
    assert ray("in", "-o", "out") == 1
    failure, last = capsys.readouterr().err.splitlines()
    assert failure == f"{Path('in/a.mp4').absolute()}: {films.LOST}"
    assert last == "1 made, 1 failed"
    assert len(parts_left()) == 2
    monkeypatch.setattr(cluster, "rows", whole)
    assert ray("in", "-o", "out") == 0


def test_ctrl_c_ends_the_putting_together(capsys, monkeypatch):
    film("in/a.mp4")
    whole = cluster.rows

    def rows(*arguments):
        yield next(iter(whole(*arguments)))
        raise KeyboardInterrupt

    monkeypatch.setattr(cluster, "rows", rows)
    assert ray("in", "-o", "out") == 130
    assert capsys.readouterr().err.splitlines()[-1] == ("stopped: 0 made, 1 left; the same command goes on from here")
    assert not [thread.name for thread in threading.enumerate() if "ThreadPool" in thread.name]
    assert digests("out") == {}
    assert len(parts_left()) == 1


def test_a_film_that_goes_away_is_one_line(shelf, capsys, monkeypatch):
    places.write("shelf://in/a.mp4", film("a.mp4").read_bytes())
    whole = worker.draw_part

    def draw_part(*arguments):
        shelf.store.clear()
        return whole(*arguments)

    monkeypatch.setattr(worker, "draw_part", draw_part)
    assert ray("shelf://in", "-o", "out") == 1
    failure, last = capsys.readouterr().err.splitlines()
    assert failure.startswith("shelf://in/a.mp4: ")
    assert last == "1 failed"
    assert rows_of()["a.mp4"]["state"] == "unread"


def test_drawings_that_will_not_fit_are_one_line(capsys, monkeypatch):
    film("in/a.mp4")
    monkeypatch.setattr(places, "free", lambda folder: 1000)
    assert ray("in", "-o", "out") == 1
    said = capsys.readouterr().err.splitlines()[-1]
    assert re.fullmatch(r"anime: .*/in/a\.mp4: its drawings need about 0\.\d GB in .*/out/\.anime until .*", said)
    assert digests("out") == {}


def test_a_part_that_kills_whoever_draws_it_is_given_up(capsys, monkeypatch):
    """By the ledger's count; the film is named once, and the picture beside it is drawn."""
    film("in/a.mp4")
    photo("in/a.png")
    monkeypatch.setattr(
        worker.Worker, "_ask", lambda self, what, indices, wait=True: dict.fromkeys(indices, worker.GIVE_UP)
    )
    monkeypatch.setattr(worker.Worker, "_alone", lambda self, work, died, stages, report: report(work, None))
    assert ray("in", "-o", "out") == 1
    failure, last = capsys.readouterr().err.splitlines()
    assert failure == f"{Path('in/a.mp4').absolute()}: 3 processes died over it"
    assert last == "1 made, 1 failed"


def test_progress_counts_frames_that_are_in_their_film(monkeypatch, capsys):
    from anime_app.cli import bulk

    film("in/a.mp4")
    photo("in/a.png")
    monkeypatch.setattr(bulk, "EVERY", 0.0)
    assert ray("in", "-o", "out") == 0
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("[")]
    assert [re.search(r"(\d+)/29 pictures and frames", line)[1] for line in lines] == [str(n) for n in range(1, 30)]
