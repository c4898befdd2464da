import copy
import re
from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest
import yaml
from dvc_data.hashfile.meta import Meta

from anime_model.recipes.recipe import RecipeError, load_recipe, parse_recipe

RECIPES = sorted(Path("recipes").glob("*.yaml"))
DEMO = yaml.safe_load(Path("recipes/demo.yaml").read_text())


def changed(key: str, value: object) -> dict:
    content = copy.deepcopy(DEMO)
    *path, last = key.split(".")
    section = content
    for part in path:
        section = section[part]
    section[last] = value
    return content


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_shipped_recipes_are_right(path):
    load_recipe(path)


def test_the_active_recipe_is_the_demo():
    assert Path("params.yaml").read_text() == Path("recipes/demo.yaml").read_text()


def test_what_dvc_reads_has_no_default():
    """A key that a recipe may leave out would stop DVC with a message about its own templates."""
    declared = yaml.safe_load(Path("dvc.yaml").read_text())["stages"].values()
    named = set(re.findall(r"\$\{([a-z_.]+)\}", str(declared))) - {"item.set", "item.style"}
    for key in {name for stage in declared for name in stage.get("params", [])} | named:
        content = copy.deepcopy(DEMO)
        *path, last = key.split(".")
        section = content
        for part in path:
            section = section[part]
        if key == "data.generated":  # only the stage that draws reads it, and only the demo has that stage
            continue
        del section[last]
        with pytest.raises(RecipeError, match=f"{key}: missing"):
            parse_recipe(content)


def test_what_distillations_share_reaches_every_stage():
    recipe = parse_recipe(changed("prune.fine_tune", {"steps": 3, "weights": {"pixel": 9.0}}))
    assert recipe.distill.fine_tune.kl_share == DEMO["distillation"]["kl_share"]
    assert recipe.prune.fine_tune.batch == DEMO["distillation"]["batch"]
    assert recipe.prune.fine_tune.weights == {"pixel": 9.0}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("teacher.stepz", 3),
        ("teacher.steps", "many"),
        ("teacher.steps", True),
        ("teacher.steps", -1),
        ("teacher.crop", 97),
        ("teacher.crop", 4000),
        ("teacher.weights.content", "heavy"),
        ("teacher.weights.beauty", 1.0),
        ("prune.budget", "money"),
        ("prune.keep", 1.5),
        ("prune.fine_tune.rate", 0),
        ("distillation.kl_share", 1),
        ("quantize.weight_bits", 4),
        ("evaluate.features", "resnet"),
        ("replace_convs.layers", "a2"),
        ("replace_convs.kernels", {"e2": 4}),
        ("replace_convs.kernels", {"e2": "x"}),
        ("styles", []),
        ("styles", ["../up"]),
        ("styles", ["cel", "cel"]),
        ("data", None),
        ("training.devices", 0),
    ],
)
def test_wrong_values_are_named_by_their_key(key, value):
    with pytest.raises(RecipeError) as caught:
        parse_recipe(changed(key, value))
    assert key.rpartition(".")[2] in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_sections_and_files_are_named(tmp_path):
    with pytest.raises(RecipeError, match="styles: missing"):
        parse_recipe({key: value for key, value in DEMO.items() if key != "styles"})
    with pytest.raises(RecipeError, match=r"absent\.yaml"):
        load_recipe(tmp_path / "absent.yaml")
    (tmp_path / "broken.yaml").write_text("a: [1,")
    with pytest.raises(RecipeError, match=r"broken\.yaml: not YAML"):
        load_recipe(tmp_path / "broken.yaml")
    (tmp_path / "list.yaml").write_text("- 1")
    with pytest.raises(RecipeError, match="mapping"):
        load_recipe(tmp_path / "list.yaml")


def test_numbers_may_be_written_as_people_write_them():
    assert parse_recipe(changed("teacher.rate", "1e-3")).teacher.rate == 1e-3
    assert parse_recipe(changed("teacher.rate", 1)).teacher.rate == 1.0


def test_an_imported_teacher_is_pinned():
    with pytest.raises(RecipeError, match="import_md5"):
        parse_recipe(changed("teacher.import_file", {"cel": "x.pt"}))


def test_no_key_has_a_name_that_dvc_leaves_out_of_its_cache():
    """DVC's run cache takes `size` and `nfiles` at any depth for facts about files: it does not see them change."""
    ignored = {Meta.PARAM_SIZE, Meta.PARAM_NFILES}

    def names(section: object) -> set[str]:
        if not is_dataclass(section):
            return set()
        return {field.name for field in fields(section)}.union(
            *(names(getattr(section, field.name)) for field in fields(section))
        )

    assert {"short_side", "steps"} <= names(load_recipe(Path("recipes/demo.yaml")))
    assert not names(load_recipe(Path("recipes/demo.yaml"))) & ignored
