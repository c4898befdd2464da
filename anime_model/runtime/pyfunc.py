"""The stylizer behind MLflow's generic model interface.

MLflow imports this module, which travels inside the registered model as source code, and calls `_load_pyfunc`: no
pickle is written or read, and MLflow itself is not needed here.
"""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path

import numpy as np

from anime_model.pictures.arrays import read_picture
from anime_model.runtime.stylizer import Stylizer


class AnimeModel:
    """`predict` takes pictures, uint8 RGB [N, H, W, 3], or a list of N picture files, which may differ in size. Through
    MLflow, whose signature of the registered model knows one kind of input, pictures alone.

    It returns uint8 RGB [N, H, W, 3], or a list of pictures [H, W, 3] where their sizes differ. A file that is no
    picture raises `PictureError`.
    """

    def __init__(self, stylizer: Stylizer) -> None:
        self.stylizer = stylizer

    def predict(self, model_input, params=None) -> np.ndarray | list[np.ndarray]:
        styled = [self.stylizer(_picture(item)) for item in _items(model_input)]
        same_size = len({picture.shape for picture in styled}) == 1
        return np.stack(styled) if same_size else styled


def _load_pyfunc(data_path: str) -> AnimeModel:
    """MLflow's entry: `data_path` is the model's ONNX file, or the folder that holds it."""
    path = Path(data_path)
    return AnimeModel(
        Stylizer(next(path.glob("*.onnx")) if path.is_dir() else path, stroke=0)
    )  # as it was evaluated; the enlarger stays


def _items(model_input) -> Sequence:
    """An array, a list, one path, or the table of one column that MLflow's server makes of a list of paths."""
    if hasattr(model_input, "iloc"):
        return list(model_input.iloc[:, 0])
    return [model_input] if isinstance(model_input, str | PathLike) else model_input


def _picture(item) -> np.ndarray:
    """uint8 [H, W, 3] of a file's path or of an array, whose values a server may have widened to int64."""
    return read_picture(Path(item)) if isinstance(item, str | PathLike) else np.asarray(item).astype(np.uint8)
