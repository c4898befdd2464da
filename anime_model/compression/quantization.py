"""Static-range INT8: calibration, fake quantization for training, and which layers earn their place."""

import contextlib
import copy
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from anime_model.compression.distillation import Lesson, distill
from anime_model.metrics.fidelity import psnr
from anime_model.networks.generator import ConvUnit, Generator, fold_batch_norm
from anime_model.recipes.quantize import QuantizeSettings
from anime_model.training.loop import Scalars, Training

Ranges = dict[str, tuple[float, float]]
Row = dict[str, float | str]


@dataclass(frozen=True)
class Int8Plan:
    """Which units run in INT8, and why: for every quantizable unit its milliseconds (float, INT8) in the engine that
    ships, and the PSNR (dB, to the float network's) of the picture with it alone in INT8.
    """

    times: Mapping[str, tuple[float, float]]
    alone: Mapping[str, float]
    int8: tuple[str, ...]


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


class Int8Trial:
    """What the pictures [N, 3, H, W] in [-1, 1] of a folded network lose with some of its units in INT8."""

    def __init__(self, folded: Generator, pictures: Tensor, bits: int) -> None:
        self.folded, self.pictures, self.bits = folded, pictures, bits
        self.ranges = calibrate(folded, pictures)
        self.reference = _run(folded, pictures)

    def psnr(self, names: Collection[str]) -> float:
        """dB to the float network's pictures."""
        with fake_quantized(self.folded, list(names), self.ranges, self.bits):
            return _psnr(self.folded, self.pictures, self.reference)


def protected(
    names: Collection[str],
    times: Mapping[str, tuple[float, float]],
    alone: Mapping[str, float],
    bears: Callable[[Collection[str]], bool],
) -> tuple[str, ...]:
    """Those of `names` that are left when units go back to float, the most harm for the least time saved first, until
    the picture `bears` them.
    """
    left = sorted(names, key=lambda name: _harm(alone[name], *times[name]))
    while left and not bears(left):
        left.pop()
    return tuple(name for name in times if name in left)


def _harm(alone: float, float_ms: float, int8_ms: float) -> float:
    """Mean squared error for every millisecond saved."""
    return 10 ** (-alone / 10) / max(float_ms - int8_ms, 1e-3)


def quantize(
    student: Generator, lesson: Lesson, settings: QuantizeSettings, plan: Int8Plan, training: Training
) -> Quantized:
    """Folds `student` and fine-tunes it with fake quantization where `plan` has INT8 (Jacob et al., CVPR 2018).

    It learns from the lesson's teacher, or by `settings.towards` from `student` itself: one whose pictures are better
    than the teacher's should lose nothing but its rounding. Figures, on the calibration crops: PSNR to the teacher of
    the float network (`float_psnr`), and to whom it learns from after calibration alone (`ptq_psnr`) and after the
    fine-tuning (`qat_psnr`).
    """
    folded = fold_batch_norm(student.cpu())
    pictures = lesson.photos.fixed(settings.calibration, settings.fine_tune.crop).cpu()
    ranges = calibrate(folded, pictures)
    figures = {"float_psnr": _psnr(folded, pictures, _run(lesson.teacher.cpu(), pictures))}
    if settings.towards == "student":
        lesson = replace(lesson, teacher=copy.deepcopy(folded).requires_grad_(False), drawings=None)
    wanted = _run(lesson.teacher.cpu(), pictures)
    with fake_quantized(folded, plan.int8, ranges, settings.weight_bits):
        figures["ptq_psnr"] = _psnr(folded, pictures, wanted)
        curve = distill("quantize", folded, lesson, settings.fine_tune, training)
        figures["qat_psnr"] = _psnr(folded.cpu(), pictures, wanted)
    folded.arch = replace(folded.arch, int8=plan.int8)
    return Quantized(folded, sensitivity(plan, settings), curve, figures)


def sensitivity(plan: Int8Plan, settings: QuantizeSettings) -> list[Row]:
    """One row a unit: PSNR (dB, to the float network) with it alone in INT8, its times, where it runs and why."""
    return [
        {
            "layer": name,
            "psnr_alone": round(plan.alone[name], 3),
            "float_ms": float_ms,
            "int8_ms": int8_ms,
            "runs_in": "int8" if name in plan.int8 else "float",
            "reason": "" if name in plan.int8 else _reason(plan.alone[name], settings),
        }
        for name, (float_ms, int8_ms) in plan.times.items()
    ]


def _reason(alone: float, settings: QuantizeSettings) -> str:
    """Why a unit runs in float."""
    if settings.keep_float is not None:
        return "named in the recipe"
    if alone < settings.psnr:
        return f"the picture falls under {settings.psnr:g} dB with it"
    return f"the network is not faster with it, as long as the picture stays at {settings.psnr:g} dB"


@torch.no_grad()
def _run(network: Generator, pictures: Tensor) -> Tensor:
    return torch.cat([network(batch) for batch in pictures.split(4)])


def _psnr(network: Generator, pictures: Tensor, wanted: Tensor) -> float:
    return float(psnr(_run(network, pictures), wanted))
