"""Every kind of picture through the identity network: what a person would miss is still there."""

import io
import os
import signal
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageSequence

from anime_model.pictures import images
from anime_model.pictures.arrays import ORIENTATION, PictureError
from anime_model.pictures.atomic import whole_file
from anime_model.pictures.images import decode, kind_of, write
from anime_model.runtime.stylizer import Stylizer
from tests.tiny_onnx import identity_model

MAKE, TAKEN, BLOCK = 0x010F, 0x9003, 0x8769
RGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.fixture
def identity(tmp_path: Path) -> Stylizer:
    return Stylizer(identity_model(tmp_path / "models/same.onnx"), threads=1)


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def smooth(channels: int = 3) -> np.ndarray:
    """[24, 32, channels] that lossy formats keep within a few levels; no two of its corners are alike."""
    rows, columns = np.mgrid[0:24, 0:32]
    return np.stack([rows * 8, columns * 7, 200 - rows * 3 - columns * 2, 255 - columns * 8][:channels], 2).astype(
        np.uint8
    )


def camera(orientation: int = 1) -> Image.Exif:
    exif = Image.Exif()
    exif[MAKE], exif[ORIENTATION] = "A maker", orientation
    exif.get_ifd(BLOCK)[TAKEN] = "2024:05:06 07:08:09"
    return exif


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp", ".avif", ".jpg"])
def test_exif_profile_and_resolution_are_kept_and_the_turn_is_done(identity, tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    Image.fromarray(smooth()).save(path, exif=camera(6).tobytes(), icc_profile=RGB, quality=95, dpi=(300, 300))
    with Image.open(identity(path)) as made:
        exif = made.getexif()
        assert exif[MAKE] == "A maker"
        assert exif.get_ifd(BLOCK)[TAKEN] == "2024:05:06 07:08:09"
        assert exif.get(ORIENTATION, 1) == 1
        assert made.info["icc_profile"] == RGB
        assert made.size == (24, 32)
        assert np.abs(np.asarray(made).astype(int) - np.rot90(smooth(), -1)).mean() < 4
        if suffix in (".png", ".tif", ".jpg"):
            assert made.info["dpi"] == pytest.approx((300, 300), abs=0.1)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_large_pictures_are_turned_by_way_of_a_file_to_the_same_pixels(monkeypatch, orientation, mode):
    image = Image.fromarray(noise(301, 150, len(mode)))
    stream = io.BytesIO()
    image.save(stream, "PNG", exif=camera(orientation))
    small = decode(stream.getvalue()).frames[0]
    monkeypatch.setattr(images, "LARGE", 0)
    assert np.array_equal(np.asarray(decode(stream.getvalue()).frames[0]), np.asarray(small))
    assert small.size == ((301, 150) if orientation >= 5 else (150, 301))


def test_stated_sizes_in_the_camera_data_follow_the_picture(tmp_path):
    exif = camera(6)
    exif.get_ifd(BLOCK)[0xA002], exif.get_ifd(BLOCK)[0xA003] = 32, 24
    Image.fromarray(smooth()).save(tmp_path / "a.jpg", exif=exif)
    block = Image.Exif()
    block.load(decode(tmp_path / "a.jpg", max_size=16).exif)
    assert [block.get_ifd(BLOCK)[tag] for tag in (0xA002, 0xA003)] == [12, 16]


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp", ".avif"])
def test_transparency_is_carried_through(identity, tmp_path, suffix):
    Image.fromarray(smooth(4)).save(tmp_path / f"a{suffix}", quality=100, lossless=True)
    found = pixels(identity(tmp_path / f"a{suffix}"))
    assert found.shape == (24, 32, 4)
    assert np.abs(found[..., 3].astype(int) - smooth(4)[..., 3]).max() <= (0 if suffix in (".png", ".tif") else 6)


@pytest.mark.parametrize("soft", [False, True])
def test_a_cut_out_stays_one_as_a_gif(identity, tmp_path, soft):
    """Soft edges become hard there, and what was clear stays clear."""
    rows, columns = np.mgrid[0:48, 0:48]
    away = np.hypot(rows - 24, columns - 24)
    alpha = (20 - away).clip(0, 4) / 4 * 255 if soft else (away < 20) * 255
    Image.fromarray(np.dstack([smooth().repeat(2, 0)[:48, :24].repeat(2, 1), alpha]).astype(np.uint8)).save(
        tmp_path / "a.png"
    )
    with Image.open(identity(tmp_path / "a.png", out=tmp_path / "b.gif")) as made:
        kept = np.asarray(made.convert("RGBA"))
    assert np.array_equal(kept[..., 3] > 0, alpha >= 128)
    inside = away < 15
    assert np.abs(kept[inside, :3].astype(int) - np.asarray(Image.open(tmp_path / "a.png"))[inside, :3]).mean() < 6


def test_a_library_call_never_overwrites_the_picture(identity, tmp_path):
    Image.fromarray(smooth()).save(tmp_path / "a.png")
    (tmp_path / "link.png").symlink_to(tmp_path / "a.png")
    for out in ("a.png", "link.png"):
        with pytest.raises(ValueError, match=rf"{out}: would overwrite the picture itself"):
            identity(tmp_path / "a.png", out=tmp_path / out)
    for given in (smooth(), Image.fromarray(smooth()), (tmp_path / "a.png").read_bytes()):
        with pytest.raises(ValueError, match="out is for the path of a picture"):
            identity(given, out=tmp_path / "b.png")
    assert not (tmp_path / "b.png").exists()


@pytest.mark.parametrize(("suffix", "begin"), [(".j2k", b"\xff\x4f"), (".jp2", b"\0\0\0\x0c"), (".jpc", b"\xff\x4f")])
def test_jpeg_2000_has_the_boxes_that_its_name_says(identity, tmp_path, suffix, begin):
    Image.fromarray(smooth()).save(tmp_path / "a.png")
    made = identity(tmp_path / "a.png", out=tmp_path / f"b{suffix}")
    assert made.read_bytes().startswith(begin)
    assert np.abs(pixels(made).astype(int) - smooth()).max() < 30


def test_transparency_lies_on_white_where_the_format_has_none(identity, tmp_path):
    Image.new("RGBA", (16, 16), (0, 0, 0, 0)).save(tmp_path / "a.png")
    assert pixels(identity(tmp_path / "a.png", out=tmp_path / "b.jpg")).min() == 255


@pytest.mark.parametrize("mode", ["LA", "P", "La", "RGBa"])
def test_transparency_of_other_modes_is_carried_through(mode):
    clear = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    clear.paste((0, 0, 0, 255), (0, 0, 4, 8))
    image = clear.convert("LA").convert(mode) if mode == "La" else clear.convert(mode)
    made = images.normalise(image)
    assert made.mode == "RGBA"
    assert [made.getpixel((x, 0))[3] for x in (0, 7)] == [255, 0]


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "YCbCr", "LAB", "HSV", "I", "F", "I;16", "RGBX"])
def test_any_mode_becomes_colour(mode):
    grey = Image.fromarray(np.full((8, 8), 128, np.uint8))
    if mode in ("I", "F"):
        image = Image.fromarray(
            np.full((8, 8), 128 / 255 if mode == "F" else 32896, np.float32 if mode == "F" else np.int32)
        )
    elif mode == "I;16":
        image = Image.fromarray(np.full((8, 8), 32896, np.uint16))
    elif mode == "LAB":
        image = Image.new("LAB", (8, 8), (137, 128, 128))
    else:
        image = grey.convert("RGB").convert(mode)
    made = images.normalise(image)
    assert made.mode == "RGB"
    assert np.abs(np.asarray(made).astype(int) - 128).mean() < {"1": 128, "P": 30}.get(mode, 4)


def test_cmyk_with_a_profile_goes_through_it_and_without_one_by_the_usual_rule(monkeypatch):
    image = Image.fromarray(smooth()).convert("CMYK")
    asked = []
    monkeypatch.setattr(images, "_space", lambda icc: "CMYK" if icc else None)
    monkeypatch.setattr(images, "_to_srgb", lambda image, icc: asked.append(icc) or image.convert("RGB"))
    assert images._to_colour(image, None)[0].mode == "RGB"
    assert not asked
    made, icc = images._to_colour(image, b"a press")
    assert (made.mode, icc, asked) == ("RGB", None, [b"a press"])


@pytest.mark.parametrize(
    "icc", [b"no profile", RGB[:200], ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()]
)
@pytest.mark.parametrize("mode", ["RGB", "CMYK", "L"])
def test_a_profile_that_is_broken_or_of_another_space_is_dropped(icc, mode):
    made, kept = images._to_colour(Image.fromarray(smooth()).convert(mode), icc)
    assert (made.mode, kept) == ("RGB", None)


def test_formats_without_profiles_get_srgb(tmp_path):
    """A profile whose red and blue are exchanged: its red is sRGB's blue."""
    swapped = bytearray(RGB)
    tags = {}
    for at in range(132, 132 + 12 * struct.unpack(">I", RGB[128:132])[0], 12):
        tags[RGB[at : at + 4]] = at
    swapped[tags[b"rXYZ"] : tags[b"rXYZ"] + 4], swapped[tags[b"bXYZ"] : tags[b"bXYZ"] + 4] = b"bXYZ", b"rXYZ"
    Image.new("RGB", (8, 8), (255, 0, 0)).save(tmp_path / "a.png", icc_profile=bytes(swapped))
    write(decode(tmp_path / "a.png"), tmp_path / "a.bmp")
    assert pixels(tmp_path / "a.bmp")[0, 0].tolist() == pytest.approx([0, 0, 255], abs=2)


def frames_of(path: Path) -> tuple[list[np.ndarray], list[int], int | None]:
    with Image.open(path) as image:
        frames = [(np.asarray(frame.convert("RGB")), frame.info["duration"]) for frame in ImageSequence.Iterator(image)]
        return [frame for frame, _ in frames], [duration for _, duration in frames], image.info.get("loop")


@pytest.mark.parametrize("loop", [0, 3])
@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png"])
def test_animations_keep_every_frame_their_durations_and_loop(identity, tmp_path, suffix, loop):
    colours = ["red", "lime", "blue", "white"]
    first, *others = [Image.new("RGB", (16, 12), colour) for colour in colours]
    durations = [100, 250, 40, 1000]
    path = tmp_path / f"a{suffix}"
    first.save(path, save_all=True, append_images=others, duration=durations, loop=loop, lossless=True)
    before, after = frames_of(path), frames_of(identity(path))
    assert after[1:] == before[1:] == (durations, loop)
    assert all(np.abs(a.astype(int) - b).max() <= 12 for a, b in zip(after[0], before[0], strict=True))
    assert pixels(identity(path, out=tmp_path / "still.jpg")).mean(axis=(0, 1)) == pytest.approx([255, 0, 0], abs=3)


def test_an_animation_with_clear_pixels_shows_no_earlier_frame_through_them(identity, tmp_path):
    frames = [Image.new("RGBA", (16, 12), (0, 0, 0, 0)) for _ in range(2)]
    frames[0].paste((255, 0, 0, 255), (0, 0, 8, 12))
    frames[1].paste((0, 0, 255, 255), (8, 0, 16, 12))
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], disposal=2, duration=100)
    with Image.open(identity(tmp_path / "a.gif")) as made:
        made.seek(1)
        assert made.convert("RGBA").getpixel((0, 0))[3] == 0
        assert made.convert("RGBA").getpixel((15, 0)) == (0, 0, 255, 255)


def test_the_hidden_first_picture_of_an_apng_stays_outside_the_animation(identity, tmp_path):
    first, *others = [Image.new("RGB", (8, 8), colour) for colour in ("red", "lime", "blue")]
    path = tmp_path / "a.png"
    first.save(path, save_all=True, append_images=others, default_image=True, duration=[50, 70])
    made = identity(path)
    with Image.open(made) as image:
        assert image.info["default_image"]
        assert image.n_frames == 3
        assert image.convert("RGB").getpixel((0, 0)) == (255, 0, 0)
    assert len(frames_of(identity(path, out=tmp_path / "b.gif"))[0]) == 2


def test_pages_of_a_tiff_of_different_sizes(identity, tmp_path):
    pages = [Image.fromarray(noise(8 + 4 * index, 16, 3)) for index in range(3)]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    with Image.open(identity(tmp_path / "a.tif")) as made:
        for page, wanted in zip(ImageSequence.Iterator(made), pages, strict=True):
            assert np.array_equal(np.asarray(page), np.asarray(wanted))


def test_max_size_shrinks_the_longer_side_and_never_enlarges(tmp_path):
    for suffix in (".jpg", ".png"):
        Image.fromarray(noise(600, 300, 3)).save(tmp_path / f"a{suffix}")
        assert decode(tmp_path / f"a{suffix}", max_size=128).frames[0].size == (64, 128)
        assert decode(tmp_path / f"a{suffix}", max_size=1000).frames[0].size == (300, 600)


def test_a_bomb_is_refused_by_its_header_before_memory_is_used(tmp_path):
    header = struct.pack(">2I5B", 50_000, 50_000, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b""))
    chunks = (struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in parts)
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))
    with pytest.raises(PictureError, match=r"50000 x 50000 pixels, more than the bound of 200 million \(--max-pixels"):
        decode(tmp_path / "a.png")
    assert Image.MAX_IMAGE_PIXELS, "Pillow's own bound is back"


def test_frames_count_together(tmp_path):
    first, *others = [Image.fromarray(noise(10, 10, 3)) for _ in range(5)]
    first.save(tmp_path / "a.webp", save_all=True, append_images=[*others, Image.new("RGB", (10, 10))], lossless=True)
    with pytest.raises(PictureError, match=r"10 x 10 pixels in \d frames"):
        decode(tmp_path / "a.webp", max_pixels=150)


def test_admission_is_asked_before_decoding():
    stream = io.BytesIO()
    Image.fromarray(noise(10, 20, 3)).save(stream, "PNG")
    asked = []
    decode(stream.getvalue(), admit=asked.append)
    assert asked == [200]


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (3, 2)])
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".gif", ".tif", ".avif", ".bmp", ".ppm"])
def test_the_smallest_pictures_of_every_format(identity, tmp_path, size, suffix):
    Image.fromarray(noise(*size, 3)).save(tmp_path / f"a{suffix}")
    with Image.open(identity(tmp_path / f"a{suffix}")) as made:
        assert made.size == size[::-1]
        made.load()


def test_bytes_come_back_in_their_own_format(identity):
    for kind in ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "AVIF"):
        stream = io.BytesIO()
        Image.fromarray(smooth()).save(stream, kind)
        assert Image.open(io.BytesIO(identity(stream.getvalue()))).format == kind


def test_what_a_format_cannot_hold_is_one_line_and_nothing_is_written(tmp_path):
    wide = images.Picture([Image.new("RGB", (16_500, 1))], "PNG")
    with pytest.raises(ValueError, match=r"a\.webp: cannot be written as WEBP"):
        write(wide, tmp_path / "a.webp")
    long = images.Picture([Image.new("RGB", (65_501, 1))], "PNG")
    with pytest.raises(ValueError, match=r"a\.jpg: cannot be written as JPEG \(at most 65500 pixels a side\)"):
        write(long, tmp_path / "a.jpg")
    with pytest.raises(ValueError, match=r"cannot write pictures as \.xyz"):
        write(wide, tmp_path / "a.xyz")
    assert list(tmp_path.iterdir()) == []
    assert kind_of(Path("a.JPeG")) == "JPEG"
    assert kind_of(Path("a.pdf")) is kind_of(Path("a")) is kind_of(Path("a.PGM")) is kind_of(Path("a.pbm")) is None
    assert kind_of(Path("a.ppm")) == kind_of(Path("a.pnm")) == "PPM"


def test_a_file_is_whole_or_not_there(tmp_path):
    path = tmp_path / "deep/a.bin"

    def fail() -> None:
        with whole_file(path) as stream:
            stream.write(b"new" * 100)
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        fail()
    assert list(path.parent.iterdir()) == []
    with whole_file(path) as stream:
        stream.write(b"old")
    with pytest.raises(OSError, match="No space"):
        fail()
    assert path.read_bytes() == b"old"
    with whole_file(path) as stream:
        stream.write(b"newer")
    assert path.read_bytes() == b"newer"
    assert list(path.parent.iterdir()) == [path]


def test_a_system_without_nameless_files_has_the_same_promise(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "O_TMPFILE")
    test_a_file_is_whole_or_not_there(tmp_path)


def test_files_have_the_rights_that_the_user_wants(tmp_path):
    mask = os.umask(0o027)
    try:
        with whole_file(tmp_path / "a"):
            pass
    finally:
        os.umask(mask)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640


@pytest.mark.skipif(not hasattr(os, "O_TMPFILE"), reason="needs files without a name")
def test_kill_9_leaves_no_file(tmp_path):
    program = f"""
import sys, time
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from pathlib import Path
from anime_model.pictures.atomic import whole_file
with whole_file(Path({str(tmp_path / "a.bin")!r})) as stream:
    stream.write(b"half" * 100_000)
    stream.flush()
    print("half", flush=True)
    time.sleep(60)
"""
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"half\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_the_systems_own_error(tmp_path):
    """A limit on the size of files stands for the disk; the old file stays."""
    Image.new("RGB", (8, 8), "red").save(tmp_path / "a.bmp")
    program = f"""
import resource, sys
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from pathlib import Path
from PIL import Image
from anime_model.pictures.images import Picture, write
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    write(Picture([Image.new("RGB", (200, 200))], "BMP"), Path({str(tmp_path / "a.bmp")!r}))
except OSError as error:
    print(error.strerror)
"""
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert said == "File too large\n"
    assert pixels(tmp_path / "a.bmp").shape == (8, 8, 3)
    assert list(tmp_path.iterdir()) == [tmp_path / "a.bmp"]
