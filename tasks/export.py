"""Files that run without PyTorch, and TorchScript: `python -m tasks.export ARTIFACTS OUT`.

ARTIFACTS is the style's folder with the checkpoints of every stage.
"""

import json
from pathlib import Path

from safetensors.torch import load_file

from anime_model.compression.export import export_int8_onnx, export_onnx
from anime_model.compression.torchscript import export_int8_torchscript, export_torchscript
from anime_model.networks.checkpoint import load_generator, read_notes
from tasks.shared import common

CHECKPOINTS = {
    "teacher": "teacher/teacher.safetensors",
    "separable": "separable/separable.safetensors",
    "pruned": "pruned/pruned.safetensors",
    "distilled": "distilled/distilled.safetensors",
}
QUANTIZED = "quantized/quantized.safetensors"


def main(arguments: list[str]) -> None:
    artifacts, out = map(Path, arguments)
    common.fresh(out)
    for step, (variant, checkpoint) in enumerate(CHECKPOINTS.items(), start=1):
        generator = load_generator(artifacts / checkpoint)
        export_onnx(generator, out / f"{variant}.onnx")
        export_torchscript(generator, out / f"{variant}.ts")
        common.show(step, len(CHECKPOINTS) + 1, {})
    export_int8(artifacts, out)
    common.show(len(CHECKPOINTS) + 1, len(CHECKPOINTS) + 1, {})
    common.write_json(out / "exports.json", {file.name: file.stat().st_size for file in sorted(out.iterdir())})


def export_int8(artifacts: Path, out: Path) -> None:
    generator = load_generator(artifacts / QUANTIZED)
    notes = read_notes(artifacts / QUANTIZED)
    bits, ranges = int(notes["weight_bits"]), json.loads(str(notes["ranges"]))
    calibration = load_file(artifacts / "quantized/calibration.safetensors")["pictures"]
    export_int8_onnx(generator, ranges, calibration, out / "int8.onnx", bits)
    export_int8_torchscript(generator, calibration, out / "int8.ts")


if __name__ == "__main__":
    common.run(main, "ARTIFACTS OUT")
