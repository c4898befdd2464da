"""Every kind of network that cannot be a reference says so in one line; those that can are recognised."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from anime_model.reference.network import PublishedNetwork, pad
from anime_model.reference.opening import NetworkError, file_md5
from anime_model.reference.probe import open_reference, probe_picture
from tests.tiny_onnx import foreign_model

node = helper.make_node
PUBLISHED = Path(__file__).parents[3] / "shared/teachers"
RANGES = {"-1..1": (-1.0, 1.0), "0..1": (0.0, 1.0), "0..255": (0.0, 255.0)}


@dataclass(frozen=True)
class Hints:
    layout: str = ""
    values: str = ""
    values_out: str = ""
    channels: str = ""
    multiple: int = 0


def darker(path: Path, values: str, layout: str = "nhwc", multiple: int = 1, bounded: bool = True) -> Path:
    """A network that makes a photo a fifth darker about its middle, in its own range; runs at multiples only."""
    low, high = RANGES[values]
    middle = (low + high) / 2
    nodes = [
        node("Sub", ["x", "middle"], ["a"]),
        node("Mul", ["a", "share"], ["b"]),
        node("Add", ["b", "dark"], ["c"]),
    ]
    constants = {"middle": middle, "share": 0.8, "dark": middle - 0.06 * (high - low)}
    nodes.append(node("Clip", ["c", "low", "high"], ["d" if bounded else "clipped"]))
    constants |= {"low": low, "high": high, "little": 0.004}
    if not bounded:
        nodes += [node("Mul", ["c", "little"], ["more"]), node("Add", ["clipped", "more"], ["d"])]
    shape, name = (1, "h", "w", 3), "d"
    if layout == "nchw":
        shape = (1, 3, "h", "w")
        if multiple > 1:  # halves and doubles: what does not divide comes out in another size
            pool = {"kernel_shape": [multiple] * 2, "strides": [multiple] * 2}
            nodes += [
                node("AveragePool", ["d"], ["e"], **pool),
                node("Resize", ["e", "", "scales"], ["f"], mode="nearest"),
                node("Sub", ["d", "f"], ["g"]),  # fails where the sizes differ
                node("Add", ["g", "f"], ["h"]),
            ]
            constants["scales"], name = [1.0, 1.0, multiple, multiple], "h"
    nodes.append(node("Identity", [name], ["y"]))
    return foreign_model(path, nodes, constants, shape)


def expected(photo: np.ndarray) -> np.ndarray:
    return np.rint(np.clip((photo - 127.5) * 0.8 + 127.5 - 15.3, 0, 255))


@pytest.fixture
def file(tmp_path) -> Path:
    return tmp_path / "net/work.onnx"


@pytest.mark.parametrize("bounded", [True, False])
@pytest.mark.parametrize("layout", ["nhwc", "nchw"])
@pytest.mark.parametrize("values", list(RANGES))
def test_layout_and_range_are_found(file, values, layout, bounded):
    reference = open_reference(darker(file, values, layout, bounded=bounded))
    form = reference.format
    assert (form.layout, form.values, form.values_out, form.multiple) == (layout, values, values, 1)
    photo = np.random.default_rng(0).integers(0, 256, (37, 51, 3), np.uint8)
    assert np.abs(reference(photo) - expected(photo)).max() <= (1 if bounded else 2)


def test_a_range_that_nothing_tells_is_asked_for(file):
    """A straight line fits every range."""
    nodes = [node("Mul", ["x", "share"], ["a"]), node("Add", ["a", "dark"], ["y"])]
    path = foreign_model(file, nodes, {"share": 0.9, "dark": 0.03})
    refused(path, "takes levels as -1..1 or 0..1, which is unclear; say `values`")
    assert open_reference(path, hints=Hints(values="0..1")).format.values_out == "0..1"


@pytest.mark.parametrize("multiple", [2, 8, 16])
def test_the_multiple_is_found_and_pictures_are_padded_to_it_and_cropped_again(file, multiple):
    reference = open_reference(darker(file, "-1..1", "nchw", multiple))
    assert reference.format.multiple == multiple
    photo = np.random.default_rng(0).integers(0, 256, (45, 51, 3), np.uint8)
    assert np.abs(reference(photo) - expected(photo)).max() <= 1


def test_padding_reflects_on_both_sides():
    picture = np.arange(5 * 6 * 3, dtype=np.uint8).reshape(5, 6, 3)
    padded, (top, left) = pad(picture, 8)
    assert padded.shape == (8, 8, 3)
    assert (top, left) == (1, 1)
    assert np.array_equal(padded[top : top + 5, left : left + 6], picture)
    assert np.array_equal(padded[0, 1:7], picture[1])
    assert np.array_equal(padded[6, 1:7], picture[3])


def test_levels_of_eight_bits_are_taken_as_they_are(file):
    constants = {"white": np.array(255, np.uint8)}
    kinds = (TensorProto.UINT8, TensorProto.UINT8)
    nodes = [node("Min", ["x", "white"], ["y"])]
    reference = open_reference(foreign_model(file, nodes, constants, kinds=kinds))
    assert (reference.format.values, reference.format.values_out) == ("0..255", "0..255")
    photo = np.random.default_rng(1).integers(0, 256, (20, 30, 3), np.uint8)
    assert np.array_equal(reference(photo), photo)


def test_half_precision_runs(file):
    kinds = (TensorProto.FLOAT16, TensorProto.FLOAT16)
    reference = open_reference(foreign_model(file, [node("Tanh", ["x"], ["y"])], kinds=kinds))
    assert reference.format.values == "-1..1"


def test_a_sigmoid_at_the_end_gives_levels_from_0_to_1(file):
    nodes = [node("Mul", ["x", "steep"], ["a"]), node("Sigmoid", ["a"], ["y"])]
    form = open_reference(foreign_model(file, nodes, {"steep": 2.5})).format
    assert (form.values, form.values_out) == ("-1..1", "0..1")


def test_a_network_that_turns_its_channels_is_turned_back(file):
    nodes = [node("Gather", ["x", "order"], ["a"], axis=3), node("Clip", ["a", "low", "high"], ["y"])]
    constants = {"order": np.array([2, 1, 0], np.int64), "low": -1.0, "high": 1.0}
    reference = open_reference(foreign_model(file, nodes, constants))
    assert (reference.format.channels, reference.format.channels_out) == ("rgb", "bgr")
    assert np.array_equal(reference(probe_picture()), probe_picture())


@pytest.mark.parametrize("said", ["recipe", "file"])
def test_what_the_recipe_or_the_file_says_is_believed(file, said):
    """Only the first channel of what the network sees reaches its picture."""
    nodes = [node("Mul", ["x", "first"], ["a"]), node("Clip", ["a", "low", "high"], ["y"])]
    constants = {"first": [1.0, 0.0, 0.0], "low": 0.0, "high": 255.0}
    notes = {"Image.BitmapPixelFormat": "Bgr8", "Image.NominalPixelRange": "NominalRange_0_255"}
    path = foreign_model(file, nodes, constants, **(notes if said == "file" else {}))
    hints = Hints(channels="bgr", values="0..255", values_out="0..255") if said == "recipe" else None
    reference = open_reference(path, hints=hints)
    assert (reference.format.channels, reference.format.values) == ("bgr", "0..255")
    photo = np.full((16, 16, 3), (10, 20, 200), np.uint8)
    batch = reference.format.to_batch(photo)
    assert batch[0, 0, 0].tolist() == [200, 20, 10]


def test_a_size_that_the_file_fixes_is_set_free_where_the_network_bears_it(file):
    path = foreign_model(file, [node("Tanh", ["x"], ["y"])], shape=(1, 64, 64, 3))
    assert open_reference(path)(np.zeros((30, 50, 3), np.uint8)).shape == (30, 50, 3)
    fixed = [node("Reshape", ["x", "sides"], ["y"])]
    path = foreign_model(file, fixed, {"sides": np.array([1, 64, 64, 3])}, shape=(1, 64, 64, 3))
    refused(path, "takes pictures of 64 x 64 px only")


def refused(path: Path, line: str, **options: object) -> None:
    with pytest.raises(NetworkError) as caught:
        open_reference(path, **options)
    assert re.search(line, str(caught.value)), str(caught.value)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_what_is_no_network_is_named(tmp_path, file):
    refused(tmp_path / "absent.onnx", "no such file")
    (tmp_path / "text.onnx").write_bytes(b"\xff\xfenot a network")
    refused(tmp_path / "text.onnx", "not an ONNX network")
    (tmp_path / "empty.onnx").write_bytes(b"")
    refused(tmp_path / "empty.onnx", "not an ONNX network")
    refused(foreign_model(file, [node("Tanh", ["x"], ["y"])]), "has the md5 [0-9a-f]{32}, not 0{32}", md5="0" * 32)


def test_the_pin_is_the_md5_of_the_file(file):
    path = foreign_model(file, [node("Tanh", ["x"], ["y"])])
    md5 = hashlib.md5(path.read_bytes()).hexdigest()
    assert file_md5(path) == md5
    assert open_reference(path, md5=md5)


def test_custom_operators_are_refused_wherever_they_hide(file):
    secret = node("Secret", ["x"], ["y"], domain="my.own")
    refused(foreign_model(file, [secret]), "custom operator my.own.Secret")
    branch = helper.make_graph([node("Secret", ["x"], ["z"], domain="my.own")], "b", [], [_float("z")])
    chosen = node("If", ["yes"], ["y"], then_branch=branch, else_branch=branch)
    refused(foreign_model(file, [chosen], {"yes": np.array(True)}), "custom operator my.own.Secret")


def _float(name: str, *dims: object) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, list(dims) or [1, "h", "w", 3])


def test_several_inputs_and_outputs_are_refused(file):
    path = foreign_model(file, [node("Add", ["x", "noise"], ["y"])])
    model = onnx.load(path)
    model.graph.input.append(_float("noise"))
    onnx.save(model, path)
    refused(path, r"takes 2 things \(x, noise\)")
    path = foreign_model(file, [node("Identity", ["x"], ["y"]), node("Neg", ["x"], ["z"])])
    model = onnx.load(path)
    model.graph.output.append(_float("z"))
    onnx.save(model, path)
    refused(path, r"makes 2 things \(y, z\)")


@pytest.mark.parametrize(
    ("nodes", "shape", "line"),
    [
        ([("MaxPool", {"kernel_shape": [2, 2], "strides": [2, 2]})], (1, 3, "h", "w"), r"makes \[1, 3, 64, 96\]"),
        ([("Neg", {}), ("Sqrt", {})], (1, 3, "h", "w"), "numbers that are none"),
        ([("Identity", {})], (1, 4, "h", "w"), "a picture has 3 channels"),
        ([("Identity", {})], (1, 64, 64, 1), "a picture has 3 channels"),
        ([("Identity", {})], (1, "n"), "takes 2 dimensions"),
        ([("Identity", {})], ("n", "a", "b", "c"), "channels first and last alike; say `layout`"),
    ],
)
def test_networks_of_another_shape_are_refused(file, nodes, shape, line):
    names = ["x", *(f"v{index}" for index in range(len(nodes) - 1)), "y"]
    made = [node(kind, [names[i]], [names[i + 1]], **options) for i, (kind, options) in enumerate(nodes)]
    out = (1, *["?"] * (len(shape) - 1))
    refused(foreign_model(file, made, shape=shape, out=out), line)


def test_a_picture_of_text_is_refused(file):
    kinds = (TensorProto.INT64, TensorProto.INT64)
    refused(foreign_model(file, [node("Neg", ["x"], ["y"])], kinds=kinds), "takes int64")


def external(path: Path, location: str) -> Path:
    """A network whose one weight lies in another file."""
    foreign_model(path, [node("Mul", ["x", "share"], ["a"]), node("Tanh", ["a"], ["y"])], {"share": np.float32([1.0])})
    model = onnx.load(path)
    weight = model.graph.initializer[0]
    weight.data_location = TensorProto.EXTERNAL
    weight.ClearField("raw_data")
    weight.ClearField("float_data")
    weight.external_data.add(key="location", value=location)
    path.write_bytes(model.SerializeToString())
    return path


def test_external_data_stays_in_the_folder_and_belongs_to_the_pin(tmp_path, file):
    (tmp_path / "weights.bin").write_bytes(np.float32([1.0]).tobytes())
    refused(external(file, "../weights.bin"), "outside its folder")
    refused(external(file, str(tmp_path / "weights.bin")), "outside its folder")
    (file.parent / "link.bin").symlink_to(tmp_path / "weights.bin")
    refused(external(file, "link.bin"), "outside its folder")
    refused(external(file, "absent.bin"), "absent.bin is missing")
    (file.parent / "weights.bin").write_bytes(np.float32([1.0]).tobytes())
    path = external(file, "weights.bin")
    pinned = file_md5(path)
    assert open_reference(path, md5=pinned).format.values == "-1..1"
    (file.parent / "weights.bin").write_bytes(np.float32([0.5]).tobytes())
    refused(path, "has the md5", md5=pinned)


def test_numbers_that_are_none_are_never_written(file):
    """One dark picture makes the logarithm fail where the probe did not."""
    nodes = [node("Log", ["x"], ["a"]), node("Exp", ["a"], ["y"])]
    path = foreign_model(file, nodes)
    reference = open_reference(path, hints=Hints(values="0..1", values_out="0..1"))
    made = reference(np.full((8, 8, 3), 128, np.uint8))
    assert made.max() == 128
    nodes = [node("Log", ["x"], ["a"]), node("Mul", ["a", "nothing"], ["b"]), node("Add", ["x", "b"], ["y"])]
    path = foreign_model(file, nodes, {"nothing": 0.0})
    reference = open_reference(path, hints=Hints(values="0..1", values_out="0..1"))
    with pytest.raises(NetworkError, match="numbers that are none"):
        reference(np.zeros((8, 8, 3), np.uint8))


@pytest.mark.parametrize(("name", "multiple"), [("hayao", 8), ("shinkai", 8), ("cute", 16)])
def test_published_networks_are_recognised(name, multiple):
    path = PUBLISHED / f"{name}.onnx"
    if not path.is_file():
        pytest.skip("../shared/teachers has no published networks here")
    reference: PublishedNetwork = open_reference(path)
    form = reference.format
    assert (form.layout, form.layout_out, form.values, form.values_out) == ("nhwc", "nhwc", "-1..1", "-1..1")
    assert (form.multiple, form.channels, form.channels_out) == (multiple, "rgb", "rgb")
    photo = probe_picture(90, 130)
    made = reference(photo)
    assert made.shape == photo.shape
    assert np.corrcoef(made.mean(2).ravel(), photo.mean(2).ravel())[0, 1] > 0.8
