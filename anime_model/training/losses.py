"""Losses of AnimeGANv2 and of distillation. Pictures are [N, 3, H, W] in [-1, 1]; every loss is a scalar."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

from anime_model.training.together import mean_over_processes
from anime_model.training.yuv import to_yuv

Maps = dict[str, Tensor]
Parts = dict[str, Tensor]  # of a loss, scalars without their weights
Made = tuple[Tensor, Parts]  # a loss and its parts


def gram(features: Tensor) -> Tensor:
    """Gram matrices [N, C, C] of maps [N, C, H, W], divided by C x H x W (Gatys et al., CVPR 2016)."""
    n, c, h, w = features.shape
    flat = features.float().reshape(n, c, h * w)
    return flat @ flat.transpose(1, 2) / (c * h * w)


def content(made: Maps, photo: Maps, layers: tuple[str, ...]) -> Tensor:
    """Mean absolute difference of perceptual maps."""
    return torch.stack([F.l1_loss(made[layer], photo[layer]) for layer in layers]).mean()


def style(made: Maps, frames: Maps, layers: tuple[str, ...]) -> Tensor:
    """Mean absolute difference of the batch's mean Gram matrices, relative to the frames' own size.

    Unpaired pictures share a style, not a layout: the mean over the batch compares the style alone.
    """
    losses = []
    for layer in layers:
        wanted = mean_over_processes(gram(frames[layer]).mean(0))
        found = mean_over_processes(gram(made[layer]).mean(0))
        losses.append((found - wanted).abs().sum() / wanted.abs().sum().clamp_min(1e-8))
    return torch.stack(losses).mean()


def style_published(made: Maps, frames: Maps, layers: tuple[str, ...]) -> Tensor:
    """As `style` of AnimeGANv2 (`tools/ops.py`): mean absolute difference of picture i's Gram matrix to frame i's."""
    return torch.stack([F.l1_loss(gram(made[layer]), gram(frames[layer])) for layer in layers]).mean()


def style_paired(made: Maps, wanted: Maps, layers: tuple[str, ...]) -> Tensor:
    """As `style`, picture by picture, for distillation, where each picture has its own target."""
    losses = []
    for layer in layers:
        target = gram(wanted[layer])
        size = mean_over_processes(target.abs().sum())
        losses.append((gram(made[layer]) - target).abs().sum() / size.clamp_min(1e-8))
    return torch.stack(losses).mean()


def colour(made: Tensor, photo: Tensor, pool: int = 1) -> Tensor:
    """Keeps the photo's colours: absolute difference of Y, smooth one of U and V (AnimeGAN, eq. 6).

    The published Huber loss turns linear at 1, which U and V never reach: all of it is quadratic, and small tints cost
    next to nothing. Here it turns linear at a fiftieth. With `pool` the means over squares of so many pixels are
    compared: tints cost as much as ever, while lines and texture are free to change.
    """
    a, b = (F.avg_pool2d(to_yuv(picture), pool) for picture in (made, photo))
    return F.l1_loss(a[:, :1], b[:, :1]) + 2 * F.smooth_l1_loss(a[:, 1:], b[:, 1:], beta=0.02)


def colour_published(made: Tensor, photo: Tensor) -> Tensor:
    """As AnimeGANv2 has it (`tools/ops.py`): Y absolute, U and V by a Huber loss linear from 1 on."""
    a, b = to_yuv(made), to_yuv(photo)
    return F.l1_loss(a[:, :1], b[:, :1]) + sum(F.huber_loss(a[:, i], b[:, i]) for i in (1, 2))


def edges(made: Tensor, wanted: Tensor) -> Tensor:
    """Mean absolute error of the differences between neighbours, which sees a line that is soft or has teeth."""
    error = made - wanted
    return (error.diff(dim=-1).abs().mean() + error.diff(dim=-2).abs().mean()) / 2


def tint(made: Tensor, wanted: Tensor, side: int = 8) -> Tensor:
    """Mean absolute error of the means over squares of `side` pixels: a cast that is small in each pixel, and wide."""
    return F.avg_pool2d(made - wanted, side).abs().mean()


def distances(
    made: Tensor,
    wanted: Tensor,
    weights: Mapping[str, float],
    maps_of: Callable[[Tensor], Maps],
    layers: tuple[tuple[str, ...], tuple[str, ...]],
) -> Parts:
    """How far made pictures are from the wanted ones: pixel L1 and what else has a weight in `weights`.

    Those may be content and paired Gram style of the maps that `maps_of` a perceptual network gives, on the first and
    the second of `layers`, and edges and colour.
    """
    parts = {"pixel": F.l1_loss(made, wanted)}
    if weights.get("content") or weights.get("style"):
        made_maps = maps_of(made)
        with torch.no_grad():
            wanted_maps = maps_of(wanted)
        parts["content"] = content(made_maps, wanted_maps, layers[0])
        parts["style"] = style_paired(made_maps, wanted_maps, layers[1])
    for key, loss in (("edges", edges), ("colour", tint)):
        if weights.get(key):
            parts[key] = loss(made, wanted)
    return parts


def total_variation(picture: Tensor) -> Tensor:
    """Mean squared difference of neighbouring pixels, twice what AnimeGANv2 takes (TensorFlow's `l2_loss` halves)."""
    down = (picture[:, :, 1:] - picture[:, :, :-1]).square().mean()
    across = (picture[:, :, :, 1:] - picture[:, :, :, :-1]).square().mean()
    return down + across


def discriminator_loss(real: Tensor, made: Tensor, grey: Tensor, smooth: Tensor, smooth_weight: float = 0.1) -> Tensor:
    """Least squares on logits: frames are real; made pictures, grey frames and edge-smoothed frames are not.

    Source: AnimeGAN, eq. 7, where the edge-smoothed frames weigh 0.1; version 2 has a weight for each style.
    """
    false = made.square().mean() + grey.square().mean() + smooth_weight * smooth.square().mean()
    return (real - 1).square().mean() + false


def adversarial(made: Tensor) -> Tensor:
    """Least squares (Mao et al., ICCV 2017): the logits of made pictures should say 1."""
    return (made - 1).square().mean()


def channel_kl(student: Tensor, teacher: Tensor, temperature: float = 3.0) -> Tensor:
    """KL divergence of the softmax over channels at every place, times T squared (Hinton et al., 2015).

    Maps are [N, C, H, W] with equal C; the mean is taken over places.
    """
    log_student = F.log_softmax(student / temperature, dim=1)
    log_teacher = F.log_softmax(teacher / temperature, dim=1)
    divergence = (log_teacher.exp() * (log_teacher - log_student)).sum(1)
    return divergence.mean() * temperature**2


def relative_l2(made: Tensor, wanted: Tensor) -> Tensor:
    """Squared error of maps over the wanted maps' own mean square: 1 for a student that says nothing."""
    return F.mse_loss(made, wanted) / mean_over_processes(wanted.square().mean()).clamp_min(1e-8)
