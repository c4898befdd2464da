"""Makes the release files of an evaluated style: `python -m tasks.ship STYLE`.

The lite network into anime_model/weights/ with its figures inside, its card beside it, and the teacher in half
precision into models/teachers/. Not a stage: a person decides what ships.
"""

import json
from pathlib import Path

import onnx

from anime_model.networks.checkpoint import load_generator, read_notes, save_generator
from tasks import common

WEIGHTS = Path("anime_model/weights")
TEACHERS = Path("models/teachers")
LITE = "int8"
KEPT = ("parameters", "macs_512", "bytes", "latency_engine", "latency_threads", "cpu", "fid", "fid_features", "lpips")
CARD = """# {style}.onnx

Turns a photo into the look of the style `{style}`: an AnimeGANv2 generator made small, {parameters:,} parameters in {megabytes:.2f} MB, INT8 where that
is faster and the picture bears it. Input `photo` and output `anime`: float32 [1, 3, H, W] in [-1, 1], H and W from 8 up, best in multiples of 4.

- **Made by** `recipes/release.yaml`: depthwise-separable convolutions started from the teacher's kernels, channel pruning, distillation from the teacher,
  quantization-aware fine-tuning. The teacher, `models/teachers/{style}.safetensors`, was trained for {teacher_steps:,} adversarial steps as its notes say.
- **Data**: {photos:,} photos (US portraits, the Face Research Lab London Set, BSDS500, ImageNet samples, landscapes; for research) and {frames} frames of
  films, copyrighted, used for research and neither contained nor redistributed.
- **Licence**: research and private use. Photos and films belong to their owners; nobody but you answers for what you make with it.
- **Figures** (all of them, with their protocol: [docs/results.md](../../docs/results.md)): FID {fid:.3g} where the teacher has {teacher_fid:.3g} and untouched
  photos have {fid_photos:.3g} ({fid_features}), LPIPS to the teacher {lpips:.3f} ({lpips_net}), one 512x512 picture in {latency:.0f} ms, {faster:.0f} times
  faster than the teacher in the same run ({latency_engine}, {latency_threads} threads, {cpu}).
- **Limits**: {limits}
"""
LIMITS = (
    "trained at {crop} px for a short time; small faces and fine texture become patches of colour, lettering is lost, and "
    "a film's drawing is not reached: edges stay those of the photo."
)


def main(arguments: list[str]) -> None:
    style = arguments[0]
    artifacts = Path("artifacts", style)
    lite, teacher = (common.read_json(artifacts / f"evaluation/{name}.json") for name in (LITE, "teacher"))
    WEIGHTS.mkdir(parents=True, exist_ok=True)
    model = onnx.load(artifacts / f"exports/{LITE}.onnx")
    card = {"style": style, **{key: lite[key] for key in KEPT}}
    onnx.helper.set_model_props(model, {"card": json.dumps(card)})
    onnx.save(model, WEIGHTS / f"{style}.onnx")
    notes = read_notes(artifacts / "teacher/teacher.safetensors")
    if not (TEACHERS / f"{style}.safetensors").exists():
        generator = load_generator(artifacts / "teacher/teacher.safetensors")
        save_generator(TEACHERS / f"{style}.safetensors", generator.half(), **notes)
    (WEIGHTS / f"{style}.md").write_text(text(style, artifacts, lite, teacher, notes))


def text(style: str, artifacts: Path, lite: dict, teacher: dict, notes: dict) -> str:
    """The model card, its figures from the metrics files."""
    data = common.read_json(artifacts / "data/prepared.json")
    return CARD.format(
        **{key: lite[key] for key in ("parameters", "fid", "fid_features", "fid_photos", "lpips", "lpips_net", "cpu")},
        style=style,
        megabytes=lite["bytes"] / 1e6,
        photos=data["photos"],
        frames=data["frames"],
        teacher_steps=notes["trained_steps"],
        teacher_fid=teacher["fid"],
        latency=lite["latency_p50_ms"],
        faster=teacher["latency_p50_ms"] / lite["latency_p50_ms"],
        latency_engine=lite["latency_engine"],
        latency_threads=lite["latency_threads"],
        limits=LIMITS.format(crop=notes.get("crop", "?")),
    )


if __name__ == "__main__":
    common.run(main, "STYLE")
