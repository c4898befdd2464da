"""What the stages that train share: where they train, where unfinished work is kept, and what a student learns from."""

import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from lightning_fabric import Fabric

from anime_model.compression.distillation import Lesson
from anime_model.networks.checkpoint import load_generator
from anime_model.networks.perceptual import load_perceptual
from anime_model.recipe import CheckSettings, DistillSettings, PromoteSettings, Recipe, TrainingSettings
from anime_model.training.data import Pictures
from anime_model.training.drawn import Drawings
from anime_model.training.loop import Training
from tasks.common import read_json, show

SCRATCH = Path("scratch")


def training(recipe: Recipe, stage: str, inputs: Sequence[Path]) -> Training:
    """A `Training` whose scratch folder is named after the recipe, the inputs and the code.

    A broken run is taken up again only by a run of exactly the same work.
    """
    settings = recipe.training
    torch.set_num_threads(settings.threads)
    fabric = Fabric(accelerator=settings.accelerator, devices=settings.devices, precision=precision(settings))
    fabric.launch()
    scratch = SCRATCH / stage / fingerprint(recipe, inputs)
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
        capabilities = getattr(torch.cpu, "get_capabilities", dict)()  # PyTorch before 2.12 has none
        native = capabilities.get("amx_bf16") or capabilities.get("avx512_bf16")
    return "bf16-mixed" if native else "32-true"


def fingerprint(recipe: Recipe, inputs: Sequence[Path]) -> str:
    """Hash of all that a stage's result depends on, in 16 hexadecimal digits."""
    trained = replace(recipe, checks=CheckSettings(), promote=PromoteSettings(), notify=())  # come before and after
    trained = replace(trained, training=replace(recipe.training, precision=precision(recipe.training)))
    digest = hashlib.sha256(repr(trained).encode())
    for path in [*inputs, Path(__file__).parent.parent / "anime_model", Path(__file__).parent]:
        for file in [path] if path.is_file() else sorted(path.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                digest.update(str(file.relative_to(path)).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:16]


def finish(scratch: Path) -> None:
    """Drops the resume files of work that is done."""
    shutil.rmtree(scratch, ignore_errors=True)


def lesson(
    recipe: Recipe, settings: DistillSettings, teacher: Path, data: Path, reference: Path, device: torch.device
) -> Lesson:
    """The teacher, the photos in memory and the perceptual network that a distilling stage needs.

    With `reference_share` the drawings in `reference` too, where the style has a published network.
    """
    layers = tuple(dict.fromkeys((*settings.content_layers, *settings.style_layers)))
    photos = Pictures(data / "photos" / "train", device, settings.crop)
    drawings = None
    if settings.reference_share and read_json(reference / "reference.json"):
        drawings = Drawings(data / "photos" / "train", reference, device)
    return Lesson(load_generator(teacher), photos, load_perceptual(recipe.perceptual, layers).to(device), drawings)
