"""The manifest: whole after any end, the latest row of each result."""

import os
import threading
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from anime_app.bulk import manifest, places
from anime_app.bulk.manifest import Manifest, text
from anime_app.bulk.only import only_run


def row(target: str, state: str = "made", **others: str) -> dict:
    return {"source": f"/in/{target}", "target": target, "state": state, **others}


@pytest.mark.parametrize("target", ["out", "shelf://out"])
def test_rows_come_back_and_the_latest_counts(target, shelf):
    first = Manifest(target)
    assert first.load().num_rows == 0
    first.add([row("a"), row("b", "unreadable", reason="no picture")])
    first.close()
    second = Manifest(target)
    second.add([row("b"), row("c")])
    second.close()
    found = Manifest(target).load().to_pylist()
    assert [(each["target"], each["state"], each["reason"]) for each in found] == [
        ("a", "made", None),
        ("b", "made", None),
        ("c", "made", None),
    ]
    assert places.names(f"{target}/.anime") == ["manifest.parquet"]


def test_parts_of_a_killed_run_are_found(shelf, monkeypatch):
    monkeypatch.setattr(manifest, "ROWS", 2)
    killed = Manifest("shelf://out")
    for name in "abcde":
        killed.add([row(name)])
    killed.add([row("a", "unreadable")])
    assert len(places.names("shelf://out/.anime")) == 3
    found = Manifest("shelf://out").load()
    assert found["target"].to_pylist() == ["b", "c", "d", "e", "a"]
    assert places.names("shelf://out/.anime") == ["manifest.parquet"]
    assert Manifest("shelf://out").load().equals(found)


def test_a_file_that_is_no_manifest_is_one_line():
    for content in (b"no parquet", b""):
        places.write("out/.anime/manifest.parquet", content)
        with pytest.raises(ValueError, match="no manifest of `anime stylize`") as caught:
            Manifest("out").load()
        assert "\n" not in str(caught.value)
    places.write("out/.anime/manifest.parquet", manifest._packed(pa.table({"x": [1]})))
    with pytest.raises(ValueError, match=r"out/\.anime/manifest\.parquet: no manifest"):
        Manifest("out").load()


def test_names_of_any_bytes_stay_apart():
    names = [os.fsdecode(name) for name in (b"a\xff.png", b"a\xfe.png", "ä日.png".encode())]
    assert len({text(name) for name in names}) == 3
    assert pa.array([text(name) for name in names]).null_count == 0
    assert text("ä日.png") == "ä日.png"


@pytest.mark.parametrize("folder", ["out/.anime", "shelf://out/.anime"])
def test_one_run_at_a_time(folder, shelf):
    busy = pytest.raises(ValueError, match="another run writes there")
    with only_run(folder, beat=0.05), busy as caught, only_run(folder, beat=0.05):
        pass
    assert f"process {os.getpid()}" in str(caught.value)
    assert str(caught.value).startswith(folder.removesuffix("/.anime") + ": ")
    with only_run(folder, beat=0.05):
        pass


def test_a_dead_run_s_sign_is_passed_over(shelf):
    places.write("shelf://out/.anime/run.lock", b'{"run": "1", "who": "process 1", "count": 7}')
    with only_run("shelf://out/.anime", beat=0.02):
        assert b'"process 1"' not in places.read("shelf://out/.anime/run.lock")
    assert places.names("shelf://out/.anime") == []


def test_a_storage_that_goes_away_ends_no_run(shelf, monkeypatch):
    gone = threading.Event()
    write = places.write

    def sometimes(name: str, data: bytes) -> None:
        if gone.is_set():
            raise places.Away("gone")
        write(name, data)

    monkeypatch.setattr(places, "write", sometimes)
    with only_run("shelf://out/.anime", beat=0.01):
        gone.set()
    assert not Path("shelf:").exists()


def test_it_is_written_few_rows_at_once_without_dictionaries_of_names(tmp_path, monkeypatch):
    """Else the memory of who puts it together grows by kilobytes for each picture."""
    monkeypatch.setattr(manifest, "GROUP", 4)
    made = Manifest(str(tmp_path / "out"))
    made.add([{"source": f"{n}.png", "target": f"{n}.png", "state": "made", "settings": "{}"} for n in range(10)])
    made.close()
    file = parquet.ParquetFile(made.name)
    assert file.num_row_groups == 3
    coded = {
        name: file.metadata.row_group(0).column(place).has_dictionary_page
        for place, name in enumerate(file.schema_arrow.names)
    }
    assert {name for name, has in coded.items() if has} <= {"state", "reason", "settings"}
    assert len(Manifest(made.target).load()) == 10
