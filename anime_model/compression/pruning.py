"""Structured channel pruning: sparsity training, then rounds of removal and fine-tuning down to a budget."""

import copy
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
import torch_pruning
from torch import Tensor, nn
from torch.nn.utils import prune as torch_prune

from anime_model.compression.distillation import Lesson, distill
from anime_model.compression.importance import ChannelStatistics, collect_statistics, followed_by_norm
from anime_model.compression.norms import batch_norms, gather_statistics, interleaved_batches, recalibrate_batch_norm
from anime_model.metrics.fidelity import psnr, ssim
from anime_model.networks.architecture import WIDTH_STEP, Architecture, Layer
from anime_model.networks.checkpoint import CheckpointError, load_generator, save_generator
from anime_model.networks.cost import count_macs, count_parameters
from anime_model.networks.generator import Generator, InvertedResidual, Separable
from anime_model.recipes.prune import PruneSettings
from anime_model.training.loop import Scalars, Training

Measure = Callable[[Architecture], int]
BUDGETS: dict[str, Measure] = {"parameters": count_parameters, "macs": count_macs}
ONE_BY_ONE = PruneSettings(budget="macs", importance="taylor", round_to=1)
CALIBRATION = 32  # photos that show what a channel does


@dataclass(frozen=True)
class ChannelGroup:
    """Channels that can only be removed together: channel i of every member is removed at once.

    `importance` [C] is by Taylor expansion where there are statistics, `comparable` from group to group; else the mean
    over the members of the L1 norm of the folded filters, 1 on average over the channels.
    """

    members: tuple[str, ...]
    importance: Tensor
    comparable: bool = False


@dataclass(frozen=True)
class Pruned:
    """The pruned network, the curve over all phases and one row of figures for every round."""

    generator: Generator
    curve: list[Scalars]
    rounds: list[dict[str, float | str]] = field(default_factory=list)


def prune(student: Generator, lesson: Lesson, settings: PruneSettings, training: Training) -> Pruned:
    """Sparsity training, then rounds of structured removal, each fine-tuned by distillation from the teacher.

    With importance "taylor" the channels that change the picture least leave, and those that stay make up for them.

    Rows: round, phase ("sparsity", "removed", "fine-tuned", "l1_unstructured"), parameters, macs_512, psnr, ssim; the
    last two against the teacher on fixed crops of the photos.
    """
    photos = lesson.photos.fixed(8, settings.fine_tune.crop)
    calibration = lesson.photos.fixed(CALIBRATION, settings.fine_tune.crop)
    sparse = replace(settings.fine_tune, steps=settings.sparsity_steps)
    curve = distill(
        "sparsity", student, lesson, sparse, training, lambda net: settings.sparsity * sparsity_penalty(net)
    )
    rows = [_row(0, "sparsity", student, lesson.teacher, photos)]
    rows.append(_row(0, "l1_unstructured", prune_unstructured(student, settings.unstructured), lesson.teacher, photos))
    measure = BUDGETS[settings.budget]
    least = least_widths(student, settings.group_keep, settings.round_to)
    whole = measure(student.arch)
    for turn in range(1, settings.rounds + 1):
        file = training.scratch / f"cut_{turn}.safetensors"  # all processes, and resumed ones, share one cut
        if training.fabric.is_global_zero and not _readable(file):
            amount = round(whole * settings.keep ** (turn / settings.rounds))
            save_generator(file, cut(student, lesson.teacher, calibration, settings, amount, least))
        training.fabric.barrier()
        student = load_generator(file).to(training.device)
        rows.append(_row(turn, "removed", student, lesson.teacher, photos))
        tuned = distill(f"round_{turn}", student, lesson, settings.fine_tune, training)
        done = curve[-1]["step"] if curve else 0
        curve += [{**row, "step": done + row["step"]} for row in tuned]
        rows.append(_row(turn, "fine-tuned", student, lesson.teacher, photos))
    return Pruned(student, curve, rows)


def cut(
    student: Generator,
    teacher: Generator,
    photos: Tensor,
    settings: PruneSettings,
    amount: int,
    least: Mapping[str, int] | None = None,
) -> Generator:
    """A copy pruned to `amount` of the budget by the importance that `settings` name, for fine-tuning.

    `photos` [N, 3, H, W] in [-1, 1] show what the channels do and give the batch norms their statistics; those of
    `student` are settled in place.
    """
    batches = interleaved_batches(photos)
    recalibrate_batch_norm(student, batches)
    statistics = collect_statistics(student, teacher, photos) if settings.importance == "taylor" else None
    pruned = prune_to(student, settings.budget, amount, least, statistics, settings.round_to).to(photos.device)
    gather_statistics(pruned, batches)
    return pruned


def _readable(file: Path) -> bool:
    """Whether a cut is there and whole; one that a power failure left in part is made again."""
    try:
        load_generator(file)
    except CheckpointError:
        return False
    return True


@torch.no_grad()
def _row(turn: int, phase: str, student: Generator, teacher: Generator, photos: Tensor) -> dict[str, float | str]:
    made, wanted = student(photos), teacher(photos)
    return {
        "round": turn,
        "phase": phase,
        "parameters": count_parameters(student.arch),
        "macs_512": count_macs(student.arch),
        "psnr": round(float(psnr(made, wanted)), 4),
        "ssim": round(float(ssim(made, wanted)), 5),
    }


def sparsity_penalty(generator: Generator) -> Tensor:
    """Sum of the absolute scales of the batch norms (network slimming, Liu et al., ICCV 2017)."""
    return torch.stack([norm.weight.abs().sum() for norm in batch_norms(generator)]).sum()


def least_widths(generator: Generator, share: float, step: int = WIDTH_STEP) -> dict[str, int]:
    """For each group, by its first convolution, how many channels stay: `share` of them, in whole steps, rounded up.

    Without it, the group that saves most is emptied first, and a residual stream of a few channels is a bottleneck that
    no training opens again.
    """
    steps = {group.members[0]: len(group.importance) * share / step for group in channel_groups(generator)}
    return {member: max(1, math.ceil(count)) * step for member, count in steps.items()}


def prune_to(
    generator: Generator,
    budget: str,
    amount: int,
    least: Mapping[str, int] | None = None,
    statistics: ChannelStatistics | None = None,
    step: int = WIDTH_STEP,
) -> Generator:
    """A copy with the least important channels removed until `budget` ("parameters" or "macs" at 512x512) <= `amount`.

    Widths go down to multiples of `step`, always where the importance per saved MAC (or parameter) is least. What is
    left are slices of the original weights; with `statistics`, each reader of the removed channels gets from the others
    what they can say in their place, and the batch norms' statistics are to be gathered anew. No group falls under its
    number of channels in `least`, nor under `step`. The copy is on the CPU. A budget that is already met gives an
    identical network; one that cannot be met raises `ValueError`.
    """
    groups = channel_groups(generator, statistics)
    floors = [(least or {}).get(group.members[0], step) for group in groups]
    removals = _choose(generator.arch, groups, floors, step, budget, amount)
    pruned, graph = _graph_of(generator)
    names = {module: name for name, module in pruned.named_modules()}
    for group, count in zip(groups, removals, strict=True):
        if count:
            indices = sorted(group.importance.argsort()[:count].tolist())
            conv = pruned.get_submodule(group.members[0])
            surgery = graph.get_pruning_group(conv, torch_pruning.prune_conv_out_channels, idxs=indices)
            if statistics is not None:
                for reader, removed in _consumers(surgery):
                    statistics.compensate(names[reader], reader, removed)
            surgery.prune()
    return _rebuilt(pruned)


def narrow(student: Generator, reference: nn.Module, photos: Tensor, widths: Mapping[str, int]) -> Generator:
    """A copy of `student` whose layers have `widths`, by name, and no other channel less.

    The channels that change the pictures of `photos` [N, 3, H, W] in [-1, 1] least leave, judged beside those of
    `reference`, and the others make up for them. Layers that share their channels, such as those of a residual stream,
    get narrower together. Raises `ValueError` for a layer that is not there or is no wider than that.
    """
    for name, width in widths.items():
        layer = student.arch.layers.get(name)
        if layer is None or not 0 < width < layer.width:
            here = f"it has {layer.width}" if layer else f"choose among {', '.join(student.arch.layers)}"
            raise ValueError(f"layer {name} cannot get {width} channels: {here}")
        student = _narrow_one(student, reference, photos, name, width)
    return student


def _narrow_one(student: Generator, reference: nn.Module, photos: Tensor, name: str, width: int) -> Generator:
    groups = channel_groups(student)
    chosen = next(group for group in groups if _makes(group, student.arch, name))
    least = {group.members[0]: len(group.importance) for group in groups}
    least[chosen.members[0]] = width
    narrower = _narrowed(student.arch, chosen, student.arch.layers[name].width - width)
    return cut(student, reference, photos, ONE_BY_ONE, count_macs(narrower), least)


def _makes(group: ChannelGroup, arch: Architecture, name: str) -> bool:
    """Whether the group's channels are those that leave the layer `name`."""
    last = {"standard": "conv", "separable": "pointwise.conv", "inverted": "project.conv"}[arch.layers[name].kind]
    return f"layers.{name}.{last}" in group.members


def channel_groups(generator: Generator, statistics: ChannelStatistics | None = None) -> list[ChannelGroup]:
    """Every group of prunable channels; the three colours at both ends stay."""
    network, graph = _graph_of(generator)
    names = {module: name for name, module in network.named_modules()}
    found = graph.get_all_groups(ignored_layers=[network.out], root_module_types=[nn.Conv2d])
    return [
        ChannelGroup(members, _importance(network, members, statistics), comparable=statistics is not None)
        for members in _members(found, names)
    ]


def _graph_of(generator: Generator) -> tuple[Generator, torch_pruning.DependencyGraph]:
    """A copy on the CPU and which of its layers depend on each other."""
    network = copy.deepcopy(generator).cpu()
    return network, torch_pruning.DependencyGraph().build_dependency(network, torch.zeros(1, 3, 64, 64))


def _consumers(surgery: torch_pruning.Group) -> Iterator[tuple[nn.Conv2d, list[int]]]:
    """The convolutions that read the channels to be removed, and the places of these among their inputs."""
    for dependency, indices in surgery:
        if dependency.handler == torch_pruning.prune_conv_in_channels and dependency.target.module.groups == 1:
            yield dependency.target.module, indices


def _members(found: Iterator, names: dict[nn.Module, str]) -> Iterator[tuple[str, ...]]:
    """The convolutions of every group that lose output channels with it."""
    outward = (torch_pruning.prune_conv_out_channels, torch_pruning.prune_depthwise_conv_out_channels)
    for group in found:
        convs = [item.dep.target.module for item in group if item.dep.handler in outward]
        yield tuple(dict.fromkeys(names[conv] for conv in convs))


def _importance(network: Generator, members: tuple[str, ...], statistics: ChannelStatistics | None) -> Tensor:
    if statistics:
        return statistics.importance(_producers(network, members))
    norms = [_filter_norms(network, name) for name in members]
    return torch.stack([norm / norm.mean().clamp_min(1e-12) for norm in norms]).mean(0)


def _producers(network: Generator, members: tuple[str, ...]) -> list[str]:
    """The members whose outputs, summed, are what the readers get: the depthwise one inside an inverted block.

    A separable layer's depthwise one only passes on what has been given before it.
    """
    depthwise = [name for name in members if network.get_submodule(name).groups > 1]
    inside = [name for name in depthwise if followed_by_norm(network, name)]
    return inside or [name for name in members if name not in depthwise]


@torch.no_grad()
def _filter_norms(network: Generator, name: str) -> Tensor:
    """L1 norms of the filters [C] as they act after their batch norm, so that sparsity training shows in them."""
    norms = network.get_submodule(name).weight.abs().flatten(1).sum(1)
    if followed_by_norm(network, name):
        norm = network.get_submodule(name.rpartition(".")[0]).norm
        norms = norms * norm.weight.abs() / (norm.running_var + norm.eps).sqrt()
    return norms


def _choose(
    arch: Architecture, groups: list[ChannelGroup], floors: list[int], step: int, budget: str, amount: int
) -> list[int]:
    """How many channels each group loses: step by step, the cheapest loss per saved unit of the budget first."""
    measure = BUDGETS[budget]
    removed = [0] * len(groups)
    size = measure(arch)
    while size > amount:
        cuts = [_cut(group, count, step) for group, count in zip(groups, removed, strict=True)]
        options = [
            _option(arch, group, count, cut, measure, size)
            if len(group.importance) - count - cut >= floor
            else float("inf")
            for group, count, cut, floor in zip(groups, removed, cuts, floors, strict=True)
        ]
        best = min(range(len(groups)), key=lambda index: options[index])
        if options[best] == float("inf"):
            raise ValueError(
                f"prune: {budget} cannot go below {size:,}, but keep asks for {amount:,}; raise prune.keep"
            )
        removed[best] += cuts[best]
        arch = _narrowed(arch, groups[best], cuts[best])
        size = measure(arch)
    return removed


def _cut(group: ChannelGroup, removed: int, step: int) -> int:
    """How many channels bring the group down to the next multiple of `step`."""
    return (len(group.importance) - removed) % step or step


def _option(arch: Architecture, group: ChannelGroup, removed: int, cut: int, measure: Measure, size: int) -> float:
    """Importance that the group's next `cut` channels hold, per unit that they save.

    Norms do not compare from group to group: there it is the share of the group's remaining importance.
    """
    ordered = group.importance.sort().values
    lost = float(ordered[removed : removed + cut].sum())
    if not group.comparable:
        lost /= max(1e-12, float(ordered[removed:].sum()))
    return lost / max(1, size - measure(_narrowed(arch, group, cut)))


def _narrowed(arch: Architecture, group: ChannelGroup, channels: int) -> Architecture:
    layers: dict[str, Layer] = {}
    for member in group.members:
        _, name, *part = member.split(".")
        layer = layers.get(name, arch.layers[name])
        if part[0] in ("expand", "depthwise") and layer.kind == "inverted":
            if part[0] == "expand":
                layers[name] = replace(layer, hidden=layer.hidden - channels)
        elif part[0] != "depthwise":  # a separable layer's depthwise part has the width of the layer before
            layers[name] = replace(layer, width=layer.width - channels)
    return arch.with_layers(**layers)


def _rebuilt(pruned: Generator) -> Generator:
    """The same weights in a network built from the architecture that they now have."""
    layers = {name: _measured(pruned, name) for name in pruned.arch.layers}
    rebuilt = Generator(pruned.arch.with_layers(**layers))
    rebuilt.load_state_dict(pruned.state_dict())
    return rebuilt.eval()


def _measured(pruned: Generator, name: str) -> Layer:
    module, layer = pruned.layers[name], pruned.arch.layers[name]
    if isinstance(module, InvertedResidual):
        return replace(layer, width=module.project.conv.out_channels, hidden=module.expand.conv.out_channels)
    unit = module.pointwise if isinstance(module, Separable) else module
    return replace(layer, width=unit.conv.out_channels)


def prune_unstructured(generator: Generator, amount: float) -> Generator:
    """A copy with the smallest `amount` (0 ... 1) of every convolution's weights set to zero, as the article shows.

    The file and the time stay as they were: dense kernels do not skip zeros. It is there to be compared with.
    """
    pruned = copy.deepcopy(generator)
    for module in pruned.modules():
        if isinstance(module, nn.Conv2d):
            torch_prune.l1_unstructured(module, "weight", amount)
            torch_prune.remove(module, "weight")
    return pruned
