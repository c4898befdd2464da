"""A changed network, fitted layer by layer to the maps of the one that it came from: it draws before it is trained.

He, Zhang, Sun, "Channel Pruning for Accelerating Very Deep Neural Networks", ICCV 2017, section 3.1: each layer's own
weights are the least-squares solution for the map that the original has there. What enters it is what the changed
network itself makes, so that a layer makes up for the errors of those before it (section 4.1.3 of Zhang et al.,
"Accelerating Very Deep Convolutional Networks", TPAMI 2016).
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from anime_model.compression.least_squares import solve_ridge
from anime_model.networks.architecture import FIRST, HALVING
from anime_model.networks.generator import ConvUnit, Generator
from anime_model.pictures.sampling import spread

RIDGE = 1e-4  # of the mean square of an input
PIXELS = 2**18  # of photos that are looked at: enough to decide every kernel, little enough for the memory


@torch.no_grad()
def reconstruct(student: Generator, teacher: Generator, photos: Tensor) -> None:
    """Fits `student`, in place, to what `teacher` makes of `photos` [N, 3, H, W] in [-1, 1].

    As many of the photos count as have `PIXELS` pixels, spread over all of them, cut to multiples of 4 pixels.

    Pointwise convolutions get new kernels; all others keep theirs. Every batch norm gets the statistics of its input
    and, channel by channel, the scale and the shift that bring this nearest to the teacher's map behind its norm. The
    output convolution is fitted to the teacher's before the tanh. Both networks are left in evaluation mode. Raises
    `ValueError` for a student without batch norms.
    """
    if student.arch.norm != "batch":
        raise ValueError(f"only batch norms can take up a fit; this network has norm {student.arch.norm!r}")
    height, width = photos.shape[-2:]
    photos = photos[spread(len(photos), max(1, PIXELS // (height * width)))]
    photos = photos[..., : height // 4 * 4, : width // 4 * 4]
    wanted = _maps(teacher.eval(), photos)
    if HALVING not in student.arch.layers:
        wanted[f"layers.{FIRST}"] = wanted[f"layers.{HALVING}"]
    handles = [student.out.register_forward_pre_hook(partial(_fit_output, wanted["out"]))]
    for name, unit in _normed(student).items():
        target = wanted[name.removesuffix(".pointwise")]
        handles.append(unit.conv.register_forward_pre_hook(partial(_fit_pointwise, target)))
        handles.append(unit.norm.register_forward_pre_hook(partial(_fit_norm, target)))
    try:
        student.eval()(photos)
    finally:
        for handle in handles:
            handle.remove()


def _normed(network: Generator) -> dict[str, ConvUnit]:
    """The units that have a norm, by name, in their order."""
    units = {name: unit for name, unit in network.named_modules() if isinstance(unit, ConvUnit)}
    return {name: unit for name, unit in units.items() if not isinstance(unit.norm, nn.Identity)}


def _maps(teacher: Generator, photos: Tensor) -> dict[str, Tensor]:
    """What leaves each norm, and the output convolution, of the teacher."""
    found: dict[str, Tensor] = {}

    def keep(name: str) -> Callable[[nn.Module, tuple[Tensor], Tensor], None]:
        return lambda module, given, made: found.__setitem__(name, made)

    handles = [unit.norm.register_forward_hook(keep(name)) for name, unit in _normed(teacher).items()]
    handles.append(teacher.out.register_forward_hook(keep("out")))
    teacher(photos)
    for handle in handles:
        handle.remove()
    return found


def _fit_pointwise(target: Tensor, conv: nn.Conv2d, given: tuple[Tensor]) -> None:
    if conv.kernel_size == (1, 1) and conv.groups == 1:
        inputs, outputs = _rows(given[0]), _rows(_as_large(target, given[0]))
        inputs, outputs = inputs - inputs.mean(0), outputs - outputs.mean(0)
        conv.weight.copy_(solve_ridge(inputs.T @ inputs, inputs.T @ outputs, RIDGE).T[..., None, None])


def _fit_norm(target: Tensor, norm: nn.BatchNorm2d, given: tuple[Tensor]) -> None:
    """The line through the pairs of a channel's own values and those that are wanted."""
    own, wanted = _rows(given[0]), _rows(_as_large(target, given[0]))
    variance, mean = torch.var_mean(own, 0, correction=0)
    slope = ((own - mean) * (wanted - wanted.mean(0))).mean(0) / (variance + norm.eps)
    norm.running_mean.copy_(mean)
    norm.running_var.copy_(variance)
    norm.weight.copy_(slope * (variance + norm.eps).sqrt())
    norm.bias.copy_(wanted.mean(0))


def _fit_output(target: Tensor, conv: nn.Conv2d, given: tuple[Tensor]) -> None:
    """A sub-pixel output is fitted to the four pixels of each place. A gate that the teacher has not stays closed."""
    if target.shape[-2:] != given[0].shape[-2:]:
        target = F.pixel_unshuffle(target, 2)
    inputs = _rows(given[0])
    solved = solve_ridge(inputs.T @ inputs, inputs.T @ _rows(target), RIDGE).T[: conv.out_channels, :, None, None]
    conv.weight[: len(solved)] = solved.to(conv.weight)


def _as_large(target: Tensor, like: Tensor) -> Tensor:
    """The teacher's map at the size of the student's, which may work at half of its resolution."""
    return target if target.shape[-2:] == like.shape[-2:] else F.adaptive_avg_pool2d(target, like.shape[-2:])


def _rows(maps: Tensor) -> Tensor:
    """[N, C, H, W] as [N * H * W, C], in double precision."""
    return maps.transpose(0, 1).flatten(1).T.double()
