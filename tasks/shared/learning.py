"""What the stages that train share: where they train, and where unfinished work is kept."""

import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import replace
from operator import attrgetter
from pathlib import Path
from typing import Protocol

import torch
import yaml
from lightning_fabric import Fabric

from anime_model.recipes.training import TrainingSettings
from anime_model.training.loop import Training
from tasks.shared.common import show

PROJECT = Path(__file__).parents[2]
SCRATCH = Path("scratch")


class Trained(Protocol):
    """What a stage that trains reads of the recipe, beside its own section."""

    seed: int
    training: TrainingSettings


def training(recipe: Trained, stage: str, inputs: Sequence[Path]) -> Training:
    """A `Training` whose scratch folder is named after the stage's params, inputs and code.

    A broken run is taken up again only by a run of exactly the same work.
    """
    settings = recipe.training
    torch.set_num_threads(settings.threads)
    fabric = Fabric(accelerator=settings.accelerator, devices=settings.devices, precision=precision(settings))
    fabric.launch()
    scratch = SCRATCH / stage / fingerprint(stage, recipe, inputs)
    return Training(scratch, recipe.seed, fabric, show, settings.save_every)


def precision(settings: TrainingSettings) -> str:
    """What "auto" stands for on this machine, in the words of Lightning Fabric."""
    if settings.precision != "auto":
        return settings.precision
    if settings.accelerator in ("auto", "cuda") and torch.cuda.is_available():
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    elif settings.accelerator == "mps" or (settings.accelerator == "auto" and torch.backends.mps.is_available()):
        native = False
    else:
        capabilities: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()  # PyTorch before 2.12 has none
        native = capabilities.get("amx_bf16") or capabilities.get("avx512_bf16")
    return "bf16-mixed" if native else "32-true"


def fingerprint(stage: str, recipe: Trained, inputs: Sequence[Path]) -> str:
    """Hash of all that a stage's result depends on, in 16 hexadecimal digits.

    That is what `dvc.yaml` lists for it, its params and the files of its deps, and the `inputs` that it was given.
    """
    declared = yaml.safe_load((PROJECT / "dvc.yaml").read_text())["stages"][stage]
    resolved = replace(recipe, training=replace(recipe.training, precision=precision(recipe.training)))  # type: ignore[type-var, arg-type]
    digest = hashlib.sha256(repr([(key, attrgetter(key)(resolved)) for key in declared["params"]]).encode())
    code = [PROJECT / dep for dep in declared["deps"] if "${" not in dep]  # what has a style in its name is an input
    for path in [*inputs, *code]:
        for file in [path] if path.is_file() else sorted(path.rglob("*")):
            if file.is_file():
                digest.update(str(file.relative_to(path)).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:16]


def finish(scratch: Path) -> None:
    """Drops the resume files of work that is done."""
    shutil.rmtree(scratch, ignore_errors=True)
