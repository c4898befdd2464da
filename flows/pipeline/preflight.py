"""What a recipe needs of this machine, looked at before the first stage: folders, files, weights, room to write.

A stage would find most of it out by itself, some of them hours later.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from anime_model.pictures.arrays import picture_files
from anime_model.recipes.reading import RecipeError
from anime_model.recipes.recipe import Recipe
from anime_model.training.preparation import LEAST
from flows.machine.hashes import file_md5

ODD = "?#%"  # ends or begins something in the addresses by which MLflow and Prefect know their databases
WRITTEN = ("artifacts", "scratch", ".dvc")


def check_machine(root: Path, recipe: Recipe) -> None:
    """Raises `RecipeError` with a line that names the key for what is not there or cannot be used."""
    if odd := sorted(set(str(root.resolve())) & set(ODD)):
        raise RecipeError(f"{root.resolve()}: the tools' addresses cannot hold {' '.join(odd)}: rename the folder")
    for name in (".", *WRITTEN):
        folder = root / name
        if folder.exists() and not os.access(folder, os.W_OK | os.X_OK):
            raise RecipeError(f"{folder.resolve()} cannot be written: give yourself the right, or copy the project")
    for key, pictures, least in _folders(recipe):
        _check_folder(root, key, pictures, least, recipe.data.generate)
    for key, file, md5, hash_of in pinned(recipe):
        _check_file(root, key, file, md5, hash_of)


def _folders(recipe: Recipe) -> Iterator[tuple[str, str, int]]:
    yield "data.photos", f"{recipe.data.photos}/train", LEAST["train"]
    yield "data.photos", f"{recipe.data.photos}/test", LEAST["test"]
    for style in recipe.styles:
        yield "data.frames", f"{recipe.data.frames}/{style}", LEAST["frames"]


def _check_folder(root: Path, key: str, name: str, least: int, generated: tuple[str, ...]) -> None:
    """What the project draws itself is not there yet, and what DVC tracks is looked at by `source_data`."""
    folder = Path(os.path.normpath(root / name))
    if any(folder.is_relative_to(root / "data" / made) for made in generated) or is_tracked(folder):
        return
    if not folder.is_dir():
        raise RecipeError(f"{key}: {name} does not exist; put at least {least} pictures there")
    if not os.access(folder, os.R_OK | os.X_OK):
        raise RecipeError(f"{key}: {name} cannot be read: give yourself the right")
    if len(files := picture_files(folder)) < least:
        raise RecipeError(f"{key}: {name} has {len(files)} pictures, at least {least} are needed")


def is_tracked(folder: Path) -> bool:
    """Whether a `.dvc` file beside it, or beside a folder above, names it."""
    return any(Path(f"{part}.dvc").is_file() for part in (folder, *folder.parents))


def pinned(recipe: Recipe) -> Iterator[tuple[str, str, str, Callable[[Path], str]]]:
    """The files that a recipe names by their md5: key, file, md5, and what computes it."""
    teacher = recipe.teacher
    if teacher.warm_start:
        yield "teacher.warm_start", teacher.warm_start, teacher.warm_start_md5, file_md5
    for style, file in teacher.import_file.items():
        yield f"teacher.import_file.{style}", file, teacher.import_md5[style], file_md5
    for style, file in recipe.prune.import_file.items():
        yield f"prune.import_file.{style}", file, recipe.prune.import_md5[style], file_md5
    for style, file in teacher.reference.items():
        yield f"teacher.reference.{style}", file, teacher.reference_md5[style], _network_md5


def _made_anew(root: Path, key: str, file: Path) -> str:
    """The folder of the stage that a key belongs to, where the file lies in it: it would be gone before it is read."""
    folder = {"teacher": "teacher", "prune": "pruned"}[key.split(".")[0]]
    path = Path(os.path.relpath(file.resolve(), root.resolve())).parts
    inside = len(path) > 3 and (path[0], path[2]) == ("artifacts", folder)
    return "/".join(path[:3]) if inside else ""


def _network_md5(file: Path) -> str:
    """The pin of a published network, which covers data that it keeps in other files. Raises `NetworkError`."""
    from anime_model.reference.opening import file_md5  # with ONNX Runtime: only where a recipe names a network

    return file_md5(file)


def _check_file(root: Path, key: str, name: str, md5: str, hash_of: Callable[[Path], str]) -> None:
    file = root / name
    if not file.is_file():
        raise RecipeError(f"{key}: {name} does not exist")
    if made := _made_anew(root, key, file):
        raise RecipeError(f"{key}: {name} lies in {made}, which its stage empties; copy it elsewhere first")
    try:
        found = hash_of(file)
    except ValueError as error:
        raise RecipeError(f"{key}: {error}") from error
    if found != md5:
        raise RecipeError(f"{key}: {name} has the md5 {found}, not {md5}; put it into the recipe if that is the file")
