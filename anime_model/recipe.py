"""A recipe: every number of the pipeline, as dataclasses, read from YAML and checked before any work starts."""

import re
import reprlib
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any

import yaml

CROP_STEP = 4  # the generator halves a picture twice
NAME = r"[a-z][a-z0-9_-]{0,39}"
PLAIN_PATH = r"[\w./][\w./-]*"  # nothing that a shell would read as more than a path
EMBEDDED_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")


class RecipeError(ValueError):
    """A recipe that cannot be followed; the message names the file, the key and what to do."""


@dataclass(frozen=True)
class GeneratedSettings:
    """Counts and short side (px) of the pictures that the project draws itself, for each of `data.generate`."""

    photos: int = 260
    frames: int = 100
    test: int = 24
    short_side: int = 160


@dataclass(frozen=True)
class DataSettings:
    """Folders, and the sizes (px) that pictures are brought down to.

    `photos` holds train/ and test/<set>/, `frames` one folder for each style. `generate` names folders under data/
    whose pictures are generated first.
    """

    photos: str
    frames: str
    generate: tuple[str, ...]
    photo_size: int = 288
    test_size: int = 512
    frame_size: int = 720
    smallest: int = 64
    generated: GeneratedSettings = field(default_factory=GeneratedSettings)


@dataclass(frozen=True)
class TrainingSettings:
    """Where training runs, in the words of Lightning Fabric; `devices` above 1 starts as many processes.

    `threads` are the CPU's, for each process; results repeat bit for bit only with the same number. `precision` "auto"
    is "bf16-mixed" on GPUs and x86 processors that multiply in it, "32-true" elsewhere: on a CPU that does not, bf16 is
    about ten times slower than 32 bits.
    """

    accelerator: str = "auto"
    devices: int = 1
    threads: int = 2
    precision: str = "32-true"
    save_every: float = 20.0


@dataclass(frozen=True)
class AbstractionSettings:
    """The drawing that a teacher holds on to instead of the photo: `anime_model/training/abstraction.py`.

    `rounds` of a bilateral filter (0: the photo itself) whose weights fall off at a difference of `range` in colour,
    Y from 0 to 1; dark lines of strength `lines` and borders sharpened by the factor `sharpen`; `palette` is the share
    of the way that the photos' colours go to those of the frames.
    """

    rounds: int = 0
    range: float = 0.05
    lines: float = 0.9
    sharpen: float = 1.0
    palette: float = 0.0


@dataclass(frozen=True)
class ReferenceHints:
    """What a published network's file and a probe cannot tell; empty and 0 leave it to them.

    `layout` is nhwc or nchw, `values` and `values_out` are -1..1, 0..1 or 0..255, `channels` rgb (where nothing says
    otherwise) or bgr; height and width are multiples of `multiple`.
    """

    layout: str = ""
    values: str = ""
    values_out: str = ""
    channels: str = ""
    multiple: int = 0


@dataclass(frozen=True)
class PairsSettings:
    """How a teacher learns a published network's own pictures: `steps` of `batch` crops, Adam's `rate` along a cosine.

    The crops (px) grow from the first of `crops` to the last, each for an equal share of the steps: the norms of the
    teacher and of most published networks see the whole picture, so the last are nearly all of it. Gradients are
    clipped at the norm `clip`; `average` is the decay of the average of the weights. `frames_steps` against the frames
    follow, with the teacher's own weights and rates, holding on to the published network's pictures.
    """

    steps: int = 4000
    rate: float = 1e-3
    batch: int = 4
    crops: tuple[int, ...] = (160, 208, 256)
    weights: dict[str, float] = field(default_factory=lambda: {"pixel": 4.0, "content": 1.0, "style": 0.2})
    content_layers: tuple[str, ...] = ("relu1_1", "relu2_1", "relu3_1")
    style_layers: tuple[str, ...] = ("relu2_1", "relu3_1")
    clip: float = 1.0
    average: float = 0.999
    frames_steps: int = 0


@dataclass(frozen=True)
class TeacherSettings:
    """The teacher. Weights are those of the losses; rates are Adam's.

    `discriminator` is AnimeGANv2's "patch", or "projected": heads on the maps of the perceptual network, which learn
    from far fewer pictures. `colour_pool` is the side in pixels of the squares whose mean colours the colour loss
    compares, after the warm-up. `abstraction` is what the content and colour losses hold on to.

    `carry_colours` gives the colours four channels of every layer at the start: without, new weights learn them late.
    `warm_start` names a checkpoint to begin from, such as one that has been through the warm-up already, which depends
    on no style. The styles that `import_file` names are not trained: a published AnimeGANv2 `.pt` or a checkpoint of
    this project is taken. Files are pinned by their md5, so that a changed one is noticed.

    `reference` names a published network (ONNX) for a style: its pictures of the train photos, each at `scales` of its
    size, are what the teacher learns first, as `pairs` says; `steps` and `warm_up_steps` do not count for that style.
    """

    width: float = 1.0
    discriminator: str = "patch"
    discriminator_width: int = 64
    abstraction: AbstractionSettings = field(default_factory=AbstractionSettings)
    colour_pool: int = 1
    crop: int = 256
    batch: int = 8
    warm_up_steps: int = 1000
    steps: int = 20000
    warm_up_rate: float = 2e-4
    rate: float = 1e-4
    discriminator_rate: float = 2e-4
    weights: dict[str, float] = field(default_factory=dict)
    content_layers: tuple[str, ...] = ("relu3_1",)
    style_layers: tuple[str, ...] = ("relu2_1", "relu3_1")
    snapshots: int = 6
    compile: bool = False
    carry_colours: bool = False
    warm_start: str = ""
    warm_start_md5: str = ""
    import_file: dict[str, str] = field(default_factory=dict)
    import_md5: dict[str, str] = field(default_factory=dict)
    reference: dict[str, str] = field(default_factory=dict)
    reference_md5: dict[str, str] = field(default_factory=dict)
    reference_hints: dict[str, ReferenceHints] = field(default_factory=dict)
    scales: tuple[float, ...] = (0.8, 1.15, 1.6)
    pairs: PairsSettings = field(default_factory=PairsSettings)


@dataclass(frozen=True)
class DistillSettings:
    """How a student learns from the teacher; a weight of 0 leaves its loss out.

    `kl_share` is the part of the total loss that the KL term makes, whatever the size of the others. A recipe gives
    what the stages share in `distillation`, and each stage's own `steps` and `rate` in its `fine_tune`. `freeze_norm`
    trains with the statistics that batch norms will have afterwards. `reference_share` of the crops have the published
    network's own pictures as their target instead of the teacher's, for styles of `teacher.reference`.
    """

    steps: int = 0
    rate: float = 1e-3
    batch: int = 8
    crop: int = 256
    weights: dict[str, float] = field(default_factory=dict)
    kl_share: float = 0.2
    temperature: float = 3.0
    content_layers: tuple[str, ...] = ("relu2_1", "relu3_1")
    style_layers: tuple[str, ...] = ("relu2_1", "relu3_1")
    compile: bool = False
    freeze_norm: bool = False
    reference_share: float = 0.0


@dataclass(frozen=True)
class ReplaceSettings:
    """`layers` are the standard convolutions to make separable, such as `c0`.

    `kernels` gives layers a smaller kernel than the teacher's, of an odd size, such as `e2: 3`. The rest is for the
    whole network.
    """

    layers: tuple[str, ...]
    kernels: dict[str, int] = field(default_factory=dict)
    norm: str = "batch"
    activation: str = "relu"
    padding: str = "zeros"
    upsample: str = "bilinear"
    tail: str = "subpixel"
    fine_tune: DistillSettings = field(default_factory=DistillSettings)


@dataclass(frozen=True)
class PruneSettings:
    """`keep` is the share of the budget's measure ("parameters" or "macs") that is left after the last of `rounds`.

    `importance` says which channels leave first: "taylor", those that change the picture least, while the others learn
    to stand in for them, or "l1", those of the least norm, as in the article.
    `group_keep` is the share of its channels that every group of channels has at the end at least, and `round_to` what
    the widths are multiples of: 16 where convolutions in 512-bit vectors would fill the rest with zeros.
    `sparsity` weighs the penalty on norm scales during `sparsity_steps` of training; `unstructured` is the share of
    weights that the article's `l1_unstructured` comparison sets to zero.
    """

    budget: str = "parameters"
    importance: str = "taylor"
    keep: float = 0.6
    group_keep: float = 0.3
    round_to: int = 8
    rounds: int = 3
    sparsity: float = 1e-4
    sparsity_steps: int = 1000
    unstructured: float = 0.4
    fine_tune: DistillSettings = field(default_factory=DistillSettings)


@dataclass(frozen=True)
class FullDistillSettings:
    """The long distillation of the pruned network from the full teacher."""

    fine_tune: DistillSettings = field(default_factory=DistillSettings)


@dataclass(frozen=True)
class QuantizeSettings:
    """`weight_bits` 7 keeps sums of two products in 16 bits on CPUs without VNNI (`vpmaddubsw` saturates with 8).

    INT8 runs where it makes the whole network faster while the picture stays at `psnr` dB to the float network's at
    least. That is searched for from the layers whose own INT8 time is at most `slower` x their float time, less those
    that harm most for the time that they save. `keep_float` names the float layers instead.
    """

    weight_bits: int = 7
    calibration: int = 16
    psnr: float = 34.0
    slower: float = 1.0
    timing_size: int = 512
    keep_float: tuple[str, ...] | None = None
    fine_tune: DistillSettings = field(default_factory=DistillSettings)


@dataclass(frozen=True)
class EvaluateSettings:
    """Networks of the metrics and the protocol of the latency measurement (px, threads, repeats)."""

    latency_threads: int
    features: str = "embedded"
    lpips: str = "embedded"
    latency_size: int = 512
    latency_repeats: int = 20
    pictures: int = 4


@dataclass(frozen=True)
class CheckSettings:
    """What the data must be like before a retraining; anything outside stops it.

    `photos`, `test` and `frames` are the fewest pictures of photos/train, of each test set and of each style. Shares of
    all pictures: `unusable` (unreadable, or under `data.smallest`) and `shrunk` (gone since the last run) at most.
    `twins` is the most test photos that may look like a train photo: the perceptual hashes of the two differ in at most
    `twin_bits` of 64, and the pictures made tiny are alike. `shift` is the largest Kolmogorov-Smirnov distance, from 0
    to 1, that any measure of the pictures may have from the last run's.
    """

    photos: int = 16
    test: int = 2
    frames: int = 8
    unusable: float = 0.02
    shrunk: float = 0.2
    twins: int = 0
    twin_bits: int = 8
    shift: float = 0.25


@dataclass(frozen=True)
class PromoteSettings:
    """The gates that a network passes before it becomes the champion; `null` takes a gate away.

    At most: `bytes`, `latency_p95_ms`, `fid`, `lpips`, and as multiples of the champion's figures, measured beside it
    on the same pictures, `latency_ratio`, `fid_ratio`, `lpips_ratio`. At least: `psnr` (dB) and, where people have
    rated the network, `panel` (their mean, 1 to 5).
    """

    bytes: int | None = None
    latency_p95_ms: float | None = None
    latency_ratio: float | None = 1.5
    fid: float | None = None
    fid_ratio: float | None = 1.05
    lpips: float | None = None
    lpips_ratio: float | None = 1.05
    psnr: float | None = 20.0
    panel: float | None = 3.0


@dataclass(frozen=True)
class Recipe:
    """All of it. `perceptual` is the network of the perceptual losses: "embedded" or "vgg19".

    `notify` names notification blocks of Prefect, such as `slack-webhook/team`, that hear how a retraining ended.

    What `dvc.yaml` names itself has no default: DVC reads the file, not these classes.
    """

    styles: tuple[str, ...]
    data: DataSettings
    teacher: TeacherSettings
    replace_convs: ReplaceSettings
    prune: PruneSettings
    distill: FullDistillSettings
    quantize: QuantizeSettings
    evaluate: EvaluateSettings
    distillation: DistillSettings
    training: TrainingSettings
    perceptual: str
    seed: int
    checks: CheckSettings = field(default_factory=CheckSettings)
    promote: PromoteSettings = field(default_factory=PromoteSettings)
    notify: tuple[str, ...] = ()


def load_recipe(path: Path | str) -> Recipe:
    """Reads and checks a recipe. Raises `RecipeError` with one line that names the file and the key."""
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise RecipeError(f"{path}: cannot be read ({error.strerror})") from error
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise RecipeError(f"{path}: not YAML ({' '.join(str(error).split())})") from error
    try:
        recipe = parse_recipe(content)
    except RecipeError as error:
        raise RecipeError(f"{path}: {error}") from error
    return recipe


def parse_recipe(content: object) -> Recipe:
    """A recipe from plain mappings and lists. Raises `RecipeError`."""
    if not isinstance(content, Mapping):
        raise RecipeError("a recipe is a mapping of sections; see recipes/demo.yaml")
    shared = content.get("distillation") or {}
    if not isinstance(shared, Mapping):
        raise RecipeError("distillation: expected a section with keys of its own")
    recipe = _build(Recipe, {key: _with_shared(section, shared) for key, section in content.items()}, "")
    _check(recipe)
    return recipe


def _with_shared(section: object, shared: Mapping[str, Any]) -> object:
    """A section whose `fine_tune` is completed by what all distillations share."""
    if isinstance(section, Mapping) and isinstance(section.get("fine_tune"), Mapping):
        return {**section, "fine_tune": {**shared, **section["fine_tune"]}}
    return section


def _build(cls: type, content: object, where: str) -> Any:
    """A dataclass from a mapping, every key known and every value of its annotated type."""
    if not isinstance(content, Mapping):
        raise RecipeError(f"{where}: expected a section with keys of its own, found {_short(content)}")
    known = {item.name: item for item in fields(cls)}
    for key in content:
        if key not in known:
            raise RecipeError(f"{_join(where, key)}: unknown key; known here: {', '.join(known)}")
    for key, item in known.items():
        if key not in content and item.default is MISSING and item.default_factory is MISSING:
            raise RecipeError(f"{_join(where, key)}: missing; see recipes/demo.yaml")
    hints = typing.get_type_hints(cls)
    return cls(**{key: _value(hints[key], value, _join(where, key)) for key, value in content.items()})


def _value(kind: Any, value: object, where: str) -> Any:
    if is_dataclass(kind):
        return _build(kind, value, where)
    if isinstance(kind, types.UnionType):
        return None if value is None else _value(kind.__args__[0], value, where)
    if typing.get_origin(kind) is tuple:
        return tuple(_value(kind.__args__[0], item, where) for item in _expect(list, value, where, "a list"))
    if typing.get_origin(kind) is dict:
        items = _expect(Mapping, value, where, "a mapping of names to values").items()
        return {key: _value(kind.__args__[1], item, _join(where, str(key))) for key, item in items}
    return _scalar(kind, value, where)


def _scalar(kind: type, value: object, where: str) -> Any:
    if kind is float and isinstance(value, str):  # YAML reads 1e-3 as text
        try:
            return float(value)
        except ValueError:
            pass
    right = isinstance(value, (int, float) if kind is float else kind) and not (
        isinstance(value, bool) and kind is not bool
    )
    if not right:
        names = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}
        raise RecipeError(f"{where}: expected {names[kind]}, found {_short(value)}")
    return kind(value)


def _expect(kind: type, value: object, where: str, name: str) -> Any:
    if not isinstance(value, kind):
        raise RecipeError(f"{where}: expected {name}, found {_short(value)}")
    return value


def _short(value: object) -> str:
    """As much of a value as a person wants to read: aliases make a short YAML file an endless text."""
    short = reprlib.Repr()
    short.maxlevel, short.maxstring, short.maxother = 2, 200, 200
    return short.repr(value)


def _join(where: str, key: object) -> str:
    return f"{where}.{key}" if where else str(key)


CHOICES = {
    "perceptual": ("embedded", "vgg19"),
    "training.accelerator": ("auto", "cpu", "cuda", "mps"),
    "training.precision": ("auto", "32-true", "bf16-mixed", "16-mixed"),
    "teacher.discriminator": ("patch", "projected"),
    "replace_convs.norm": ("batch",),
    "replace_convs.activation": ("relu", "leaky_relu"),
    "replace_convs.padding": ("zeros", "reflect"),
    "replace_convs.upsample": ("bilinear", "half_pixel", "nearest"),
    "replace_convs.tail": ("subpixel", "resize"),
    "prune.budget": ("parameters", "macs"),
    "prune.importance": ("taylor", "l1"),
    "quantize.weight_bits": (7, 8),
    "evaluate.features": ("embedded", "inception-768", "inception-2048"),
    "evaluate.lpips": ("embedded", "squeeze", "alex", "vgg"),
}
# Key: smallest, largest value.
BOUNDS: dict[str, tuple[float, float]] = {
    "seed": (0, 2**31),
    "data.photo_size": (16, 4096),
    "data.test_size": (16, 4096),
    "data.frame_size": (16, 4096),
    "data.smallest": (8, 4096),
    "data.generated.photos": (8, 100_000),
    "data.generated.frames": (8, 100_000),
    "data.generated.test": (2, 10_000),
    "data.generated.short_side": (32, 1024),
    "training.devices": (1, 64),
    "training.threads": (1, 1024),
    "training.save_every": (0, 86_400),
    "teacher.width": (0.125, 4),
    "teacher.discriminator_width": (8, 512),
    "teacher.abstraction.rounds": (0, 20),
    "teacher.abstraction.range": (0.001, 10),
    "teacher.abstraction.lines": (0, 1),
    "teacher.abstraction.sharpen": (0, 5),
    "teacher.abstraction.palette": (0, 1),
    "teacher.colour_pool": (1, 32),
    "teacher.batch": (1, 4096),
    "teacher.warm_up_steps": (0, 10_000_000),
    "teacher.steps": (0, 10_000_000),
    "teacher.snapshots": (1, 100),
    "teacher.pairs.steps": (1, 10_000_000),
    "teacher.pairs.rate": (1e-9, 1),
    "teacher.pairs.batch": (1, 4096),
    "teacher.pairs.clip": (1e-6, 1e6),
    "teacher.pairs.average": (0, 0.99999),
    "teacher.pairs.frames_steps": (0, 10_000_000),
    "prune.keep": (0.05, 1),
    "prune.group_keep": (0, 1),
    "prune.round_to": (1, 64),
    "prune.rounds": (1, 50),
    "prune.sparsity": (0, 1),
    "prune.sparsity_steps": (0, 10_000_000),
    "prune.unstructured": (0, 0.99),
    "quantize.calibration": (1, 4096),
    "quantize.psnr": (0, 100),
    "quantize.slower": (0, 100),
    "quantize.timing_size": (64, 4096),
    "evaluate.latency_size": (32, 8192),
    "evaluate.latency_threads": (1, 256),
    "evaluate.latency_repeats": (3, 10_000),
    "evaluate.pictures": (1, 64),
    "checks.photos": (4, 10_000_000),
    "checks.test": (2, 10_000_000),
    "checks.frames": (4, 10_000_000),
    "checks.unusable": (0, 1),
    "checks.shrunk": (0, 1),
    "checks.twins": (0, 10_000_000),
    "checks.twin_bits": (0, 32),
    "checks.shift": (0, 1),
    "promote.bytes": (1, 10**10),
    "promote.latency_p95_ms": (0.001, 10**7),
    "promote.latency_ratio": (0.1, 100),
    "promote.fid": (0, 10**6),
    "promote.fid_ratio": (0.1, 100),
    "promote.lpips": (0, 10),
    "promote.lpips_ratio": (0.1, 100),
    "promote.psnr": (0, 100),
    "promote.panel": (1, 5),
}
DISTILL_BOUNDS = {
    "steps": (0, 10_000_000),
    "rate": (1e-9, 1),
    "batch": (1, 4096),
    "kl_share": (0, 0.95),
    "temperature": (0.1, 100),
    "reference_share": (0, 1),
}
HINTS = {
    "layout": ("", "nhwc", "nchw"),
    "values": ("", "-1..1", "0..1", "0..255"),
    "values_out": ("", "-1..1", "0..1", "0..255"),
    "channels": ("", "rgb", "bgr"),
}
PAIRS_WEIGHTS = ("pixel", "content", "style")
TEACHER_WEIGHTS = ("adversarial", "content", "style", "colour", "variation")
DISTILL_WEIGHTS = ("pixel", "content", "style", "feature")
STAGES_THAT_DISTILL = ("replace_convs", "prune", "distill", "quantize")


def _check(recipe: Recipe) -> None:
    _check_styles(recipe.styles)
    _check_data(recipe.data)
    for key, choices in CHOICES.items():
        if (value := _get(recipe, key)) not in choices:
            raise RecipeError(f"{key}: {value!r} is not one of {', '.join(map(str, choices))}")
    for key, (low, high) in BOUNDS.items():
        _check_bounds(key, _get(recipe, key), low, high)
    _check_teacher(recipe.teacher, recipe.styles)
    for name, size in recipe.replace_convs.kernels.items():
        if not (size % 2 and size > 0):
            raise RecipeError(f"replace_convs.kernels.{name}: {size} must be an odd number from 1 up")
    share = recipe.distillation.reference_share
    if share and not recipe.teacher.reference:
        raise RecipeError(f"distillation.reference_share: {share:g}, but teacher.reference names no network")
    for stage in STAGES_THAT_DISTILL:
        _check_distill(f"{stage}.fine_tune", getattr(recipe, stage).fine_tune)
    _check_crops(recipe)
    for block in recipe.notify:
        if not re.fullmatch(r"[a-z0-9-]+/[a-z0-9-]+", block):
            raise RecipeError(
                f"notify: {block!r} names no block of Prefect; write TYPE/NAME, such as slack-webhook/team"
            )


def _check_styles(styles: tuple[str, ...]) -> None:
    if not styles or len(set(styles)) != len(styles):
        raise RecipeError("styles: name at least one style, each once")
    for style in styles:
        if not re.fullmatch(NAME, style):
            raise RecipeError(f"styles: {style!r} must be a folder name of small letters, digits, '-' and '_'")


def _check_data(data: DataSettings) -> None:
    """These become arguments of a shell command, and `generate` folders that a stage empties first."""
    for name in data.generate:
        if not re.fullmatch(NAME, name):
            raise RecipeError(
                f"data.generate: {_short(name)} must be a folder name of small letters, digits, '-' and '_'"
            )
    for key, path in {"data.photos": data.photos, "data.frames": data.frames}.items():
        if not re.fullmatch(PLAIN_PATH, path):
            raise RecipeError(f"{key}: {_short(path)} must be a path of letters, digits, '/', '.', '_' and '-' only")


def _check_bounds(key: str, value: float | None, low: float, high: float) -> None:
    if value is not None and not low <= value <= high:
        raise RecipeError(f"{key}: {value} is outside {low:g} ... {high:g}")


def _check_teacher(teacher: TeacherSettings, styles: tuple[str, ...]) -> None:
    _check_weights("teacher.weights", teacher.weights, TEACHER_WEIGHTS)
    _check_reference(teacher)
    missing = [name for name in TEACHER_WEIGHTS if name not in teacher.weights]
    trained = [style for style in styles if style not in {**teacher.import_file, **teacher.reference}]
    if missing and (trained or (teacher.reference and teacher.pairs.frames_steps)):
        raise RecipeError(f"teacher.weights.{missing[0]}: missing; give 0 to leave this loss out")
    for style, file in teacher.import_file.items():
        _check_pin(f"teacher.import_md5.{style}", file, teacher.import_md5.get(style, ""))
    if teacher.warm_start:
        _check_pin("teacher.warm_start_md5", teacher.warm_start, teacher.warm_start_md5)
    if trained and teacher.steps + teacher.warm_up_steps < 1:
        raise RecipeError("teacher.steps: at least one step, or name a teacher in teacher.import_file")


def _check_reference(teacher: TeacherSettings) -> None:
    """What belongs to published networks: pins, hints, scales and the lesson of pairs."""
    for style, file in teacher.reference.items():
        _check_pin(f"teacher.reference_md5.{style}", file, teacher.reference_md5.get(style, ""))
        if style in teacher.import_file:
            raise RecipeError(f"teacher.reference.{style}: also in teacher.import_file; name one of the two")
    for style, hints in teacher.reference_hints.items():
        _check_bounds(f"teacher.reference_hints.{style}.multiple", hints.multiple, 0, 4096)
        for key, known in HINTS.items():
            if (value := getattr(hints, key)) not in known:
                raise RecipeError(f"teacher.reference_hints.{style}.{key}: {value!r} is not one of {known[1:]}")
    if not teacher.scales or len(set(teacher.scales)) != len(teacher.scales):
        raise RecipeError("teacher.scales: name at least one scale, each once")
    for scale in teacher.scales:
        _check_bounds("teacher.scales", scale, 0.1, 8)
    _check_weights("teacher.pairs.weights", teacher.pairs.weights, PAIRS_WEIGHTS)
    if not any(teacher.pairs.weights.values()):
        raise RecipeError("teacher.pairs.weights: at least one above 0")
    crops = teacher.pairs.crops
    if not crops or list(crops) != sorted(crops) or any(crop % CROP_STEP or crop < 32 for crop in crops):
        raise RecipeError(f"teacher.pairs.crops: multiples of {CROP_STEP} from 32 up, small ones first")


def _check_pin(where: str, file: str, md5: str) -> None:
    if not re.fullmatch(r"[0-9a-f]{32}", md5):
        raise RecipeError(f"{where}: pin {file} by its md5 (32 hexadecimal digits)")


def _check_distill(where: str, settings: DistillSettings) -> None:
    for key, (low, high) in DISTILL_BOUNDS.items():
        _check_bounds(f"{where}.{key}", getattr(settings, key), low, high)
    _check_weights(f"{where}.weights", settings.weights, DISTILL_WEIGHTS)
    if settings.steps and not settings.weights.get("pixel"):
        raise RecipeError(f"{where}.weights.pixel: distillation needs a weight above 0; set distillation.weights.pixel")


def _check_weights(where: str, weights: Mapping[str, float], known: tuple[str, ...]) -> None:
    for name, weight in weights.items():
        if name not in known:
            raise RecipeError(f"{where}.{name}: unknown loss; known: {', '.join(known)}")
        _check_bounds(f"{where}.{name}", weight, 0, 1e6)


def _check_crops(recipe: Recipe) -> None:
    """Crops fit the pictures that they are cut from and the network's two halvings."""
    crops = {f"{stage}.fine_tune.crop": getattr(recipe, stage).fine_tune.crop for stage in STAGES_THAT_DISTILL}
    for key, crop in {"teacher.crop": recipe.teacher.crop, **crops}.items():
        if crop % CROP_STEP or crop < 32:
            raise RecipeError(f"{key}: {crop} must be a multiple of {CROP_STEP}, at least 32")
        if crop > min(recipe.data.photo_size, recipe.data.frame_size):
            raise RecipeError(f"{key}: {crop} is larger than data.photo_size or data.frame_size")
    largest = max(recipe.teacher.scales) * recipe.data.photo_size
    if recipe.teacher.reference and (crop := max(recipe.teacher.pairs.crops)) > largest:
        raise RecipeError(f"teacher.pairs.crops: {crop} is larger than data.photo_size at every one of teacher.scales")


def _get(recipe: Recipe, key: str) -> Any:
    value: Any = recipe
    for part in key.split("."):
        value = getattr(value, part)
    return value
