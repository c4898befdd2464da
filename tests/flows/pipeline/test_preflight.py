"""What is refused before any stage starts."""

import shutil
from pathlib import Path

import pytest
import yaml

from anime_model.recipes.reading import RecipeError
from anime_model.recipes.recipe import parse_recipe
from flows.machine.hashes import file_md5
from flows.pipeline import preflight

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("key", "inside"),
    [
        ("teacher.import_file", "teacher/snapshots/step_000200.safetensors"),
        ("teacher.warm_start", "teacher/teacher.safetensors"),
        ("prune.import_file", "pruned/pruned.safetensors"),
    ],
)
@pytest.mark.parametrize("linked", [False, True])
def test_a_file_that_its_own_stage_would_remove_is_refused_while_it_is_there(
    key: str, inside: str, linked: bool, tmp_path: Path
):
    file = tmp_path / "artifacts/cel" / inside
    file.parent.mkdir(parents=True)
    file.write_bytes(b"weights")
    named = file
    if linked:
        named = tmp_path / "models/chosen.safetensors"
        named.parent.mkdir()
        named.symlink_to(file)
    section, name = key.split(".")
    content = yaml.safe_load((ROOT / "recipes/demo.yaml").read_text())
    path, md5 = str(named.relative_to(tmp_path)), file_md5(file)
    each = name == "import_file"
    content["teacher"] |= {"warm_start": "", "warm_start_md5": ""}
    pin = "import_md5" if each else f"{name}_md5"
    content[section] |= {name: {"cel": path} if each else path, pin: {"cel": md5} if each else md5}
    recipe = parse_recipe(content)
    with pytest.raises(
        RecipeError, match=rf"^{key}[.a-z]*: .* lies in artifacts/cel/\w+, which its stage empties; copy"
    ):
        preflight.check_machine(tmp_path, recipe)
    if linked:
        named.unlink()
        shutil.copy(file, named)
        preflight.check_machine(tmp_path, recipe)


def test_what_a_search_has_found_may_be_pruned_with(tmp_path: Path):
    file = tmp_path / "artifacts/cel/search/lite.safetensors"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"weights")
    content = yaml.safe_load((ROOT / "recipes/demo.yaml").read_text())
    content["teacher"] |= {"warm_start": "", "warm_start_md5": ""}
    content["prune"] |= {"import_file": {"cel": "artifacts/cel/search/lite.safetensors"}}
    content["prune"] |= {"import_md5": {"cel": file_md5(file)}}
    preflight.check_machine(tmp_path, parse_recipe(content))
