"""Model files: the styles that ship, what a name stands for, and the figures inside a file."""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from anime_model.pictures.message import Message, about
from anime_model.runtime.session import ModelError, first_line

WEIGHTS = Path(__file__).parent.parent / "weights"
REGISTRY = "models:/"
ENLARGER = WEIGHTS / "enlarger.onnx"  # beside the styles, and none
FAVOURITE = "shinkai"  # the style that is taken where none is named


def styles(folder: Path | None = None) -> dict[str, Path]:
    """The styles that ship, by name, sorted: ONNX files of `folder` (default: the package's own) but the enlarger."""
    found = sorted((folder or WEIGHTS).glob("*.onnx"))
    return {path.stem: path for path in found if path.name != ENLARGER.name}


def favourite(shipped: Iterable[str]) -> str:
    """The style that is taken where none is named: `FAVOURITE` if it is there, else the first; "" where none is."""
    names = list(shipped)
    return FAVOURITE if FAVOURITE in names else next(iter(names), "")


def find_model(name: str | Path) -> Path:
    """The file of a model: a style's name, a path, or an MLflow model such as `models:/animegan-shinkai@champion`.

    Raises `FileNotFoundError` where there is none, `ModelError` where MLflow is missing or does not have it.
    """
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
