"""Files of every format whose converter is here: near enough to the ONNX file, or not kept, or refused in one line."""

import os
import shutil
import tomllib
from pathlib import Path

import numpy as np
import pytest

from anime_app.cli import export as command
from anime_app.cli.command import main
from anime_model.exporting import formats, nearness, order
from anime_model.exporting.formats import AUTO, FORMATS, export
from anime_model.exporting.nearness import LEAST, check, psnr
from anime_model.exporting.order import FormatError, Order, hushed
from anime_model.exporting.photos import batch, photos
from anime_model.pictures.arrays import write_picture
from anime_model.runtime import models
from anime_model.runtime.onnx_layers import read_graph
from tests.exporting.conftest import SHIPPED
from tests.tiny_onnx import negative_model, reaching_model

HEAVY = ("litert", "coreml", "executorch")  # minutes on a busy machine


def marks(name: str, precision: str) -> list:
    return [pytest.mark.long] if name in HEAVY or (precision == "int8" and name != "onnx") else []


CASES = [
    pytest.param(name, precision, marks=marks(name, precision))
    for name, kind in FORMATS.items()
    for precision in kind.precisions
]  # fmt: skip


@pytest.mark.parametrize(("name", "precision"), CASES)
def test_a_style_in_every_format_draws_what_the_onnx_file_draws(tmp_path, few, name, precision):
    for package in FORMATS[name].needs:
        pytest.importorskip(package, reason=f"pip install '.[{name}]'")
    size = (96, 112) if name == "litert" else AUTO
    made = export("shinkai", name, precision, size, tmp_path, None)
    assert made.files[0].suffix == FORMATS[name].suffix
    assert all(file.exists() for file in made.files)
    assert sorted(tmp_path.iterdir()) == sorted(made.files)
    assert (made.decibels is None) == (name == "coreml")
    if made.decibels is not None:
        assert made.decibels >= LEAST[precision]
    if precision == "fp16" and name != "coreml":
        assert made.bytes < 0.75 * export("shinkai", name, "float", size, tmp_path / "float", None).bytes


def test_a_fixed_size_is_what_the_file_takes(tmp_path, few):
    made = export("shinkai", "onnx", "float", (64, 96), tmp_path, None)
    assert made.files[0].name == "shinkai-96x64.onnx"
    run = FORMATS["onnx"].module.opened(made.files[0], Order(size=(64, 96)), 1)
    assert run(np.zeros((1, 3, 64, 96), np.float32)).shape == (1, 3, 64, 96)
    with pytest.raises(Exception, match="dimension"):
        run(np.zeros((1, 3, 64, 64), np.float32))


@pytest.mark.parametrize(
    ("name", "precision", "size", "told"),
    [
        ("gguf", "float", AUTO, "no format 'gguf': there is onnx"),
        ("executorch", "int8", AUTO, "executorch is made as float, not as int8"),
        ("litert", "float", None, "litert is made for one size: --size 512x512"),
        ("onnx", "float", (90, 96), "96x90: sides are multiples of 4"),
        ("onnx", "float", (8, 96), "from 16 to 4096"),
        ("onnx", "float", (16, 40_000), "from 16 to 4096"),
    ],
)
def test_what_a_format_cannot_is_one_line_before_any_work(name, precision, size, told):
    with pytest.raises(FormatError) as error:
        formats.checked(name, precision, size)
    assert told in str(error.value)


def test_a_converter_that_is_not_there_is_named_with_its_extra(monkeypatch):
    monkeypatch.setattr(formats, "find_spec", lambda name: None)
    for name, kind in FORMATS.items():
        with pytest.raises(FormatError, match=rf"{name} needs {kind.needs[0]}.*pip install 'animegan-lite\[{name}\]'"):
            formats.checked(name, "float", (64, 64))


def test_every_format_has_an_extra_with_what_it_needs():
    extras = tomllib.loads(Path("pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert tuple(FORMATS) == command.NAMES
    for name, kind in FORMATS.items():
        assert {need.replace("_", "-") for need in kind.needs} <= {one.split(">")[0] for one in extras[name]} | {
            "torch"
        }


def test_the_psnr_is_that_of_its_formula():
    black = np.zeros((4, 4, 3), np.uint8)
    assert psnr(black, black + 51) == pytest.approx(20 * np.log10(5))
    assert psnr(black, black) == float("inf")


def test_a_file_that_draws_something_else_is_not_kept(tmp_path, sample):
    path = reaching_model(tmp_path / "tiny.onnx")
    right = FORMATS["onnx"].module.opened(path, Order(), 1)
    assert check(path, right, [sample], Order()) == float("inf")
    for wrong in (lambda photo: photo, lambda photo: right(photo) + 0.05, lambda photo: right(photo) * np.nan):
        with pytest.raises(FormatError):
            check(path, wrong, [sample], Order())
    assert check(path, lambda photo: right(photo) + 0.05, [sample], Order("int8")) > 30


def test_what_fails_leaves_nothing_behind(tmp_path, few, monkeypatch):
    monkeypatch.setitem(nearness.LEAST, "float", 200.0)
    with pytest.raises(FormatError, match=r"shinkai, float, dynamic: .* dB to the ONNX file's pictures, under 200 dB"):
        export("shinkai", "torchscript", "float", AUTO, tmp_path, None)
    assert not list(tmp_path.iterdir())


def test_the_weights_of_another_format_and_folders_are_never_replaced(tmp_path):
    """OpenVINO and ncnn both keep weights in NAME.bin."""
    source = formats.Source(tmp_path / "ink.onnx", None)
    source.path.touch()

    def kept(*suffixes: str) -> None:
        files = [tmp_path / f"new/ink{suffix}" for suffix in suffixes]
        files[0].parent.mkdir(exist_ok=True)
        for file in files:
            file.write_text(" ".join(suffixes))
        formats._kept(source, files, tmp_path / "ink", None)

    kept(".xml", ".bin")
    kept(".xml", ".bin")
    with pytest.raises(FormatError, match=r"ink\.bin: ink\.xml has its weights in a file of that name"):
        kept(".param", ".bin")
    assert (tmp_path / "ink.bin").read_text() == ".xml .bin"
    assert not (tmp_path / "ink.param").exists()
    (tmp_path / "ink.tflite").mkdir()
    (tmp_path / "ink.tflite/mine").touch()
    with pytest.raises(FormatError, match=r"ink\.tflite: is a folder; move it away"):
        kept(".tflite")
    assert (tmp_path / "ink.tflite/mine").exists()
    (tmp_path / "ink.mlpackage").mkdir()
    kept(".mlpackage")
    assert (tmp_path / "ink.mlpackage").is_file()


def test_the_model_itself_is_never_overwritten(tmp_path, few):
    path = reaching_model(tmp_path / "tiny.onnx")
    before = path.read_bytes()
    with pytest.raises(FormatError, match="would overwrite the model itself"):
        export(path, "onnx", "float", AUTO, tmp_path, None)
    assert path.read_bytes() == before
    made = export(path, "onnx", "float", AUTO, tmp_path / "new/mine.onnx", None)
    assert made.files == (tmp_path / "new/mine.onnx",)


def test_a_disk_that_is_full_is_no_fault_of_the_converter():
    for error, said in ((OSError(28, "No space left on device"), "no space left on device"),
                        (PermissionError(13, "Permission denied", "x/y"), r"permission denied \(x/y\)"),
                        (OSError("odd"), r"the converter failed \(odd\)")):  # fmt: skip
        with pytest.raises(FormatError, match=rf"^tiny to ncnn: {said}$"), hushed("tiny to ncnn"):
            raise error


def test_converters_are_quiet_and_fail_in_one_line(capfd):
    def work() -> None:
        with hushed("tiny to ncnn"):
            os.write(1, b"much")
            os.write(2, b"more")
            raise RuntimeError("two\nlines")

    with pytest.raises(FormatError, match=r"^tiny to ncnn: the converter failed \(two lines\)$"):
        work()
    os.write(1, b"heard again")
    assert capfd.readouterr() == ("heard again", "")


def test_pictures_to_learn_from_are_none_to_compare_with(tmp_path):
    for number in range(6):
        write_picture(tmp_path / f"{number}.png", np.full((40, 60, 3), 40 * number, np.uint8))
    (tmp_path / "broken.png").write_bytes(b"none")
    learnt, compared = photos(tmp_path)
    assert len(learnt) == len(compared) == 3
    assert not {int(photo[0, 0, 0]) for photo in learnt} & {int(photo[0, 0, 0]) for photo in compared}
    (tmp_path / "empty").mkdir()
    with pytest.raises(FormatError, match="holds no two pictures"):
        photos(tmp_path / "empty")


def test_a_batch_has_the_range_of_a_network():
    levels = batch(np.array([[[0, 255, 51]]], np.uint8))
    assert levels.shape == (1, 3, 1, 1)
    assert levels.ravel().tolist() == pytest.approx([-1, 1, -0.6])


def test_the_command_makes_a_file_and_says_how_near_it_is(tmp_path, few, capsys):
    assert main(["export", str(SHIPPED), "--format", "onnx", "-o", str(tmp_path)]) == 0
    said = capsys.readouterr().err
    assert said.splitlines()[0] == str(tmp_path / "shinkai.onnx")
    assert "dB to the ONNX file's pictures" in said


def test_a_network_of_another_size_is_exported_under_its_own_name(tmp_path, few, capsys, monkeypatch):
    weights = tmp_path / "weights"
    reaching_model(weights / "ink.onnx")
    shutil.copy(SHIPPED, weights / "ink-nano.onnx")
    monkeypatch.setattr(models, "WEIGHTS", weights)
    line = ["export", "ink", "--format", "onnx", "--size", "64x64", "-o", str(tmp_path), "--network"]
    assert main([*line, "nano"]) == 0
    made = tmp_path / "ink-nano-64x64.onnx"
    assert capsys.readouterr().err.splitlines()[0] == str(made)
    assert read_graph(made).parameters > 100_000
    assert main([*line, "plus"]) == 1
    assert capsys.readouterr().err == "anime: no size 'plus' of ink: there is nano, lite\n"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (["--format", "onnx", "--size", "90x96"], "anime: 90x96: sides are multiples of 4"),
        (["--format", "litert", "--size", "dynamic"], "anime: litert is made for one size"),
        (["--format", "onnx", "--photos", "nowhere"], "anime: nowhere: no such folder"),
    ],
)
def test_bad_input_to_the_command_is_one_line(tmp_path, capsys, line, told):
    assert main(["export", "shinkai", "-o", str(tmp_path), *line]) == 1
    said = capsys.readouterr().err
    assert said.startswith(told)
    assert said.count("\n") == 1


def test_an_operator_of_a_file_is_named_by_the_command(tmp_path, capsys, few):
    path = negative_model(tmp_path / "neg.onnx")
    assert main(["export", str(path), "--format", "torchscript", "-o", str(tmp_path)]) == 1
    assert "operator Neg (anime) has no equal here" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["512", "x", "512x", "-4x4", "512x512x3", "٤٤x٤٤"])
def test_a_size_that_is_none_is_a_wrong_command(capsys, text):
    with pytest.raises(SystemExit) as ended:
        main(["export", "shinkai", "--format", "onnx", f"--size={text}"])
    assert ended.value.code == 2


def test_sizes_are_said_width_first():
    assert order.text_of((480, 640)) == "640x480"
