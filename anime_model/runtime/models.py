"""Model files: the styles that ship, what a name stands for, and an ONNX Runtime session with clear errors."""

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

WEIGHTS = Path(__file__).parent.parent / "weights"
REGISTRY = "models:/"


class ModelError(ValueError):
    """A file that cannot be used as a model; the message is one line: the file and the reason."""


def styles(folder: Path | None = None) -> dict[str, Path]:
    """The styles that ship, by name, sorted: every ONNX file of `folder` (default: the package's own)."""
    return {path.stem: path for path in sorted((folder or WEIGHTS).glob("*.onnx"))}


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
        raise ModelError(f"{uri}: holds no ONNX file")
    return path


@contextmanager
def asking_mlflow(uri: str) -> Iterator[None]:
    """Whatever goes wrong inside, MLflow's absence included, is a `ModelError` of one line about `uri`."""
    try:
        yield
    except Exception as error:  # MLflow's stores raise whatever their clients raise
        if isinstance(error, ModuleNotFoundError) and error.name == "mlflow":
            raise ModelError(f"{uri}: MLflow is not installed; `pip install mlflow`, or name a model file") from error
        raise ModelError(f"{uri}: MLflow does not give it ({first_line(error)})") from error


def open_session(path: Path, threads: int):
    """An ONNX Runtime session on the CPU with `threads` threads. Raises `ModelError`."""
    # From 1.29 on ONNX Runtime reports every model that is opened, and keeps a device id in the home folder.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime  # half a second: only who stylizes pays for it

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    options.enable_mem_pattern = False  # a plan for each size of picture would keep a third more memory, no faster
    try:
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # each kind of bad file has a class of its own, none of them public
        raise ModelError(f"{path}: ONNX Runtime cannot open it as a model ({_engine_says(error)})") from error
    _check_ends(path, session)
    return session


def _check_ends(path: Path, session) -> None:
    ends = [(end.name, end.type, end.shape[1:2]) for end in (*session.get_inputs(), *session.get_outputs())]
    if ends != [(name, "tensor(float)", [3]) for name in ("photo", "anime")]:
        found = ", ".join(f"{name} {kind}" for name, kind, _ in ends)
        raise ModelError(f"{path}: a model takes `photo` and makes `anime`, float [1, 3, H, W]; this one has {found}")


def receptive_radius(session) -> int | None:
    """Pixels by which tiles must overlap to equal the whole; None where the file does not say: then no tiles."""
    said = session.get_modelmeta().custom_metadata_map.get("receptive_radius", "")
    return int(said) if said.isdecimal() else None


def card(metadata: dict[str, str]) -> dict:
    """The figures inside a shipped file, by name; empty where there are none or they cannot be read."""
    try:
        found = json.loads(metadata.get("card", "{}"))
    except json.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _engine_says(error: Exception) -> str:
    """ONNX Runtime's message without its error code, the file's name and the place in its own source code:
    `[ONNXRuntimeError] : 1 : FAIL : Load model from m.onnx failed:/src/a.h:46 void f(int) Opset 99 is ...`."""
    text = " ".join(str(error).split()).split(" : ")[-1]
    text = re.sub(r"^Load model from .*? failed: ?", "", text)
    return first_line(ValueError(re.sub(r"^/\S+:\d+ .*?\) (?=[A-Z])", "", text)))


def first_line(error: Exception) -> str:
    """What an exception says, in one line of at most 200 characters."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 200 else text[:197] + "..."
