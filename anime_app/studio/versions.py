"""What can be compared: the last pipeline run, the versions in MLflow, and the trials of benchmarks/explore.py."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from hashlib import md5
from math import isfinite
from pathlib import Path

from anime_app.studio.settings import Studio
from anime_model.pictures.message import Message, about, message_of
from anime_model.runtime.models import find_model
from anime_model.runtime.names import MODEL_PREFIX, VARIANTS
from anime_model.runtime.session import ModelError, first_line

BASELINES = ("photo", "filter", "reference")  # what they are compared with
TRIAL = "{style} · trial {name}"
PANEL = "panel_"  # before the names of what raters said


@dataclass(frozen=True)
class Version:
    """One network that can draw, or only its figures where `file` is None and `model` too.

    `key` is unique on the page. `model`, `number` and `aliases` are MLflow's. `figures` have the evaluation's names.
    """

    key: str
    label: str
    style: str
    variant: str
    figures: dict[str, float] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)
    file: Path | None = None
    model: str | None = None
    number: int | None = None
    aliases: tuple[str, ...] = ()

    @property
    def drawable(self) -> bool:
        return self.model is not None or (self.file is not None and self.file.is_file())


@dataclass(frozen=True)
class Catalogue:
    """All versions at hand; `notes` are lines for people on what is not there and what to do.

    `baselines` are what the last run's networks are compared with: figures that no network of ours has.
    """

    run: tuple[Version, ...] = ()
    registry: tuple[Version, ...] = ()
    trials: tuple[Version, ...] = ()
    notes: tuple[str, ...] = ()
    baselines: tuple[Version, ...] = ()

    @property
    def all(self) -> tuple[Version, ...]:
        return (*self.run, *self.registry, *self.trials)

    @property
    def styles(self) -> list[str]:
        return sorted({version.style for version in (*self.run, *self.registry)})

    def find(self, keys: Iterable[str]) -> list[Version]:
        by_key = {version.key: version for version in self.all}
        return [by_key[key] for key in keys if key in by_key]


def read_catalogue(studio: Studio) -> Catalogue:
    """Reads the project's files and asks MLflow: seconds at the first call, which imports MLflow."""
    notes = []
    run, trials, baselines = (), (), ()
    if studio.project is None or not studio.project.is_dir():
        notes.append("No project is open: start the studio in the folder of a pipeline project, or name one.")
    else:
        run, trials = run_versions(studio.project), trial_versions(studio.project)
        baselines = baseline_versions(studio.project)
        if not run:
            text = "{project} has no evaluated models yet: python -m flows.compress makes them."
            notes.append(Message(text, project=studio.project.name))
    try:
        registry = registry_versions(studio)
        if not registry:
            notes.append("MLflow's registry is empty: python -m flows.compress registers every evaluated variant.")
    except ModelError as error:
        registry = ()
        notes.append(message_of(error))
    return Catalogue(_matched(run, registry), registry, trials, tuple(notes), baselines)


def run_versions(project: Path) -> tuple[Version, ...]:
    """The evaluated variants below artifacts/, style by style, in the order of the pipeline."""
    found = []
    for folder in sorted(project.glob("artifacts/*/evaluation")):
        style = folder.parent.name
        for path in sorted(folder.glob("*.json"), key=lambda path: _order(path.stem)):
            figures, words = _split(_json(path))
            if "bytes" in figures:
                file = folder.parent / "exports" / f"{path.stem}.onnx"
                key = f"run/{style}/{path.stem}"
                found.append(Version(key, f"{style} · {path.stem}", style, path.stem, figures, words, file))
    return tuple(found)


def baseline_versions(project: Path) -> tuple[Version, ...]:
    """The untouched photo, the filter and the published network of every style, as far as its evaluation has them."""
    found = []
    for path in sorted(project.glob("artifacts/*/evaluation/baselines.json")):
        style = path.parent.parent.name
        for record in _records(path):
            figures, words = _split(record)
            if words.get("variant") in BASELINES:
                variant = words["variant"]
                found.append(Version(f"baseline/{style}/{variant}", variant, style, variant, figures, words))
    return tuple(found)


def registry_versions(studio: Studio) -> tuple[Version, ...]:
    """The registered versions, model by model, the oldest first. Raises `ModelError`, one line, where MLflow does not
    answer."""
    uri = tracking_uri(studio)
    if uri is None:
        raise ModelError("No MLflow registry: set MLFLOW_TRACKING_URI, or run the pipeline, which makes mlflow.db.")
    try:
        from anime_model.runtime.from_mlflow import list_versions

        rows = list_versions(uri, MODEL_PREFIX)
    except ModuleNotFoundError as error:
        raise ModelError("MLflow is not installed, so no registered versions: pip install mlflow") from error
    except Exception as error:  # MLflow's stores raise whatever their clients raise
        reason = first_line(error)[:120]
        raise ModelError(Message("MLflow at {uri} does not answer ({reason})", uri=uri, reason=reason)) from error
    return tuple(_registered(row) for row in rows)


def tracking_uri(studio: Studio) -> str | None:
    """MLflow's address: what the studio was started with, else the project's own file; None where there is neither.

    An SQLite file that does not exist counts as none: MLflow would make it.
    """
    uri = studio.tracking_uri
    if uri is None and studio.project is not None:
        uri = f"sqlite:///{studio.project.resolve() / 'mlflow.db'}"
    if uri is None or (uri.startswith("sqlite:///") and not Path(uri.removeprefix("sqlite:///")).is_file()):
        return None
    return uri


def trial_versions(project: Path) -> tuple[Version, ...]:
    """The rows of results/explore.json that are no stage of a release; their files where they are still there."""
    results = _json(project / "results" / "explore.json")
    style, rows = str(results.get("style", "")), results.get("rows", [])
    found = []
    for row in rows if isinstance(rows, list) else ():
        figures, words = _split(row if isinstance(row, dict) else {})
        name = words.get("trial", "")
        if words.get("table") != "release" and name and {"ms", "lpips"} <= set(figures):
            files = sorted(project.glob(f"scratch/explore/{style}-{results.get('steps')}-*/{Path(name).name}.onnx"))
            figures["latency_p50_ms"] = figures.pop("ms")
            file = files[-1] if files else None
            label = Message(TRIAL, style=style, name=name)
            found.append(Version(f"trial/{style}/{name}", label, style, name, figures, words, file))
    return tuple(found)


def model_file(version: Version, studio: Studio) -> Path:
    """The ONNX file of a version, fetched from MLflow where it is registered. Raises `ModelError`."""
    if version.file is not None and version.file.is_file():
        return version.file
    if version.model is None or (uri := tracking_uri(studio)) is None:
        raise ModelError(about(version.label, "its model file is no longer there"))
    try:
        from anime_model.runtime.from_mlflow import use
    except ModuleNotFoundError as error:
        raise ModelError(about(version.label, "MLflow is not installed")) from error
    use(uri)
    return find_model(f"models:/{version.model}/{version.number}")


def _matched(run: Sequence[Version], registry: Sequence[Version]) -> tuple[Version, ...]:
    """The run's files, each with the newest registered version of the same file and variant.

    What people said of any version of that file (its panel's figures) is said of the file.
    """
    known, judged = {}, {}
    for row in registry:
        file = row.words.get("dvc_md5"), row.variant, row.style
        known[file] = row
        judged.setdefault(file, {}).update({key: row.figures[key] for key in row.figures if key.startswith(PANEL)})
    found = []
    for version in run:
        digest = md5(version.file.read_bytes(), usedforsecurity=False).hexdigest() if version.drawable else ""
        file = digest, version.variant, version.style
        if same := known.get(file):
            figures = version.figures | judged[file]
            aliases = same.aliases
            version = replace(version, figures=figures, model=same.model, number=same.number, aliases=aliases)
        found.append(version)
    return tuple(found)


def _registered(row: dict) -> Version:
    figures, words = _figures(row["tags"])
    style = words.get("style", row["model"].removeprefix(MODEL_PREFIX))
    variant = words.get("variant", "?")
    marks = "".join(f" · {alias}" for alias in row["aliases"])
    label = f"{style} v{row['number']} · {variant}{marks}"
    key = f"registry/{row['model']}/{row['number']}"
    return Version(key, label, style, variant, figures, words, None, row["model"], row["number"], tuple(row["aliases"]))


def _split(record: dict) -> tuple[dict[str, float], dict[str, str]]:
    numbers = {key: float(value) for key, value in record.items() if isinstance(value, int | float)}
    words = {key: value for key, value in record.items() if isinstance(value, str)}
    return {key: value for key, value in numbers.items() if isfinite(value)}, words


def _figures(tags: dict[str, str]) -> tuple[dict[str, float], dict[str, str]]:
    """Tags that are numbers, and the others; a hash of digits is no number, however much it looks like one."""
    figures, words = {}, {}
    for key, value in tags.items():
        try:
            number = float(value) if len(value) < 32 else None
        except ValueError:
            number = None
        if number is None:
            words[key] = value
        elif isfinite(number):
            figures[key] = number
    return figures, words


def _order(variant: str) -> tuple[int, str]:
    return (VARIANTS.index(variant) if variant in VARIANTS else len(VARIANTS), variant)


def _records(path: Path) -> list[dict]:
    """The records in a file that holds a list of them; none where it is missing or cannot be read."""
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return []
    return [record for record in found if isinstance(record, dict)] if isinstance(found, list) else []


def _json(path: Path) -> dict:
    """The record in a file; empty where it is missing or cannot be read."""
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
