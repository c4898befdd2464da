"""Files that a recipe names beside the data, each pinned by its md5."""

import hashlib
from pathlib import Path

from anime_model.recipes.reading import RecipeError


def check_pin(key: str, pin: str, file: Path, md5: str) -> None:
    """Raises `RecipeError` unless the `file` of the recipe's `key` is there and has the md5 that `pin` gives."""
    if not file.is_file():
        raise RecipeError(f"{key}: {file} does not exist")
    found = hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest()
    if found != md5:
        raise RecipeError(f"{pin}: {file} has the md5 {found}; put it into the recipe if that is the file")
