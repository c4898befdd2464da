"""Tensors in `.safetensors` files, written whole or not at all."""

from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from anime_model.pictures.atomic import whole_path


def write_tensors(path: Path, tensors: Mapping[str, Tensor], header: Mapping[str, str] | None = None) -> None:
    """Writes detached copies on the CPU; the folder is made. Raises `OSError` naming the file where the disk refuses.

    Give `header` one entry: safetensors writes several in an order that changes, and equal tensors would make unequal
    files.
    """
    # A copy each: tensors that share memory cannot be saved together.
    plain = {key: value.detach().cpu().contiguous().clone() for key, value in tensors.items()}
    try:
        with whole_path(path) as part:
            save_file(plain, part, dict(header or {}))
    except SafetensorError as error:
        raise OSError(f"{path}: cannot be written ({error})") from error
