"""LPIPS: how different two pictures look to a network, 0 for equal ones."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from anime_model.metrics.batches import pairs
from anime_model.metrics.downloads import EvaluationError, weights_of
from anime_model.metrics.names import NETS
from anime_model.networks.perceptual import load_perceptual
from anime_model.networks.torchvision_ops import ensure_torchvision

SMALLEST = 32  # pixels; below, the deepest maps vanish

Distance = Callable[[Tensor, Tensor], Tensor]


def load_distance(net: str) -> Distance:
    """From two batches [N, 3, H, W] in [-1, 1] to distances [N].

    "squeeze", "alex" and "vgg" are version 0.1 of the `lpips` package (Zhang et al., "The Unreasonable Effectiveness of
    Deep Features as a Perceptual Metric", CVPR 2018), with weights through torch's hub cache; "embedded" is this
    project's own network. Figures of different nets do not compare. Raises `EvaluationError`.
    """
    if net not in NETS:
        raise EvaluationError(f"LPIPS network {net!r}: choose one of {', '.join(NETS)}")
    if net == "embedded":
        return load_perceptual("embedded").distance
    ensure_torchvision()
    import lpips  # seconds: it imports torchvision

    with weights_of(f"LPIPS ({net})"):
        network = lpips.LPIPS(net=net, verbose=False).eval().requires_grad_(False)
    return lambda a, b: network(a, b).flatten()


@torch.no_grad()
def lpips_distance(
    pictures: Sequence[np.ndarray], references: Sequence[np.ndarray], net: str, distance: Distance | None = None
) -> dict[str, float | str]:
    """The mean over pairs of uint8 RGB pictures [H, W, 3], whose sizes may differ from pair to pair.

    `distance` is what `load_distance(net)` gave, where it serves several calls. Raises `EvaluationError` where there is
    no pair, a picture is under 32 px, or a distance is not finite.
    """
    if not pictures or any(min(picture.shape[:2]) < SMALLEST for picture in pictures):
        raise EvaluationError(f"LPIPS needs pairs of pictures of {SMALLEST} px or more on the short side")
    distance = distance or load_distance(net)
    found = [distance(a / 127.5 - 1, b / 127.5 - 1) for a, b in pairs(pictures, references)]
    mean = torch.cat(found).mean()
    if not mean.isfinite():
        raise EvaluationError(f"LPIPS ({net}) is not finite: its weights are damaged; choose another net")
    return {"lpips": float(mean), "lpips_net": net}
