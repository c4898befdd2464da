"""A released network, its graph written as exports are now: `python -m tools.respell STYLE SIZE`.

Exports get faster spellings of the same arithmetic. The pictures stay the same bit for bit, which is looked at first.
`python -m tools.retime STYLE FOLDER` then gives its figures the new times and bytes.
"""

import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

from anime_model.networks.onnx_spelling import spell_for_converters, spell_for_onnx_runtime
from anime_model.pictures.atomic import write_whole
from anime_model.runtime.models import SIZES, file_name
from tasks.shared import common
from tools.ship import WEIGHTS

SIDES = ((512, 512), (61, 83), (64, 64), (97, 52))  # height and width of the pictures that are compared


def main(arguments: list[str]) -> None:
    """Raises `ValueError`, `OSError` before anything is written."""
    style, size = arguments
    if size not in SIZES:
        raise ValueError(f"{size!r} is none of {', '.join(SIZES)}")
    shipped = WEIGHTS / f"{file_name(style, size)}.onnx"
    if not shipped.is_file():
        raise ValueError(f"{shipped}: missing; {style} was not released in this size")
    with tempfile.TemporaryDirectory() as work:
        made = Path(work, shipped.name)
        respell(shipped, made)
        check_pictures(shipped, made)
        write_whole(shipped, made.read_bytes())
    print(f"wrote {shipped}; its times are measured anew by `python -m tools.retime {style} FOLDER`")


def respell(source: Path, target: Path) -> None:
    """The graph as an export writes it now; what a release has added to the file stays."""
    model = onnx.load(source)
    spell_for_converters(model)
    spell_for_onnx_runtime(model)
    onnx.save(model, target)


def check_pictures(one: Path, other: Path) -> None:
    """Raises `ValueError` unless both files draw the same, bit for bit."""
    sessions = [onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"]) for file in (one, other)]
    draw = np.random.default_rng(0)
    for height, width in SIDES:
        photo = draw.uniform(-1, 1, (1, 3, height, width)).astype(np.float32)
        drawn = [session.run(None, {"photo": photo})[0] for session in sessions]
        if not np.array_equal(*drawn):
            raise ValueError(f"{one}: written anew it draws another picture of {width} x {height}; nothing was changed")


if __name__ == "__main__":
    common.run(main, "STYLE SIZE")
