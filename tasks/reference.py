"""A published network's pictures of a style's train photos: `python -m tasks.reference STYLE DATA OUT`.

OUT gets pictures/x<scale>/<photo>.jpg and reference.json: how the network takes pictures. A style that names no network
in `teacher.reference` gets an empty reference.json and no pictures at once. The pictures stay in the scratch folder
too, without taking more room where the disk knows links: they are made once for a network, its photos and its scales,
whatever else of the recipe changes.
"""

import hashlib
import os
import shutil
from dataclasses import asdict
from pathlib import Path

from anime_model.recipes.reading import RecipeError
from anime_model.recipes.reference import ReferenceHints
from anime_model.recipes.teacher import ReferenceStage, TeacherSettings
from anime_model.reference import opening
from anime_model.reference.drawing import draw_photos
from anime_model.reference.network import PublishedNetwork
from anime_model.reference.probe import open_reference
from tasks.shared import common

SCRATCH = Path("scratch/reference")


def main(arguments: list[str]) -> None:
    style, photos, out = arguments[0], Path(arguments[1], "photos/train"), Path(arguments[2])
    recipe = common.settings(ReferenceStage)
    if style not in recipe.teacher.reference:
        (common.fresh(out) / "pictures").mkdir()
        common.write_json(out / "reference.json", {})
        return
    opened = open_named(recipe.teacher, style, recipe.training.threads)
    scratch = SCRATCH / style / fingerprint(recipe.teacher, style, photos)
    scratch.mkdir(parents=True, exist_ok=True)
    count = draw_photos(opened, photos, scratch, recipe.teacher.scales, common.show)
    take_over(scratch, common.fresh(out) / "pictures")
    facts = opened.facts() | {"md5": recipe.teacher.reference_md5[style], "scales": list(recipe.teacher.scales)}
    common.write_json(out / "reference.json", facts)
    for other in scratch.parent.iterdir():
        if other != scratch:
            shutil.rmtree(other)
    print(f"{count} pictures by {opened.network.path.name}, which takes {describe(opened)}")


def open_named(teacher: TeacherSettings, style: str, threads: int) -> PublishedNetwork:
    """The network that the recipe names. Raises `RecipeError` in one line that names the key."""
    hints = teacher.reference_hints.get(style, ReferenceHints())
    try:
        return open_reference(Path(teacher.reference[style]), teacher.reference_md5[style], threads, hints)
    except opening.NetworkError as error:
        raise RecipeError(f"teacher.reference.{style}: {error}") from error


def describe(opened: PublishedNetwork) -> str:
    form = opened.format
    return f"{form.layout}, {form.channels}, levels {form.values}, height and width in multiples of {form.multiple}"


def fingerprint(teacher: TeacherSettings, style: str, photos: Path) -> str:
    """Hash of all that the pictures depend on, in 16 hexadecimal digits."""
    hints = asdict(teacher.reference_hints.get(style, ReferenceHints()))
    digest = hashlib.sha256(repr((teacher.reference_md5[style], hints, teacher.scales)).encode())
    for folder in (photos, Path(opening.__file__).parent):
        for file in sorted(folder.glob("*.*")):
            digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:16]


def take_over(source: Path, target: Path) -> None:
    """The files of one folder in another, as links where the disk knows them."""
    target.mkdir()
    for file in sorted(source.rglob("*.jpg")):
        place = target / file.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(file, place)
        except OSError:
            shutil.copyfile(file, place)


if __name__ == "__main__":
    common.run(main, "STYLE DATA OUT")
