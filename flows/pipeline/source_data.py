"""Photos and frames that DVC tracks: brought to what their `.dvc` files name, or noted there as people left them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from anime_model.recipes.recipe import Recipe
from flows.pipeline.graph import GraphError
from flows.pipeline.run_stage import StageError, run_python
from flows.pipeline.tracked import CHANGED, MISSING, OTHER, SAME, Source, count_files


@dataclass(frozen=True)
class Runner:
    """How DVC's own commands are run: where, how long at most, and who hears them."""

    root: Path
    stop: Event
    timeout: float
    on_line: Callable[[str], None]
    on_talk: Callable[[str], None] | None = None

    def dvc(self, *arguments: str) -> None:
        """Raises `StageError` with what DVC said."""
        run_python(["-m", "dvc", *arguments], self.root, self.stop, self.timeout, self.on_line, self.on_talk)


def out_of_sync(sources: Iterable[Source]) -> list[Source]:
    return [source for source in sources if source.state != SAME]


def sync(sources: Sequence[Source], runner: Runner, remote: bool = False) -> list[str]:
    """Make every folder and its `.dvc` file agree, without asking any remote unless told to; what was done, in words.

    What people have put in or taken away is noted in the `.dvc` file, as `dvc add` does; where git has changed that
    file, the folder follows from DVC's cache. Raises `GraphError` where data are missing, `StageError`.
    """
    return [_synced(source, runner, remote) for source in out_of_sync(sources)]


def pull(sources: Sequence[Source], runner: Runner) -> list[str]:
    """Bring every folder to the newest version that its `.dvc` file can give; what was done, in words.

    What was imported (`dvc import`, `dvc import-url`) is updated from its source; what was added (`dvc add`) is pulled
    from the remote where it is missing or an earlier version. What people have changed since is left as it is: taken
    for their wish. Raises `GraphError`, `StageError`.
    """
    done = []
    for source in sources:
        refuse_changed_import(source)
        if source.imported:
            runner.on_line(f"dvc update {source.file}")
            runner.dvc("update", source.file)
            done.append(f"{source.file} updated")
        elif source.state in (MISSING, OTHER):
            done.append(_brought(source, runner, remote=True))
        else:
            done.append(source.file)
    return done


def _synced(source: Source, runner: Runner, remote: bool) -> str:
    refuse_changed_import(source)
    if source.state != CHANGED:
        return _brought(source, runner, remote)
    runner.dvc("commit", "--force", source.file)
    now = count_files(runner.root / source.path)
    return f"{source.path} has changed ({now} files, {source.files} before): `git add {source.file}` keeps this version"


def refuse_changed_import(source: Source) -> None:
    """What was imported belongs to its source: an update would take the change away in silence."""
    if source.imported and source.state == CHANGED:
        raise GraphError(
            f"{source.path} is not what {source.file} imported: make the change where it comes from, "
            f"or take it back by `dvc checkout --force {source.file}`"
        )


def _brought(source: Source, runner: Runner, remote: bool) -> str:
    """From the cache, else from the remote where that is allowed."""
    was = "was missing" if source.state == MISSING else "was another version"
    try:
        runner.dvc("checkout", "--quiet", source.file)
    except StageError as error:
        if runner.stop.is_set():
            raise
        if not remote:
            raise GraphError(
                f"{source.path} {was}, and DVC's cache does not have the {source.files} files that {source.file} "
                f"names: `dvc pull {source.file}` brings them"
            ) from error
        _pull(source, runner)
    return f"{source.path} {was}: brought as {source.file} names it ({source.files} files)"


def _pull(source: Source, runner: Runner) -> None:
    runner.on_line(f"dvc pull {source.file}")
    try:
        runner.dvc("pull", source.file)
    except StageError as error:
        raise StageError(
            f"{source.file}: {error}; `dvc push` where the {source.files} files of {source.path} are", error.transient
        ) from error


def folders(recipe: Recipe) -> list[str]:
    return [recipe.data.photos, *(f"{recipe.data.frames}/{style}" for style in recipe.styles)]
