"""Kernels in 8 bits for a file, rounded so that what the layers make changes least."""

import copy
from collections.abc import Callable, Collection

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from anime_model.networks.generator import Generator, convolutions

LIMIT = 127  # 8 bits, symmetric
DAMPING = 1e-2  # of the mean square of the inputs
PHOTOS = 12  # every pixel counts as a sample, so few photos are enough


def rounded(network: Generator, photos: Tensor, skip: Collection[str] = ()) -> tuple[Generator, dict[str, Tensor]]:
    """A copy of `network` whose kernels are whole multiples of a step, at most 127 of it, and the steps [out channels].

    `photos` [N, 3, H, W] are in [-1, 1]. Steps go by the convolution's name; the convolutions of the units `skip` stay
    as they are. Layer after layer, each for what the rounded layers before it make.
    """
    network, steps = copy.deepcopy(network).eval(), {}

    def before(name: str) -> Callable[[nn.Conv2d, tuple[Tensor]], None]:
        def hook(conv: nn.Conv2d, entering: tuple[Tensor]) -> None:
            steps[name] = conv.weight.abs().flatten(1).amax(1).clamp_min(1e-8) / LIMIT
            conv.weight.copy_(round_kernel(conv.weight, second_moments(conv, entering[0]), steps[name]))

        return hook

    chosen = {name: conv for name, conv in convolutions(network).items() if name.removesuffix(".conv") not in skip}
    handles = [conv.register_forward_pre_hook(before(name)) for name, conv in chosen.items()]
    with torch.no_grad():
        network(photos[:PHOTOS])
    for handle in handles:
        handle.remove()
    return network, steps


def second_moments(conv: nn.Conv2d, entering: Tensor) -> Tensor:
    """Mean products [groups, K, K] of the K inputs that the kernels of a group see at one place."""
    total = torch.zeros(())
    for photo in entering.split(1):
        patches = F.unfold(photo, conv.kernel_size, conv.dilation, conv.padding, conv.stride)
        patches = patches.view(conv.groups, -1, patches.shape[-1])
        total = total + (patches @ patches.mT).double() / patches.shape[-1]
    return total / len(entering)


def round_kernel(weight: Tensor, moments: Tensor, steps: Tensor) -> Tensor:
    """`weight` [O, I, h, w] in whole multiples of `steps` [O], its error in the output kept small.

    Input by input: what is rounded off one is made up for by those that are still to be rounded, by least squares
    (GPTQ: Frantar et al., "Accurate Post-Training Quantization for Generative Pre-trained Transformers", ICLR 2023;
    optimal brain surgery before it). Inputs that have nothing in common are rounded to the nearest.
    """
    groups, count = moments.shape[:2]
    left = weight.double().reshape(groups, -1, count).clone()
    scale = steps.double().view(groups, -1)
    damping = DAMPING * moments.diagonal(dim1=1, dim2=2).mean(1).clamp_min(1e-12)
    damped = moments + damping[:, None, None] * torch.eye(count, dtype=moments.dtype)
    shares = torch.linalg.cholesky(torch.linalg.inv(damped), upper=True)
    for i in range(count):
        nearest = (left[:, :, i] / scale).round().clamp(-LIMIT, LIMIT) * scale
        error = (left[:, :, i] - nearest) / shares[:, i, i, None]
        left[:, :, i] = nearest
        left[:, :, i + 1 :] -= error[:, :, None] * shares[:, i, None, i + 1 :]
    return left.view_as(weight).to(weight)
