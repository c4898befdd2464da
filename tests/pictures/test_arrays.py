"""Every kind of picture that people have, made here, is read rightly or refused in one clear line."""

import resource
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from anime_model.pictures.arrays import ORIENTATION, PictureError, picture_files, read_picture, write_picture

SIZE = (24, 32)  # height, width


def _png(parts: dict[bytes, bytes]) -> bytes:
    chunks = (struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in parts.items())
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@pytest.fixture
def picture() -> np.ndarray:
    """A red left half and a blue right half under a white top edge: tells every turn from the others."""
    array = np.zeros((*SIZE, 3), np.uint8)
    array[:, :16] = 220, 30, 20
    array[:, 16:] = 20, 60, 200
    array[:6] = 255
    return array


def test_a_lossless_file_gives_back_its_pixels(tmp_path, picture):
    write_picture(tmp_path / "deep/er/a.png", picture)
    assert np.array_equal(read_picture(tmp_path / "deep/er/a.png"), picture)


@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".bmp", ".tif", ".gif"])
def test_other_formats_come_close(tmp_path, picture, suffix):
    write_picture(tmp_path / f"a{suffix}", picture)
    read = read_picture(tmp_path / f"a{suffix}")
    assert read.shape == picture.shape
    assert np.abs(read.astype(int) - picture).mean() < 4


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_undone(tmp_path, picture, orientation):
    """The file is stored turned by the inverse of what its EXIF tag asks for."""
    stored = {
        1: picture,
        2: picture[:, ::-1],
        3: picture[::-1, ::-1],
        4: picture[::-1],
        5: picture.transpose(1, 0, 2),
        6: np.rot90(picture),
        7: picture[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(picture, -1),
    }[orientation]
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    Image.fromarray(np.ascontiguousarray(stored)).save(tmp_path / "a.png", exif=exif)
    assert np.array_equal(read_picture(tmp_path / "a.png"), picture)


def test_broken_exif_does_not_lose_the_pixels(tmp_path, picture):
    Image.fromarray(picture).save(tmp_path / "a.png", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff junk")
    assert np.array_equal(read_picture(tmp_path / "a.png"), picture)


def test_grey_has_three_equal_channels(tmp_path, picture):
    Image.fromarray(picture).convert("L").save(tmp_path / "a.png")
    read = read_picture(tmp_path / "a.png")
    assert np.ptp(read, axis=2).max() == 0
    assert read[0, 0, 0] == 255


def test_black_and_white(tmp_path, picture):
    Image.fromarray(picture).convert("1").save(tmp_path / "a.png")
    assert set(np.unique(read_picture(tmp_path / "a.png"))) <= {0, 255}


@pytest.mark.parametrize("suffix", [".jpg", ".tif"])
def test_cmyk_keeps_its_colours(tmp_path, picture, suffix):
    Image.fromarray(picture).convert("CMYK").save(tmp_path / f"a{suffix}")
    assert np.abs(read_picture(tmp_path / f"a{suffix}").astype(int) - picture).mean() < 8


def test_palette(tmp_path, picture):
    Image.fromarray(picture).convert("P", palette=Image.Palette.ADAPTIVE).save(tmp_path / "a.png")
    assert np.array_equal(read_picture(tmp_path / "a.png"), picture)


@pytest.mark.parametrize(
    ("values", "suffix"),
    [
        (np.full(SIZE, 32896, np.uint16), ".png"),
        (np.full(SIZE, 32896, np.uint16), ".tif"),
        (np.full(SIZE, 32896, np.int32), ".tif"),
        (np.full(SIZE, 128 / 255, np.float32), ".tif"),
        (np.full(SIZE, 128, np.float32), ".tif"),
    ],
)
def test_deep_grey_is_scaled_not_clipped(tmp_path, values, suffix):
    Image.fromarray(values).save(tmp_path / f"a{suffix}")
    assert np.unique(read_picture(tmp_path / f"a{suffix}")).tolist() == [128]


def test_sixteen_bit_colour(tmp_path):
    """Pillow cannot write it, so the file is put together by hand."""
    rows = (b"\0" + struct.pack(">3H", 65535, 32896, 0) * 32) * 24
    parts = {b"IHDR": struct.pack(">2I5B", 32, 24, 16, 2, 0, 0, 0), b"IDAT": zlib.compress(rows), b"IEND": b""}
    (tmp_path / "a.png").write_bytes(_png(parts))
    assert np.unique(read_picture(tmp_path / "a.png").reshape(-1, 3), axis=0).tolist() == [[255, 128, 0]]


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparency_lies_on_white(tmp_path, mode):
    clear = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    clear.paste((0, 0, 0, 255), (0, 0, 4, 8))
    clear.convert(mode).save(tmp_path / "a.png")
    read = read_picture(tmp_path / "a.png")
    assert read[0, 0].tolist() == [0, 0, 0]
    assert read[0, 7].tolist() == [255, 255, 255]


def test_the_first_frame_of_an_animation(tmp_path):
    red, blue = (Image.new("RGB", (8, 8), colour) for colour in ("red", "blue"))
    red.save(tmp_path / "a.gif", save_all=True, append_images=[blue])
    assert read_picture(tmp_path / "a.gif")[0, 0].tolist() == [255, 0, 0]


def test_a_lying_suffix_is_no_problem(tmp_path, picture):
    Image.fromarray(picture).save(tmp_path / "a.jpg", format="PNG")
    assert np.array_equal(read_picture(tmp_path / "a.jpg"), picture)


def _jpeg(tmp_path) -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    write_picture(tmp_path / "whole.jpg", noise)
    return (tmp_path / "whole.jpg").read_bytes()


def _bomb() -> bytes:
    return _png({b"IHDR": struct.pack(">2I5B", 100_000, 100_000, 8, 2, 0, 0, 0), b"IDAT": b""})


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (lambda _: b"", "not a picture"),
        (lambda _: b"<html>not found</html>", "not a picture"),
        (lambda folder: _jpeg(folder)[:2000], "truncated"),
        (lambda folder: _jpeg(folder)[:100], ""),
        (lambda _: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not a picture"),
        (lambda _: _bomb(), "too many pixels"),
    ],
)
def test_broken_files_are_refused_in_one_line(tmp_path, content, reason):
    path = tmp_path / "broken.jpg"
    path.write_bytes(content(tmp_path))
    with pytest.raises(PictureError) as caught:
        read_picture(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert reason in message
    assert "\n" not in message


def test_missing_files_and_folders(tmp_path):
    with pytest.raises(PictureError, match="no such file"):
        read_picture(tmp_path / "none.jpg")
    with pytest.raises(PictureError, match="directory"):
        read_picture(tmp_path)


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path, picture):
    """A limit on the size of files stops the writing as a full disk does, halfway through the picture."""
    path = tmp_path / "a.png"
    write_picture(path, picture)
    before, limits = path.read_bytes(), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) - 100, limits[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            write_picture(path, picture[::-1])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("array", [np.zeros((4, 4, 3)), np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8)])
def test_only_rgb_bytes_are_written(tmp_path, array):
    with pytest.raises(ValueError, match="uint8"):
        write_picture(tmp_path / "a.png", array)
    with pytest.raises(ValueError, match="cannot write"):
        write_picture(tmp_path / "a.txt", np.zeros((4, 4, 3), np.uint8))


def test_picture_files_are_sorted_and_visible(tmp_path, picture):
    for name in ("b/2.PNG", "a.jpg", "b/1.png", ".hidden.jpg", ".git/x.jpg", "notes.txt"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    assert [str(path.relative_to(tmp_path)) for path in picture_files(tmp_path)] == ["a.jpg", "b/1.png", "b/2.PNG"]
