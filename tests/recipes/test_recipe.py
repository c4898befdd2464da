import copy
import re
import subprocess
import sys
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import get_type_hints

import pytest
import yaml
from dvc_data.hashfile.meta import Meta

from anime_model.recipes.data import GenerateStage, PrepareStage
from anime_model.recipes.distill import DistillStage
from anime_model.recipes.evaluate import EvaluateStage
from anime_model.recipes.prune import PruneStage
from anime_model.recipes.quantize import QuantizeStage
from anime_model.recipes.reading import RecipeError, parse
from anime_model.recipes.recipe import for_style, load_recipe, parse_recipe
from anime_model.recipes.replace_convs import ReplaceStage
from anime_model.recipes.teacher import ReferenceStage, TeacherStage
from tools import recipe_keys

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


def test_what_the_release_recipe_shows_as_comments_is_right():
    text = Path("recipes/release.yaml").read_text()
    shown = re.sub(r"^  # (reference|reference_md5|scales):", r"  \1:", text, flags=re.MULTILINE)
    teacher = parse_recipe(yaml.safe_load(shown)).teacher
    assert teacher.reference.keys() == teacher.reference_md5.keys() == teacher.import_file.keys()
    assert teacher.scales == ()


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
        ("training.threads", True),
        ("teacher.rate", -1e-4),
        ("teacher.rate", float("nan")),
        ("teacher.discriminator_rate", 0),
        ("teacher.rate", 1e30),
        ("distill.fine_tune.rate", -1),
        ("teacher.content_layers", []),
        ("distillation.style_layers", []),
        ("teacher.pairs", {"content_layers": []}),
        ("teacher.weights", dict.fromkeys(("adversarial", "content", "style", "colour", "variation"), 0)),
        ("distillation.weights", {"pixel": 0, "content": 0}),
        ("teacher.import_file", {"cell": "x.pt"}),
        ("teacher.import_md5", {"cell": "0" * 32}),
        ("teacher.reference_hints", {"cell": {}}),
        ("prune.import_file", {"cell": "x.safetensors"}),
        ("prune.import_md5", {"cell": "0" * 32}),
        ("quantize.psnr", 20),
        ("teacher.weights.content", -1),
        ("teacher.weights.content", float("inf")),
        ("teacher.content_layers", ["relu9_9"]),
        ("teacher.width", True),
        ("distillation.style_layers", ["conv1_1"]),
        ("distill.fine_tune.rate", float("nan")),
        ("replace_convs.layers", ["a0"]),
        ("replace_convs.layers", ["zz"]),
        ("replace_convs.kernels", {"zz": 3}),
        ("replace_convs.kernels", {"e2": 9}),
        ("replace_convs.norm", "group"),
        ("quantize.keep_float", ["layers.z9"]),
        ("quantize.keep_float", ["zz"]),
        ("quantize.keep_float", ["a0"]),
        ("styles", ["1abc"]),
        ("evaluate.latency_threads", 0),
        ("promote.fid_ratoi", 1.05),
        ("promote.psnr", float("nan")),
        ("checks.unusable", 2),
        ("notify", ["slack"]),
        ("teacher.scales", [1.0, 1.0]),
        ("teacher.scales", [0.05]),
        ("teacher.scales", ["large"]),
        ("teacher.reference_hints", {"cel": {"layout": "hwc"}}),
        ("teacher.reference_hints", {"cel": {"multiple": -8}}),
        ("teacher.reference_hints", {"cel": {"order": "bgr"}}),
        ("teacher.pairs", {"crops": []}),
        ("teacher.pairs", {"crops": [64, 32]}),
        ("teacher.pairs", {"crops": [33]}),
        ("teacher.pairs", {"weights": {"pixel": 0.0}}),
        ("teacher.pairs", {"steps": 0}),
        ("teacher.pairs", {"average": 1}),
        ("distillation.reference_share", 1.5),
        ("distillation.reference_share", 0.5),
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


def test_a_key_that_stands_twice_is_named_with_its_lines(tmp_path):
    text = Path("recipes/demo.yaml").read_text()
    (tmp_path / "twice.yaml").write_text(text.replace("  steps: 15\n", "  steps: 15\n  steps: 90\n"))
    with pytest.raises(RecipeError, match=r"twice\.yaml: teacher\.steps: stands twice, in lines \d+ and \d+; keep one"):
        load_recipe(tmp_path / "twice.yaml")


def test_aliases_that_hold_themselves_or_many_others_are_a_line(tmp_path: Path):
    """A stranger's recipe: looked at as often as it is named, the second would take years."""
    file, demo = tmp_path / "alias.yaml", Path("recipes/demo.yaml").read_text()
    file.write_text(demo.replace("\nprune:", "\nprune: &prune\n  more: *prune", 1))
    with pytest.raises(RecipeError, match=r"alias\.yaml: prune\.more: unknown key"):
        load_recipe(file)
    levels = "".join(f"z{n}: &z{n} {{a: *z{n - 1}, b: *z{n - 1}, c: *z{n - 1}}}\n" for n in range(1, 40))
    file.write_text(f"{demo}\nz0: &z0 {{a: 1}}\n{levels}")
    with pytest.raises(RecipeError, match=r"alias\.yaml: z0: unknown key"):
        load_recipe(file)


def test_numbers_may_be_written_as_people_write_them():
    assert parse_recipe(changed("teacher.rate", "1e-3")).teacher.rate == 1e-3
    assert parse_recipe(changed("teacher.rate", 1)).teacher.rate == 1.0


@pytest.mark.parametrize("section", ["teacher", "prune"])
def test_an_imported_network_is_pinned(section: str):
    with pytest.raises(RecipeError, match=rf"^{section}.import_md5.cel: pin x.pt by its md5"):
        parse_recipe(changed(f"{section}.import_file", {"cel": "x.pt"}))


def test_a_recipe_for_one_style_keeps_what_is_set_for_it():
    content = changed("teacher.import_file", {"cel": "x.pt", "ink": "y.pt"})
    content["prune"]["import_md5"] = {"ink": "0" * 32}
    content["styles"] = ["cel", "ink"]
    alone = for_style(content, "ink")
    assert alone["styles"] == ["ink"]
    assert alone["teacher"]["import_file"] == {"ink": "y.pt"}
    assert alone["prune"]["import_md5"] == {"ink": "0" * 32}
    assert alone["teacher"]["rate"] == content["teacher"]["rate"]
    assert content["teacher"]["import_file"] == {"cel": "x.pt", "ink": "y.pt"}, "the given one is left as it is"


def with_reference(**more: object) -> dict:
    content = changed("teacher.reference", {"cel": "x.onnx"})
    content["teacher"] |= {"reference_md5": {"cel": "0" * 32}, "pairs": {"crops": [96]}, **more}
    return content


def test_a_published_network_is_pinned_and_draws():
    content = with_reference(steps=0, warm_up_steps=0, weights={})
    assert parse_recipe(content).teacher.reference == {"cel": "x.onnx"}
    with pytest.raises(RecipeError, match=r"teacher\.reference_md5\.cel: pin x\.onnx by its md5"):
        parse_recipe(with_reference(reference_md5={}))
    with pytest.raises(RecipeError, match=r"teacher\.scales: the teacher of cel learns from pictures"):
        parse_recipe(with_reference(scales=[]))


def test_an_imported_teacher_may_be_compared_with_a_published_network():
    taken = {"import_file": {"cel": "x.pt"}, "import_md5": {"cel": "0" * 32}, "pairs": {"crops": [1024]}}
    content = with_reference(scales=[], **taken)
    assert parse_recipe(content).teacher.scales == ()
    content["distillation"]["reference_share"] = 0.5
    with pytest.raises(RecipeError, match=r"distillation\.reference_share: 0\.5, but no network of teacher\.reference"):
        parse_recipe(content)


def test_pairs_fit_the_largest_drawing_and_frames_have_weights():
    with pytest.raises(RecipeError, match=r"teacher\.pairs\.crops: 256 is larger than data\.photo_size at every one"):
        parse_recipe(with_reference(scales=[0.5], pairs={"crops": [256]}))
    with pytest.raises(RecipeError, match=r"teacher\.weights\.adversarial: missing"):
        parse_recipe(with_reference(weights={}, pairs={"crops": [96], "frames_steps": 5}))


def test_a_hint_that_nobody_knows_is_told_what_is_known():
    with pytest.raises(RecipeError, match=r"reference_hints\.cel\.order: unknown key; known here: layout, values"):
        parse_recipe(changed("teacher.reference_hints", {"cel": {"order": "bgr"}}))


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


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("teacher.stepz", 3, "teacher.stepz: unknown key; did you mean steps? known here: width, discriminator"),
        ("teacher.rate", -0.5, "teacher.rate: -0.5 is below 1e-09"),
        ("teacher.rate", float("nan"), "teacher.rate: expected a number, found nan"),
        ("teacher.content_layers", ["relu9_9"], "'relu9_9' is not one of 'relu1_1', 'relu2_1', 'relu3_1', 'relu4_1'"),
        ("teacher.weights", {"beauty": 1.0}, "teacher.weights.beauty: 'beauty' is not one of 'adversarial', 'content'"),
        ("replace_convs.layers", ["a0"], "replace_convs.layers: 'a0' is not one of a1, a2, b0"),
        ("training.threads", "two", "training.threads: expected a whole number, found 'two'"),
        ("teacher.crop", 97, "teacher.crop: 97 must be a multiple of 4"),
        ("data", None, "data: expected a section with keys of its own, found None"),
    ],
)
def test_a_message_has_key_value_and_choices(key, value, message):
    with pytest.raises(RecipeError) as caught:
        parse_recipe(changed(key, value))
    assert message in str(caught.value)


def test_what_is_shared_is_named_where_it_stands():
    with pytest.raises(RecipeError, match=r"^distillation\.kl_share: 2 is above 0\.95$"):
        parse_recipe(changed("distillation.kl_share", 2))


def test_what_is_shared_reaches_stages_that_say_nothing_of_their_own():
    """A stage without `fine_tune` trained with the defaults in place of what the recipe says."""
    content = changed("distillation.crop", 64)
    for stage in ("replace_convs", "prune", "distill", "quantize"):
        content[stage].pop("fine_tune", None)
    recipe = parse_recipe(content)
    for stage in (recipe.replace_convs, recipe.prune, recipe.distill, recipe.quantize):
        assert stage.fine_tune.crop == 64
        assert stage.fine_tune.weights == recipe.distillation.weights


STAGES = {
    "generate": GenerateStage,
    "prepare": PrepareStage,
    "reference": ReferenceStage,
    "train_teacher": TeacherStage,
    "replace_convs": ReplaceStage,
    "prune": PruneStage,
    "distill": DistillStage,
    "quantize": QuantizeStage,
    "evaluate": EvaluateStage,
}


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_reads_what_dvc_watches_for_it(stage):
    """A number that a stage reads and DVC does not watch could change without the stage being made again."""
    watched = set(yaml.safe_load(Path("dvc.yaml").read_text())["stages"][stage]["params"])
    read: set[str] = set()
    for item in fields(STAGES[stage]):
        kind = get_type_hints(STAGES[stage])[item.name]
        narrow = is_dataclass(kind) and kind.__pydantic_config__["extra"] == "ignore"
        read |= {f"{item.name}.{inner.name}" for inner in fields(kind)} if narrow else {item.name}
    assert read == watched


def test_a_stage_takes_from_a_recipe_what_it_reads_and_looks_at_nothing_else():
    content = changed("teacher.steps", "many") | {"promote": {"nonsense": 1}}
    part = parse(content, PruneStage)
    assert part.prune == parse_recipe(DEMO).prune
    with pytest.raises(RecipeError, match="seed: missing"):
        parse({key: value for key, value in content.items() if key != "seed"}, PruneStage)


def test_every_key_is_told_on_the_page():
    told = [row[0] for row in recipe_keys.rows()]
    assert {"`teacher.abstraction.range`", "`promote.panel`", "`distillation.kl_share`"} <= set(told)
    assert all(row[3] for row in recipe_keys.rows()), "a key that says nothing about itself"
    page = recipe_keys.PAGE.read_text()
    assert recipe_keys.BLOCK.search(page)
    assert recipe_keys.filled(page) == page, "run python -m tools.recipe_keys"


def test_recipes_load_without_a_network_library():
    program = "import sys, anime_model.recipes.recipe; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout == "False\n"
