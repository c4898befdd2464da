"""How near a converted file's pictures are to those of the ONNX file that it was made from."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from anime_model.exporting.order import INT8, FormatError, Order, Run, text_of
from anime_model.exporting.photos import batch, resized
from anime_model.runtime.network import Network, to_picture
from anime_model.runtime.tiles import MULTIPLE, stylize_whole

LEAST = {"float": 40.0, "fp16": 40.0, INT8: 30.0}  # dB
ODD = ((61, 83), (100, 52), (225, 129))  # sides that no network takes as they are


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB of two pictures, uint8 [H, W, 3]; infinite where they are equal."""
    difference = np.square(a.astype(np.float64) - b).mean()
    return float("inf") if difference == 0 else float(10 * np.log10(255**2 / difference))


def pictures_for(photos: Sequence[np.ndarray], order: Order) -> list[np.ndarray]:
    """What a file is compared on: photos at its one size, or the photos as they are and at odd sizes."""
    if order.size:
        return [resized(photo, *order.size) for photo in photos]
    return [*photos, *(resized(photo, *size) for photo, size in zip(photos, ODD, strict=False))]


def nearness(path: Path, run: Run, photos: Sequence[np.ndarray], order: Order) -> float:
    """The smallest PSNR in dB of any picture, made by `run` and by the ONNX file at `path`, in levels of 8 bits."""
    network = Network(path, threads=1)
    return min(_one(network, run, photo, order) for photo in pictures_for(photos, order))


def check(path: Path, run: Run, photos: Sequence[np.ndarray], order: Order) -> float:
    """The nearness. Raises `FormatError` where it is under the bound of the precision."""
    found = nearness(path, run, photos, order)
    least = LEAST[order.precision]
    if not found >= least:
        raise FormatError(
            f"{path.stem}, {order.precision}, {text_of(order.size)}: {found:.1f} dB to the ONNX file's pictures,"
            f" under {least:g} dB; not kept"
        )
    return found


def _one(network: Network, run: Run, photo: np.ndarray, order: Order) -> float:
    if order.size:
        return psnr(network.run(photo), drawing(run)(photo))
    return psnr(stylize_whole(photo, network.run), stylize_whole(photo, drawing(run)))


def drawing(run: Run) -> Callable[[np.ndarray], np.ndarray]:
    """uint8 [H, W, 3] of multiples of 4 to the picture of it."""

    def draw(photo: np.ndarray) -> np.ndarray:
        assert not photo.shape[0] % MULTIPLE
        assert not photo.shape[1] % MULTIPLE
        made = np.array(run(batch(photo)), np.float32)
        if made.shape != (1, 3, *photo.shape[:2]) or np.isnan(made.min()):
            raise FormatError(f"made {list(made.shape)} of a photo {list(photo.shape)}, or numbers that are none")
        return to_picture(made[0])

    return draw
