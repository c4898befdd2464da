import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from onnx import helper
from PIL import Image

from anime_model.pictures.arrays import PictureError
from anime_model.runtime.palettes import LUMA
from anime_model.runtime.pyfunc import _load_pyfunc
from anime_model.runtime.session import ModelError
from anime_model.runtime.stylizer import MULTIPLE, Look, Stylizer
from anime_model.runtime.tiles import MARGIN
from tests.tiny_onnx import identity_model, negative_model, reaching_model, save_model


@pytest.fixture
def identity(tmp_path: Path) -> Path:
    return identity_model(tmp_path / "identity.onnx")


@pytest.fixture
def too_bright(tmp_path: Path) -> Path:
    return save_model(tmp_path / "bright.onnx", [helper.make_node("Add", ["photo", "much"], ["anime"])], {"much": 9.0})


@pytest.fixture
def negative(tmp_path: Path) -> Stylizer:
    return Stylizer(negative_model(tmp_path / "negative.onnx"))


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (3, 2), (4, 8), (31, 17), (64, 65)])
def test_the_identity_network_gives_any_picture_back_exactly(identity: Path, size: tuple[int, int]):
    picture = noise(*size, 3)
    assert np.array_equal(Stylizer(identity)(picture), picture)


def test_the_network_sees_a_reflected_margin_and_sizes_that_it_can_halve_twice(identity: Path, monkeypatch):
    seen = []

    class Session:
        def run(self, names, feeds):
            seen.append(feeds["photo"])
            return [feeds["photo"].copy()]  # an engine's output is its own

    stylizer = Stylizer(identity, stroke=0)
    stylizer._network.__dict__["session"] = Session()
    picture = noise(21, 30, 3)
    stylizer(picture)
    (photo,) = seen
    assert photo.dtype == np.float32
    assert photo.shape[2] % MULTIPLE == photo.shape[3] % MULTIPLE == 0
    assert np.allclose(photo[0, :, MARGIN - 1, MARGIN], picture[1, 0] / 127.5 - 1), "above the first row is the second"
    assert photo.min() >= -1
    assert photo.max() <= 1


def test_values_outside_the_range_are_clipped(too_bright: Path):
    assert (Stylizer(too_bright)(noise(5, 5, 3)) == 255).all()


@pytest.mark.parametrize("picture", [noise(4, 4), noise(4, 4, 4), noise(0, 4, 3), noise(4, 4, 3).astype(np.float32)])
def test_what_is_no_picture_is_refused(identity: Path, picture: np.ndarray):
    with pytest.raises(ValueError, match=r"expected a uint8 picture \[H, W, 3\], got"):
        Stylizer(identity)(picture)


def test_a_missing_model_is_named_at_once(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match=r"no model file .*none\.onnx"):
        Stylizer(tmp_path / "none.onnx")


def test_threads_are_explicit_and_the_session_waits_for_the_first_picture(identity: Path):
    stylizer = Stylizer(identity, threads=1)
    assert "session" not in vars(stylizer._network)
    stylizer(noise(4, 4, 3))
    assert stylizer._network.session.get_session_options().intra_op_num_threads == 1


def test_nothing_is_written_to_the_home_folder(identity: Path, tmp_path: Path):
    """ONNX Runtime would keep a device id there, and report what is opened."""
    program = f"""
import numpy, sys
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from anime_model.runtime.stylizer import Stylizer
Stylizer({str(identity)!r})(numpy.zeros((4, 4, 3), numpy.uint8))
"""
    home = tmp_path / "home"
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("XDG_", "CI", "ORT_"))}
    subprocess.run([sys.executable, "-c", program], env=clean | {"HOME": str(home)}, check=True)
    assert not home.exists()


def test_the_generic_model_takes_arrays_paths_and_tables(identity: Path, tmp_path: Path):
    import pandas

    model = _load_pyfunc(str(identity))
    pictures = noise(2, 6, 5, 3)
    assert np.array_equal(model.predict(pictures), pictures)
    assert np.array_equal(model.predict(pictures.astype(np.int64).tolist()), pictures), "what a server makes of it"
    paths = [str(tmp_path / name) for name in ("a.png", "b.png")]
    Image.fromarray(pictures[0]).save(paths[0])
    Image.fromarray(pictures[1][:3]).save(paths[1])
    styled = model.predict(pandas.DataFrame({"path": paths}))
    assert [picture.shape for picture in styled] == [(6, 5, 3), (3, 5, 3)]
    assert np.array_equal(model.predict(paths[0])[0], pictures[0])


@pytest.mark.parametrize("size", [(401, 307), (307, 401), (64, 1999), (1602, 67)])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_tiled_equals_untiled(tmp_path: Path, monkeypatch, size: tuple[int, int], mode: str):
    """Arrays and Pillow images, of which the second are overwritten as the tiles are made."""
    monkeypatch.setattr("anime_model.runtime.network.SMALLEST", 20_000)
    model = reaching_model(tmp_path / "m.onnx")
    picture = noise(*size, len(mode))
    picture[..., 3:] |= 1  # what lies below clear pixels is not drawn
    whole, tiled = Stylizer(model), Stylizer(model, memory=0)
    assert whole._network.plan(*size) is None
    assert tiled._network.plan(*size).pixels > picture[..., 0].size
    wanted = whole(picture[..., :3].copy())
    assert wanted.std() > 20, "an empty picture would prove nothing"
    assert np.abs(tiled(picture[..., :3].copy()).astype(int) - wanted).max() <= 1
    found = np.asarray(tiled(Image.fromarray(picture)))
    assert np.abs(found[..., :3].astype(int) - wanted).max() <= 1
    assert np.array_equal(found[..., 3:], picture[..., 3:])


def test_a_model_that_does_not_say_how_far_it_sees_gets_the_picture_whole(tmp_path: Path):
    assert Stylizer(reaching_model(tmp_path / "m.onnx", say=False), memory=0)._network.plan(4000, 4000) is None


def test_a_large_picture_is_cut_so_that_the_process_stays_under_its_bound(tmp_path: Path):
    stylizer = Stylizer(reaching_model(tmp_path / "m.onnx"))
    cut = stylizer._network.plan(10_000, 10_000)
    assert 400_000_000 + 360 * (cut.long + 32) * (cut.short + 32) < 470_000_000


def test_each_type_comes_back_as_it_came(negative: Stylizer, tmp_path: Path):
    picture, path = noise(9, 14, 3), tmp_path / "a.png"
    Image.fromarray(picture).save(path)
    for given in (picture, Image.fromarray(picture)):
        made = negative(given)
        assert type(made) is (np.ndarray if given is picture else Image.Image)
        assert np.array_equal(np.asarray(made), 255 - picture)
        assert np.array_equal(np.asarray(given), picture), "the caller's picture is left alone"
    made = negative(path.read_bytes())
    assert made.startswith(b"\x89PNG")
    for given, wanted in ((path, tmp_path / "a-negative.png"), (str(path), tmp_path / "a-negative.png")):
        assert negative(given) == wanted
        assert np.array_equal(np.asarray(Image.open(wanted)), 255 - picture)
    assert negative(path, out=tmp_path / "new/b.tif") == tmp_path / "new/b.tif"
    assert np.array_equal(np.asarray(Image.open(tmp_path / "new/b.tif")), 255 - picture)


def test_what_cannot_be_read_is_one_line(negative: Stylizer, tmp_path: Path):
    with pytest.raises(PictureError, match=r"none\.png: no such file"):
        negative(tmp_path / "none.png")
    with pytest.raises(PictureError, match=r"picture of 5 bytes: not a picture"):
        negative(b"hello")
    small = Stylizer(negative.path, max_pixels=50)
    Image.fromarray(noise(9, 14, 3)).save(tmp_path / "a.png")
    with pytest.raises(PictureError, match=r"14 x 9 pixels, more than the bound of 5e-05 million"):
        small(tmp_path / "a.png")


def test_strength_goes_from_the_photo_to_the_drawing(negative: Stylizer):
    picture = noise(6, 7, 3)
    assert np.array_equal(negative(picture, strength=0), picture)
    assert np.array_equal(negative(picture, strength=0, palette="noir", keep_colour=True), picture)
    assert np.abs(negative(picture, strength=0.5).astype(float) - 127.5).max() <= 0.5
    for wrong in ({"strength": 1.1}, {"strength": float("nan")}, {"palette": "none such"}):
        with pytest.raises(ValueError, match=r"strength is from 0|no palette 'none such': there is hayao, "):
            negative(picture, **wrong)


def test_kept_colour_has_the_luma_of_the_drawing_and_the_chroma_of_the_photo(negative: Stylizer):
    picture = noise(50, 50, 3) // 4 + 96  # far enough from black and white that nothing is clipped
    made = negative(picture, keep_colour=True)
    assert np.abs((made @ LUMA) - ((255 - picture) @ LUMA)).max() <= 1
    assert np.abs((made - made @ LUMA[:, None]) - (picture - picture @ LUMA[:, None])).max() <= 1.5


def test_one_stylizer_serves_many_threads(negative: Stylizer):
    pictures = [noise(20 + index, 30, 3) for index in range(8)]
    made = [None] * 8

    def work(index: int) -> None:
        made[index] = negative(pictures[index])

    threads = [threading.Thread(target=work, args=(index,)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(one, 255 - other) for one, other in zip(made, pictures, strict=True))


def test_a_model_that_makes_no_numbers_is_named(tmp_path: Path):
    nodes = [helper.make_node("Log", ["photo"], ["anime"])]
    with pytest.raises(ModelError, match=r"m\.onnx: made values that are no numbers"):
        Stylizer(save_model(tmp_path / "m.onnx", nodes, {}))(np.zeros((4, 4, 3), np.uint8))


def test_a_model_that_changes_the_size_is_named(tmp_path: Path):
    nodes = [helper.make_node("Transpose", ["photo"], ["anime"], perm=[0, 1, 3, 2])]
    with pytest.raises(ModelError, match=r"m\.onnx: made \[1, 3, 28, 12\] of a photo \[1, 3, 12, 28\]"):
        Stylizer(save_model(tmp_path / "m.onnx", nodes, {}))(np.zeros((4, 20, 3), np.uint8))


def test_a_look_that_changes_nothing_is_the_drawing_itself():
    anime = noise(4, 4, 3)
    assert Look().apply(noise(4, 4, 3), anime) is anime


def test_the_runtime_starts_fast_and_alone():
    """Only numpy and Pillow are imported; ONNX Runtime waits for the first picture."""
    program = """
import sys, time
sys.path.insert(0, {root!r})
before = time.process_time()
import anime_model.runtime.stylizer, anime_model.runtime.video
assert time.process_time() - before < 0.5, time.process_time() - before
heavy = ("torch", "pandas", "prefect", "mlflow", "onnxruntime", "onnx", "scipy", "av", "matplotlib")
assert not (found := [name for name in heavy if name in sys.modules]), found
"""
    subprocess.run([sys.executable, "-c", program.format(root=str(Path(__file__).parents[2]))], check=True)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the process's high water mark")
@pytest.mark.parametrize(
    ("side", "options", "most"),
    [
        pytest.param(10_000, {}, 600e6, marks=pytest.mark.long),
        (5_000, {"stroke": 0, "memory": 300_000_000}, 300e6),  # another copy of the picture would be 75 MB more
        (3_000, {"memory": 0}, 200e6),  # the same as numbers for a network would be 108 MB
    ],
    ids=["a hundred megapixels", "in tiles", "enlarged in parts"],
)
def test_large_pictures_take_little_memory(tmp_path: Path, monkeypatch, side: int, options: dict, most: float):
    """A JPEG file that is to be turned, decoded, drawn in tiles and written, in a process of its own."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)  # for the look at the result below
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.linear_gradient("L").resize((side, side)).convert("RGB").save(tmp_path / "a.jpg", exif=exif)
    model, photo, out = (str(tmp_path / name) for name in ("m.onnx", "a.jpg", "b.jpg"))
    reaching_model(Path(model))
    program = f"""
import re, sys
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from anime_model.runtime.stylizer import Stylizer
Stylizer({model!r}, **{options!r})({photo!r}, out={out!r})
print(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1])
"""
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert int(said) * 1024 < most
    with Image.open(out) as made:
        assert made.size == (side, side)
