"""Files that run without PyTorch, and TorchScript: `python -m tasks.export ARTIFACTS OUT`.

ARTIFACTS is the style's folder with the checkpoints of every stage.
"""

import json
import os
from pathlib import Path

from anime_model.pictures.processes import spread_over, workers_here
from anime_model.runtime.names import VARIANTS
from tasks.shared import common

CHECKPOINTS = {
    "teacher": "teacher/teacher.safetensors",
    "separable": "separable/separable.safetensors",
    "pruned": "pruned/pruned.safetensors",
    "distilled": "distilled/distilled.safetensors",
}
QUANTIZED = "quantized/quantized.safetensors"
PROCESSES = 2  # each imports PyTorch and traces one network at a time, on one core


def main(arguments: list[str]) -> None:
    artifacts, out = map(Path, arguments)
    common.fresh(out)
    works = [(variant, artifacts, out) for variant in reversed(VARIANTS)]  # INT8 takes longest: it begins
    workers = workers_here(PROCESSES)
    if workers > 1:
        os.environ["OMP_NUM_THREADS"] = "1"  # theirs: several threads in each would wait for each other
    for step, _ in enumerate(spread_over(workers, export_variant, works), start=1):
        common.show(step, len(works), {})
    common.write_json(out / "exports.json", {file.name: file.stat().st_size for file in sorted(out.iterdir())})


def export_variant(work: tuple[str, Path, Path]) -> None:
    """The files of one variant: (its name, ARTIFACTS, OUT)."""
    from anime_model.compression.export import export_onnx  # PyTorch takes seconds to import
    from anime_model.compression.torchscript import export_torchscript
    from anime_model.networks.checkpoint import load_generator

    variant, artifacts, out = work
    if variant not in CHECKPOINTS:
        return export_int8(artifacts, out)
    generator = load_generator(artifacts / CHECKPOINTS[variant])
    export_onnx(generator, out / f"{variant}.onnx")
    export_torchscript(generator, out / f"{variant}.ts")


def export_int8(artifacts: Path, out: Path) -> None:
    from safetensors.torch import load_file

    from anime_model.compression.export import export_int8_onnx
    from anime_model.compression.torchscript import export_int8_torchscript
    from anime_model.networks.checkpoint import load_generator, read_notes

    generator = load_generator(artifacts / QUANTIZED)
    notes = read_notes(artifacts / QUANTIZED)
    bits, ranges = int(notes["weight_bits"]), json.loads(str(notes["ranges"]))
    calibration = load_file(artifacts / "quantized/calibration.safetensors")["pictures"]
    export_int8_onnx(generator, ranges, calibration, out / "int8.onnx", bits)
    export_int8_torchscript(generator, calibration, out / "int8.ts")


if __name__ == "__main__":
    common.run(main, "ARTIFACTS OUT")
