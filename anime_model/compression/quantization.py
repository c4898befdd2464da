"""Static-range INT8: which layers earn their place, and training with fake quantization."""

import copy
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from anime_model.compression.distillation import Lesson, distill
from anime_model.compression.grid import Ranges, calibrate, fake_quantized
from anime_model.metrics.fidelity import psnr
from anime_model.networks.generator import Generator, fold_batch_norm
from anime_model.recipes.quantize import QuantizeSettings
from anime_model.training.loop import Scalars, Training

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
    """The folded network whose `arch.int8` names its INT8 layers, the ranges of activations that it was trained with,
    the sensitivity table, the curve and the figures.
    """

    generator: Generator
    ranges: Ranges
    sensitivity: list[Row]
    curve: list[Scalars]
    figures: dict[str, float]


class Int8Trial:
    """What the pictures [N, 3, H, W] in [-1, 1] of a folded network lose with some of its units in INT8."""

    def __init__(self, folded: Generator, pictures: Tensor, bits: int) -> None:
        self.folded, self.pictures, self.bits = folded, pictures, bits
        self.ranges = calibrate(folded, pictures)
        self.reference = _run(folded, pictures)

    def psnr(self, names: Collection[str]) -> float:
        """dB to the float network's pictures."""
        with fake_quantized(self.folded, names, self.ranges, self.bits):
            return _psnr(self.folded, self.pictures, self.reference)


def fallback_to_float(
    names: Collection[str],
    times: Mapping[str, tuple[float, float]],
    alone: Mapping[str, float],
    within_tolerance: Callable[[Collection[str]], bool],
) -> tuple[str, ...]:
    """Those of `names` that are left when units go back to float, the most harm for the least time saved first, until
    the picture with them is `within_tolerance`.
    """
    left = sorted(names, key=lambda name: _harm(alone[name], *times[name]))
    while left and not within_tolerance(left):
        left.pop()
    return tuple(name for name in times if name in left)


def _harm(alone: float, float_ms: float, int8_ms: float) -> float:
    """Mean squared error for every millisecond saved."""
    return 10 ** (-alone / 10) / max(float_ms - int8_ms, 1e-3)


def quantize(
    student: Generator, lesson: Lesson, settings: QuantizeSettings, plan: Int8Plan, training: Training
) -> Quantized:
    """Folds `student` and fine-tunes it with fake quantization where `plan` has INT8 (Jacob et al., CVPR 2018).

    It learns from the lesson's teacher, or with `settings.towards` from `student` itself: a student whose pictures are
    better than the teacher's should lose nothing but its rounding. Figures, on the calibration crops: PSNR to the
    teacher of the float network (`float_psnr`), and to whom it learns from after calibration alone (`ptq_psnr`) and
    after the fine-tuning (`qat_psnr`).
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
    return Quantized(folded, ranges, sensitivity(plan, settings), curve, figures)


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
