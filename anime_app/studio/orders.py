"""What a person chose, as the page sends it: any text may come, only what there is goes on."""

from dataclasses import dataclass, field

from anime_model.pictures.message import Message
from anime_model.runtime.models import SIZE, file_name
from anime_model.runtime.models import SIZES as NETWORK_SIZES
from anime_model.runtime.palettes import PALETTES
from anime_model.runtime.stylizer import Look

# How fine the drawn lines are: the short side in pixels at which the network sees a photo, 0 for every pixel, None for
# what the network asks for.
STROKES = {"bold": None, "fine": 1080, "finest": 0}
SIZES = (0, 4000, 3000, 2000, 1200)  # pixels of the longer side of a result; 0 for the photo's own
NO_PALETTE = "none"


@dataclass(frozen=True)
class Order:
    """How a photo is to be drawn: by which network, at which working size, with which look; and how large its file is.

    `network` is a style, and `speed` the size of its network, one of `models.SIZES`. `size` is the longer side's most
    in pixels, None for the photo's own.
    """

    network: str
    look: Look = field(default_factory=Look)
    stroke: int | None = None
    size: int | None = None
    speed: str = SIZE

    @property
    def drawing(self) -> str:
        """The name of what the network makes: all looks and sizes of one drawing share it."""
        return f"{self.drawn_by}-{self.stroke}"

    @property
    def drawn_by(self) -> str:
        """The name of the network's file, which results are named after."""
        return file_name(self.network, self.speed)


def read_order(asked: object) -> Order:
    """The order in a request. What is missing is as it is at first; what there is not raises `ValueError`."""
    asked = asked if isinstance(asked, dict) else {}
    palette, lines, size = asked.get("palette", NO_PALETTE), asked.get("lines", "bold"), asked.get("size", 0)
    strength = asked.get("strength", 1)
    if not isinstance(strength, int | float) or isinstance(strength, bool) or not 0 <= strength <= 1:
        raise ValueError(
            Message("strength is from 0 (the photo) to 1 (the drawing), not {strength}", strength=strength)
        )
    if palette not in (NO_PALETTE, *PALETTES):
        choices = ", ".join((NO_PALETTE, *PALETTES))
        raise ValueError(Message("no palette {name!r}: there is {choices}", name=palette, choices=choices))
    if not isinstance(lines, str) or lines not in STROKES:
        raise ValueError(f"no lines {lines!r}: there is {', '.join(STROKES)}")
    if isinstance(size, bool) or size not in SIZES:
        raise ValueError(f"no size {size!r}: there is {', '.join(map(str, SIZES))}")
    if (speed := asked.get("speed", SIZE)) not in NETWORK_SIZES:
        raise ValueError(f"no speed {speed!r}: there is {', '.join(NETWORK_SIZES)}")
    look = Look(None if palette == NO_PALETTE else palette, float(strength), asked.get("keep") is True)
    return Order(str(asked.get("network", "")), look, STROKES[lines], size or None, speed)
