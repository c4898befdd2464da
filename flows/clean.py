"""What nobody needs any more: `python -m flows.clean [--days 14] [--delete]`.

Styles that are not in `params.yaml` (their files below artifacts/ and their records in dvc.lock), trainings that were
broken off and never taken up again, copies that a reproduction kept. Only said, until `--delete`. DVC's cache has all
finished results still: `dvc gc --workspace` empties that. A search's family and study are in no cache: they stay.
"""

from flows.machine.environment import WORKSPACE  # first: the tools read their settings when they are imported

# isort: split

import argparse
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import yaml

from anime_model.pictures.atomic import write_whole
from anime_model.recipes.reading import RecipeError
from anime_model.recipes.recipe import load_recipe
from flows.machine.lock import Busy, only_flow
from flows.pipeline.graph import GraphError, load_stages
from flows.pipeline.tracked import newest_change
from flows.runs.console import guarded

SEARCH = "search"  # below a style's folder
KEPT_SCRATCH = ("logs", "data", "matplotlib")  # small, and of use to the next run


def removed_styles(root: Path) -> Iterator[Path]:
    """Folders below artifacts/ of styles that `params.yaml` does not name."""
    styles = load_recipe(root / "params.yaml").styles
    for path in sorted(root.glob("artifacts/*")):
        if path.is_dir() and path.name not in styles and {*path.iterdir()} != {path / SEARCH}:
            yield path


def remove(folder: Path) -> None:
    """All of a folder but what a search has trained and found there."""
    if (folder / SEARCH).is_dir():
        for path in folder.iterdir():
            if path.name != SEARCH:
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    else:
        shutil.rmtree(folder)


def searches(root: Path, folders: list[Path]) -> Iterator[str]:
    """A line for each search that stays though its style goes."""
    for folder in folders:
        if (folder / SEARCH).is_dir():
            yield f"{(folder / SEARCH).relative_to(root)} stays: no cache has it"


def abandoned(root: Path, days: float) -> Iterator[Path]:
    """Folders below scratch/ that nothing has written to for so long."""
    oldest = time.time() - days * 86_400
    for folder in sorted(path for path in root.glob("scratch/*/*") if path.is_dir()):
        if folder.parent.name not in KEPT_SCRATCH and newest_change(folder) < oldest:
            yield folder


def forgotten_stages(root: Path) -> list[str]:
    """Stages of dvc.lock that the pipeline does not have. Raises `GraphError`."""
    file = root / "dvc.lock"
    if not file.exists():
        return []
    known = {stage.name for stage in load_stages(root)}
    if not file.exists():  # it was cut off, and has been set aside
        return []
    return [name for name in yaml.safe_load(file.read_text())["stages"] if name not in known]


def forget(root: Path, names: list[str]) -> None:
    file = root / "dvc.lock"
    lock = yaml.safe_load(file.read_text())
    lock["stages"] = {name: stage for name, stage in lock["stages"].items() if name not in names}
    write_whole(file, yaml.safe_dump(lock, sort_keys=False, allow_unicode=True))


def size(folder: Path) -> int:
    """Bytes of what `remove` takes away."""
    files = (path for path in folder.rglob("*") if not path.is_dir())
    return sum(path.lstat().st_size for path in files if path.relative_to(folder).parts[0] != SEARCH)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m flows.clean", description="Remove what nobody needs any more.")
    parser.add_argument("--days", type=float, default=14, help="age of a broken-off training (default: 14)")
    parser.add_argument("--delete", action="store_true", help="do it; otherwise it is only said")
    arguments = parser.parse_args()
    return guarded(lambda: _main(arguments), (Busy, GraphError, RecipeError, OSError), debug=False)


def _main(arguments: argparse.Namespace) -> int:
    with only_flow(WORKSPACE):
        folders = [*removed_styles(WORKSPACE), *abandoned(WORKSPACE, arguments.days)]
        stages = forgotten_stages(WORKSPACE)
        for folder in folders:
            print(f"{folder.relative_to(WORKSPACE)}  {size(folder) / 1e6:.1f} MB")
            if arguments.delete:
                remove(folder)
        for line in searches(WORKSPACE, folders):
            print(line)
        if stages:
            print(f"dvc.lock: {', '.join(stages)}")
            if arguments.delete:
                forget(WORKSPACE, stages)
    done = "removed" if arguments.delete else "python -m flows.clean --delete removes it"
    print(done if folders or stages else "nothing to remove")
    return 0


if __name__ == "__main__":
    sys.exit(main())
