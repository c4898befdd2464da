"""A family on disk: the checkpoint of its largest member, with what the others may choose from among its notes."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from anime_model.compression.family import Family, Space, as_network, in_order, member, widen, with_statistics
from anime_model.networks.architecture import ArchitectureError
from anime_model.networks.checkpoint import CheckpointError, load_generator, read_notes, save_generator
from anime_model.networks.generator import Generator, fold_batch_norm

FAMILY = "family"  # the note's name


def grow(lite: Generator, wanted: Callable[[Tensor], Tensor], photos: Tensor, least: float, most: float) -> Family:
    """A family around a lite network with batch norms, which is one of its members with the pictures that it has.

    `wanted` makes the pictures that `photos` [N, 3, H, W] in [-1, 1] should become, by which channels are ordered.
    """
    space = Space.around(lite.arch, least, most)
    return Family(widen(in_order(lite.eval(), wanted, photos).cpu(), space), space)


def resized(start: Path, factor: float, wanted: Callable[[Tensor], Tensor], photos: Tensor) -> Generator:
    """A network with `factor` times the widths of the one in `start`, in multiples of 8, with batch norms.

    From a lite network: a wider one makes the same pictures until it has trained, a narrower one keeps the channels
    that do most. From a family: the trained slice, `factor` being a share of its largest. `wanted` and `photos` as in
    `grow`. Raises `CheckpointError` and `ArchitectureError`.
    """
    if FAMILY in read_notes(start):
        family = open_family(start)
        return family.network_of(family.space.times(factor, family.space.largest))
    lite = load_generator(start)
    family = grow(lite, wanted, photos, min(1.0, factor), max(1.0, factor))
    small = family.space.architecture(family.space.times(factor, lite.arch))
    return member(with_statistics(as_network(family.network.cpu()), photos.cpu()), small, photos.cpu())


def open_family(path: Path) -> Family:
    """Raises `CheckpointError` for a file that holds no family."""
    network, notes = load_generator(path), read_notes(path)
    try:
        space = Space.from_json(replace(network.arch, int8=()), str(notes[FAMILY]))
        return Family(fold_batch_norm(network.float()), space)
    except (KeyError, ArchitectureError, ValueError) as error:
        message = f"{path}: holds no family of networks; `python -m tools.imitate family` makes one"
        raise CheckpointError(message) from error


def save_family(path: Path, family: Family, **notes: str | float) -> None:
    save_generator(path, as_network(family.network), **notes, **{FAMILY: family.space.to_json()})
