"""A very small network that enlarges a drawing to twice its size: crisp lines, flat areas, no texture made up.

A drawing is made at a working size, since a network draws lines of a pixel or two, and brought to the picture's own
size by this one, as often as needed. It works at the low resolution only: a bicubic skip (a 5x5 kernel for each of the
four pixels that a pixel becomes) plus what some 3x3 convolutions add to it, both before one pixel shuffle (Shi et al.,
"Real-Time Single Image and Video Super-Resolution", CVPR 2016). No norms: a pixel depends on its neighbours alone.
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
WIDTH, HIDDEN = 16, 6
# Keys' kernel (1981, a = -0.5) at the five pixels around one, for the first of the two new pixels in it
CUBIC = (-3.0 / 128, 29.0 / 128, 111.0 / 128, -9.0 / 128, 0.0)


class Enlarger(nn.Module):
    """float [N, 3, H, W] in [-1, 1] to [N, 3, 2H, 2W] in about the same range.

    Beyond the border it sees zeros: give it `radius` pixels more than are wanted.
    """

    def __init__(self, width: int = WIDTH, hidden: int = HIDDEN) -> None:
        super().__init__()
        self.width, self.hidden = width, hidden
        convs = [nn.Conv2d(width, width, 3, padding=1) for _ in range(hidden)]
        self.body = nn.ModuleList([nn.Conv2d(3, width, 3, padding=1), *convs])
        self.tail = nn.Conv2d(width, 12, 3, padding=1)
        self.skip = nn.Conv2d(3, 12, 5, padding=2, bias=False)
        self._begin()

    @property
    def radius(self) -> int:
        """Pixels to each side, of what comes in, that a colour depends on."""
        return self.hidden + 2

    def forward(self, picture: Tensor) -> Tensor:
        return F.pixel_shuffle(self.skip(picture) + self.detail(picture), 2)

    def detail(self, picture: Tensor) -> Tensor:
        """What is added to the skip, [N, 12, H, W]."""
        for conv in self.body:
            picture = torch.relu(conv(picture))
        return self.tail(picture)

    @torch.no_grad()
    def _begin(self) -> None:
        """The untrained network is the bicubic enlargement: its skip is, and its tail adds next to nothing."""
        for conv in self.body:
            nn.init.kaiming_normal_(conv.weight)
            nn.init.zeros_(conv.bias)
        nn.init.normal_(self.tail.weight, std=1e-3)
        nn.init.zeros_(self.tail.bias)
        first = torch.tensor(CUBIC)
        self.skip.weight.zero_()
        for colour in range(3):
            for down in range(2):
                for right in range(2):
                    rows, columns = (first.flip(0) if part else first for part in (down, right))
                    self.skip.weight[colour * 4 + down * 2 + right, colour] = torch.outer(rows, columns)


def save_enlarger(path: Path, enlarger: Enlarger, **notes: str | float | int) -> None:
    """Writes the file whole or not at all, in 32-bit float."""
    header = {"format": FORMAT, "width": enlarger.width, "hidden": enlarger.hidden, "notes": notes}
    write_tensors(path, enlarger.state_dict(), {"enlarger": json.dumps(header)})


def load_enlarger(path: Path) -> tuple[Enlarger, dict[str, str | float | int]]:
    """The network in evaluation mode, and its notes. Raises `CheckpointError` naming the file."""
    try:
        with safe_open(path, "pt") as file:
            header = json.loads((file.metadata() or {})["enlarger"])
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (safe_open is not a dict)
        enlarger = Enlarger(header["width"], header["hidden"])
        enlarger.load_state_dict(tensors)
        return enlarger.eval(), header["notes"]
    except (OSError, SafetensorError, KeyError, TypeError, RuntimeError, json.JSONDecodeError) as error:
        raise CheckpointError(f"{path}: cannot be read as an enlarger ({error})") from error
