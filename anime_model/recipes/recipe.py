"""A recipe: every number of the pipeline, checked before any work starts. A stage reads only its own part of it."""

import re
from dataclasses import field
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from anime_model.networks.architecture import HALVING, animeganv2, free_kernels, separable_layers
from anime_model.recipes.checks import CheckSettings
from anime_model.recipes.data import DataSettings, folder_name
from anime_model.recipes.distill import FullDistillSettings
from anime_model.recipes.distillation import DistillSettings
from anime_model.recipes.evaluate import EvaluateSettings
from anime_model.recipes.fields import Seed, section
from anime_model.recipes.int8 import INT8_PSNR
from anime_model.recipes.promote import PromoteSettings
from anime_model.recipes.prune import PruneSettings
from anime_model.recipes.quantize import QuantizeSettings
from anime_model.recipes.reading import RecipeError, parse, read
from anime_model.recipes.replace_convs import ReplaceSettings
from anime_model.recipes.teacher import TEACHER_LOSSES, TeacherSettings
from anime_model.recipes.training import Perceptual, TrainingSettings

BY_STYLE = {  # keys whose values stand by style
    "teacher": ("import_file", "import_md5", "reference", "reference_md5", "reference_hints"),
    "prune": ("import_file", "import_md5"),
}
STAGES_THAT_DISTILL = ("replace_convs", "prune", "distill", "quantize")


def _block(name: str) -> str:
    if not re.fullmatch(r"[a-z0-9-]+/[a-z0-9-]+", name):
        raise ValueError(f"{name!r} names no block of Prefect; write TYPE/NAME, such as slack-webhook/team")
    return name


@section
class Recipe:
    """All of it. What `dvc.yaml` names itself has no default: DVC reads the file, not these classes."""

    styles: Annotated[
        tuple[Annotated[str, AfterValidator(folder_name)], ...], Field(description="names; each has a folder of frames")
    ]
    data: DataSettings
    teacher: TeacherSettings
    replace_convs: ReplaceSettings
    prune: PruneSettings
    distill: FullDistillSettings
    quantize: QuantizeSettings
    evaluate: EvaluateSettings
    distillation: DistillSettings
    training: TrainingSettings
    perceptual: Annotated[
        Perceptual, Field(description="network of the perceptual losses; `embedded` needs no download")
    ]
    seed: Annotated[Seed, Field(description="of every random choice")]
    checks: CheckSettings = field(default_factory=CheckSettings)
    promote: PromoteSettings = field(default_factory=PromoteSettings)
    notify: Annotated[
        tuple[Annotated[str, AfterValidator(_block)], ...],
        Field(
            description="Prefect's notification blocks that hear how a retraining ended, such as `slack-webhook/team`"
        ),
    ] = ()

    def needs_downloads(self) -> bool:
        """Whether losses or figures come from a network that does not ship with the project."""
        return {self.perceptual, self.evaluate.features, self.evaluate.lpips} != {"embedded"}


def load_recipe(path: Path | str) -> Recipe:
    """Reads and checks a recipe. Raises `RecipeError` with one line that names the file and the key."""
    recipe = read(path, Recipe)
    try:
        _check(recipe)
    except RecipeError as error:
        raise RecipeError(f"{path}: {error}") from error
    return recipe


def parse_recipe(content: object) -> Recipe:
    """A recipe from plain mappings and lists. Raises `RecipeError`."""
    recipe = parse(content, Recipe)
    _check(recipe)
    return recipe


def for_style(content: dict, style: str) -> dict:
    """A recipe's plain mappings with one style alone: the others' stages are not needed."""
    content = {**content, "styles": [style]}
    for part, keys in BY_STYLE.items():
        own = dict(content.get(part, {}))
        for key in own.keys() & set(keys):
            own[key] = {name: value for name, value in (own[key] or {}).items() if name == style}
        content[part] = own
    return content


def _check(recipe: Recipe) -> None:
    """What sections mean for each other."""
    if not recipe.styles or len(set(recipe.styles)) != len(recipe.styles):
        raise RecipeError("styles: name at least one style, each once")
    _check_style_names(recipe)
    _check_teacher(recipe.teacher, recipe.styles)
    _check_reference(recipe.teacher)
    for style, file in recipe.prune.import_file.items():
        _check_pin(f"prune.import_md5.{style}", file, recipe.prune.import_md5.get(style, ""))
    share = recipe.distillation.reference_share
    if share and not (recipe.teacher.reference and recipe.teacher.scales):
        raise RecipeError(f"distillation.reference_share: {share:g}, but no network of teacher.reference draws")
    _check_gate(recipe)
    _check_perceptual_layers(recipe)
    _check_layers(recipe.replace_convs)
    _check_float_layers(recipe.quantize)
    if recipe.quantize.keep_float is None and recipe.quantize.psnr < INT8_PSNR:
        raise RecipeError(
            f"quantize.psnr: {recipe.quantize.psnr:g} is below {INT8_PSNR:g} dB, under which no INT8 file is exported"
        )
    _check_crops(recipe)


def _check_gate(recipe: Recipe) -> None:
    """A cost of a gate belongs to students that have one; one that is imported may."""
    drawn = recipe.replace_convs.detail == "drawn" and set(recipe.styles) - set(recipe.prune.import_file)
    if drawn and recipe.distillation.weights.get("gate"):
        raise RecipeError("distillation.weights.gate: students have no gate; set replace_convs.detail: gated")


def _check_style_names(recipe: Recipe) -> None:
    """What is set for a style is for one that there is: a misspelled name would be ignored, and a teacher trained."""
    for part, key in ((part, key) for part, names in BY_STYLE.items() for key in names):
        for style in getattr(getattr(recipe, part), key):
            if style not in recipe.styles:
                where, known = f"{part}.{key}.{style}", ", ".join(recipe.styles)
                raise RecipeError(f"{where}: no such style ({known}); take it away or add it to styles")


def _check_perceptual_layers(recipe: Recipe) -> None:
    """A loss that counts compares something."""
    sections = {f"{stage}.fine_tune": getattr(recipe, stage).fine_tune for stage in STAGES_THAT_DISTILL}
    sections |= {"teacher": recipe.teacher, "teacher.pairs": recipe.teacher.pairs, "distillation": recipe.distillation}
    for where, settings in sections.items():
        for loss in ("content", "style"):
            if not getattr(settings, f"{loss}_layers"):
                raise RecipeError(
                    f"{where}.{loss}_layers: name at least one layer; {where}.weights.{loss}: 0 leaves the loss out"
                )


def _check_teacher(teacher: TeacherSettings, styles: tuple[str, ...]) -> None:
    missing = [name for name in TEACHER_LOSSES if name not in teacher.weights]
    trained = [style for style in styles if style not in {**teacher.import_file, **teacher.reference}]
    if missing and (trained or (_learned(teacher) and teacher.pairs.frames_steps)):
        raise RecipeError(f"teacher.weights.{missing[0]}: missing; give 0 to leave this loss out")
    if trained and not any(teacher.weights.values()):
        raise RecipeError("teacher.weights: all are 0, and nothing would be learnt; at least one above 0")
    for style, file in teacher.import_file.items():
        _check_pin(f"teacher.import_md5.{style}", file, teacher.import_md5.get(style, ""))
    if teacher.warm_start:
        _check_pin("teacher.warm_start_md5", teacher.warm_start, teacher.warm_start_md5)
    if trained and teacher.steps + teacher.warm_up_steps < 1:
        raise RecipeError("teacher.steps: at least one step, or name a teacher in teacher.import_file")


def _learned(teacher: TeacherSettings) -> list[str]:
    """Styles whose teacher learns from a published network's pictures."""
    return [style for style in teacher.reference if style not in teacher.import_file]


def _check_reference(teacher: TeacherSettings) -> None:
    """Published networks are pinned, and draw at some scale where a teacher learns from them."""
    for style, file in teacher.reference.items():
        _check_pin(f"teacher.reference_md5.{style}", file, teacher.reference_md5.get(style, ""))
        if not (teacher.scales or style in teacher.import_file):
            raise RecipeError(f"teacher.scales: the teacher of {style} learns from pictures at one scale at least")


def _check_pin(where: str, file: str, md5: str) -> None:
    if not re.fullmatch(r"[0-9a-f]{32}", md5):
        raise RecipeError(f"{where}: pin {file} by its md5 (32 hexadecimal digits)")


def _check_layers(settings: ReplaceSettings) -> None:
    """Every teacher is an AnimeGANv2 generator, whatever its width."""
    published = animeganv2()
    standard, free = separable_layers(published), free_kernels(published)
    for name in settings.layers:
        if name not in standard:
            raise RecipeError(f"replace_convs.layers: {name!r} is not one of {', '.join(standard)}")
    for name, size in settings.kernels.items():
        if name not in free:
            raise RecipeError(f"replace_convs.kernels.{name}: {name!r} is not one of {', '.join(free)}")
        if size > free[name]:
            raise RecipeError(f"replace_convs.kernels.{name}: {size} is larger than the teacher's {free[name]}")
    if settings.stem == "strided" and HALVING in settings.layers:
        raise RecipeError(f"replace_convs.layers: {HALVING!r} is part of the strided stem; take it out")
    if settings.norm != "batch":
        raise RecipeError(f"replace_convs.norm: {settings.norm!r} does not fold into a convolution; write 'batch'")


def _check_float_layers(settings: QuantizeSettings) -> None:
    known = [*(f"layers.{name}" for name in animeganv2().layers), "out"]
    for name in settings.keep_float or ():
        if ".".join(name.split(".")[:2]) not in known:
            raise RecipeError(f"quantize.keep_float: {name!r} is in none of {', '.join(known)}")


def _check_crops(recipe: Recipe) -> None:
    """Crops fit the pictures that they are cut from."""
    crops = {f"{stage}.fine_tune.crop": getattr(recipe, stage).fine_tune.crop for stage in STAGES_THAT_DISTILL}
    for key, crop in {"teacher.crop": recipe.teacher.crop, **crops}.items():
        if crop > min(recipe.data.photo_size, recipe.data.frame_size):
            raise RecipeError(f"{key}: {crop} is larger than data.photo_size or data.frame_size")
    largest = max(recipe.teacher.scales, default=0) * recipe.data.photo_size
    if _learned(recipe.teacher) and (crop := max(recipe.teacher.pairs.crops)) > largest:
        raise RecipeError(f"teacher.pairs.crops: {crop} is larger than data.photo_size at every one of teacher.scales")
