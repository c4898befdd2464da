"""Pictures of rare kinds: each is read as what it shows, or refused with a line that names the kind."""

import io
import os
import struct
import subprocess
import sys
import threading
import zlib
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin

from anime_model.pictures import deep, tiff
from anime_model.pictures.arrays import PictureError, picture_files, read_picture
from anime_model.pictures.cutouts import spread_colours
from anime_model.pictures.hdr import HLG, PQ, to_sdr
from anime_model.pictures.images import decode, encode, write
from anime_model.pictures.opening import NO_HEIF, SUFFIXES, why_not_read
from anime_model.runtime.stylizer import Stylizer
from tests.tiny_onnx import identity_model

tifffile = pytest.importorskip("tifffile")
SIZE = 64, 96
RAMP = np.linspace(0, 1, SIZE[0] * SIZE[1]).reshape(SIZE)
WANTED = np.rint(RAMP * 255)


def scene(channels: int = 3) -> np.ndarray:
    """[64, 96, channels] uint8 with no two corners alike."""
    rows, columns = np.mgrid[0 : SIZE[0], 0 : SIZE[1]]
    planes = [rows * 4 % 256, columns * 2, 255 - rows * 2 - columns, 255 - columns]
    return np.stack(planes[:channels], axis=2).astype(np.uint8)


def shown(path: Path) -> np.ndarray:
    """The picture as the runtime and as the training read it, which must be the same; float RGB(A)."""
    (frame,) = decode(path).frames
    pixels = np.asarray(frame).astype(float)
    if frame.mode == "RGB":
        assert np.abs(read_picture(path) - pixels).max() <= 1
    return pixels


def error_of(path: Path, wanted: np.ndarray) -> float:
    pixels = shown(path)
    return np.abs(pixels - (wanted[..., None] if wanted.ndim == 2 else wanted)).max()


@pytest.mark.parametrize(
    ("dtype", "top"),
    [
        *[("f2", 1), ("f4", 1), ("f4", 255), ("f4", 65535), ("f8", 1), ("i2", 2**15 - 1), ("i4", 2**31 - 1)],
        *[("i4", 65535), ("u2", 2**16 - 1), ("u4", 2**32 - 1), ("u4", 65535), ("i1", 127)],
    ],
)
@pytest.mark.parametrize("order", ["<", ">"])
def test_grey_of_any_number_is_its_ramp(tmp_path, dtype, top, order):
    values = RAMP * top if top > 255 or dtype[0] != "f" or top == 1 else np.rint(RAMP * top)
    data = values.astype(order + dtype)
    tifffile.imwrite(tmp_path / "a.tif", data, byteorder=order)
    assert error_of(tmp_path / "a.tif", WANTED) <= (2 if dtype == "i1" else 1)


def test_highlights_above_white_do_not_darken_the_picture(tmp_path):
    values = (RAMP * 1.04).astype(np.float32)
    values[0, 0], values[1, 1] = 30, np.nan
    tifffile.imwrite(tmp_path / "a.tif", values)
    pixels = shown(tmp_path / "a.tif")
    assert pixels[32, 48, 0] == pytest.approx(RAMP[32, 48] * 1.04 * 255, abs=1)
    assert pixels[0, 0, 0] == 255
    assert pixels[1, 1, 0] == 0


@pytest.mark.parametrize("dtype", ["u2", "u4", "f4", "i2"])
@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("packing", [{}, {"compression": "zlib", "predictor": True}, {"tile": (16, 32)}])
def test_colour_of_any_number_and_order(tmp_path, dtype, apart, channels, packing):
    if apart and packing.get("predictor") and dtype == "f4":
        pytest.skip("tifffile writes no such file")
    top = 1 if dtype == "f4" else np.iinfo(dtype).max
    values = (scene(channels) / 255 * top).astype(dtype)
    values = np.moveaxis(values, 2, 0) if apart else values
    extra = {"extrasamples": ["unassalpha"]} if channels == 4 else {}
    try:
        tifffile.imwrite(
            tmp_path / "a.tif",
            values,
            photometric="rgb",
            planarconfig="separate" if apart else "contig",
            **packing,
            **extra,
        )
    except (ImportError, KeyError, ValueError, NotImplementedError) as error:
        pytest.skip(f"tifffile writes no such file here: {error}")
    assert error_of(tmp_path / "a.tif", scene(channels)) <= 1


@pytest.mark.parametrize("kind", ["cmyk", "cmyk16", "lab"])
@pytest.mark.parametrize("packing", [{}, {"compression": "zlib"}, {"tile": (16, 32)}])
def test_planes_apart_are_the_picture_of_planes_together(tmp_path, kind, packing):
    values, photometric = scene(4), "separated"
    if kind == "lab":
        values, photometric = np.asarray(Image.fromarray(scene()).convert("LAB")), "cielab"
    elif kind == "cmyk16":
        values = values.astype(np.uint16) * 257
    for name, planes, order in (("a", values, "contig"), ("b", np.moveaxis(values, 2, 0), "separate")):
        how = {"photometric": photometric, "planarconfig": order, "metadata": None}
        tifffile.imwrite(tmp_path / f"{name}.tif", np.ascontiguousarray(planes), **how, **packing)
    together, apart = shown(tmp_path / "a.tif"), shown(tmp_path / "b.tif")
    assert together.std() > 10
    assert np.abs(together - apart).max() <= 1
    if kind == "lab":
        assert np.abs(apart - scene()).mean() < 20  # some of its colours are beyond what Lab's file has


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("dtype", ["u2", "f4"])
@pytest.mark.parametrize("kind", ["unspecified", "assocalpha", "unassalpha"])
def test_a_further_channel_is_transparency_where_the_file_says_so(tmp_path, apart, dtype, kind):
    values = np.dstack([scene(), np.full(SIZE, 128, np.uint8)]) / 255
    if kind == "assocalpha":
        values[..., :3] *= values[..., 3:]
    values = (values * (1 if dtype == "f4" else 65535)).astype(dtype)
    values = np.ascontiguousarray(np.moveaxis(values, 2, 0)) if apart else values
    how = {"photometric": "rgb", "planarconfig": "separate" if apart else "contig", "extrasamples": [kind]}
    tifffile.imwrite(tmp_path / "a.tif", values, **how)
    (frame,) = decode(tmp_path / "a.tif").frames
    assert frame.mode == ("RGB" if kind == "unspecified" else "RGBA")
    assert np.abs(np.asarray(frame)[..., :3] - scene().astype(int)).max() <= (2 if kind == "assocalpha" else 1)
    if frame.mode == "RGBA":
        assert np.unique(np.asarray(frame)[..., 3]).tolist() == [128]


def test_grey_with_four_channels_more_is_grey(tmp_path):
    values = np.dstack([WANTED, *([np.zeros(SIZE)] * 4)]).astype(np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="minisblack", planarconfig="contig")
    assert decode(tmp_path / "a.tif").frames[0].mode == "RGB"
    assert error_of(tmp_path / "a.tif", WANTED) <= 1


@pytest.mark.parametrize("profiles", [(True, False), (False, True), (True, True), (False, False)])
def test_a_profile_is_of_its_own_page(tmp_path, profiles):
    """One whose colours are exchanged: a page that took another page's would be seen at once."""
    red_as_green = exchanged_profile()
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        for own in profiles:
            tags = [(tiff.ICC, 7, len(red_as_green), red_as_green, True)] if own else []
            file.write(scene(), photometric="rgb", extratags=tags, metadata=None)
    write(decode(tmp_path / "a.tif"), tmp_path / "b.tif")
    for before, after in zip(in_srgb(tmp_path / "a.tif"), in_srgb(tmp_path / "b.tif"), strict=True):
        assert np.abs(before - after).max() <= 1
    plain, changed = np.abs(in_srgb(tmp_path / "b.tif") - scene().astype(int)).mean((1, 2, 3)) > 10
    assert (plain, changed) == profiles


def exchanged_profile() -> bytes:
    """sRGB with its first two primaries exchanged."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, green = data.index(b"rXYZ"), data.index(b"gXYZ")
    data[red : red + 4], data[green : green + 4] = b"gXYZ", b"rXYZ"
    return bytes(data)


def in_srgb(path: Path) -> np.ndarray:
    """Every page as a viewer shows it that reads each page's own profile: [pages, H, W, 3]."""
    pages = []
    with tifffile.TiffFile(path) as file:
        for page in file.pages:
            image = Image.fromarray(page.asarray())
            if tiff.ICC in page.tags:
                profile = io.BytesIO(page.tags[tiff.ICC].value)
                image = ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB"))
            pages.append(np.asarray(image).astype(int))
    return np.stack(pages)


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_packed_signed_numbers(tmp_path, compression):
    """Pillow writes no signed 16 bits: its unsigned ones with another tag are the same bytes below the middle."""
    values = np.rint(RAMP * 32767).astype(np.uint16)
    Image.fromarray(values).save(tmp_path / "a.tif", compression=compression, tiffinfo={tiff.FORMAT: 2})
    assert error_of(tmp_path / "a.tif", WANTED) <= 1


def test_white_at_zero_turned_and_several_pages(tmp_path):
    values = np.rint(65535 * (1 - RAMP)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="miniswhite", extratags=[(274, "H", 1, 6, True)])
    assert error_of(tmp_path / "a.tif", np.rot90(WANTED, -1)) <= 1
    pages = np.stack([np.stack([RAMP] * 3, 2), np.stack([1 - RAMP] * 3, 2)]).astype(np.float32)
    tifffile.imwrite(tmp_path / "b.tif", pages, photometric="rgb")
    one, two = decode(tmp_path / "b.tif").frames
    assert np.abs(np.asarray(one)[..., 0] - WANTED).max() <= 1
    assert np.abs(np.asarray(two)[..., 1] - (255 - WANTED)).max() <= 1


@pytest.mark.parametrize("target", ["b.tif", "b.png", "b.jpg"])
def test_a_result_does_not_say_of_itself_what_the_source_was(tmp_path, target):
    about = [(270, "s", 0, "a photo", True)]
    tifffile.imwrite(tmp_path / "a.tif", RAMP.astype(np.float32), metadata=None, extratags=about)
    write(decode(tmp_path / "a.tif"), tmp_path / target)
    with Image.open(tmp_path / target) as made:
        assert np.abs(np.asarray(made.convert("RGB"))[..., 0] - WANTED).max() <= 3
        assert made.getexif()[270] == "a photo"
        if target.endswith("tif"):
            assert set(np.atleast_1d(made.tag_v2.get(tiff.FORMAT, 1))) == {1}


def test_a_cut_off_or_odd_file_is_one_line(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", RAMP.astype(np.float32))
    data = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "a.tif").write_bytes(data[: len(data) // 2])
    (tmp_path / "b.tif").write_bytes(data[:60])
    tifffile.imwrite(tmp_path / "c.tif", RAMP.astype(np.complex64))
    for name in "abc":
        for read in (decode, read_picture):
            with pytest.raises(PictureError, match=rf"^\S+{name}\.tif: [^\n]+$"):
                read(tmp_path / f"{name}.tif")


def grey_profile(gamma: float) -> bytes:
    """A version 2 profile of grey with one gamma (ICC.1:2001-04)."""

    def xyz(*values: float) -> bytes:
        return b"XYZ " + bytes(4) + struct.pack(">iii", *(round(value * 65536) for value in values))

    about = b"desc" + bytes(4) + struct.pack(">I", 5) + b"grey\0" + bytes(78)
    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256))
    tags = [(b"desc", about), (b"cprt", b"text" + bytes(4) + b"none\0"), (b"wtpt", xyz(0.9642, 1, 0.8249))]
    tags.append((b"kTRC", curve))
    at, table, body = 132 + 12 * len(tags), b"", b""
    for name, data in tags:
        data += bytes(-len(data) % 4)
        table += name + struct.pack(">II", at + len(body), len(data))
        body += data
    head = struct.pack(">I4sI4s4s4s", at + len(body), bytes(4), 0x02400000, b"mntr", b"GRAY", b"XYZ ")
    head += struct.pack(">6H", 2024, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + struct.pack(">iii", 63190, 65536, 54061)
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


@pytest.mark.parametrize("name", ["L.png", "LA.png", "trns.png", "I;16.png", "I;16.tif", "L.tif", "L.jpg"])
def test_grey_with_a_profile_is_shown_in_srgb(tmp_path, name):
    mode, levels = name.partition(".")[0], np.rint(RAMP * 255).astype(np.uint8)
    image = Image.fromarray(np.rint(RAMP * 65535).astype(np.uint16) if "16" in mode else levels)
    image = image.convert("LA") if mode == "LA" else image
    more = {"transparency": 255} if mode == "trns" else {}
    image.save(tmp_path / name, icc_profile=grey_profile(1.0), **more)
    picture = decode(tmp_path / name)
    pixels = np.asarray(picture.frames[0]).astype(float)
    linear = np.maximum(RAMP, 1e-9)
    wanted = 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    assert np.abs(pixels[..., 0] - wanted)[WANTED > 12].max() < 4
    assert picture.icc is None
    if mode == "trns":
        assert (pixels[..., 3] == np.where(levels == 255, 0, 255)).all()


def png(path: Path, header: tuple, rows: list[bytes], *chunks: bytes) -> Path:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    parts = [chunk(b"IHDR", struct.pack(">IIBBBBB", *header)), *(chunk(part[:4], part[4:]) for part in chunks)]
    parts += [chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows))), chunk(b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    return path


def test_a_clear_level_of_16_bits_is_clear_and_its_neighbours_are_not(tmp_path):
    grey = np.rint(RAMP * 65535).astype(">u2")
    header = (SIZE[1], SIZE[0], 16)
    path = png(tmp_path / "a.png", (*header, 0, 0, 0, 0), [row.tobytes() for row in grey], b"tRNS\0\0")
    pixels = shown(path)
    assert (pixels[..., 3] == np.where(grey == 0, 0, 255)).all()
    colours = np.stack([grey, grey // 2, grey // 3], axis=2).astype(">u2")
    clear = colours[30, 40]
    colours[30, 41] = clear + 1  # the same in its high bytes
    rows = [row.tobytes() for row in colours]
    path = png(tmp_path / "b.png", (*header, 2, 0, 0, 0), rows, b"tRNS" + struct.pack(">3H", *clear.tolist()))
    pixels = shown(path)
    assert np.argwhere(pixels[..., 3] == 0).tolist() == [[30, 40]]
    assert np.abs(pixels[..., :3] - colours / 257).max() <= 1
    assert decode(path).kind == "PNG"


@pytest.mark.parametrize("kind", ["rgb", "rgba", "grey", "grey16", "palette"])
def test_a_png_of_linear_light_is_shown_as_it_looks(tmp_path, kind):
    look = scene(4 if kind == "rgba" else 3)
    grey = kind in ("grey", "grey16")
    light = np.concatenate([(look[..., :3] / 255) ** 2.2, look[..., 3:] / 255], axis=2)
    light = light[..., 0] if grey else light
    numbers = np.rint(light * (65535 if kind == "grey16" else 255)).astype(">u2" if kind == "grey16" else np.uint8)
    chunks = [b"gAMA" + struct.pack(">I", 100000)]
    if kind == "palette":
        image = Image.fromarray(numbers).quantize(256)
        numbers, look = np.asarray(image), np.rint(255 * (np.asarray(image.convert("RGB")) / 255) ** (1 / 2.2))
        chunks.append(b"PLTE" + bytes(image.getpalette()))
    code = {"rgb": 2, "rgba": 6, "palette": 3}.get(kind, 0)
    header = (SIZE[1], SIZE[0], 16 if kind == "grey16" else 8, code, 0, 0, 0)
    pixels = np.asarray(decode(png(tmp_path / "a.png", header, [row.tobytes() for row in numbers], *chunks)).frames[0])
    wanted = look[..., :1] if grey else look
    wanted = np.broadcast_to(wanted, pixels.shape).astype(float)
    assert np.abs(pixels - wanted)[wanted > 60].max() <= 2


@pytest.mark.parametrize("gamma", [45455, 45000])
def test_the_gamma_of_screens_changes_nothing(tmp_path, gamma):
    rows = [row.tobytes() for row in scene()]
    path = png(tmp_path / "a.png", (SIZE[1], SIZE[0], 8, 2, 0, 0, 0), rows, b"gAMA" + struct.pack(">I", gamma))
    assert np.array_equal(np.asarray(decode(path).frames[0]), scene())
    linear = b"gAMA" + struct.pack(">I", 100000)
    path = png(tmp_path / "b.png", (SIZE[1], SIZE[0], 8, 2, 0, 0, 0), rows, b"sRGB\0", linear)
    assert np.array_equal(np.asarray(decode(path).frames[0]), scene()), "sRGB goes before gAMA"


@pytest.mark.parametrize("after", [False, True])
def test_long_texts_and_profiles_are_no_reason_to_refuse_a_picture(tmp_path, after):
    info, srgb = PngImagePlugin.PngInfo(), ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for text, kind in (("x" * 3_000_000, info.add_text), ("y" * 3_000_000, info.add_itxt)):
        kind("workflow", text, zip=True)
    info.add_text("plain", "z" * 2_000_000)
    for index in range(80):
        info.add_text(f"many {index}", "m" * 400_000, zip=True)
    profile = srgb + bytes(3_000_000)
    stream = io.BytesIO()
    Image.fromarray(scene()).save(stream, "PNG", pnginfo=info, icc_profile=profile)
    data = stream.getvalue()
    if after:  # texts behind the pixels
        at = data.index(b"IDAT") - 4
        length = int.from_bytes(data[at : at + 4], "big") + 12
        pixels, ends = data[at : at + length], data[-12:]
        data = data[:33] + pixels + data[33:at] + ends
    (tmp_path / "a.png").write_bytes(data)
    assert np.array_equal(shown(tmp_path / "a.png"), scene())
    if not after:
        assert decode(tmp_path / "a.png").icc == profile


def test_camera_data_that_jpeg_cannot_hold_is_left_out_and_the_picture_is_written():
    exif = Image.Exif()
    exif[0x010F] = "A maker"
    exif.get_ifd(0x8769)[0x927C] = bytes(100_000)
    stream, made = io.BytesIO(), io.BytesIO()
    Image.fromarray(scene()).save(stream, "PNG", exif=exif)
    encode(decode(stream.getvalue()), made, "JPEG")
    assert Image.open(made).getexif()[0x010F] == "A maker"
    exif[0x010E] = "d" * 200_000
    stream, made = io.BytesIO(), io.BytesIO()
    Image.fromarray(scene()).save(stream, "PNG", exif=exif)
    encode(decode(stream.getvalue()), made, "JPEG")
    assert Image.open(made).size == (96, 64)


@pytest.mark.parametrize("kind", ["DNG", "sensor below", "preview first", "Canon"])
def test_a_raw_photo_is_refused_and_its_preview_is_not_taken_for_it(tmp_path, kind):
    raw = np.arange(240 * 320, dtype=np.uint16).reshape(240, 320)
    with tifffile.TiffWriter(tmp_path / "a.dng") as file:
        tags = [(tiff.DNG_VERSION, "B", 4, (1, 4, 0, 0), True)] if kind == "DNG" else []
        file.write(scene(), photometric="rgb", subfiletype=kind == "preview first", subifds=1, extratags=tags)
        file.write(raw, photometric=tiff.CFA if kind == "sensor below" else "minisblack")
    if kind == "Canon":
        data = (tmp_path / "a.dng").read_bytes()
        (tmp_path / "a.dng").write_bytes(data[:8] + b"CR" + data[10:])
    for read in (decode, read_picture):
        with pytest.raises(PictureError, match=r"a\.dng: a camera's raw picture"):
            read(tmp_path / "a.dng")


def test_a_picture_with_smaller_versions_behind_it_is_read(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(scene(), photometric="rgb", subifds=1)
        file.write(scene()[::2, ::2], photometric="rgb", subfiletype=1)
    assert error_of(tmp_path / "a.tif", scene()) == 0


@pytest.mark.parametrize("clear", [False, True])
def test_what_stands_still_in_a_gif_keeps_its_colours(tmp_path, clear):
    rng, frames = np.random.default_rng(0), []
    rows, columns = np.mgrid[0:96, 0:128]
    back = np.stack([120 + 80 * np.sin(columns / 30), 100 + rows, 200 - columns], axis=2)
    for index in range(6):
        pixels = (back + rng.normal(0, 0.5, back.shape)).clip(0, 255)
        pixels[70:90, 10 * index : 10 * index + 20] = 250, 40 * index, 20
        alpha = np.full((96, 128, 1), 255.0)
        alpha[:10] = 0
        frames.append(Image.fromarray(np.concatenate([pixels, alpha], 2).astype(np.uint8)[..., : 3 + clear]))
    picture = decode(_gif_of(frames))
    picture.frames, stream = frames, io.BytesIO()
    encode(picture, stream, "GIF")
    with Image.open(stream) as made:
        assert made.n_frames == 6
        found = [np.asarray(frame.convert("RGBA")).astype(int) for frame in _each(made)]
    if clear:
        assert all((frame[:10, :, 3] == 0).all() and (frame[10:, :, 3] == 255).all() for frame in found)
    assert max(np.abs(a - b)[10:70].max() for a, b in pairwise(found)) == 0
    assert max(np.abs(f[10:, :, :3] - np.asarray(w)[10:, :, :3]).mean() for f, w in zip(found, frames, strict=True)) < 8


def _gif_of(frames: list[Image.Image]) -> bytes:
    stream = io.BytesIO()
    frames[0].save(stream, "GIF", save_all=True, append_images=frames[1:], duration=80)
    return stream.getvalue()


def _each(image: Image.Image):
    for index in range(image.n_frames):
        image.seek(index)
        yield image.copy()


@pytest.mark.parametrize("size", [(64, 96), (301, 7), (5, 3)])
def test_cut_outs_that_look_the_same_are_drawn_the_same(tmp_path, size):
    rng = np.random.default_rng(1)
    seen = rng.integers(0, 256, (*size, 4), np.uint8)
    seen[..., 3] = np.where(np.arange(size[1]) < size[1] // 2, 255, 0)
    made = []
    for hidden in (0, 255, 90):
        pixels = seen.copy()
        pixels[seen[..., 3] == 0] = hidden, hidden, hidden, 0
        image = Image.fromarray(pixels)
        spread_colours(image)
        made.append(np.asarray(image))
        assert np.array_equal(made[-1][seen[..., 3] > 0], seen[seen[..., 3] > 0])
        assert np.array_equal(made[-1][..., 3], seen[..., 3])
    assert np.array_equal(made[0], made[1])
    assert np.array_equal(made[0], made[2])
    one = np.zeros((20, 20, 4), np.uint8)
    one[3, 3] = 10, 200, 60, 255
    image = Image.fromarray(one)
    Stylizer(identity_model(tmp_path / "m.onnx")).draw(image)
    assert (np.asarray(image)[..., :3] == [10, 200, 60]).all()


@pytest.mark.parametrize("suffix", [".jfif", ".jpe", ".apng", ".pnm", ".j2k", ".dib", ".mpo", ".JPG"])
def test_names_that_pictures_have_are_pictures(tmp_path, suffix):
    kind = {".jfif": "JPEG", ".jpe": "JPEG", ".apng": "PNG", ".pnm": "PPM", ".j2k": "JPEG2000", ".dib": "BMP"}
    Image.fromarray(scene()).save(tmp_path / f"a{suffix}", kind.get(suffix, "JPEG"))
    assert picture_files(tmp_path) == [tmp_path / f"a{suffix}"]
    assert np.abs(shown(tmp_path / f"a{suffix}") - scene()).mean() < 5


def test_heic_is_read_by_pillow_heif_or_named(tmp_path, monkeypatch):
    pillow_heif = pytest.importorskip("pillow_heif")
    pillow_heif.from_pillow(Image.fromarray(scene())).save(tmp_path / "a.HEIC", quality=90)
    assert np.abs(shown(tmp_path / "a.HEIC") - scene()).mean() < 6
    drawn = Stylizer(identity_model(tmp_path / "same.onnx"))((tmp_path / "a.HEIC").read_bytes())
    with Image.open(io.BytesIO(drawn)) as made:  # it is not written
        assert (made.format, made.size) == ("PNG", (96, 64))
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(PictureError, match=r"a\.HEIC: HEIC pictures need pillow-heif; pip install"):
        decode(tmp_path / "a.HEIC")
    assert "animegan-lite[heic]" in NO_HEIF


def with_chunk(path: Path, kind: bytes, data: bytes) -> None:
    """Puts one more part into a PNG, after its first."""
    png = path.read_bytes()
    part = struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    path.write_bytes(png[:33] + part + png[33:])


@pytest.mark.parametrize("transfer", [PQ, HLG])
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "16 bits", "16 bits of grey"])
def test_an_hdr_png_is_brought_to_sdr_as_films_are(tmp_path, transfer, mode):
    """Grey is what the curve says, and what is white on the screen stays white."""
    levels = np.linspace(0, 255, 96).round().repeat(64).reshape(96, 64).astype(np.uint8)
    if mode.startswith("16"):
        deep_levels = levels.astype(np.uint16) * 257
        planes = deep_levels if mode.endswith("grey") else np.dstack([deep_levels] * 3)
        write_deep_png(tmp_path / "a.png", planes)
    else:
        Image.fromarray(levels).convert("RGBA" if mode == "RGBA" else mode).save(tmp_path / "a.png")
    plain = shown(tmp_path / "a.png")
    with_chunk(tmp_path / "a.png", b"cICP", bytes([9, transfer, 0, 1]))
    wanted = 255 * to_sdr(np.dstack([levels] * 3) / 255, transfer)
    made = shown(tmp_path / "a.png")
    assert np.abs(plain[..., :3] - levels[..., None]).max() <= 1
    assert np.abs(made[..., :3] - wanted).max() <= 1
    assert made[-1].min() == 255


def write_deep_png(path: Path, planes: np.ndarray) -> None:
    """uint16 [H, W] or [H, W, 3]: Pillow writes no colour of 16 bits."""
    height, width = planes.shape[:2]
    rows = planes.astype(">u2").reshape(height, -1).view(np.uint8)
    data = zlib.compress(np.insert(rows, 0, 0, axis=1).tobytes())
    head = struct.pack(">IIBBBBB", width, height, 16, 2 if planes.ndim == 3 else 0, 0, 0, 0)
    parts = [(b"IHDR", head), (b"IDAT", data), (b"IEND", b"")]
    packed = (struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in parts)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(packed))


@pytest.mark.parametrize("suffix", [".heic", ".avif"])
def test_an_hdr_picture_in_boxes_is_brought_to_sdr(tmp_path, suffix):
    pillow_heif = pytest.importorskip("pillow_heif")
    grey = Image.new("RGB", (96, 64), (128, 128, 128))
    for name, transfer in (("sdr", 13), ("hdr", PQ)):
        file = tmp_path / f"{name}{suffix}"
        if suffix == ".heic":
            pillow_heif.from_pillow(grey).save(file, quality=95)
        else:
            grey.save(file, quality=95)
        data = file.read_bytes()
        at = data.index(b"colrnclx") + 10
        file.write_bytes(data[:at] + transfer.to_bytes(2, "big") + data[at + 2 :])
    assert np.abs(shown(tmp_path / f"sdr{suffix}") - 128).max() < 6
    assert np.abs(shown(tmp_path / f"hdr{suffix}") - 255 * to_sdr(np.full((1, 3), 128 / 255), PQ)).max() < 12


def test_kinds_that_are_not_read_have_words():
    assert "raw" in why_not_read(Path("a.CR3"))
    assert why_not_read(Path("a.psd")).startswith("PSD")
    assert why_not_read(Path("a.txt")) is None
    assert not any(why_not_read(Path(f"a{suffix}")) for suffix in SUFFIXES)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_a_pipe_is_named_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.jpg")
    for read in (decode, read_picture):
        with pytest.raises(PictureError, match=r"a\.jpg: no file but a pipe"):
            read(tmp_path / "a.jpg")


def test_pillows_own_bound_stays_as_it_is_while_others_read(tmp_path):
    """It is for the whole program: set aside for one thread, another's bomb would pass."""
    Image.fromarray(scene()).save(tmp_path / "a.png")
    bound, seen, done = Image.MAX_IMAGE_PIXELS, set(), threading.Event()

    def watch() -> None:
        while not done.is_set():
            seen.add(Image.MAX_IMAGE_PIXELS)

    watcher = threading.Thread(target=watch)
    watcher.start()
    for _ in range(300):
        decode(tmp_path / "a.png")
    done.set()
    watcher.join()
    assert seen == {bound}


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak from /proc")
@pytest.mark.parametrize("kind", ["grey16.png", "grey32.tif", "rgb16.tif"])
def test_deep_pictures_take_two_copies_of_memory_at_most(tmp_path, kind):
    """Beside 8 bytes a pixel: the program, one band, and what a strip is read from."""
    side, path = 4000, tmp_path / kind
    if kind == "grey16.png":
        Image.fromarray(np.zeros((side, side), np.uint16)).save(path)
    else:
        dtype, shape = ("u4", (side, side)) if kind == "grey32.tif" else ("u2", (3, side, side))
        colours = {} if kind == "grey32.tif" else {"photometric": "rgb", "planarconfig": "separate"}
        tifffile.imwrite(path, np.zeros(shape, dtype), **colours)
    program = """
import re, sys
sys.path.insert(0, sys.argv[1])
from anime_model.pictures.images import decode
def peak(): return int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) * 1024
before = peak(); decode(sys.argv[2]); print(peak() - before)
"""
    root = Path(deep.__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", program, root, path], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 8 * side * side + 60_000_000
