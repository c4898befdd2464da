"""The one training loop: every stage that trains gives it a step and gets resuming, curves and progress."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import nn
from torch.optim import Optimizer

from anime_model.training.resume import load_state, save_state
from anime_model.training.together import mean_over_processes

Scalars = dict[str, float]
OnStep = Callable[[int, int, Scalars], None]


class TrainingError(ValueError):
    """Training that cannot go on."""


def silent(step: int, total: int, scalars: Scalars) -> None:
    """Progress that nobody listens to."""


@dataclass(frozen=True)
class Training:
    """Where and how a stage trains.

    `scratch` holds its resume files and belongs to one recipe, one data set and one version of the code: the caller
    names it after these. `save_every` is in seconds.
    """

    scratch: Path
    seed: int = 0
    fabric: Fabric = field(default_factory=lambda: Fabric(accelerator="cpu", devices=1))
    on_step: OnStep = silent
    save_every: float = 20.0
    log_every: int = 10

    @property
    def device(self) -> torch.device:
        return self.fabric.device

    def fit(
        self,
        name: str,
        steps: int,
        take_step: Callable[[int], Mapping[str, torch.Tensor]],
        modules: Mapping[str, nn.Module],
        optimizers: Mapping[str, Optimizer],
        after_step: Callable[[int], None] | None = None,
    ) -> list[Scalars]:
        """Runs `take_step(step)` for the steps 0 ... steps - 1 that a former, broken run has not done yet.

        `modules` and `optimizers` are restored from and saved to the resume file of phase `name`. Returns the curve:
        one row every `log_every` steps. Raises `TrainingError` when a scalar is no longer finite.
        """
        file = self.scratch / f"{name}.safetensors"
        facts = load_state(file, modules, optimizers) or {"step": 0, "curve": []}
        if (scaler := self._scaler()) and facts.get("scaler"):
            scaler.load_state_dict(facts["scaler"])
        curve, saved = facts["curve"], time.monotonic()
        for step in range(facts["step"], steps):
            scalars = take_step(step)
            if (step + 1) % self.log_every == 0 or step + 1 == steps:
                curve.append({"step": step + 1, **_floats(name, step, self._of_all(scalars))})
                if self.fabric.is_global_zero:
                    self.on_step(step + 1, steps, curve[-1])
            if after_step:
                after_step(step + 1)
            if step + 1 == steps or self._agreed(time.monotonic() - saved > self.save_every):
                _floats(name, step, self._of_all(scalars))
                check_finite(modules, f"step {step + 1} of {name}")
                scale = {"scaler": scaler.state_dict()} if scaler else {}
                self._save(file, modules, optimizers, {"step": step + 1, "curve": curve, **scale})
                saved = time.monotonic()
        return curve

    def _of_all(self, scalars: Mapping[str, torch.Tensor]) -> Mapping[str, torch.Tensor]:
        """The mean over the processes: the figures of the whole batch. One that is not finite stops all of them."""
        if not scalars or self.fabric.world_size == 1:
            return scalars
        values = torch.stack([value.detach().float().to(self.device) for value in scalars.values()])
        return dict(zip(scalars, mean_over_processes(values), strict=True))

    def _agreed(self, due: bool) -> bool:
        """What the first process decides. Their clocks differ, and who saves waits for all the others."""
        return bool(self.fabric.broadcast(due)) if self.fabric.world_size > 1 else due

    def _scaler(self) -> torch.amp.GradScaler | None:
        """What keeps gradients of 16 bits from vanishing; its scale is a part of where training stands."""
        return getattr(self.fabric.strategy.precision, "scaler", None)

    def _save(
        self,
        file: Path,
        modules: Mapping[str, nn.Module],
        optimizers: Mapping[str, Optimizer],
        facts: dict[str, Any],
    ) -> None:
        if self.fabric.is_global_zero:
            save_state(file, modules, optimizers, facts)
        self.fabric.barrier()


def check_finite(modules: Mapping[str, nn.Module], where: str) -> None:
    """Raises `TrainingError` where a weight is no number: a file of such a state would end every run that goes on."""
    for name, module in modules.items():
        for value in module.state_dict().values():
            if value.is_floating_point() and not bool(value.isfinite().all()):
                raise TrainingError(f"the weights of the {name} are not finite at {where}; lower the learning rate")


def _floats(name: str, step: int, scalars: Mapping[str, torch.Tensor]) -> Scalars:
    values = {key: round(float(value), 6) for key, value in scalars.items()}
    wrong = [key for key, value in values.items() if not math.isfinite(value)]
    if wrong:
        raise TrainingError(f"{name}: {', '.join(wrong)} is not finite at step {step + 1}; lower its learning rate")
    return values


def cosine(step: int, steps: int, rate: float, warm_up: int = 0, floor: float = 0.02) -> float:
    """Learning rate at `step`: a linear rise over `warm_up` steps, then a cosine from `rate` to `floor` x `rate`."""
    if step < warm_up:
        return rate * (step + 1) / warm_up
    progress = (step - warm_up) / max(1, steps - warm_up)
    return rate * (floor + (1 - floor) * (1 + math.cos(math.pi * progress)) / 2)


def set_rate(optimizer: Optimizer, rate: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate


@torch.no_grad()
def update_average(average: nn.Module, network: nn.Module, step: int, decay: float = 0.998) -> None:
    """Exponential moving average of weights, with a shorter memory at the start; buffers are copied."""
    keep = min(decay, (step + 1) / (step + 10))
    for mean, value in zip(average.parameters(), network.parameters(), strict=True):
        mean.lerp_(value, 1 - keep)
    for mean, value in zip(average.buffers(), network.buffers(), strict=True):
        mean.copy_(value)
