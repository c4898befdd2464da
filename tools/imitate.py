"""Trains a style's networks on a published network's pictures for a number of seconds: `python -m tools.imitate WHAT`.

It needs PyTorch, torch-pruning, lightning-fabric, onnx, pydantic and safetensors, and no pipeline: for a GPU that is
lent for minutes, or one core of a CPU for hours. WHAT is

- teacher: a full-width generator goes on from `--start`;
- lite:    from the teacher `--start`, separable, pruned in three rounds and distilled, a quarter of the time for the
           first two; each kept in `--out`;
- polish:  a lite network goes on from `--start` on the published network's pictures alone, its norms folded;
- family:  the lite network `--start`, grown to `--most` times its widths, learns with all narrower ones, down to
           `--least` times, that are slices of it (`anime_model/compression/family.py`); a family goes on.

Views of the photos are drawn as the training goes (`anime_model/training/views.py`), and so are their targets: on a GPU
for every step, on a CPU into a pool of whole pictures that is renewed a few at a time. A teacher whose norms see the
whole picture learns from the pool's pictures whole, one in each step; the others from `--batch` parts of `--crop` px.
"""

import argparse
import copy
import random
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from anime_model.compression.distillation import Adapters, feature_matching, freeze_norms, with_kl
from anime_model.compression.family import Family, as_network
from anime_model.compression.family_file import FAMILY, grow, open_family, resized
from anime_model.compression.family_training import GATE_COST, RATE
from anime_model.compression.family_training import train_family as learn_family
from anime_model.compression.norms import interleaved_batches, recalibrate_batch_norm
from anime_model.compression.pruning import BUDGETS, cut, least_widths, narrow
from anime_model.compression.reach import with_kernels
from anime_model.compression.reconstruction import reconstruct
from anime_model.compression.separable import replace_convs
from anime_model.compression.stem import merge_stem, strided_stem
from anime_model.networks.checkpoint import load_generator, read_notes, save_generator
from anime_model.networks.generator import Generator, fold_batch_norm, unfold_batch_norm, with_gate
from anime_model.networks.perceptual import load_perceptual
from anime_model.pictures.arrays import picture_files, read_picture
from anime_model.recipes.prune import PruneSettings
from anime_model.recipes.replace_convs import ReplaceSettings
from anime_model.training import losses
from anime_model.training.calming import calmed
from anime_model.training.critic import Critic
from anime_model.training.gate_cost import GateCost
from anime_model.training.imitation import MAPS, Learner, PictureLoss, pooled_pairs
from anime_model.training.learnable import learnable
from anime_model.training.loop import Scalars
from anime_model.training.losses import Made
from anime_model.training.views import Views

REPLACED = ("a2", "b0", "b1", "c0", "c5", "d0", "d1", "e0", "e1", "e2")
KERNELS = {"a0": 5, "e2": 3}
ROUNDS = 3
FIXED = 32  # photos that pruning goes by
KL, TEMPERATURE, FEATURE = 0.2, 3.0, 0.3  # share of the total, temperature and weight, as in distillation


@dataclass(frozen=True)
class Room:
    """What all trainings share: views, the published network, how near pictures are, and where and how long."""

    views: Views
    reference: nn.Module
    loss: nn.Module
    device: torch.device
    options: argparse.Namespace
    calm: Tensor  # by photo, how much its skin is smoothed before the published network draws it

    def autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.options.bf16)

    def photos(self) -> tuple[Tensor, Tensor]:
        """Views, and what the published network gets of them."""
        pick = self.views.pick(self.options.batch)
        views = self.views.draw(len(pick), self.options.crop, pick).contiguous(memory_format=torch.channels_last)
        return views, self.seen(views, pick)

    def seen(self, photo: Tensor, pick: Tensor) -> Tensor:
        return calmed(photo, self.calm[pick])

    @torch.no_grad()
    def wanted(self, photo: Tensor) -> Tensor:
        return self.reference(photo.contiguous()).clamp(-1, 1).contiguous(memory_format=torch.channels_last)

    def fixed(self) -> Tensor:
        return self.views.fixed(FIXED, self.options.crop)

    def learner(self, name: str, network: nn.Module, step: Callable[[float], Made], rate: float, **more) -> Learner:
        keep = more.pop("keep", lambda average: save(self.options.out / f"{name}.safetensors", average, self.options))
        count = more.pop("pictures", self.options.batch)  # in a step
        return Learner(network, step, rate, on_row=_teller(name, count), on_save=keep, **more)


def save(path: Path, network: Generator, options: argparse.Namespace, **notes: str) -> None:
    plain = copy.deepcopy(network).cpu().to(memory_format=torch.contiguous_format).float()
    save_generator(path, plain.half(), learned_from=options.reference.name, crop=options.crop, **notes)


def _teller(name: str, batch: int) -> Callable[[float, Scalars], None]:
    def tell(seconds: float, row: Scalars) -> None:
        rest = " ".join(f"{key} {value:.4f}" for key, value in row.items() if key != "step")
        print(f"{name}: {seconds:.0f} s, {row['step'] * batch / max(1, seconds):.1f} pictures/s, {rest}", flush=True)

    return tell


def train_teacher(room: Room) -> None:
    options = room.options
    teacher = load_generator(options.start)
    if options.gate:
        teacher = with_gate(teacher)
    teacher = teacher.to(room.device, memory_format=torch.channels_last).train()
    whole = room.device.type == "cpu" and teacher.arch.norm == "group"
    pairs, with_cost, judged = _pairs(room, whole=whole), _gate_cost(room, teacher), _judge(room)
    draw = torch.compile(teacher) if options.compile else teacher

    def step(done: float) -> Made:
        photo, wanted = pairs()
        with room.autocast():
            return with_cost(*judged(draw(photo).float(), wanted))

    pictures = 1 if whole else options.batch
    room.learner("teacher", teacher, step, options.rate or 5e-4, pictures=pictures).run(options.seconds)


def train_lite(room: Room) -> None:
    options = room.options
    teacher = load_generator(options.start)
    settings = ReplaceSettings(
        layers=REPLACED, kernels=KERNELS, upsample="half_pixel", detail=teacher.arch.detail, stem="strided"
    )
    photos = room.fixed()
    student = replace_convs(teacher.to(room.device), settings, photos).to(room.device)
    reconstruct(student, teacher, photos)
    teacher = teacher.to(room.device, memory_format=torch.channels_last).requires_grad_(False)
    student = _distilled(room, "separable", student, teacher, 0.15 * options.seconds)
    pruning = PruneSettings(budget="macs", keep=options.keep, group_keep=0.25, round_to=16)
    least, whole = least_widths(student, pruning.group_keep, pruning.round_to), BUDGETS["macs"](student.arch)
    for turn in range(1, ROUNDS + 1):
        amount = round(whole * options.keep ** (turn / ROUNDS))
        student = cut(student, teacher, photos, pruning, amount, least)
        student = _distilled(room, "pruned", student, teacher, 0.04 * options.seconds)
    student = _distilled(room, "distilled", student, teacher, 0.3 * options.seconds)
    recalibrate_batch_norm(student, interleaved_batches(photos))
    _distilled(room, "distilled", student, teacher, 0.43 * options.seconds, frozen=True)


def _distilled(
    room: Room, name: str, student: Generator, teacher: Generator, seconds: float, frozen: bool = False
) -> Generator:
    """The student after `seconds` of learning from the teacher and, for a share of the views, from its own model."""
    adapters = Adapters(student, teacher).to(room.device)
    adapters.fit(student.eval(), teacher, room.fixed()[::4])
    student = student.to(room.device, memory_format=torch.channels_last).train()
    if frozen:
        freeze_norms(student)

    def step(done: float) -> Made:
        photo, seen = room.photos()
        with room.autocast():
            with torch.no_grad():
                hints = {key: value.float() for key, value in teacher.features(photo).items()}
            maps = student.features(photo)
            made = maps.pop("anime").float()
            mine = {key: value.float() for key, value in adapters(maps).items()}
            theirs = torch.rand(len(photo), 1, 1, 1, device=room.device) < room.options.share
            wanted = torch.where(theirs, room.wanted(seen), hints["anime"])
            total, parts = room.loss(made, wanted)
        return _with_hints(total, parts, mine, hints)

    learner = room.learner(name, student, step, room.options.rate or 1.2e-3, extra=tuple(adapters.parameters()))
    made = learner.run(seconds).to(memory_format=torch.contiguous_format)
    return made.requires_grad_(True).eval()  # surgery finds its way by gradients


def _with_hints(total: Tensor, parts: dict[str, Tensor], mine: losses.Maps, hints: losses.Maps) -> Made:
    feature = feature_matching(mine, hints)
    total, share = with_kl(total + FEATURE * feature, mine, hints, KL, TEMPERATURE)
    return total, parts | {"feature": feature, "kl_share": share}


def polish(room: Room) -> None:
    options = room.options
    given = _started(room)
    if options.narrow:
        given = narrow(given.to(room.device), room.wanted, room.fixed(), _sizes("narrow", options.narrow)).cpu()
    if options.kernels:
        given = with_kernels(given, _sizes("kernels", options.kernels))
    lite, arch = fold_batch_norm(given).to(room.device), given.arch
    if options.stem:
        lite, arch = merge_stem(lite, options.stem, room.fixed()), strided_stem(arch, options.stem)
    lite = lite.to(room.device, memory_format=torch.channels_last).train()
    lite.out.bias.requires_grad_(False)  # batch norm's network has none
    judged = _judge(room)
    pairs, with_cost = _pairs(room), _gate_cost(room, lite)

    def step(done: float) -> Made:
        photo, wanted = pairs()
        with room.autocast():
            return with_cost(*judged(lite(photo).float(), wanted))

    def keep(average: Generator) -> None:
        save(options.out / "polished.safetensors", unfold_batch_norm(copy.deepcopy(average).cpu(), arch), options)

    room.learner("polished", lite, step, options.rate or 1e-3, keep=keep).run(options.seconds)


def _started(room: Room) -> Generator:
    options = room.options
    if options.times:
        given = resized(options.start, options.times, room.wanted, room.fixed())
    else:
        given = load_generator(options.start)
    return with_gate(given) if options.gate else given


def _gate_cost(room: Room, network: Generator) -> Callable[[Tensor, dict[str, Tensor]], Made]:
    """A loss and its parts with what the network's gate costs; as they are where it has none."""
    if network.arch.detail != "gated":
        return lambda total, parts: (total, parts)
    return GateCost(room.options.gate_cost, network).added


def _sizes(option: str, given: list[str]) -> dict[str, int]:
    pairs = _pairs_of(given, f"--{option} {{}}: LAYER=SIZE is expected, such as c2=16", str.isdecimal)
    return {name: int(size) for name, size in pairs}


def _weights(given: list[str]) -> dict[str, float]:
    pairs = _pairs_of(given, "--calm {}: FOLDER=WEIGHT is expected, such as faces=0.06", _is_number)
    return {name: float(weight) for name, weight in pairs}


def _pairs_of(given: list[str], wrong: str, valid: Callable[[str], bool]) -> list[tuple[str, str]]:
    """Name and value of each NAME=VALUE. Raises `ValueError`, `wrong` with the name, where a value is not `valid`."""
    pairs = [(name, value) for name, _, value in (word.partition("=") for word in given)]
    for name, value in pairs:
        if not valid(value):
            raise ValueError(wrong.format(name))
    return pairs


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).isdecimal()


def _judge(room: Room) -> Callable[[Tensor, Tensor], Made]:
    """The loss of made and wanted pictures, with a discriminator that learns beside if there is to be one."""
    options = room.options
    if not options.critic:
        return room.loss
    critic = Critic(options.critic, room.device)

    def judged(made: Tensor, wanted: Tensor) -> Made:
        unsure = critic.learn(made, wanted)
        total, parts = critic.with_share(made, lambda picture: room.loss(picture, wanted))
        return total, parts | {"critic": unsure}

    return judged


def train_family(room: Room) -> None:
    options = room.options
    family = open_family(options.start) if FAMILY in read_notes(options.start) else _grown(room)
    space = family.space.to_json()

    def keep(average: Family) -> None:
        save(
            options.out / "family.safetensors",
            as_network(copy.deepcopy(average.network).cpu()),
            options,
            **{FAMILY: space},
        )

    kept = {"rate": options.rate or RATE, "on_row": _teller("family", options.batch), "on_save": keep}
    kept["gate_cost"] = options.gate_cost
    learn_family(family.to(room.device), _pairs(room), room.loss, options.seconds, options.seed, options.bf16, **kept)


def _grown(room: Room) -> Family:
    lite, options = load_generator(room.options.start), room.options
    return grow(lite.to(room.device), room.wanted, room.fixed(), options.least, options.most)


def _pairs(room: Room, whole: bool = False) -> Callable[[], tuple[Tensor, Tensor]]:
    options = room.options
    if room.device.type != "cpu":
        return lambda: _pair(room)

    return pooled_pairs(
        room.views, room.wanted, options.pool, options.batch, options.crop, whole, room.seen, options.focus
    )


def _pair(room: Room) -> tuple[Tensor, Tensor]:
    photo, seen = room.photos()
    return photo, room.wanted(seen)


def photos_of(
    folders: list[str], device: torch.device, calm: Mapping[str, float]
) -> tuple[list[Tensor], Tensor, Tensor]:
    """Photos of FOLDER or FOLDER=SHARE, as uint8 tensors; how often each is drawn from, how much its skin is calmed.

    `calm` has that by a folder's name; others' stays as it is.
    """
    pictures, weights, smoothed = [], [], []
    names = {Path(given.partition("=")[0]).name for given in folders}
    if unknown := sorted(calm.keys() - names):
        raise ValueError(f"--calm {unknown[0]}: no folder of --photos has that name")
    if len({"=" in given for given in folders}) > 1:
        raise ValueError("--photos: give each folder a share, or none of them: one without counts by its pictures")
    for given in folders:
        folder, _, share = given.partition("=")
        found = [torch.from_numpy(read_picture(file)).permute(2, 0, 1) for file in picture_files(Path(folder))]
        if not found:
            raise ValueError(f"--photos {folder}: holds no picture")
        pictures += [picture.to(device) for picture in found]
        weights += [float(share or len(found)) / len(found)] * len(found)
        smoothed += [calm.get(Path(folder).name, 0.0)] * len(found)
    return pictures, torch.tensor(weights, device=device), torch.tensor(smoothed, device=device)


def _room(options: argparse.Namespace) -> Room:
    device = torch.device(options.device)
    torch.manual_seed(options.seed)
    random.seed(options.seed)
    torch.set_num_threads(options.threads)
    torch.backends.cudnn.benchmark = options.what != "family"  # whose members' shapes differ in every step
    if options.compile:
        _spare_the_compiler()
    options.out.mkdir(parents=True, exist_ok=True)
    perceptual = load_perceptual(options.perceptual, MAPS).to(device)
    loss = PictureLoss(perceptual)
    reference = model_of(options.reference).to(device).eval().requires_grad_(False)
    pictures, weights, calm = photos_of(options.photos, device, _weights(options.calm))
    views = Views(pictures, weights)
    return Room(views, reference, torch.compile(loss) if options.compile else loss, device, options, calm)


def model_of(file: Path) -> nn.Module:
    """The network whose pictures are learned. Raises `ValueError` or `OSError` in one line."""
    return load_generator(file).float() if file.suffix == ".safetensors" else learnable(file)


def _spare_the_compiler() -> None:
    """PyTorch 2.11 fails in the backward pass of a norm over the whole picture where it mixes orders of reduction."""
    from torch._inductor import config

    if hasattr(config.triton, "mix_order_reduction"):
        config.triton.mix_order_reduction = False


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=TRAININGS)
    parser.add_argument(
        "--reference", type=Path, required=True, help="the published network, an ONNX file; or a teacher"
    )
    parser.add_argument("--photos", nargs="+", required=True, help="folders, each with =SHARE of the views if you like")
    parser.add_argument("--start", type=Path, required=True, help="checkpoint to begin from")
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoints")
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--rate", type=float, help="learning rate at the start")
    parser.add_argument(
        "--times",
        type=float,
        help="polish: widths at the start, times those of --start: 1.75, or 0.25 of a family",
    )
    parser.add_argument("--batch", type=int, default=3)
    parser.add_argument("--crop", type=int, default=256)
    parser.add_argument("--keep", type=float, default=0.19, help="lite: share of the multiply-adds that is left")
    parser.add_argument("--share", type=float, default=0.4, help="lite: share of views whose target is the reference's")
    parser.add_argument("--stem", type=int, help="polish: merge the first two convolutions into one of this kernel")
    parser.add_argument("--narrow", nargs="+", default=[], help="polish: layers with fewer channels, such as a0=32")
    parser.add_argument(
        "--kernels", nargs="+", default=[], help="polish: layers with larger kernels, to see further, such as c2=7"
    )
    parser.add_argument(
        "--focus", type=float, default=0.0, help="on a CPU: share of views where shapes change, such as eyes"
    )
    parser.add_argument(
        "--gate", action="store_true", help="teacher, polish: give the network a gate for the photo's pixels"
    )
    parser.add_argument(
        "--gate-cost", type=float, default=GATE_COST, help="teacher, polish, family: weight of what a gate lets through"
    )
    parser.add_argument(
        "--critic",
        type=float,
        default=0.0,
        help="teacher, polish: length of a discriminator's gradient beside the distances'",
    )
    parser.add_argument(
        "--calm", nargs="+", default=[], help="how much skin is smoothed before it is drawn, such as faces=0.06"
    )
    parser.add_argument("--least", type=float, default=0.4, help="family: widths of the smallest, times the start's")
    parser.add_argument("--most", type=float, default=1.75, help="family: widths of the largest, likewise")
    parser.add_argument("--pool", type=int, default=600, help="teacher, polish on a CPU: whole pictures kept")
    parser.add_argument("--perceptual", choices=("embedded", "vgg19"), default="embedded")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--bf16", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--compile", action="store_true", help="torch.compile: a minute, then faster, on a GPU")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


TRAININGS: dict[str, Callable[[Room], None]] = {
    "teacher": train_teacher,
    "lite": train_lite,
    "polish": polish,
    "family": train_family,
}


def main() -> None:
    options = _options()
    try:
        TRAININGS[options.what](_room(options))
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
