"""Four channels of every layer that carry a photo's colours through a generator from the first step on.

From random weights AnimeGANv2's generator learns brightness in minutes and colours hardly at all: every layer norm runs
over all channels, and what little colour gets through a dozen of them has next to no gradient. So U, V and their
negatives get channels of their own, with kernels that pass them on (Dirac kernels, as in Zagoruyko and Komodakis,
*DiracNets*, 2017): a leaky ReLU of a value minus that of its negative is linear. A trained generator in which one axis
of colour has died is mended in the same way, at the cost of the four weakest channels of each layer.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from anime_model.networks.generator import ConvUnit, Generator, InvertedResidual
from anime_model.training.yuv import YUV, to_yuv

GREY = 1e-3  # standard deviation of U and V
CARRIERS = 4  # U, V, -U, -V
STRENGTH = 0.5  # standard deviation of a carrier behind a norm, beside 1 of all channels


@dataclass(frozen=True)
class _Stop:
    """One unit on the carriers' way, the convolutions that read what it makes, and the residual blocks beside it.

    A depthwise unit has no readers here: its channels are those that it was given.
    """

    unit: ConvUnit
    readers: tuple[nn.Conv2d, ...]
    blocks: tuple[InvertedResidual, ...] = ()


@torch.no_grad()
def carry_colours(generator: Generator, photos: Tensor) -> None:
    """Gives a generator of standard and inverted layers its carriers, in place.

    `photos` [N, 3, H, W] in [-1, 1] show how strong the other channels are. Every layer needs eight channels or more.
    Raises `ValueError` for photos that have no colours.
    """
    if to_yuv(photos)[:, 1:].std() < GREY:
        raise ValueError("teacher.carry_colours: the photos are grey, they have no colours to carry")
    carriers = torch.arange(3)
    for stop in _carrier_path(generator):
        chosen = _weakest(stop) if stop.readers else carriers
        _pass_on(stop.unit.conv, carriers, chosen)
        for block in stop.blocks:
            block.expand.conv.weight[:, chosen] = 0
            block.project.norm.weight[chosen], block.project.norm.bias[chosen] = 0, 0
        _balance(generator, stop.unit, chosen, photos)
        carriers = chosen
    _paint(generator, carriers, photos)


def _carrier_path(generator: Generator) -> Iterator[_Stop]:
    modules = list(generator.layers.values())
    entries = [layer.expand.conv if isinstance(layer, InvertedResidual) else layer.conv for layer in modules]
    entries.append(generator.out)
    for index, layer in enumerate(modules):
        if isinstance(layer, ConvUnit):
            yield _Stop(layer, (entries[index + 1],))
        elif not layer.residual:
            yield _Stop(layer.expand, (layer.project.conv,))
            yield _Stop(layer.depthwise, ())
            end = index + 1
            while isinstance(modules[end], InvertedResidual) and modules[end].residual:
                end += 1
            yield _Stop(layer.project, tuple(entries[index + 1 : end + 1]), tuple(modules[index + 1 : end]))


def _weakest(stop: _Stop) -> Tensor:
    """The channels that matter least: the norm's scale times what the readers make of them.

    What residual blocks add to them does not count: counting it kept less of a trained generator's brightness.
    """
    read = torch.stack([reader.weight.square().sum((0, 2, 3)) for reader in stop.readers]).sum(0).sqrt()
    return (stop.unit.norm.weight.abs() * read).argsort()[:CARRIERS]


def _pass_on(conv: nn.Conv2d, carriers: Tensor, chosen: Tensor) -> None:
    """Nothing but colours reaches the chosen channels, and behind the first layer these alone read them for now."""
    tap = torch.zeros(conv.kernel_size)
    if conv.stride[0] == 2:
        tap[:2, :2] = 0.25  # the map is halved: the mean of each 2x2
    else:
        tap[conv.kernel_size[0] // 2, conv.kernel_size[1] // 2] = 1
    if conv.bias is not None:
        conv.bias[chosen] = 0
    if conv.groups > 1:
        conv.weight[chosen] = tap
        return
    conv.weight[chosen] = 0
    if len(carriers) == CARRIERS:
        conv.weight[:, carriers] = 0
        passed = torch.cat([torch.eye(2), -torch.eye(2)], 1)
    else:
        passed = torch.tensor(YUV)[1:]
    conv.weight[chosen[:, None], carriers] = torch.cat([passed, -passed])[..., None, None] * tap


def _balance(generator: Generator, unit: ConvUnit, chosen: Tensor, photos: Tensor) -> None:
    """As strong as `STRENGTH` says, and around zero behind the norm, which takes off the mean of all channels."""
    made = _activations_of(generator, unit.conv, photos)[1]
    factor = STRENGTH * made.std((1, 2, 3)).mean() / made[:, chosen].std((0, 2, 3)).mean()
    unit.conv.weight[chosen] *= factor
    made[:, chosen] *= factor
    deviation, mean = made.std((1, 2, 3)), made.mean((1, 2, 3))
    unit.norm.weight[chosen] = 1
    unit.norm.bias[chosen] = ((mean - made[:, chosen].mean((0, 2, 3))[:, None]) / deviation).mean(1)


def _paint(generator: Generator, carriers: Tensor, photos: Tensor) -> None:
    """The output's weights of the carriers: least squares on the colours that the picture still lacks."""
    generator.out.weight[:, carriers] = 0
    seen, made = _activations_of(generator, generator.out, photos)
    lacking = to_yuv(photos.clamp(-0.95, 0.95).atanh() - made)[:, 1:]
    inputs = seen[:, carriers].transpose(0, 1).reshape(CARRIERS, -1)
    inputs = torch.cat([inputs, torch.ones_like(inputs[:1])])  # so that no weight makes up for what has no place here
    wanted = lacking.transpose(0, 1).reshape(2, -1)
    weights = torch.linalg.lstsq(inputs.T, wanted.T, driver="gelsd").solution[:CARRIERS].T
    generator.out.weight[:, carriers] = 2 * (torch.linalg.inv(torch.tensor(YUV))[:, 1:] @ weights)[..., None, None]


def _activations_of(generator: Generator, conv: nn.Conv2d, photos: Tensor) -> tuple[Tensor, Tensor]:
    """What enters and what leaves a convolution as the generator draws `photos`."""
    kept = []
    handle = conv.register_forward_hook(lambda module, entering, leaving: kept.append((entering[0], leaving)))
    generator(photos)
    handle.remove()
    return kept[0]
