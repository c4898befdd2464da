"""What tests of several rooms build."""

from dataclasses import replace

from anime_model.networks.architecture import Architecture, animeganv2


def lite(**changes: str) -> Architecture:
    """A narrow generator of the kind that ships: batch norm, ReLU, zero padding, sub-pixel tail."""
    wanted = {"norm": "batch", "activation": "relu", "padding": "zeros", "tail": "subpixel"} | changes
    return replace(animeganv2(0.25), **wanted)
