"""INT8 layer by layer, then fine-tuning: `python -m tasks.quantize STUDENT TEACHER DATA REFERENCE OUT`."""

import json
from dataclasses import asdict
from pathlib import Path

from anime_model.compression.quantization import Int8Plan, Row, quantize
from anime_model.compression.timing import plan
from anime_model.networks.checkpoint import load_generator, save_generator
from anime_model.networks.generator import Generator
from anime_model.networks.tensors import write_tensors
from anime_model.pictures.tables import write_table
from anime_model.recipes.quantize import QuantizeStage
from anime_model.training.data import Pictures
from tasks.shared import common, distilling, learning


def main(arguments: list[str]) -> None:
    source, teacher, data, reference, out = map(Path, arguments)
    recipe = common.settings(QuantizeStage)
    settings = recipe.quantize
    training = learning.training(recipe, "quantize", [source, teacher, data, reference])
    lesson = distilling.lesson(recipe.perceptual, settings.fine_tune, teacher, data, reference, training.device)
    student = load_generator(source)
    with training.fabric.rank_zero_first():  # who plans measures times: alone, and once for all
        decided = kept_plan(recipe, student, lesson.photos, training.scratch)
    quantized = quantize(student, lesson, settings, decided, training)
    if not training.fabric.is_global_zero:
        return
    common.fresh(out)
    grid = {"weight_bits": settings.weight_bits, "ranges": json.dumps(quantized.ranges)}
    save_generator(out / "quantized.safetensors", quantized.generator.cpu(), **grid)
    calibration = lesson.photos.fixed(settings.calibration, settings.fine_tune.crop)
    write_tensors(out / "calibration.safetensors", {"pictures": calibration})
    write_table(out / "curve.csv", quantized.curve)
    write_table(out / "sensitivity.csv", told(quantized.sensitivity))
    common.write_json(out / "summary.json", {"int8_layers": len(quantized.generator.arch.int8), **quantized.figures})
    learning.finish(training.scratch)


def told(rows: list[Row]) -> list[Row]:
    """`rows` without their times, which are said instead: a file that held them would never be made again."""
    for row in rows:
        print(f"{row['layer']}: {row['float_ms']:.3g} ms in float, {row['int8_ms']:.3g} ms in INT8", flush=True)
    return [{key: value for key, value in row.items() if not key.endswith("_ms")} for row in rows]


def kept_plan(recipe: QuantizeStage, student: Generator, photos: Pictures, scratch: Path) -> Int8Plan:
    """Which units run in INT8, decided once by measuring: a resumed run decides as the broken one did."""
    file, settings = scratch / "plan.json", recipe.quantize
    if not file.exists():
        pictures = photos.fixed(settings.calibration, settings.fine_tune.crop).cpu()
        made = plan(
            student, pictures, settings, recipe.evaluate.latency_threads, lambda *steps: common.show(*steps, {})
        )
        scratch.mkdir(parents=True, exist_ok=True)
        common.write_json(file, asdict(made))
    kept = common.read_json(file)
    return Int8Plan(kept["times"], kept["alone"], tuple(kept["int8"]))


if __name__ == "__main__":
    common.run(main, "STUDENT TEACHER DATA REFERENCE OUT")
