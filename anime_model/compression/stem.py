"""The first two convolutions in one: a generator that leaves full resolution at once.

Published networks look at every pixel with 7x7, then halve the picture. In a pruned network that is a fifth of the
time. One convolution with stride 2 sees the same neighbourhood and makes the same map.
"""

from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional as F

from anime_model.compression.least_squares import solve_ridge
from anime_model.networks.architecture import FIRST, HALVING, Architecture
from anime_model.networks.generator import ConvUnit, Generator

RIDGE = 1e-6  # of the mean square of a tap: flat photos alone would leave the taps undecided


def strided_stem(arch: Architecture, kernel: int) -> Architecture:
    """`arch` with one layer, `a0`, in place of `a0` and `a1`: `kernel` x `kernel` with stride 2, as wide as `a1`."""
    layers = {name: layer for name, layer in arch.layers.items() if name != HALVING}
    layers[FIRST] = replace(layers[FIRST], kernel=kernel, stride=2, width=arch.layers[HALVING].width)
    return replace(arch, layers=layers)


@torch.no_grad()
def merge_stem(network: Generator, kernel: int, photos: Tensor) -> Generator:
    """A copy of `network` whose first two convolutions are one: the linear map nearest to both.

    Least squares over all pixels of `photos` [N, 3, H, W] in [-1, 1], of the halving layer's map before its norm and
    activation. All other weights are the network's. Raises `ValueError` where there is no halving layer any more.
    """
    if HALVING not in network.arch.layers:
        raise ValueError(f"the network has no layer {HALVING}: its first two convolutions are one already")
    merged = Generator(strided_stem(network.arch, kernel)).to(photos.device).train(network.training)
    first, second = (f"layers.{name}." for name in (FIRST, HALVING))
    state = {key: value for key, value in network.state_dict().items() if not key.startswith((first, second))}
    state |= {f"{first}{key}": value for key, value in network.layers[HALVING].state_dict().items()}
    weight, bias = _fit(merged.layers[FIRST], network, photos)
    state[f"{first}conv.weight"] = weight
    if f"{first}conv.bias" in state:
        state[f"{first}conv.bias"] = bias
    merged.load_state_dict(state)
    return merged


def _fit(unit: ConvUnit, network: Generator, photos: Tensor) -> tuple[Tensor, Tensor]:
    gram, right = torch.zeros(()), torch.zeros(())
    for photo in photos.split(1):
        halving = network.layers[HALVING]
        wanted = halving.conv(halving.pad(network.layers[FIRST](photo)))[0].flatten(1).T.double()
        patches = F.unfold(unit.pad(photo), unit.conv.kernel_size, stride=2)[0].T.double()
        patches = torch.cat([patches, torch.ones_like(patches[:, :1])], 1)
        gram, right = gram + patches.T @ patches, right + patches.T @ wanted
    solution = solve_ridge(gram, right, RIDGE).float()
    return solution[:-1].T.reshape(unit.conv.weight.shape), solution[-1]
