"""Very small networks that enlarge a drawing two or four times: crisp lines, flat areas, no texture made up.

A drawing is made at a working size, since a network draws lines of a pixel or two, and brought to the picture's own
size by these. They work at the low resolution only: a plain enlargement (a kernel for each of the pixels that a pixel
becomes) plus what some 3x3 convolutions add to it, both before one pixel shuffle (Shi et al., "Real-Time Single Image
and Video Super-Resolution", CVPR 2016). No norms: a pixel depends on its neighbours alone. Four times in one step costs
a quarter of two doublings, since the second has four times as many pixels.
"""

import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torch.nn import functional as F

from anime_model.networks.checkpoint import CheckpointError
from anime_model.networks.tensors import write_tensors

FORMAT = "animegan-enlarger/1"
WIDTH = 16
HIDDEN = {2: 6, 4: 4}  # convolutions between the first and the last, by factor: either has less than 20,000 parameters
# What the pixels around one give to each new pixel in its first half: of two by Keys' kernel (1981, a = -0.5), of four
# by a straight line, since five by five for 48 outputs would be a quarter of the network.
TAPS = {
    2: ((-3 / 128, 29 / 128, 111 / 128, -9 / 128, 0.0),),
    4: ((3 / 8, 5 / 8, 0.0), (1 / 8, 7 / 8, 0.0)),
}


class Enlarger(nn.Module):
    """float [N, 3, H, W] in [-1, 1] to [N, 3, factor * H, factor * W] in about the same range.

    Beyond the border it sees zeros: give it `radius` pixels more than are wanted.
    """

    def __init__(self, width: int = WIDTH, hidden: int | None = None, factor: int = 2) -> None:
        """`factor` is 2 or 4; `hidden` is by default `HIDDEN` of it."""
        super().__init__()
        self.width, self.hidden, self.factor = width, HIDDEN[factor] if hidden is None else hidden, factor
        hidden, made, taps = self.hidden, 3 * factor**2, len(TAPS[factor][0])
        convs = [nn.Conv2d(width, width, 3, padding=1) for _ in range(hidden)]
        self.body = nn.ModuleList([nn.Conv2d(3, width, 3, padding=1), *convs])
        self.tail = nn.Conv2d(width, made, 3, padding=1)
        self.skip = nn.Conv2d(3, made, taps, padding=taps // 2, bias=False)
        self._begin()

    @property
    def radius(self) -> int:
        """Pixels to each side, of what comes in, that a colour depends on."""
        return self.hidden + 2

    def forward(self, picture: Tensor) -> Tensor:
        return F.pixel_shuffle(self.skip(picture) + self.detail(picture), self.factor)

    def detail(self, picture: Tensor) -> Tensor:
        """What is added to the skip, [N, 3 * factor ** 2, H, W]."""
        for conv in self.body:
            picture = torch.relu(conv(picture))
        return self.tail(picture)

    @torch.no_grad()
    def _begin(self) -> None:
        """The untrained network is the plain enlargement: its skip is, and its tail adds next to nothing."""
        for conv in self.body:
            nn.init.kaiming_normal_(conv.weight)
            nn.init.zeros_(conv.bias)
        nn.init.normal_(self.tail.weight, std=1e-3)
        nn.init.zeros_(self.tail.bias)
        first = [torch.tensor(taps) for taps in TAPS[self.factor]]
        taps = first + [each.flip(0) for each in reversed(first)]
        kernels = torch.stack([torch.outer(rows, columns) for rows in taps for columns in taps])
        self.skip.weight.zero_()
        for colour, made in enumerate(self.skip.weight.chunk(3)):
            made[:, colour] = kernels


def save_enlarger(path: Path, enlarger: Enlarger, **notes: str | float | int) -> None:
    """Writes the file whole or not at all, in 32-bit float."""
    sizes = {"width": enlarger.width, "hidden": enlarger.hidden, "factor": enlarger.factor}
    header = {"format": FORMAT, **sizes, "notes": notes}
    write_tensors(path, enlarger.state_dict(), {"enlarger": json.dumps(header)})


def load_enlarger(path: Path) -> tuple[Enlarger, dict[str, str | float | int]]:
    """The network in evaluation mode, and its notes. Raises `CheckpointError` naming the file."""
    try:
        with safe_open(path, "pt") as file:
            header = json.loads((file.metadata() or {})["enlarger"])
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (safe_open is not a dict)
        enlarger = Enlarger(header["width"], header["hidden"], header.get("factor", 2))
        enlarger.load_state_dict(tensors)
        return enlarger.eval(), header["notes"]
    except (OSError, SafetensorError, KeyError, TypeError, RuntimeError, json.JSONDecodeError) as error:
        raise CheckpointError(f"{path}: cannot be read as an enlarger ({error})") from error
