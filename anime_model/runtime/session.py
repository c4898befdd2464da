"""An ONNX Runtime session of a model file, with clear errors."""

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from anime_model.pictures.message import Message, about, message_of

if TYPE_CHECKING:  # half a second: only who stylizes pays for it
    from onnxruntime import InferenceSession, RunOptions


class ModelError(ValueError):
    """A file that cannot be used as a model; the message is one line: the file and the reason."""


def open_session(path: Path, threads: int) -> "InferenceSession":
    """An ONNX Runtime session on the CPU with `threads` threads. Raises `ModelError`."""
    # From 1.29 on ONNX Runtime reports every model that is opened, and keeps a device id in the home folder.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    options.enable_mem_pattern = False  # a plan for each size of picture would keep a third more memory, no faster
    try:
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # each kind of bad file has a class of its own, none of them public
        why = Message("ONNX Runtime cannot open it as a model ({reason})", reason=_engine_says(error))
        raise ModelError(about(path, why)) from error
    _check_ends(path, session)
    return session


def releasing() -> "RunOptions":
    """Options of a run after which the engine holds no more memory than it needs for the network itself."""
    from onnxruntime import RunOptions

    options = RunOptions()
    options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
    return options


def _check_ends(path: Path, session: "InferenceSession") -> None:
    ends = [(end.name, end.type, end.shape[1:2]) for end in (*session.get_inputs(), *session.get_outputs())]
    if ends != [(name, "tensor(float)", [3]) for name in ("photo", "anime")]:
        found = ", ".join(f"{name} {kind}" for name, kind, _ in ends)
        text = "a model takes `photo` and makes `anime`, float [1, 3, H, W]; this one has {found}"
        raise ModelError(about(path, Message(text, found=found)))


def receptive_radius(session: "InferenceSession") -> int | None:
    """Pixels by which tiles must overlap to equal the whole; None where the file does not say: then no tiles."""
    return _number_in(session, "receptive_radius")


def wanted_strokes(session: "InferenceSession") -> tuple[int | None, int | None]:
    """The short side in pixels at which the model wants larger pictures drawn, such as faces of a size that it knows,
    0 for every pixel of them; and the largest up to which others are worth a trial. None where the file is silent."""
    return _number_in(session, "stroke"), _number_in(session, "stroke_most")


def _number_in(session: "InferenceSession", note: str) -> int | None:
    """What a model's file says under a name, where it is a whole number."""
    said = session.get_modelmeta().custom_metadata_map.get(note, "")
    return int(said) if said.isdecimal() else None


def _engine_says(error: Exception) -> str:
    """ONNX Runtime's message without its error code, the file's name and the place in its own source code:
    `[ONNXRuntimeError] : 1 : FAIL : Load model from m.onnx failed:/src/a.h:46 void f(int) Opset 99 is ...`."""
    text = " ".join(str(error).split()).split(" : ")[-1]
    text = re.sub(r"^Load model from .*? failed: ?", "", text)
    return first_line(ValueError(re.sub(r"^/\S+:\d+ .*?\) (?=[A-Z])", "", text)))


def first_line(error: Exception) -> str:
    """What an exception says, in one line of at most 200 characters; a message as it is."""
    if isinstance(said := message_of(error), Message):
        return said
    text = " ".join(said.split()) or type(error).__name__
    return text if len(text) <= 200 else text[:197] + "..."
