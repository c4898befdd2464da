"""Static-range INT8: calibration, fake quantization for training, and which layers earn their place."""

import contextlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from anime_model.compression.distillation import Lesson, distill
from anime_model.evaluation.fidelity import psnr
from anime_model.networks.generator import ConvUnit, Generator, fold_batch_norm
from anime_model.recipe import QuantizeSettings
from anime_model.training.loop import Scalars, Training

Ranges = dict[str, tuple[float, float]]
Row = dict[str, float | str]


@dataclass(frozen=True)
class Quantized:
    """The folded network whose `arch.int8` names its INT8 layers, the sensitivity table, the curve and the figures."""

    generator: Generator
    sensitivity: list[Row]
    curve: list[Scalars]
    figures: dict[str, float]


def quantizable(generator: Generator) -> dict[str, nn.Module]:
    """The units that can run in INT8, by name: a convolution with its activation, and the output convolution."""
    units = {name: unit for name, unit in generator.named_modules() if isinstance(unit, ConvUnit)}
    return {**units, "out": generator.out}


@torch.no_grad()
def calibrate(generator: Generator, pictures: Tensor) -> Ranges:
    """Smallest and largest value, zero included, that enters (`name.in`) and leaves (`name.out`) every unit."""
    ranges: Ranges = {}
    hooks = [unit.register_forward_hook(_recorder(ranges, name)) for name, unit in quantizable(generator).items()]
    for batch in pictures.split(4):
        generator(batch)
    for hook in hooks:
        hook.remove()
    return ranges


def _recorder(ranges: Ranges, name: str) -> object:
    def record(_: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
        for key, value in ((f"{name}.in", inputs[0]), (f"{name}.out", output)):
            low, high = ranges.get(key, (0.0, 0.0))
            ranges[key] = (min(low, float(value.min())), max(high, float(value.max())))

    return record


class FakeQuantizedWeight(nn.Module):
    """Per-channel symmetric rounding of a kernel to `bits` bits; gradients pass straight through."""

    def __init__(self, bits: int) -> None:
        super().__init__()
        self.limit = 2 ** (bits - 1) - 1

    def forward(self, weight: Tensor) -> Tensor:
        scale = weight.detach().abs().flatten(1).amax(1).clamp_min(1e-8) / self.limit
        zero = torch.zeros_like(scale, dtype=torch.int32)
        return torch.fake_quantize_per_channel_affine(weight, scale, zero, 0, -self.limit, self.limit)


def _fake_quantize(x: Tensor, bounds: tuple[float, float]) -> Tensor:
    """Per-tensor affine rounding of activations to 8 bits in the calibrated range."""
    low, high = bounds
    scale = max((high - low) / 255, 1e-8)
    return torch.fake_quantize_per_tensor_affine(x, scale, max(0, min(255, round(-low / scale))), 0, 255)


@contextlib.contextmanager
def fake_quantized(generator: Generator, names: Sequence[str], ranges: Ranges, bits: int) -> Iterator[Generator]:
    """Within the context the named units of `generator` compute as INT8 would; afterwards it is plain float again."""
    units, hooks = quantizable(generator), []
    for name in names:
        unit = units[name]
        hooks.append(unit.register_forward_pre_hook(_entry(ranges[f"{name}.in"])))
        hooks.append(unit.register_forward_hook(_exit(ranges[f"{name}.out"])))
        parametrize.register_parametrization(_conv(unit), "weight", FakeQuantizedWeight(bits))
    try:
        yield generator
    finally:
        for hook in hooks:
            hook.remove()
        for name in names:
            parametrize.remove_parametrizations(_conv(units[name]), "weight", leave_parametrized=False)


def _conv(unit: nn.Module) -> nn.Conv2d:
    return unit.conv if isinstance(unit, ConvUnit) else unit


def _entry(bounds: tuple[float, float]) -> object:
    return lambda _, inputs: (_fake_quantize(inputs[0], bounds),)


def _exit(bounds: tuple[float, float]) -> object:
    return lambda _, inputs, output: _fake_quantize(output, bounds)


def quantize(
    student: Generator,
    lesson: Lesson,
    settings: QuantizeSettings,
    times: Mapping[str, tuple[float, float]],
    fast: Collection[str],
    training: Training,
) -> Quantized:
    """Folds `student`, decides layer by layer, then fine-tunes with fake quantization (Jacob et al., CVPR 2018).

    `times` holds milliseconds (float, INT8) for every quantizable unit, measured in the engine that ships, and `fast`
    names those whose INT8 makes the whole network faster (`timing.fastest_int8`). Figures: PSNR to the teacher of the
    float network, after calibration alone (`ptq_psnr`), and after the fine-tuning (`qat_psnr`), on the calibration
    crops.
    """
    folded = fold_batch_norm(student.cpu())
    pictures = lesson.photos.fixed(settings.calibration, settings.fine_tune.crop).cpu()
    ranges = calibrate(folded, pictures)
    rows = sensitivity(folded, pictures, ranges, times, fast, settings)
    names = [str(row["layer"]) for row in rows if row["runs_in"] == "int8"]
    wanted = _run(lesson.teacher.cpu(), pictures)
    figures = {"float_psnr": _psnr(folded, pictures, wanted)}
    with fake_quantized(folded, names, ranges, settings.weight_bits):
        figures["ptq_psnr"] = _psnr(folded, pictures, wanted)
        curve = distill("quantize", folded, lesson, settings.fine_tune, training)
        figures["qat_psnr"] = _psnr(folded.cpu(), pictures, wanted)
    folded.arch = replace(folded.arch, int8=tuple(names))
    return Quantized(folded, rows, curve, figures)


def sensitivity(
    folded: Generator,
    pictures: Tensor,
    ranges: Ranges,
    times: Mapping[str, tuple[float, float]],
    fast: Collection[str],
    settings: QuantizeSettings,
) -> list[Row]:
    """One row a unit: PSNR (dB, to the float network) with it alone in INT8, its times, where it runs and why."""
    reference = _run(folded, pictures)
    rows: list[Row] = []
    for name in quantizable(folded):
        with fake_quantized(folded, [name], ranges, settings.weight_bits):
            alone = _psnr(folded, pictures, reference)
        float_ms, int8_ms = times[name]
        row: Row = {"layer": name, "psnr_alone": round(alone, 3), "float_ms": float_ms, "int8_ms": int8_ms}
        rows.append(row | _verdict(name, name in fast, settings))
    if settings.keep_float is None:
        _protect_picture(folded, pictures, reference, ranges, rows, settings)
    return rows


def _verdict(name: str, fast: bool, settings: QuantizeSettings) -> Row:
    if settings.keep_float is not None:
        kept = name in settings.keep_float
        return {"runs_in": "float" if kept else "int8", "reason": "named in the recipe" if kept else ""}
    return {"runs_in": "int8" if fast else "float", "reason": "" if fast else "the network is not faster with it"}


def _protect_picture(
    folded: Generator, pictures: Tensor, reference: Tensor, ranges: Ranges, rows: list[Row], settings: QuantizeSettings
) -> None:
    """Takes layers back to float, the most harm for the least time saved first, until the picture is near enough."""
    while chosen := [row for row in rows if row["runs_in"] == "int8"]:
        names = [str(row["layer"]) for row in chosen]
        with fake_quantized(folded, names, ranges, settings.weight_bits):
            if _psnr(folded, pictures, reference) >= settings.psnr:
                return
        worst = max(chosen, key=_harm)
        worst |= {"runs_in": "float", "reason": f"the picture falls under {settings.psnr:g} dB with it"}


def _harm(row: Row) -> float:
    """Mean squared error for every millisecond saved."""
    saved = max(float(row["float_ms"]) - float(row["int8_ms"]), 1e-3)
    return 10 ** (-float(row["psnr_alone"]) / 10) / saved


@torch.no_grad()
def _run(network: Generator, pictures: Tensor) -> Tensor:
    return torch.cat([network(batch) for batch in pictures.split(4)])


def _psnr(network: Generator, pictures: Tensor, wanted: Tensor) -> float:
    return float(psnr(_run(network, pictures), wanted))
