"""The recipe that is used: `params.yaml`, replaced by another one only after that one was found valid."""

import os
import shutil
import subprocess
import sys
from itertools import count
from pathlib import Path

from anime_model.recipes.data import DataSettings
from anime_model.recipes.reading import RecipeError
from anime_model.recipes.recipe import load_recipe


def use_recipe(root: Path, recipe: Path | None = None) -> Path | None:
    """Make `recipe` the `params.yaml` of the project at `root`; without one, check the present `params.yaml`.

    Returns where a `params.yaml` that exists nowhere else was kept. Raises `RecipeError`.
    """
    active = root / "params.yaml"
    check_data(root, load_recipe(recipe or active).data)
    if recipe is None or (active.exists() and active.read_bytes() == recipe.read_bytes()):
        return None
    kept = _keep(root, active) if active.exists() and not _exists_elsewhere(root, active) else None
    part = active.with_suffix(".part")
    shutil.copyfile(recipe, part)
    part.replace(active)
    return kept


def check_data(root: Path, data: DataSettings) -> None:
    """Raises `RecipeError` for anything but files and folders in the data: DVC would follow a link anywhere, and read a
    pipe or a device for ever.
    """
    for key, folder in {"data.photos": root / data.photos, "data.frames": root / data.frames}.items():
        for where, folders, files in os.walk(folder):
            for path in (Path(where, name) for name in (*folders, *files)):
                if path.is_symlink() and (path.is_dir() or not path.resolve().is_relative_to(folder.resolve())):
                    raise RecipeError(
                        f"{key}: {path} is a link to a folder or out of {folder.name}/: copy what it means"
                    )
                if not path.is_dir() and not path.is_file() and not path.is_symlink():
                    raise RecipeError(f"{key}: {path} is a pipe, a socket or a device: remove it")


def _keep(root: Path, active: Path) -> Path:
    kept = next(path for number in count(1) if not (path := root / f"params.{number}.bak.yaml").exists())
    shutil.copyfile(active, kept)
    return kept


def _exists_elsewhere(root: Path, active: Path) -> bool:
    """Whether a file in `recipes/` or git's last commit holds the same bytes."""
    content = active.read_bytes()
    command = ["git", "-C", str(root), "show", "HEAD:./params.yaml"]
    committed = subprocess.run(command, capture_output=True, check=False)
    return committed.stdout == content or any(path.read_bytes() == content for path in root.glob("recipes/*.yaml"))


def recipe_name(root: Path) -> str:
    """The name of the recipe that `params.yaml` is a copy of; `params` where it is a person's own."""
    content = (root / "params.yaml").read_bytes()
    return next((path.stem for path in sorted(root.glob("recipes/*.yaml")) if path.read_bytes() == content), "params")


if __name__ == "__main__":  # before a plain `dvc repro`, which puts the recipe's texts into shell commands unseen
    try:
        use_recipe(Path.cwd())
    except RecipeError as error:
        sys.exit(f"error: {error}")
