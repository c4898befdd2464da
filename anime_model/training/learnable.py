"""A published network as a PyTorch module whose pictures can be learned on any device, as ONNX Runtime draws them."""

from math import ceil
from pathlib import Path

import numpy as np
import torch

from anime_model.networks.onnx_network import OnnxNetwork
from anime_model.reference.names import RANGES
from anime_model.reference.network import PublishedNetwork
from anime_model.reference.opening import NetworkError
from anime_model.reference.probe import open_reference

SIDE = 64  # pixels of the picture that both engines draw
FARTHEST = 0.02  # of any value in [-1, 1]; PyTorch and ONNX Runtime are a thousandth of that apart


def learnable(path: Path) -> OnnxNetwork:
    """Photo to anime: [N, 3, H, W] RGB in [-1, 1] to the same.

    Raises `NetworkError` for a network with other levels or colours, and for one that draws another picture in PyTorch
    than in ONNX Runtime; `OnnxNetworkError` for a graph that PyTorch cannot run here.
    """
    reference = open_reference(path)
    found = reference.format
    if {RANGES[found.values], RANGES[found.values_out]} != {(-1, 1)} or {found.channels, found.channels_out} != {"rgb"}:
        kind = f"{found.values} to {found.values_out}, {found.channels} to {found.channels_out}"
        raise NetworkError(f"{path}: takes {kind}; here only [-1, 1] in rgb, `anime compress` takes all of them")
    network = OnnxNetwork(path).eval()
    if (apart := _apart(reference, network)) > FARTHEST:
        raise NetworkError(f"{path}: draws otherwise in PyTorch than in ONNX Runtime (values differ by {apart:.2g})")
    return network


@torch.no_grad()
def _apart(reference: PublishedNetwork, network: OnnxNetwork) -> float:
    """The largest difference of what both engines draw of one picture."""
    side = ceil(SIDE / reference.format.multiple) * reference.format.multiple
    picture = np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)
    photo = torch.from_numpy(picture).permute(2, 0, 1)[None] / 127.5 - 1
    drawn = torch.from_numpy(reference.levels(picture)).permute(2, 0, 1)[None] / 127.5 - 1
    return float((network(photo) - drawn).abs().max())
