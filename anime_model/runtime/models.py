"""Model files: the styles that ship and their sizes, what a name stands for, and the figures inside a file."""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from anime_model.pictures.message import Message, about
from anime_model.runtime.session import ModelError, first_line

WEIGHTS = Path(__file__).parent.parent / "weights"
REGISTRY = "models:/"
ENLARGERS = {2: WEIGHTS / "enlarger.onnx", 4: WEIGHTS / "enlarger-4.onnx"}  # by how much; beside the styles, and none
FAVOURITE = "hayao"  # the style that is taken where none is named
SIZES = ("nano", "lite", "plus")  # of the network of a style, the fastest first
SIZE = "lite"  # the size of STYLE.onnx, and what is taken where none is named; another's file is STYLE-SIZE.onnx


def styles(folder: Path | None = None) -> dict[str, Path]:
    """The styles that ship, by name, sorted: ONNX files of `folder` (default: the package's own) but the enlargers
    and the other sizes of a style that is there. The file of each is its lite network."""
    beside = {path.name for path in ENLARGERS.values()}
    found = {path.stem: path for path in sorted((folder or WEIGHTS).glob("*.onnx")) if path.name not in beside}
    others = {file_name(name, size) for name in found for size in SIZES if size != SIZE}
    return {name: path for name, path in found.items() if name not in others}


def sizes(style: str, folder: Path | None = None) -> dict[str, Path]:
    """The files of a style by their sizes, the fastest first; empty for what is no style that ships."""
    lite = styles(folder).get(style)
    if lite is None:
        return {}
    files = {size: lite.with_stem(file_name(style, size)) for size in SIZES}
    return {size: path for size, path in files.items() if path.is_file()}


def file_name(style: str, size: str | None = None) -> str:
    """The name, without suffix, of a size's file and of what is drawn with it: the style's own where it is lite."""
    return style if size in (None, SIZE) else f"{style}-{size}"


def file_names() -> set[str]:
    """The names, without suffix, of the files of all styles in all sizes: what results are named after."""
    return {path.stem for style in styles() for path in sizes(style).values()}


def favourite(shipped: Iterable[str]) -> str:
    """The style that is taken where none is named: `FAVOURITE` if it is there, else the first; "" where none is."""
    names = list(shipped)
    return FAVOURITE if FAVOURITE in names else next(iter(names), "")


def default_style(size: str | None = None) -> str:
    """The favourite of the styles that ship in a size (None: in any), of all where none does; its name without any."""
    shipped = styles()
    return favourite(name for name in shipped if size in (None, *sizes(name))) or favourite(shipped) or FAVOURITE


def find_model(name: str | Path, size: str | None = None) -> Path:
    """The file of a model: a style's name, a path, or an MLflow model such as `models:/animegan-shinkai@champion`.

    `size` is one of `SIZES`, of a style that ships; None is lite, and all that a file or an MLflow model has.
    Raises `FileNotFoundError` where there is none, `ModelError` where MLflow is missing or does not have it, or where
    the model has no such size.
    """
    if size is not None:
        return _of_size(str(name), size)
    if str(name).startswith(REGISTRY):
        return _from_registry(str(name))
    path = Path(name)
    if path.is_file():
        return path
    if str(name) in styles():
        return styles()[str(name)]
    if path.suffix or len(path.parts) > 1:
        raise FileNotFoundError(f"no model file {path}")
    raise FileNotFoundError(f"no style {str(name)!r}: there is {', '.join(styles()) or 'none'}; or name a model file")


def _of_size(name: str, size: str) -> Path:
    found = {} if Path(name).is_file() else sizes(name)
    if size in found:
        return found[size]
    if found:
        choices = ", ".join(found)
        text = "no size {name!r} of {style}: there is {choices}"
        raise ModelError(Message(text, name=size, style=name, choices=choices))
    if not name.startswith(REGISTRY):
        find_model(name)  # says what is not there at all
    raise ModelError(about(name, Message("has one size; {choices} are of styles that ship", choices=", ".join(SIZES))))


def _from_registry(uri: str) -> Path:
    with asking_mlflow(uri):
        from anime_model.runtime.from_mlflow import download

        path = min(Path(download(uri)).rglob("*.onnx"), default=None)
    if path is None:
        raise ModelError(about(uri, "holds no ONNX file"))
    return path


@contextmanager
def asking_mlflow(uri: str) -> Iterator[None]:
    """Whatever goes wrong inside, MLflow's absence included, is a `ModelError` of one line about `uri`."""
    try:
        yield
    except Exception as error:  # MLflow's stores raise whatever their clients raise
        if isinstance(error, ModuleNotFoundError) and error.name == "mlflow":
            why = "MLflow is not installed; `pip install mlflow`, or name a model file"
            raise ModelError(about(uri, why)) from error
        why = Message("MLflow does not give it ({reason})", reason=first_line(error))
        raise ModelError(about(uri, why)) from error


def card(metadata: dict[str, str]) -> dict:
    """The figures inside a shipped file, by name; empty where there are none or they cannot be read."""
    try:
        found = json.loads(metadata.get("card", "{}"))
    except json.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}
