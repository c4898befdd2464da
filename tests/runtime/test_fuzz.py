"""Damaged files, two thousand in `make test` and ten thousand in `make test-long`.

Each is drawn or refused in one line, and nothing else ever happens. The network is the identity and pictures
are tiny, so that the time goes into decoders.
"""

import io
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from anime_model.pictures.arrays import ORIENTATION
from anime_model.runtime.onnx_layers import read_graph
from anime_model.runtime.session import ModelError, open_session
from anime_model.runtime.stylizer import Stylizer
from tests.tiny_onnx import identity_model, reaching_model

pytestmark = pytest.mark.slow
MUTANTS = [100, pytest.param(500, marks=pytest.mark.long)]  # of each of the 18 real files
MAGIC = (
    b"\x89PNG\r\n\x1a\n",
    b"\xff\xd8\xff\xe0",
    b"GIF89a",
    b"RIFF\x20\0\0\0WEBPVP8 ",
    b"II*\0",
    b"MM\0*",
    b"BM",
    b"P6 ",
)
EXTREMES = (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\x80\0", b"\1\0\0\0")


def saved(kind: str, mode: str = "RGB", frames: int = 1, **options) -> bytes:
    arrays = np.random.default_rng(0).integers(0, 256, (frames, 9, 14, 3), np.uint8)
    first, *others = [
        Image.fromarray(array).convert("RGBA" if "A" in mode else "RGB").convert(mode) for array in arrays
    ]
    if frames > 1:
        options |= {"save_all": True, "append_images": others, "duration": 50}
    stream = io.BytesIO()
    first.save(stream, kind, **options)
    return stream.getvalue()


def about() -> dict[str, bytes]:
    exif = Image.Exif()
    exif[ORIENTATION], exif[0x010F] = 6, "A maker"
    exif.get_ifd(0x8769)[0x9003] = "2024:05:06 07:08:09"
    return {"exif": exif.tobytes(), "icc_profile": ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()}


def deep() -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.arange(126, dtype=np.uint16).reshape(9, 14) * 500).save(stream, "PNG")
    return stream.getvalue()


REAL = {
    "jpeg": saved("JPEG", **about()),
    "jpeg progressive": saved("JPEG", progressive=True),
    "jpeg grey": saved("JPEG", "L"),
    "jpeg cmyk": saved("JPEG", "CMYK"),
    "png": saved("PNG", **about()),
    "png alpha": saved("PNG", "RGBA"),
    "png palette": saved("PNG", "P"),
    "png deep": deep(),
    "png animated": saved("PNG", frames=3),
    "webp": saved("WEBP", "RGBA", **about()),
    "webp animated": saved("WEBP", frames=3),
    "gif": saved("GIF", "P"),
    "gif animated": saved("GIF", frames=3),
    "tiff": saved("TIFF", **about()),
    "tiff deflate": saved("TIFF", "CMYK", compression="tiff_adobe_deflate"),
    "avif": saved("AVIF"),
    "bmp": saved("BMP"),
    "ppm": saved("PPM"),
}


@pytest.fixture(scope="module")
def identity(tmp_path_factory) -> Stylizer:
    path = identity_model(tmp_path_factory.mktemp("fuzz") / "same.onnx")
    return Stylizer(path, threads=1, max_pixels=50_000)


def mutant(data: bytes, rng: np.random.Generator) -> bytes:
    """One to three of: a changed byte or bit, a cut end, a hole, an insertion, zeros, an extreme number, a splice."""
    for _ in range(rng.integers(1, 4)):
        size = len(data)
        at = int(rng.integers(0, max(1, size if rng.random() < 0.5 else min(size, 80))))  # headers as often as the rest
        length = int(rng.integers(1, 20))
        end = min(size, at + length)
        data = [
            lambda d, a, e: d[:a] + rng.bytes(1) + d[a + 1 :],
            lambda d, a, e: d[:a] + bytes([d[a] ^ (1 << int(rng.integers(0, 8)))]) + d[a + 1 :] if a < len(d) else d,
            lambda d, a, e: d[:a],
            lambda d, a, e: d[:a] + d[e:],
            lambda d, a, e: d[:a] + rng.bytes(e - a) + d[a:],
            lambda d, a, e: d[:a] + bytes(e - a) + d[e:],
            lambda d, a, e: d[:a] + EXTREMES[int(rng.integers(0, len(EXTREMES)))] + d[a + 4 :],
            lambda d, a, e: d[:a] + list(REAL.values())[int(rng.integers(0, len(REAL)))][a:],
        ][int(rng.integers(0, 8))](data, at, end)
    return data


def one_line(error: ValueError) -> bool:
    """Always False: nothing was drawn."""
    assert str(error)
    assert "\n" not in str(error)
    return False


def drawn_or_refused(stylizer: Stylizer, data: bytes) -> bool:
    """Whether it was drawn; anything but a picture or one line of `ValueError` fails the test."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's remarks on what it could still read
        try:
            made = stylizer(data)
        except ValueError as error:
            return one_line(error)
        with Image.open(io.BytesIO(made)) as image:
            image.load()
    return True


@pytest.mark.parametrize("count", MUTANTS)
@pytest.mark.parametrize("name", REAL)
def test_mutants_of_real_files(identity, name, count):
    assert drawn_or_refused(identity, REAL[name])
    rng = np.random.default_rng(sorted(REAL).index(name))
    drawn = sum(drawn_or_refused(identity, mutant(REAL[name], rng)) for _ in range(count))
    assert drawn < count, "mutants that harm nothing would prove nothing"


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from((b"", *MAGIC)), st.binary(max_size=200))
def test_bytes_of_any_kind(identity, head, rest):
    drawn_or_refused(identity, head + rest)


def test_mutants_of_a_model(tmp_path: Path):
    """A damaged model opens, or is one line; so does what `anime info` reads of it."""
    real, rng = reaching_model(tmp_path / "m.onnx").read_bytes(), np.random.default_rng(0)
    for _ in range(200):
        (tmp_path / "m.onnx").write_bytes(mutant(real, rng))
        for read in (read_graph, lambda path: open_session(path, 1)):
            try:
                read(tmp_path / "m.onnx")
            except ModelError as error:
                one_line(error)
