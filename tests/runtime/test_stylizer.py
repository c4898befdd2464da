import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from PIL import Image

from anime_model.runtime.pyfunc import _load_pyfunc
from anime_model.runtime.stylizer import MULTIPLE, Stylizer

PIXELS = ["N", 3, "H", "W"]


def save_model(path: Path, nodes: list, constants: dict[str, float]) -> Path:
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, PIXELS) for name in ("photo", "anime")]
    values = [helper.make_tensor(name, TensorProto.FLOAT, [], [value]) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "tiny", ends[:1], ends[1:], values)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


@pytest.fixture
def identity(tmp_path: Path) -> Path:
    return save_model(tmp_path / "identity.onnx", [helper.make_node("Identity", ["photo"], ["anime"])], {})


@pytest.fixture
def too_bright(tmp_path: Path) -> Path:
    return save_model(tmp_path / "bright.onnx", [helper.make_node("Add", ["photo", "much"], ["anime"])], {"much": 9.0})


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
            return [feeds["photo"]]

    stylizer = Stylizer(identity)
    stylizer.__dict__["_session"] = Session()
    picture = noise(21, 30, 3)
    stylizer(picture)
    (photo,) = seen
    assert photo.dtype == np.float32
    assert photo.shape[2] % MULTIPLE == photo.shape[3] % MULTIPLE == 0
    assert np.allclose(photo[0, :, 7, 8], picture[1, 0] / 127.5 - 1), "one above the first row is the second row"
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
    assert "_session" not in vars(stylizer)
    stylizer(noise(4, 4, 3))
    assert stylizer._session.get_session_options().intra_op_num_threads == 1


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
