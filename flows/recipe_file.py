"""The recipe that is used: `params.yaml`, replaced by another one only after that one was found valid."""

import shutil
import subprocess
from itertools import count
from pathlib import Path

from anime_model.recipe import load_recipe


def use_recipe(root: Path, recipe: Path | None = None) -> Path | None:
    """Make `recipe` the `params.yaml` of the project at `root`; without one, check the present `params.yaml`.

    Returns where a `params.yaml` that exists nowhere else was kept. Raises `RecipeError`.
    """
    active = root / "params.yaml"
    load_recipe(recipe or active)
    if recipe is None or (active.exists() and active.read_bytes() == recipe.read_bytes()):
        return None
    kept = _keep(root, active) if active.exists() and not _exists_elsewhere(root, active) else None
    part = active.with_suffix(".part")
    shutil.copyfile(recipe, part)
    part.replace(active)
    return kept


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
