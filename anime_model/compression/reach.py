"""Larger kernels: a network that sees further and makes the same pictures until it trains."""

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch.nn import functional as F

from anime_model.networks.generator import Generator


@torch.no_grad()
def with_kernels(network: Generator, kernels: Mapping[str, int]) -> Generator:
    """An equal network whose `kernels`, sizes by layer, have zeros around what they were.

    A network that changes shapes, such as one that draws larger eyes, has to know from far away where it is. Of a
    separable layer or an inverted block it is the depthwise kernel that grows, which costs little. Raises `ValueError`
    naming a layer that the network has not, that halves the picture, or whose kernel cannot become that one.
    """
    layers = dict(network.arch.layers)
    for name, size in kernels.items():
        layer = layers.get(name)
        if layer is None or layer.stride > 1:
            free = ", ".join(name for name, layer in layers.items() if layer.stride == 1)
            raise ValueError(f"kernels: layer {name!r} cannot get a larger kernel; choose among {free}")
        if size < layer.kernel or (size - layer.kernel) % 2:
            raise ValueError(f"kernels.{name}: {size} is not {layer.kernel} and an even number more")
        layers[name] = replace(layer, kernel=size)
    grown = Generator(replace(network.arch, layers=layers))
    state = network.state_dict()
    for key, weight in grown.state_dict().items():
        if weight.shape != state[key].shape:
            more = (weight.shape[-1] - state[key].shape[-1]) // 2
            state[key] = F.pad(state[key], (more,) * 4)
    grown.load_state_dict(state)
    return grown.train(network.training)
