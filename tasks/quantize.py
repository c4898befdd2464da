"""INT8 layer by layer, then quantization-aware fine-tuning: `python -m tasks.quantize STUDENT TEACHER DATA OUT`."""

from pathlib import Path

from anime_model.compression.quantization import quantize
from anime_model.compression.timing import fastest_int8, unit_times
from anime_model.networks.checkpoint import load_generator, save_generator
from anime_model.networks.generator import Generator
from anime_model.networks.tensors import write_tensors
from anime_model.recipe import Recipe
from anime_model.training.data import Pictures
from anime_model.training.loop import write_curve
from tasks import common, learning


def main(arguments: list[str]) -> None:
    source, teacher, data, out = map(Path, arguments)
    recipe = common.recipe()
    settings = recipe.quantize
    training = learning.training(recipe, "quantize", [source, teacher, data])
    lesson = learning.lesson(recipe, settings.fine_tune, teacher, data, training.device)
    student = load_generator(source)
    times, fast = kept_timing(recipe, student, lesson.photos, training.scratch)
    quantized = quantize(student, lesson, settings, times, fast, training)
    if not training.fabric.is_global_zero:
        return
    common.fresh(out)
    save_generator(out / "quantized.safetensors", quantized.generator.cpu(), weight_bits=settings.weight_bits)
    calibration = lesson.photos.fixed(settings.calibration, settings.fine_tune.crop)
    write_tensors(out / "calibration.safetensors", {"pictures": calibration})
    write_curve(out / "curve.csv", quantized.curve)
    common.write_rows(out / "sensitivity.csv", quantized.sensitivity)
    common.write_json(out / "summary.json", {"int8_layers": len(quantized.generator.arch.int8), **quantized.figures})
    learning.finish(training.scratch)


def kept_timing(
    recipe: Recipe, student: Generator, photos: Pictures, scratch: Path
) -> tuple[dict[str, tuple[float, float]], list[str]]:
    """Times of every unit and what is fastest in INT8, measured once: a resumed run decides as the broken one did."""
    file, settings = scratch / "timing.json", recipe.quantize
    if not file.exists():
        calibration = photos.fixed(4, settings.fine_tune.crop).cpu()
        how = (calibration, settings.weight_bits, settings.timing_size, recipe.evaluate.latency_threads)
        times = unit_times(student, *how)
        start = [name for name, (float_ms, int8_ms) in times.items() if int8_ms <= settings.slower * float_ms]
        fast = list(fastest_int8(student, *how, start)) if settings.keep_float is None else []
        scratch.mkdir(parents=True, exist_ok=True)
        common.write_json(file, {"times": times, "fast": fast})
    kept = common.read_json(file)
    return kept["times"], kept["fast"]


if __name__ == "__main__":
    common.run(main, "STUDENT TEACHER DATA OUT")
