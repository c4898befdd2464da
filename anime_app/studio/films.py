"""Films in the studio: the first frame, on which looks are chosen, and the whole film, drawn."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from anime_app.drawing import frames_by
from anime_app.studio.orders import Order
from anime_model.pictures.message import about
from anime_model.runtime.stylizer import Stylizer
from anime_model.runtime.video import SUFFIXES, VideoError, stylize_video

FILMS = SUFFIXES


class _Enough(Exception):
    """The first frame is there."""


def first_frame(film: Path) -> np.ndarray:
    """The first frame as it is drawn, upright and in SDR: uint8 [H, W, 3]. Raises `VideoError`."""
    found: list[np.ndarray] = []

    def take(photo: np.ndarray) -> np.ndarray:
        found.append(photo)
        raise _Enough

    try:
        stylize_video(film, film.with_name("first.mp4"), take, workers=1)
    except _Enough:
        return found[0]
    raise VideoError(about(film, "holds no frame that can be read"))


def make_film(
    film: Path, target: Path, stylizer: Stylizer, order: Order, tick: Callable[[], None], tell: Callable[[float], None]
) -> tuple[str, ...]:
    """The film drawn; lines for people on what it lacks. `tell` hears of the share that is done."""
    drawn = frames_by(stylizer, order.look, order.stroke)

    def draw(photo: np.ndarray) -> np.ndarray:
        tick()
        return drawn(photo)

    def count(done: int, total: int) -> None:
        tick()
        tell(done / total)

    return stylize_video(film, target, draw, workers=1, max_size=order.size, tick=count).notes
