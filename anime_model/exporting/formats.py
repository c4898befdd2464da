"""The formats that there are, and how one is made: converted, opened, compared on pictures, and only then kept."""

import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import numpy as np

from anime_model.exporting import coreml, executorch, litert, ncnn_pair, onnx_file, openvino_ir, torchscript
from anime_model.exporting.nearness import check
from anime_model.exporting.order import FLOAT, FP16, INT8, FormatError, Order, Size, hushed, text_of
from anime_model.exporting.photos import batch, photos, resized
from anime_model.exporting.source import Source, read_source
from anime_model.runtime.tiles import MULTIPLE

COMMON: Size = (512, 512)
LEARNT_AT: Size = (256, 256)  # ranges for files that take any size
AUTO = "auto"
WEIGHTS, DESCRIBED = ".bin", (".xml", ".param")  # OpenVINO's and ncnn's files of weights have one name
PACKAGE = ".mlpackage"  # Core ML's file is a folder
SIDES = (16, 4096)  # pixels, of a size that is asked for


@dataclass(frozen=True)
class Format:
    """`suffix` is that of the file that a program opens, `needs` the packages whose absence the extra of the format's
    name mends. `dynamic`: whether one file takes all sizes."""

    about: str
    suffix: str
    module: ModuleType
    precisions: tuple[str, ...]
    needs: tuple[str, ...]
    dynamic: bool = True
    runs_here: bool = True


ALL = (FLOAT, FP16, INT8)
FORMATS = {
    "onnx": Format("ONNX Runtime on everything", ".onnx", onnx_file, ALL, ("onnx",)),
    "openvino": Format("OpenVINO on Intel's processors", ".xml", openvino_ir, ALL, ("onnx", "openvino")),
    "litert": Format(
        "LiteRT on Android and others",
        ".tflite",
        litert,
        ALL,
        ("onnx", "litert_torch", "ai_edge_litert"),
        dynamic=False,
    ),
    "ncnn": Format("ncnn on phones and boards", ".param", ncnn_pair, ALL, ("onnx", "torch", "pnnx", "ncnn")),
    "coreml": Format(
        "Core ML on Apple's systems",
        ".mlpackage",
        coreml,
        (FLOAT, FP16),
        ("onnx", "torch", "coremltools"),
        runs_here=False,
    ),
    "torchscript": Format("LibTorch", ".ts", torchscript, (FLOAT,), ("onnx", "torch")),
    "executorch": Format(
        "ExecuTorch on phones and boards", ".pte", executorch, (FLOAT,), ("onnx", "torch", "executorch")
    ),
}


@dataclass(frozen=True)
class Made:
    """The first of `files` is the one to open; `decibels` to the ONNX file's pictures, None where it cannot run."""

    files: tuple[Path, ...]
    bytes: int
    decibels: float | None


def export(
    model: str | Path,
    format_: str,
    precision: str,
    size: Size | str | None,
    out: Path,
    learn_from: Path | None = None,
) -> Made:
    """Makes `model` into a format: `out` is a folder, or a file with the suffix of the format.

    `size`: (height, width), None for any multiples of 4, `AUTO` for what suits the format. `learn_from` is a folder of
    photos for INT8's ranges and for the comparison. Files are whole or not there, and are
    there only where their pictures are near enough. Raises `FormatError`, `ModelError`, `OSError`.
    """
    kind = checked(format_, precision, size)
    source, (learnt, compared) = read_source(model), photos(learn_from)
    order = order_for(kind, precision, size, learnt)
    named = out.suffix == kind.suffix and not (out.is_dir() and kind.suffix != ".mlpackage")
    folder = out.parent if named else out
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".export-") as place:
        with hushed(f"{source.path} to {format_}"):
            files = kind.module.write(source, Path(place), order)
            found = None
            if kind.runs_here:
                found = check(source.path, kind.module.opened(files[0], order, 1), compared, order)
        return _kept(source, files, folder / (out.stem if named else stem(source, order)), found)


def checked(format_: str, precision: str, size: Size | str | None) -> Format:
    """The format. Raises `FormatError` where it cannot be made in this way, or here."""
    kind = FORMATS.get(format_)
    if kind is None:
        raise FormatError(f"no format {format_!r}: there is {', '.join(FORMATS)}")
    if precision not in kind.precisions:
        raise FormatError(f"{format_} is made as {', '.join(kind.precisions)}, not as {precision}")
    if size is None and not kind.dynamic:
        raise FormatError(f"{format_} is made for one size: --size 512x512 (width x height)")
    if isinstance(size, tuple) and not all(SIDES[0] <= side <= SIDES[1] and side % MULTIPLE == 0 for side in size):
        raise FormatError(
            f"{text_of(size)}: sides are multiples of {MULTIPLE}, from {SIDES[0]} to {SIDES[1]}; or --size dynamic"
        )
    if missing := [name for name in kind.needs if find_spec(name) is None]:
        raise FormatError(f"{format_} needs {', '.join(missing)}: pip install 'animegan-lite[{format_}]'")
    return kind


def order_for(kind: Format, precision: str, size: Size | str | None, learnt: Sequence[np.ndarray]) -> Order:
    wanted = (None if kind.dynamic else COMMON) if size == AUTO else size
    pictures = [batch(resized(photo, *(wanted or LEARNT_AT))) for photo in learnt] if precision == INT8 else []
    return Order(precision, wanted, pictures)


def stem(source: Source, order: Order) -> str:
    """`shinkai`, `shinkai-int8`, `shinkai-640x480`."""
    parts = [source.name] + [order.precision] * (order.precision != FLOAT) + [text_of(order.size)] * bool(order.size)
    return "-".join(parts)


def _kept(source: Source, files: Sequence[Path], name: Path, found: float | None) -> Made:
    """Moves the files to their names, the one that a program opens last. Raises `FormatError` over the model itself."""
    targets = [name.with_name(name.name + file.suffix) for file in files]
    if any(target.exists() and target.samefile(source.path) for target in targets):
        raise FormatError(f"{source.path}: the result would overwrite the model itself; -o names another folder")
    for target in targets:
        _check_free(target, targets)
    size = sum(_bytes(file) for file in files)
    for file, target in reversed(list(zip(files, targets, strict=True))):
        if target.is_dir():
            shutil.rmtree(target)
        os.replace(file, target)
    return Made(tuple(targets), size, found)


def _check_free(target: Path, targets: Sequence[Path]) -> None:
    """Raises `FormatError` where another format's weights, or a folder that no export made, would be lost."""
    others = (target.with_name(target.stem + suffix) for suffix in DESCRIBED if target.suffix == WEIGHTS)
    if other := next((each for each in others if each not in targets and each.exists()), None):
        raise FormatError(f"{target}: {other.name} has its weights in a file of that name; -o names another folder")
    if target.is_dir() and target.suffix != PACKAGE:
        raise FormatError(f"{target}: is a folder; move it away, or -o names another place")


def _bytes(path: Path) -> int:
    return sum(file.stat().st_size for file in ([path] if path.is_file() else path.rglob("*")) if file.is_file())
