"""The recipe that is used: `params.yaml`, replaced by another one only after that one was found valid."""

import os
import shutil
import sys
from itertools import count
from pathlib import Path

from anime_model.pictures.atomic import write_whole
from anime_model.recipes.data import DataSettings
from anime_model.recipes.reading import RecipeError
from anime_model.recipes.recipe import load_recipe
from flows.machine import git
from flows.machine.hashes import file_md5
from flows.pipeline.preflight import check_machine

COPIED = Path("scratch", "params.md5")  # what the last recipe that became `params.yaml` was


def use_recipe(root: Path, recipe: Path | None = None) -> Path | None:
    """Make `recipe` the `params.yaml` of the project at `root`; without one, check the present `params.yaml`.

    Returns where a `params.yaml` that exists nowhere else was kept. Raises `RecipeError`.
    """
    active, settings = root / "params.yaml", load_recipe(recipe or root / "params.yaml")
    check_machine(root, settings)
    check_data(root, settings.data)
    if recipe is None or (active.exists() and active.read_bytes() == recipe.read_bytes()):
        return None
    kept = _keep(root, active) if active.exists() and not _exists_elsewhere(root, active) else None
    write_whole(active, recipe.read_bytes())
    (root / COPIED).parent.mkdir(exist_ok=True)
    write_whole(root / COPIED, file_md5(active))
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
    """Whether a recipe was copied to it and nothing changed since, or a recipe or git's last commit is the same."""
    content = active.read_bytes()
    if (root / COPIED).is_file() and (root / COPIED).read_text() == file_md5(active):
        return True
    committed = git.ask(root, "show", "HEAD:./params.yaml")[0].encode()
    kept = (*root.glob("recipes/*.yaml"), *root.glob("params.*.bak.yaml"))
    return content in (committed, *(path.read_bytes() for path in kept))


def recipe_name(root: Path) -> str:
    """The name of the recipe that `params.yaml` is a copy of; `params` where it is a person's own."""
    content = (root / "params.yaml").read_bytes()
    return next((path.stem for path in sorted(root.glob("recipes/*.yaml")) if path.read_bytes() == content), "params")


if __name__ == "__main__":  # before a plain `dvc repro`, which puts the recipe's texts into shell commands unseen
    try:
        use_recipe(Path.cwd())
    except RecipeError as error:
        sys.exit(f"error: {error}")
