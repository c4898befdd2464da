"""A family of networks in one set of weights: every narrower, shallower one is a slice of the largest.

Slimmable networks (Yu et al., ICLR 2019; Yu and Huang, ICCV 2019), with kernels and depth as in Cai et al.,
"Once-for-All", ICLR 2020. Batch norms are folded while the family trains, so that no member needs norms of its own.
"""

import contextlib
import json
import math
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Self

import torch
from torch import Tensor, nn

from anime_model.compression.importance import collect_statistics
from anime_model.compression.norms import gather_statistics, interleaved_batches, recalibrate_batch_norm
from anime_model.compression.pruning import channel_groups
from anime_model.networks.architecture import WIDTH_STEP, Architecture, ArchitectureError, Layer
from anime_model.networks.generator import Generator, fold_batch_norm, unfold_batch_norm

LATE = ("e0", "e1", "e2")  # the layers whose kernel may grow: texture and lines are made there
KERNELS = (3, 5, 7)
DEPTH = "depth"
COLOURS = ""  # the group of what is never cut: the three colours, and what depth-to-space spreads
Choice = Mapping[str, int]  # by name of a group, of a layer's kernel, or DEPTH


@dataclass(frozen=True)
class Space:
    """The members of a family: `largest`, and by name what each may choose from.

    A group of channels has the name of the layer that makes them (`c1` for the residual stream of `c1` to `c4`), or
    `c1.hidden` for those inside an inverted block; `e0.kernel` is a kernel, and `depth` the number of residual blocks.
    """

    largest: Architecture
    choices: Mapping[str, tuple[int, ...]]

    @classmethod
    def around(cls, arch: Architecture, least: float, most: float, step: int = WIDTH_STEP) -> Self:
        """Widths from `least` to `most` times those of `arch`, in multiples of `step`; late kernels of 3, 5 and 7."""
        groups, choices = {}, {}
        for name, layer in arch.layers.items():
            if not layer.residual:
                groups[name] = layer.width
            if layer.kind == "inverted":
                groups[f"{name}.hidden"] = layer.hidden
        for group, width in groups.items():
            low, high = (max(1, math.ceil(width * factor / step)) * step for factor in (least, most))
            choices[group] = tuple(range(low, high + 1, step))
        for name in LATE:
            if name in arch.layers and arch.layers[name].kind == "separable" and arch.layers[name].kernel in KERNELS:
                choices[f"{name}.kernel"] = KERNELS
        blocks = _residual_blocks(arch)
        if blocks:
            choices[DEPTH] = tuple(range(len(blocks) + 1))
        whole = cls(replace(arch, int8=()), choices)
        return cls(whole.architecture({key: values[-1] for key, values in choices.items()}), choices)

    def architecture(self, choice: Choice) -> Architecture:
        """The member that `choice` names. Raises `ArchitectureError` where a name is missing or a value not offered."""
        for key, offered in self.choices.items():
            if choice.get(key) not in offered:
                raise ArchitectureError(
                    f"family: {key} {choice.get(key)!r} is not one of {', '.join(map(str, offered))}"
                )
        left_out = _residual_blocks(self.largest)[choice.get(DEPTH, len(self.largest.layers)) :]
        layers, stream = {}, 3
        for name, layer in self.largest.layers.items():
            if name not in left_out:
                width = stream if layer.residual else choice.get(name, layer.width)
                hidden, kernel = choice.get(f"{name}.hidden", layer.hidden), choice.get(f"{name}.kernel", layer.kernel)
                layers[name], stream = replace(layer, width=width, hidden=hidden, kernel=kernel), width
        return replace(self.largest, layers=layers)

    def choice_of(self, arch: Architecture) -> dict[str, int]:
        """The opposite of `architecture`, for a member."""
        found = {}
        for key, offered in self.choices.items():
            name, _, part = key.partition(".")
            if key == DEPTH:
                found[key] = len(_residual_blocks(arch))
            else:  # a block that is left out may have any size inside
                found[key] = getattr(arch.layers[name], part or "width") if name in arch.layers else offered[-1]
        return found

    def end(self, place: int) -> Choice:
        """The smallest member (0) or the largest (-1)."""
        return {key: offered[place] for key, offered in self.choices.items()}

    def times(self, factor: float, arch: Architecture) -> Choice:
        """The member whose widths are nearest to `factor` times those of `arch`: all its blocks, the least kernels.

        The greatest kernels where `factor` is above 1: there is time for them. Raises `ArchitectureError` where a width
        is so far from what the family offers that the member would be another one than was asked for.
        """
        whole, found = self.choice_of(arch), {}
        for key, offered in self.choices.items():
            if key == DEPTH:
                found[key] = offered[-1]
            elif key.endswith(".kernel"):
                found[key] = offered[-1 if factor > 1 else 0]
            else:
                found[key] = self._nearest_width(key, whole[key], factor)
        return found

    def _nearest_width(self, key: str, width: int, factor: float) -> int:
        offered, wanted = self.choices[key], width * factor
        nearest = min(offered, key=lambda one: abs(one - wanted))
        if abs(nearest - wanted) > WIDTH_STEP:
            there = f"{offered[0]} to {offered[-1]}"
            raise ArchitectureError(f"{factor:g} times {key} is {wanted:.0f} channels; the family has {there}")
        return nearest

    def random(self, source: random.Random) -> Choice:
        """A member whose parts are about as wide as each other, half of the time: those are what a search ends at."""
        if source.random() < 0.5:
            return {key: source.choice(offered) for key, offered in self.choices.items()}
        level = source.random()
        return {
            key: offered[round(min(1.0, max(0.0, level + source.gauss(0, 0.15))) * (len(offered) - 1))]
            for key, offered in self.choices.items()
        }

    def to_json(self) -> str:
        return json.dumps({key: list(offered) for key, offered in self.choices.items()})

    @classmethod
    def from_json(cls, largest: Architecture, text: str) -> Self:
        """Raises `ArchitectureError` for a text that `to_json` has not written."""
        try:
            choices = {key: tuple(int(value) for value in offered) for key, offered in json.loads(text).items()}
        except (TypeError, AttributeError, ValueError) as error:
            raise ArchitectureError(f"not a family: {error}") from error
        return cls(largest, choices)


def _residual_blocks(arch: Architecture) -> list[str]:
    return [name for name, layer in arch.layers.items() if layer.residual]


def axes(arch: Architecture) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Every tensor of a generator by name, and the groups of channels that its first dimensions run over."""
    entering = COLOURS
    for name, layer in arch.layers.items():
        leaving = entering if layer.residual else name
        yield from _layer_axes(f"layers.{name}", layer, arch.norm, entering, leaving, f"{name}.hidden")
        entering = leaving
    yield "out.weight", (COLOURS, entering)
    if arch.norm == "none":
        yield "out.bias", (COLOURS,)


def _layer_axes(
    prefix: str, layer: Layer, norm: str, entering: str, leaving: str, hidden: str
) -> Iterator[tuple[str, tuple[str, ...]]]:
    if layer.kind == "standard":
        yield from _unit_axes(prefix, norm, leaving, entering)
    elif layer.kind == "separable":
        yield f"{prefix}.depthwise.conv.weight", (entering,)
        yield from _unit_axes(f"{prefix}.pointwise", norm, leaving, entering)
    else:
        yield from _unit_axes(f"{prefix}.expand", norm, hidden, entering)
        yield from _unit_axes(f"{prefix}.depthwise", norm, hidden)
        if norm != "none":
            yield f"{prefix}.depthwise.conv.bias", (hidden,)
        yield from _unit_axes(f"{prefix}.project", norm, leaving, hidden)


def _unit_axes(prefix: str, norm: str, *groups: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """A depthwise convolution has one group, another the one that leaves it and the one that enters."""
    yield f"{prefix}.conv.weight", groups
    if norm == "none":
        yield f"{prefix}.conv.bias", groups[:1]
    else:
        for part in ("weight", "bias", "running_mean", "running_var"):
            yield f"{prefix}.norm.{part}", groups[:1]


def slices(state: Mapping[str, Tensor], arch: Architecture) -> dict[str, Tensor]:
    """Views of a larger network's tensors that make the network `arch`: gradients reach the larger one through them."""
    shapes = _shapes(arch)
    return {name: _middle(state[name], shapes[name]) for name, _ in axes(arch)}


@lru_cache(maxsize=512)
def _template(arch_json: str) -> Generator:
    """A network without memory, for its layers alone."""
    with torch.device("meta"):
        return Generator(Architecture.from_json(arch_json))


def _shapes(arch: Architecture) -> dict[str, torch.Size]:
    return {name: value.shape for name, value in _template(arch.to_json()).state_dict().items()}


def _middle(tensor: Tensor, shape: torch.Size) -> Tensor:
    """The first channels, and the middle of a kernel."""
    for dim, size in enumerate(shape):
        start = (tensor.shape[dim] - size) // 2 if dim > 1 else 0
        tensor = tensor.narrow(dim, start, size)
    return tensor


class Family(nn.Module):
    """A network without norms whose slices run and train like networks of their own."""

    def __init__(self, network: Generator, space: Space) -> None:
        super().__init__()
        if network.arch.norm != "none" or network.arch.layers != space.largest.layers:
            raise ValueError("a family is made of its largest member, its norms folded")
        self.network, self.space = network, space
        self.watch: Callable[[nn.Module, tuple[Tensor], Tensor], None] | None = None

    def forward(self, photo: Tensor, choice: Choice) -> Tensor:
        """The picture [N, 3, H, W] in [-1, 1] of the member that `choice` names, for photos of the same shape.

        `watch`, if there is one, is a forward hook of the member's last convolution.
        """
        arch = replace(self.space.architecture(choice), norm="none")
        weights = slices(dict(self.network.named_parameters()), arch)
        template = _template(arch.to_json())
        with contextlib.ExitStack() as stack:
            if self.watch:
                stack.callback(template.out.register_forward_hook(self.watch).remove)
            return torch.func.functional_call(template, weights, photo)

    def network_of(self, choice: Choice) -> Generator:
        """The member as a network of its own that draws what its slice does, with batch norms that pass on what comes.

        `member` is for slices that have not trained as such: its norms make up for the channels that are gone.
        """
        small = Generator(replace(self.space.architecture(choice), norm="none"))
        state = slices(self.network.state_dict(), small.arch)
        small.load_state_dict({key: value.clone() for key, value in state.items()})
        return as_network(small).eval()


def sandwich(space: Space, source: random.Random, between: int = 1) -> list[Choice]:
    """The largest member, the smallest and some `between` them, for one step (Yu and Huang, ICCV 2019)."""
    return [space.end(-1), space.end(0), *(space.random(source) for _ in range(between))]


@torch.no_grad()
def widen(network: Generator, space: Space) -> Generator:
    """The largest member, which draws what `network` draws: what is new changes no picture until it has trained.

    New channels get random weights and are read with weights of zero (after Chen et al., "Net2Net", ICLR 2016, without
    its copies); larger kernels get zeros around; what is new in the residual stream starts empty in residual blocks.
    `network` has no norms and the layers of the family. Reproducible by `torch.manual_seed`.
    """
    large = Generator(replace(space.largest, norm="none"))
    state, old = large.state_dict(), network.state_dict()
    for name, groups in axes(large.arch):
        state[name] = _grown(old[name], state[name].shape, groups, residual=_adds_to_stream(large.arch, name))
    large.load_state_dict(state)
    return large.train(network.training)


def _grown(old: Tensor, shape: torch.Size, groups: tuple[str, ...], residual: bool) -> Tensor:
    new = torch.zeros(shape, dtype=old.dtype)
    if old.dim() > 1:
        rows = torch.randn(shape[0] - len(old), *shape[1:]) * old.std()
        new[len(old) :] = 0 if residual else rows
    _middle(new, old.shape).copy_(old)
    return new


def _adds_to_stream(arch: Architecture, name: str) -> bool:
    parts = name.split(".")
    return parts[0] == "layers" and parts[2] == "project" and arch.layers[parts[1]].residual


def in_order(network: Generator, reference: nn.Module, photos: Tensor) -> Generator:
    """An equal network whose channels stand in order of what they do to the picture, so that the first ones do most.

    `network` has batch norms; what comes back has them folded. `reference` gives the wanted pictures of `photos`
    [N, 3, H, W] in [-1, 1].
    """
    found = channel_groups(network, collect_statistics(network, reference, photos))
    ranks = {_group(network.arch, group.members): group.importance.argsort(descending=True) for group in found}
    folded = fold_batch_norm(network)
    state = folded.state_dict()
    for name, groups in axes(folded.arch):
        for dim, group in enumerate(groups):
            if group in ranks:
                state[name] = state[name].index_select(dim, ranks[group])
    folded.load_state_dict(state)
    return folded


def _group(arch: Architecture, members: tuple[str, ...]) -> str:
    """The name in `axes` of the channels that these convolutions make."""
    for member in members:
        _, name, *part = member.split(".")
        layer = arch.layers[name]
        if part[0] == "expand":
            return f"{name}.hidden"
        if part[0] in ("conv", "pointwise") or (part[0] == "project" and not layer.residual):
            return name
    raise ArchitectureError(f"no layer makes the channels of {', '.join(members)}")


def as_network(family: Generator) -> Generator:
    """The folded largest member in the form that stages take: with batch norms that pass on what they get."""
    return unfold_batch_norm(family, replace(family.arch, norm="batch"))


def with_statistics(network: Generator, photos: Tensor) -> Generator:
    """`network`, whose batch norms now know what `photos` [N, 3, H, W] in [-1, 1] give; its pictures stay the same."""
    recalibrate_batch_norm(network, interleaved_batches(photos))
    return network


def member(network: Generator, arch: Architecture, photos: Tensor) -> Generator:
    """The slice `arch` of the largest member `network`, as a network of its own, on the CPU.

    `network` comes from `with_statistics`. The norms of the slice get the statistics of `photos` [N, 3, H, W] in
    [-1, 1], so that means and deviations behind each norm are those of the largest member.
    """
    small = Generator(replace(arch, norm="batch"))
    state = slices(network.state_dict(), small.arch)
    small.load_state_dict({key: value.clone() for key, value in state.items()}, strict=False)
    gather_statistics(small, interleaved_batches(photos))
    return small.eval()
