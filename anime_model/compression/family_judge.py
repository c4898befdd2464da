"""How good a family's members are without training them: LPIPS on photos kept apart, foreseen time, bytes."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from anime_model.compression.block_times import LatencyTable
from anime_model.compression.family import Choice, Family, as_network, member, with_statistics
from anime_model.metrics.lpips import Distance
from anime_model.networks.cost import count_parameters
from anime_model.networks.generator import Generator
from anime_model.pictures.sampling import spread

HELD_OUT = 24  # train photos that no family trains on and every search judges by
SETTLING = 8  # photos that give a member's norms their statistics
FLOAT = 4  # bytes of a weight before quantization


def split_held_out(files: list[Path], count: int = HELD_OUT) -> tuple[list[Path], list[Path]]:
    """Files to train on, and `count` of them, spread over the folder, to judge by; at most a quarter of all."""
    apart = {files[place] for place in spread(len(files), min(count, len(files) // 4))}
    return [file for file in files if file not in apart], [file for file in files if file in apart]


@dataclass(frozen=True)
class Worth:
    """LPIPS to the wanted pictures, milliseconds of one picture, bytes of the weights in 32 bits."""

    lpips: float
    ms: float
    bytes: int


class Judge:
    """Judges the members of one family by the same photos."""

    def __init__(
        self,
        family: Family,
        photos: Tensor,
        wanted: Callable[[Tensor], Tensor],
        distance: Distance,
        table: LatencyTable,
    ) -> None:
        """`photos` [N, 3, H, W] in [-1, 1], N at least 2; `wanted` makes what they should become."""
        self.space, self.distance, self.table = family.space, distance, table
        self._settling = photos[: max(2, min(SETTLING, len(photos)))]
        self._network = with_statistics(as_network(family.network.cpu()).eval(), self._settling)
        with torch.no_grad():
            self._pairs = [(photo, wanted(photo)) for photo in photos.split(4)]

    def network(self, choice: Choice) -> Generator:
        """The member as a network of its own, with batch norms."""
        return member(self._network, self.space.architecture(choice), self._settling)

    def ms(self, choice: Choice) -> float:
        """Foreseen milliseconds of one picture; takes no time itself."""
        return self.table(self.space.architecture(choice))

    @torch.no_grad()
    def __call__(self, choice: Choice) -> Worth:
        network = self.network(choice)
        apart = torch.cat([self.distance(network(photo).clamp(-1, 1), made) for photo, made in self._pairs])
        return Worth(float(apart.mean()), self.ms(choice), FLOAT * count_parameters(network.arch))
