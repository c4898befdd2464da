"""Tensors in `.safetensors` files, written whole or not at all."""

import os
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor


def write_tensors(path: Path, tensors: Mapping[str, Tensor], header: Mapping[str, str] | None = None) -> None:
    """Writes detached copies on the CPU; the folder is made. Raises `OSError` naming the file where the disk refuses.

    Give `header` one entry: safetensors writes several in an order that changes, and equal tensors would make unequal
    files.
    """
    # A copy each: tensors that share memory cannot be saved together.
    plain = {key: value.detach().cpu().contiguous().clone() for key, value in tensors.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    try:
        save_file(plain, part, dict(header or {}))
        os.replace(part, path)
    except SafetensorError as error:
        raise OSError(f"{path}: cannot be written ({error})") from error
    finally:
        part.unlink(missing_ok=True)
