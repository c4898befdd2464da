"""What a channel is worth to the picture, and what the channels beside it can do in its place."""

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from anime_model.networks.generator import ConvUnit, Generator, convolutions

RIDGE = 1e-3  # of the inputs' mean variance: keeps near-equal channels from large weights of opposite signs


@dataclass(frozen=True)
class ChannelStatistics:
    """What a student did on some photos.

    `gates` holds, by convolution, how much each photo's loss [N, C] changes with a factor on each channel that leaves
    the convolution's unit: on its deviation from its mean, which a batch norm behind its readers takes over, or on the
    whole of what the output convolution reads. `covariances` holds, by convolution, the covariance [C, C] of what
    enters it; around zero where no batch norm follows the convolution.
    """

    gates: Mapping[str, Tensor]
    covariances: Mapping[str, Tensor]

    def importance(self, units: Sequence[str]) -> Tensor:
        """Mean square [C] of the change that the first-order Taylor expansion foresees if channel c of all is removed.

        Molchanov et al., "Importance Estimation for Neural Network Pruning", CVPR 2019, photo by photo. Unlike a norm
        it does not mistake a weak channel that alone carries a colour for one that does nothing, and channels of
        different layers compare.
        """
        return torch.stack([self.gates[name] for name in units]).sum(0).square().mean(0)

    @torch.no_grad()
    def compensate(self, name: str, conv: nn.Conv2d, removed: Sequence[int]) -> None:
        """Adds to the kernels of the inputs that stay what these can say of those that are `removed`: least squares.

        As in He, Zhang, Sun, "Channel Pruning for Accelerating Very Deep Neural Networks", ICCV 2017, which fits whole
        kernels; here each channel that leaves is fitted by those that stay.
        """
        gone = torch.as_tensor(removed)
        stay = torch.tensor(sorted(set(range(conv.in_channels)) - set(removed)))
        covariances = self.covariances[name]
        kept = covariances[stay][:, stay]
        kept = kept + RIDGE * kept.diagonal().mean().clamp_min(1e-12) * torch.eye(len(stay)).to(kept)
        shares = torch.linalg.solve(kept, covariances[stay][:, gone]).to(conv.weight)
        conv.weight[:, stay] += torch.einsum("ogyx,sg->osyx", conv.weight[:, gone], shares)


def collect_statistics(student: Generator, teacher: Generator, photos: Tensor, batch: int = 4) -> ChannelStatistics:
    """Runs `student` over `photos` [N, 3, H, W] in [-1, 1]; a photo's loss is its mean absolute error."""
    student = copy.deepcopy(student).eval().requires_grad_(True)
    batches = photos.split(batch)
    return ChannelStatistics(_gates(student, teacher, batches), _covariances(student, batches))


def _gates(student: Generator, teacher: Generator, batches: Iterable[Tensor]) -> dict[str, Tensor]:
    made: dict[str, Tensor] = {}
    found: dict[str, list[tuple[Tensor, Tensor, Tensor]]] = {}
    units = {f"{name}.conv": unit for name, unit in student.named_modules() if isinstance(unit, ConvUnit)}
    handles = [unit.register_forward_hook(_keep(made, name)) for name, unit in units.items()]
    for photo in batches:
        with torch.no_grad():
            wanted = teacher(photo)
        error = (student(photo) - wanted).abs().mean((1, 2, 3)).sum()
        for (name, value), slope in zip(made.items(), torch.autograd.grad(error, list(made.values())), strict=True):
            value = value.detach()
            parts = (value * slope).sum((2, 3)), slope.sum((2, 3)), value.mean((2, 3))
            found.setdefault(name, []).append(tuple(part.cpu() for part in parts))
    for handle in handles:
        handle.remove()
    gates = {name: _gate(*(torch.cat(part) for part in zip(*parts, strict=True))) for name, parts in found.items()}
    last = list(units)[-1]  # nothing takes a mean off what the output convolution reads
    return gates | {last: torch.cat([whole for whole, _, _ in found[last]])}


def _gate(whole: Tensor, slopes: Tensor, means: Tensor) -> Tensor:
    """The slope of a factor on the deviation from the mean of all photos, from that of a factor on the whole."""
    return whole - means.mean(0) * slopes


def _keep(made: dict[str, Tensor], name: str) -> Callable[[nn.Module, tuple, Tensor], None]:
    def hook(module: nn.Module, entering: tuple, leaving: Tensor) -> None:
        made[name] = leaving

    return hook


@torch.no_grad()
def _covariances(student: Generator, batches: Sequence[Tensor]) -> dict[str, Tensor]:
    sums: dict[str, list[Tensor]] = {}

    def add(name: str) -> Callable[[nn.Module, tuple], None]:
        def hook(module: nn.Module, entering: tuple) -> None:
            x = entering[0].transpose(0, 1).flatten(1)
            new = [torch.tensor(x.shape[1]), x.sum(1).cpu().double(), (x @ x.T).cpu().double()]
            sums[name] = [a + b for a, b in zip(sums[name], new, strict=True)] if name in sums else new

        return hook

    mixing = {name: conv for name, conv in convolutions(student).items() if conv.groups == 1}
    handles = [conv.register_forward_pre_hook(add(name)) for name, conv in mixing.items()]
    for photo in batches:
        student(photo)
    for handle in handles:
        handle.remove()
    return {name: _covariance(*parts, centred=followed_by_norm(student, name)) for name, parts in sums.items()}


def _covariance(count: Tensor, total: Tensor, products: Tensor, *, centred: bool) -> Tensor:
    mean = total / count * centred
    return products / count - mean[:, None] * mean


def followed_by_norm(network: Generator, name: str) -> bool:
    """Whether a batch norm takes what the convolution `name` makes."""
    unit = network.get_submodule(name.rpartition(".")[0])
    return isinstance(unit, ConvUnit) and isinstance(unit.norm, nn.BatchNorm2d)
