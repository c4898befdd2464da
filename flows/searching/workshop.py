"""What a search needs before its first trial: the family, the photos to judge by, the times of its layers."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from anime_model.compression.block_times import BlockTime, LatencyTable, time_blocks
from anime_model.compression.export import export_onnx
from anime_model.compression.family import Family, Space
from anime_model.compression.family_file import grow, open_family, save_family
from anime_model.compression.family_judge import Judge, split_held_out
from anime_model.compression.family_training import train_family
from anime_model.metrics.latency import cpu_name, measure_onnx
from anime_model.metrics.lpips import load_distance
from anime_model.networks.checkpoint import CheckpointError, load_generator, read_notes
from anime_model.networks.perceptual import load_perceptual
from anime_model.pictures.arrays import picture_files, read_picture
from anime_model.recipes.recipe import Recipe
from anime_model.training.data import centre, to_float
from anime_model.training.imitation import MAPS, PictureLoss, pooled_pairs
from anime_model.training.learnable import learnable
from anime_model.training.loop import Scalars
from anime_model.training.views import Views
from flows.machine.hashes import file_md5
from flows.searching.errors import SearchError
from flows.searching.place import Place
from flows.searching.study import BLOCKS, TEACHER, packed
from tasks.shared import learning

LEAST, MOST = 0.4, 1.75  # widths of the smallest and the largest member, times the distilled network's
CROP = 192  # pixels a side of what members are judged by
MEMBERS = 32  # whose layers are timed
POOL, BATCH = 300, 3  # drawn views kept while the family trains, and parts of them in a step
ORDERING = 32  # photos by which the channels are ordered
# notes of a family: how long it has trained, how small its members get, the md5 of whose pictures it has learned
SECONDS, SMALLEST, TARGET = "seconds", "least", "towards"


@dataclass(frozen=True)
class Bench:
    """The family, and what its members are judged by."""

    family: Family
    photos: Tensor
    wanted: Callable[[Tensor], Tensor]

    def judge(self, net: str, rows: list[BlockTime]) -> Judge:
        return Judge(self.family, self.photos, self.wanted, load_distance(net), LatencyTable(rows))


def prepared(
    place: Place, recipe: Recipe, reference: Path | None, train_seconds: float, least: float | None = None
) -> Bench:
    """`least`: widths of the smallest member, times the distilled network's; None where a family's own will do.

    Raises `SearchError`, `CheckpointError` and `EvaluationError`.
    """
    random.seed(recipe.seed)
    torch.manual_seed(recipe.seed)
    torch.set_num_threads(recipe.training.threads)
    train, apart = split_held_out(picture_files(place.made("data/photos/train")))
    if not apart:
        raise SearchError(f"{place.artifacts / 'data/photos/train'}: too few photos to keep some apart; at least 4")
    wanted = _wanted(place, reference)
    towards = identity_of_target(place, reference)
    if not place.family.exists():
        train_first(place, recipe, train, wanted, train_seconds, least, towards)
    _check_least(place.family, least)
    _check_target(place.family, towards)
    return Bench(open_family(place.family), squares(apart), wanted)


def timed(place: Place, recipe: Recipe, space: Space) -> dict[str, object]:
    """What the first worker of a study measures, as attributes of the study."""
    rows = time_blocks(space, recipe.evaluate.latency_size, _threads(recipe), MEMBERS, 0, _timing)
    return {BLOCKS: packed(rows), TEACHER: teacher_ms(place, recipe), "cpu": cpu_name()}


def _threads(recipe: Recipe) -> int:
    return recipe.evaluate.latency_threads


def _wanted(place: Place, reference: Path | None) -> Callable[[Tensor], Tensor]:
    if reference is None:
        network = load_generator(place.made("teacher/teacher.safetensors"))
    elif reference.is_file():
        network = learnable(reference).eval()
    else:
        raise SearchError(f"--reference {reference}: is not there")
    return drawing(network)


def drawing(network: nn.Module) -> Callable[[Tensor], Tensor]:
    """What the network draws of photos [N, 3, H, W] in [-1, 1]; nothing learns from it."""

    @torch.no_grad()
    def draw(photo: Tensor) -> Tensor:
        return network(photo.contiguous()).clamp(-1, 1)

    return draw


def squares(files: list[Path]) -> Tensor:
    """The middle of each photo, `CROP` pixels a side or as much as the smallest allows: [N, 3, S, S] in [-1, 1]."""
    pictures = [torch.from_numpy(read_picture(file)).permute(2, 0, 1) for file in files]
    side = min(CROP, *(min(picture.shape[1:]) for picture in pictures)) // 16 * 16
    return to_float(torch.stack([centre(picture, side) for picture in pictures]))


def train_first(
    place: Place,
    recipe: Recipe,
    files: list[Path],
    wanted: Callable[[Tensor], Tensor],
    seconds: float,
    least: float | None = None,
    towards: str = "",
) -> None:
    """Writes the family. One that was broken off goes on for the time that was left. Raises `SearchError`."""
    part = place.family.with_name("family.part.safetensors")
    family, done = _begun(part)
    seed = recipe.seed + round(done)  # what was broken off goes on with other views and members
    random.seed(seed)
    torch.manual_seed(seed)
    if family is None:
        lite = load_generator(place.made("distilled/distilled.safetensors"))
        family = grow(lite, wanted, squares(files[:ORDERING]), least or LEAST, MOST)
    else:
        _check_least(part, least)
        _check_target(part, towards)
        least = _least(part)
    notes: dict[str, float | str] = {SMALLEST: least or LEAST, TARGET: towards}
    place.folder.mkdir(parents=True, exist_ok=True)
    views = Views([torch.from_numpy(read_picture(file)).permute(2, 0, 1) for file in files])
    crop = min(recipe.distill.fine_tune.crop, int(views.sizes.min()) // 16 * 16)
    loss = PictureLoss(load_perceptual(recipe.perceptual, MAPS))
    begin = time.monotonic()

    def keep(average: Family) -> None:
        save_family(part, average, **notes | {SECONDS: done + time.monotonic() - begin})

    print(f"training a family around {place.style}'s distilled network for {(seconds - done) / 60:.0f} minutes")
    pairs = pooled_pairs(views, wanted, min(POOL, 4 * len(files)), BATCH, crop)
    bf16 = learning.precision(recipe.training) == "bf16-mixed"
    more = {"on_row": _training, "on_save": keep, "log_every": 25, "before": done}
    trained = train_family(family, pairs, loss, max(1.0, seconds - done), seed, bf16, **more)
    save_family(place.family, trained, **notes | {SECONDS: seconds})
    part.unlink(missing_ok=True)


def _least(file: Path) -> float:
    return float(read_notes(file).get(SMALLEST, LEAST))


def _check_least(file: Path, least: float | None) -> None:
    """Raises `SearchError` where a family is there whose smallest member is another than the one that is wanted."""
    if least is not None and _least(file) != least:
        raise SearchError(
            f"--least {least:g}: {file.parent.name}/{file.name} was trained with {_least(file):g}; move it away first"
        )


def _begun(part: Path) -> tuple[Family | None, float]:
    """A family that was broken off, and the seconds that it had."""
    try:
        return open_family(part), float(read_notes(part)[SECONDS])
    except (CheckpointError, KeyError):
        return None, 0.0


def _training(seconds: float, row: Scalars) -> None:
    ends = ", ".join(f"{key} {row[key]:.3f}" for key in ("largest", "smallest"))
    print(f"family: {seconds / 60:.1f} minutes, step {row['step']}, {ends}", flush=True)


def _timing(step: int, steps: int) -> None:
    if step == steps or step % 8 == 0:
        print(f"times of the layers: {step} of {steps} members", flush=True)


def _check_target(file: Path, towards: str) -> None:
    """Raises `SearchError` where a family has learned the pictures of another network than the one that judges."""
    if (known := read_notes(file).get(TARGET, towards)) != towards:
        name = f"{file.parent.name}/{file.name}"
        raise SearchError(f"{name}: has learned another network's pictures (md5 {known}); move it away first")


def identity_of_target(place: Place, reference: Path | None) -> str:
    """The md5 of the network whose pictures are wanted."""
    return file_md5(reference or place.made("teacher/teacher.safetensors"))


def teacher_ms(place: Place, recipe: Recipe) -> float:
    """Milliseconds of the teacher, in the engine and with the threads of the members' times."""
    file = place.folder / "teacher.onnx"
    export_onnx(load_generator(place.made("teacher/teacher.safetensors")), file)
    found = measure_onnx({"teacher": file}, recipe.evaluate.latency_size, _threads(recipe), 5)["teacher"]
    file.unlink()
    return float(found["latency_p50_ms"])


def identity(place: Place, recipe: Recipe, reference: Path | None) -> dict[str, object]:
    """What all trials of one study have in common: figures of anything else do not compare."""
    return {
        "style": place.style,
        "family_md5": file_md5(place.family),
        "lpips_net": recipe.evaluate.lpips,
        "towards": identity_of_target(place, reference),
    }
