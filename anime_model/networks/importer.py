"""Published AnimeGANv2 weights: PyTorch state dicts with the keys `block_a` ... `out_layer`."""

import pickle
import re
from pathlib import Path

import torch
from torch import Tensor

from anime_model.networks.architecture import animeganv2
from anime_model.networks.checkpoint import CheckpointError, load_generator
from anime_model.networks.generator import Generator

# Inside a published inverted residual block: 0 expansion, 1 depthwise (each pad, conv, norm), 2 projection, 3 its norm.
INVERTED = {
    "layers.0.1": "expand.conv",
    "layers.0.2": "expand.norm",
    "layers.1.1": "depthwise.conv",
    "layers.1.2": "depthwise.norm",
    "layers.2": "project.conv",
    "layers.3": "project.norm",
}
PLAIN = {"1": "conv", "2": "norm"}


def import_generator(path: Path) -> Generator:
    """A generator from a published `.pt` state dict, or from one of this project's own checkpoints.

    Raises `CheckpointError` naming the file where it is neither. Pickled code is never run (`weights_only=True`).
    """
    if path.suffix == ".safetensors":
        return load_generator(path)
    generator = Generator(animeganv2())
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        generator.load_state_dict(rename_keys(state))
    except (OSError, RuntimeError, pickle.UnpicklingError, EOFError, AttributeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CheckpointError(f"{path}: not a published AnimeGANv2 state dict ({reason})") from error
    return generator.eval()


def rename_keys(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Published names to this project's: `block_c.1.layers.0.1.weight` to `layers.c1.expand.conv.weight`."""
    return {_rename(key): value for key, value in state.items()}


def _rename(key: str) -> str:
    if key == "out_layer.0.weight":
        return "out.weight"
    match = re.fullmatch(r"block_([a-e])\.(\d)\.(.+)\.(weight|bias)", key)
    if not match:
        raise RuntimeError(f"unknown key {key}")
    block, index, part, kind = match.groups()
    return f"layers.{block}{index}.{INVERTED.get(part) or PLAIN.get(part, part)}.{kind}"
