"""A found member as a network, and a recipe by which the pipeline fine-tunes, quantizes and registers it."""

from dataclasses import replace
from pathlib import Path

import optuna
import yaml

from anime_model.compression.family import as_network, member, with_statistics
from anime_model.compression.family_file import open_family
from anime_model.compression.family_judge import SETTLING, split_held_out
from anime_model.figures.search import SPEEDUPS
from anime_model.networks.checkpoint import save_generator
from anime_model.pictures.arrays import picture_files
from anime_model.pictures.atomic import write_whole
from anime_model.recipes.recipe import for_style
from flows.machine.hashes import file_md5
from flows.searching.errors import SearchError
from flows.searching.front import Point, points, sizes
from flows.searching.place import Place
from flows.searching.study import IDENTITY
from flows.searching.workshop import squares


def pick(place: Place, study: optuna.Study, name: str) -> str:
    """Writes the network and the recipe; says how to go on. Raises `SearchError`."""
    point = _point(study, name)
    if not place.family.exists() or study.user_attrs[IDENTITY]["family_md5"] != file_md5(place.family):
        raise SearchError(
            f"study {study.study_name!r}: is of another family than {place.family.relative_to(place.root)}"
        )
    family = open_family(place.family)
    photos = squares(split_held_out(picture_files(place.made("data/photos/train")))[1])[:SETTLING]
    network = with_statistics(as_network(family.network).eval(), photos)
    file = place.folder / f"{name}.safetensors"
    arch = replace(family.space.architecture(point.choice), norm="batch")
    save_generator(file, member(network, arch, photos), trial=point.trial, lpips=point.lpips, ms=point.ms)
    recipe = place.root / "recipes" / f"{place.style}-{name}.yaml"
    _write_recipe(place, file, recipe)
    made = f"{file.relative_to(place.root)} (LPIPS {point.lpips:.4f}, {point.ms:.1f} ms before fine-tuning)"
    return f"{made}\nnext: python -m flows.compress --recipe {recipe.relative_to(place.root)}"


def _point(study: optuna.Study, name: str) -> Point:
    if name in SPEEDUPS:
        if name not in (found := sizes(study)):
            raise SearchError(f"--pick {name}: no member yet is {SPEEDUPS[name]} times faster than the teacher")
        return found[name]
    wanted = [point for point in points(study, front_only=False) if str(point.trial) == name]
    if not wanted:
        raise SearchError(f"--pick {name}: is neither {', '.join(SPEEDUPS)} nor the number of a finished trial")
    return wanted[0]


def _write_recipe(place: Place, file: Path, recipe: Path) -> None:
    """The present recipe for this style alone, with the found network where pruning would be."""
    content = for_style(yaml.safe_load((place.root / "params.yaml").read_text()), place.style)
    content["prune"]["import_file"] = {place.style: str(file.relative_to(place.root))}
    content["prune"]["import_md5"] = {place.style: file_md5(file)}
    head = f"# {place.style}: a member of the family that `python -m flows.search` has found; see docs/search.md.\n"
    recipe.parent.mkdir(exist_ok=True)
    write_whole(recipe, head + yaml.safe_dump(content, sort_keys=False, allow_unicode=True))
