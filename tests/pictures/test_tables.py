"""Files that are there whole or not at all, by content and by name, and tables in them."""

from pathlib import Path

import pytest

from anime_model.pictures.atomic import whole_path, write_whole
from anime_model.pictures.tables import write_table


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def fail_half_way(part: Path) -> None:
    part.write_bytes(b"half")
    raise FileNotFoundError("no such source")


def test_a_writer_that_wants_a_name_gets_one_and_the_file_takes_its_own(tmp_path):
    with whole_path(tmp_path / "deep/a.bin") as part:
        part.write_bytes(b"new")
        assert names(tmp_path / "deep") == [part.name]
    assert names(tmp_path / "deep") == ["a.bin"]
    assert (tmp_path / "deep/a.bin").read_bytes() == b"new"


def test_a_writer_that_fails_leaves_the_former_file_and_nothing_else(tmp_path):
    write_whole(tmp_path / "a.bin", b"old")
    with pytest.raises(FileNotFoundError, match="no such source"), whole_path(tmp_path / "a.bin") as part:
        fail_half_way(part)
    assert names(tmp_path) == ["a.bin"]
    assert (tmp_path / "a.bin").read_bytes() == b"old"


def test_a_file_in_the_place_of_the_folder_is_named(tmp_path):
    write_whole(tmp_path / "a", "text: 点\n")
    assert (tmp_path / "a").read_text(encoding="utf-8") == "text: 点\n"
    with pytest.raises(NotADirectoryError, match="a"), whole_path(tmp_path / "a/b"):
        pass


def test_columns_cover_every_row(tmp_path):
    write_table(tmp_path / "curve.csv", [{"step": 1, "a": 2.0}, {"step": 2, "b": 3.0}])
    assert (tmp_path / "curve.csv").read_text().splitlines() == ["step,a,b", "1,2.0,", "2,,3.0"]
