"""`anime export`: a style, or an ONNX file, as a file for another engine. The converters are extras of their own."""

import argparse
import re
from pathlib import Path

from anime_app.terminal import say
from anime_model.runtime.models import SIZE, SIZES, find_model

NAMES = ("onnx", "openvino", "litert", "ncnn", "coreml", "torchscript", "executorch")
DYNAMIC, AUTO = "dynamic", "auto"


def add_options(command: argparse.ArgumentParser, style: str) -> None:
    add = command.add_argument
    command.set_defaults(run=export)
    add("model", nargs="?", default=style, help="a style, an ONNX file, or models:/NAME@ALIAS (default: %(default)s)")
    add("--format", required=True, choices=NAMES, help="each is an extra: pip install 'animegan-lite[FORMAT]'")
    add("--precision", choices=("float", "fp16", "int8"), default="float", help="numbers in it (default: %(default)s)")
    about = f"the size of the style's network: --size is that of its pictures (default: {SIZE})"
    add("--network", choices=SIZES, help=about)
    about = "WIDTHxHEIGHT, multiples of 4, or dynamic for any (default: dynamic; litert: 512x512)"
    add("--size", type=_size, default=AUTO, help=about)
    add(
        "-o",
        "--out",
        type=Path,
        default=Path(),
        help="a folder, or a file with the format's suffix (default: this folder)",
    )
    add("--photos", type=Path, metavar="FOLDER", help="for INT8's ranges and the comparison (default: drawn scenes)")


def export(options: argparse.Namespace) -> int:
    """The exit status. Raises `ValueError` in one line: a converter that is missing, an operator that has no equal."""
    if options.photos and not options.photos.is_dir():
        raise ValueError(f"{options.photos}: no such folder; --photos names a folder of photos")
    try:
        from anime_model.exporting import formats
    except ModuleNotFoundError as error:
        raise ValueError(f"export needs {error.name}: pip install 'animegan-lite[{options.format}]'") from error
    source = find_model(options.model, options.network)
    made = formats.export(source, options.format, options.precision, options.size, options.out, options.photos)
    for file in made.files:
        say(str(file))
    near = f"{made.decibels:.1f} dB to the ONNX file's pictures" if made.decibels else "checked, but not run here"
    say(f"{made.bytes:,} bytes, {near}")
    return 0


def _size(text: str) -> tuple[int, int] | str | None:
    """(height, width); None for dynamic."""
    if text in (DYNAMIC, AUTO):
        return None if text == DYNAMIC else AUTO
    found = re.fullmatch(r"([0-9]{1,5})[xX]([0-9]{1,5})", text)
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r} is no size: WIDTHxHEIGHT such as 512x512, or {DYNAMIC}")
    return int(found[2]), int(found[1])
