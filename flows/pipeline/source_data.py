"""The newest photos and frames, brought by DVC where it tracks them."""

import os
from collections.abc import Callable
from pathlib import Path
from threading import Event

from dvc.exceptions import DvcException
from dvc.repo import Repo, lock_repo
from dvc.stage import Stage as DvcStage

from anime_model.recipes.recipe import Recipe
from flows.pipeline.graph import GraphError
from flows.pipeline.run_stage import run_python


def pull(root: Path, recipe: Recipe, stop: Event, timeout: float, on_line: Callable[[str], None]) -> list[str]:
    """Bring the recipe's photos and frames to the newest version that their `.dvc` files can give; those files.

    What was imported (`dvc import`, `dvc import-url`) is updated from its source, what was added (`dvc add`) is pulled
    from the remote as far as the workspace does not have it. Folders that DVC does not track are used as they are.
    Raises `GraphError`, `StageError`.
    """
    tracked = tracked_data(root, recipe)
    for file, verb in tracked:
        if verb:
            on_line(f"dvc {verb} {file}")
            run_python(["-m", "dvc", verb, file], root, stop, timeout, on_line)
    return [file for file, _ in tracked]


def folders(recipe: Recipe) -> list[str]:
    return [recipe.data.photos, *(f"{recipe.data.frames}/{style}" for style in recipe.styles)]


def tracked_data(root: Path, recipe: Recipe) -> list[tuple[str, str]]:
    """The `.dvc` files of the recipe's data, and what brings each up to date: `update`, `pull` or nothing."""
    wanted = [Path(os.path.abspath(root / folder)) for folder in folders(recipe)]
    try:
        repo = Repo(str(root), _wait_for_lock=True)
        try:
            with lock_repo(repo):
                sources = [stage for stage in repo.index.stages if stage.is_data_source]
                needed = [stage for stage in sources if any(_overlap(stage, folder) for folder in wanted)]
                return sorted((os.path.relpath(stage.path, root), _verb(stage)) for stage in needed)
        finally:
            repo.close()
    except DvcException as error:
        raise GraphError(f"DVC cannot read the pipeline: {' '.join(str(error).split())}") from error


def _verb(stage: DvcStage) -> str:
    if stage.is_import:
        return "update"
    return "pull" if stage.status() else ""


def _overlap(stage: DvcStage, folder: Path) -> bool:
    outs = [Path(out.fs_path) for out in stage.outs]
    return any(out.is_relative_to(folder) or folder.is_relative_to(out) for out in outs)
