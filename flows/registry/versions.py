"""The record in MLflow: a run for a pipeline run that made something new, a model version for every new variant."""

import csv
import hashlib
import json
import os
import re
import shutil
import tempfile
import time
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from math import isfinite
from pathlib import Path

import mlflow
import numpy as np
import yaml
from mlflow.entities import Experiment, Metric, Param, RunStatus
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.models.model import ModelInfo
from mlflow.types import Schema, TensorSpec

from anime_model.pictures.message import Message, to_record, with_values
from anime_model.runtime.names import LITE, MODEL_PREFIX
from flows.machine import git
from flows.machine.hashes import file_md5
from flows.machine.redact import redact
from flows.pipeline.results import Metrics, evaluation_folder, protocol, read_metrics
from flows.registry.identity import workspace_id
from flows.registry.moved import FILES, put_right

HEADLINES = ("bytes", "latency_p50_ms", "fid", "lpips", "lpips_photo", "psnr")  # tags too, for the list of versions
POINTS = 1000  # of one curve at most: a curve is for looking at, the file itself is among the artifacts
# What the figures of a file depend on besides itself: networks of the metrics, and the pictures.
PROTOCOL = ("fid_features", "fid_real", "fid_fake", "fid_resamples", "lpips_net", "pictures_md5")
BATCH = 1000  # metrics that MLflow takes in one call
NEWEST = 20  # versions of a model that are looked at in one question, before each file is asked for
REQUIREMENTS = ("numpy", "pillow", "onnxruntime")
LIBRARY = Path(__file__).parents[2] / "anime_model"
SHIPPED = ("pictures", "runtime")  # what a registered model needs of it


class RegistryError(RuntimeError):
    """MLflow could not take the results; the message is one line."""


def model_name(style: str) -> str:
    return f"{MODEL_PREFIX}{style}"


def experiment_name() -> str:
    return os.environ.get("MLFLOW_EXPERIMENT_NAME", "animegan-lite")


@dataclass(frozen=True)
class Variant:
    """One evaluated variant and what makes it itself: the file, and how its pictures were judged."""

    style: str
    name: str
    onnx: Path
    metrics: Metrics

    @property
    def model(self) -> str:
        return model_name(self.style)

    @property
    def figures(self) -> dict[str, float]:
        """What MLflow takes as metrics: all finite numbers."""
        numbers = {key: value for key, value in self.metrics.items() if isinstance(value, int | float)}
        return {key: value for key, value in numbers.items() if isfinite(value)}

    @property
    def identity(self) -> dict[str, str]:
        """The tags by which a version is known again: times are none of them, so measuring again makes no version."""
        how = json.dumps({key: self.metrics.get(key) for key in PROTOCOL}).encode()
        return {
            "variant": self.name,
            "dvc_md5": file_md5(self.onnx),
            "protocol_md5": hashlib.md5(how, usedforsecurity=False).hexdigest(),
        }


def register(root: Path, styles: Sequence[str], recipe: str = "recipe") -> list[str]:
    """Register what MLflow does not have yet of the evaluated `styles`; the new versions' names, such as
    `animegan-cel 3 (int8)`.

    A version is created last and with all its tags in one transaction, so a kill leaves no version without its metrics:
    the next run finds it missing and registers it. Where nothing is new, no run is made. Raises `RegistryError`.
    """
    try:
        make_store(mlflow.get_tracking_uri())
        client = mlflow.MlflowClient()
        new = [variant for style in styles for variant in _unregistered(client, root, style)]
        if not new:
            return []
        experiment = use_experiment()
        _close_abandoned(client, experiment.experiment_id, root)
        return _record(client, root, recipe, new)
    except Exception as error:  # MLflow's stores raise whatever their clients and databases raise
        raise registry_error(error) from error


def make_store(uri: str) -> None:
    """The tables of a SQLite store that is not there yet, whole or not at all; the paths of one that was moved.

    MLflow makes them in place, in seconds, and a store that a kill has left half made can never be opened again.
    """
    path = Path(uri.removeprefix("sqlite:///"))
    if not uri.startswith("sqlite:///"):
        return
    if path.exists():
        put_right(path)
        return
    with tempfile.TemporaryDirectory(dir=path.absolute().parent, prefix=f".{path.name}.") as folder:
        part = Path(folder) / path.name
        mlflow.MlflowClient(f"sqlite:///{part}").search_experiments()
        with suppress(FileExistsError):  # another process was first
            os.link(part, path)


def use_experiment() -> Experiment:
    """The project's experiment in a store that `make_store` has seen, made where it is not there yet: its files beside
    a SQLite store.

    Left to itself MLflow puts them below whichever folder the first command is started in.
    """
    uri, name, client = mlflow.get_tracking_uri(), experiment_name(), mlflow.MlflowClient()
    if uri.startswith("sqlite:///") and client.get_experiment_by_name(name) is None:
        folder = Path(uri.removeprefix("sqlite:///")).absolute().parent / FILES / re.sub(r"[^\w.-]+", "-", name)
        with suppress(MlflowException):  # another process was first
            client.create_experiment(name, artifact_location=str(folder))
    return mlflow.set_experiment(name)


def registry_error(error: Exception) -> RegistryError:
    """Where MLflow is and why it did not do it, in one line without secrets."""
    said = with_values(reason_of(error), redact)
    return RegistryError(Message("MLflow at {uri} {reason}", uri=redact(mlflow.get_tracking_uri()), reason=said))


def reason_of(error: Exception) -> str:
    """Why MLflow did not do it, in a few words."""
    message = " ".join(str(error).split())
    away = "Max retries exceeded" in message or "onnection" in message
    return "does not answer" if away else Message("did not take the results: {reason}", reason=message[:300])


def _unregistered(client: mlflow.MlflowClient, root: Path, style: str) -> list[Variant]:
    exports = root / "artifacts" / style / "exports"
    variants = [
        Variant(style, metrics["variant"], exports / f"{metrics['variant']}.onnx", metrics)
        for metrics in read_metrics(root, style)
    ]
    newest = client.search_model_versions(f"name = '{model_name(style)}'", NEWEST, ["version_number DESC"])
    return [variant for variant in variants if not (_is_one_of(variant, newest) or registered(client, variant))]


def registered(client: mlflow.MlflowClient, variant: Variant) -> bool:
    """Asked of the store by the file's tag: reading all versions takes seconds where there are a thousand."""
    same_file = f"name = '{variant.model}' and tags.dvc_md5 = '{variant.identity['dvc_md5']}'"
    return _is_one_of(variant, client.search_model_versions(same_file))


def _is_one_of(variant: Variant, versions: Iterable[ModelVersion]) -> bool:
    wanted = variant.identity
    return any(wanted.items() <= version.tags.items() for version in versions)


def _close_abandoned(client: mlflow.MlflowClient, experiment_id: str, root: Path) -> None:
    """Runs of this workspace that a kill cut off: they would be shown as running for ever."""
    mine = f"attributes.status = 'RUNNING' and tags.workspace_id = '{workspace_id(root)}'"
    for run in client.search_runs([experiment_id], mine):
        client.set_terminated(run.info.run_id, RunStatus.to_string(RunStatus.KILLED))


def _record(client: mlflow.MlflowClient, root: Path, recipe: str, new: Sequence[Variant]) -> list[str]:
    """The pipeline's run, and below it one run for each variant: their figures have the same names."""
    styles = list(dict.fromkeys(variant.style for variant in new))
    place = {"workspace": str(root), "workspace_id": workspace_id(root)}
    origin = {"recipe": recipe, "git_commit": git.commit(root)[0]}
    name = f"{recipe} · {'+'.join(styles)} · {origin['git_commit'][:7]}"
    with mlflow.start_run(run_name=name, tags=origin | place) as run, tempfile.TemporaryDirectory() as folder:
        parameters = _parameters(root / "params.yaml")
        _log_parameters(client, run.info.run_id, parameters)
        client.log_batch(run.info.run_id, metrics=list(_lite_figures(new)))
        _log_state(client, run.info.run_id, root, styles)
        for style in styles:
            _log_curves(client, run.info.run_id, root / "artifacts" / style)
            client.log_artifacts(run.info.run_id, str(evaluation_folder(root, style)), style)
            if (report := root / "artifacts" / style / "report.html").is_file():
                client.log_artifact(run.info.run_id, str(report), style)
        code = _copy_runtime(Path(folder))
        return [
            _create_version(client, variant, code, origin | {"data_hash": _data_hash(root, variant.style)}, parameters)
            for variant in new
        ]


def _lite_figures(new: Sequence[Variant]) -> Iterator[Metric]:
    """The lite networks' headlines for the pipeline's own run, so that runs compare: `cel/fid`."""
    now = int(time.time() * 1000)
    for variant in (variant for variant in new if variant.name == LITE):
        for key in variant.figures.keys() & set(HEADLINES):
            yield Metric(f"{variant.style}/{key}", variant.figures[key], now, 0)


def _create_version(
    client: mlflow.MlflowClient, variant: Variant, code: Path, origin: dict[str, str], parameters: Sequence[Param]
) -> str:
    """The model's files, its figures beside the recipe's parameters, and only then the version with its tags; returns
    its name."""
    figures = variant.figures
    tags = origin | variant.identity | {"style": variant.style, **_protocol(variant.metrics)}
    with mlflow.start_run(run_name=f"{variant.style} · {variant.name}", nested=True, tags=tags) as run:
        _log_parameters(client, run.info.run_id, parameters)
        info = _log_model(variant, code)
        mlflow.log_metrics(figures, model_id=info.model_id)
    _ensure_model(client, variant.model)
    created = client.create_model_version(
        variant.model,
        f"models:/{info.model_id}",
        run.info.run_id,
        tags=tags | {key: f"{figures[key]:.10g}" for key in HEADLINES if key in figures},
        model_id=info.model_id,
        await_creation_for=30,
    )
    return f"{variant.model} {created.version} ({variant.name})"


def _protocol(metrics: Metrics) -> dict[str, str]:
    """How the figures were measured, for people, and for the studio, which says it in other languages too."""
    said = protocol(metrics)
    return {"protocol": said, "protocol_message": json.dumps(to_record(said))}


def _log_model(variant: Variant, code: Path) -> ModelInfo:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it misses an example, which it would run the network on
        return mlflow.pyfunc.log_model(
            name=f"{variant.style}-{variant.name}",
            loader_module="anime_model.runtime.pyfunc",
            data_path=str(variant.onnx),
            code_paths=[str(code)],
            pip_requirements=[f"{package}=={version(package)}" for package in REQUIREMENTS],
            signature=signature(),
        )


def _ensure_model(client: mlflow.MlflowClient, name: str) -> None:
    try:
        client.create_registered_model(name, description="Photo to anime on a CPU; one version for a variant.")
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _copy_runtime(folder: Path) -> Path:
    """The package as a model needs it: the stylizer without PyTorch, importable where the project is not installed."""
    package = folder / "anime_model"
    for room in SHIPPED:
        shutil.copytree(LIBRARY / room, package / room, ignore=shutil.ignore_patterns("__pycache__"))
    (package / "__init__.py").touch()
    return package


def signature() -> ModelSignature:
    """Pictures in and out: uint8 RGB [N, height, width, 3]. MLflow refuses anything else before the model sees it."""
    pictures = Schema([TensorSpec(np.dtype(np.uint8), (-1, -1, -1, 3))])
    return ModelSignature(inputs=pictures, outputs=pictures)


def _parameters(recipe: Path) -> list[Param]:
    return [Param(key, str(value)[:5000]) for key, value in flatten(yaml.safe_load(recipe.read_text()))]


def _log_parameters(client: mlflow.MlflowClient, run_id: str, parameters: Sequence[Param]) -> None:
    for start in range(0, len(parameters), 100):  # MLflow's limit for one call
        client.log_batch(run_id, params=parameters[start : start + 100])


def _log_state(client: mlflow.MlflowClient, run_id: str, root: Path, styles: Sequence[str]) -> None:
    """What it takes, besides the commit and the data, to do the run again: below `state/`, for `flows.reproduce`.

    Of changes that were not committed only those of code and pipeline are kept: nothing that may hold a password.
    """
    for file in (root / "dvc.lock", root / "params.yaml"):
        if file.exists():
            client.log_artifact(run_id, str(file), "state")
    for style in styles:
        measured = root / "artifacts" / style / "quantized" / "sensitivity.csv"
        if measured.exists():  # which layers are INT8 was decided by times, which never repeat
            client.log_artifact(run_id, str(measured), f"state/{style}")
    changes = uncommitted(root)
    if changes:
        client.log_text(run_id, changes, "state/uncommitted.diff")


def uncommitted(root: Path) -> str:
    """What `git apply` needs to bring a checkout of the commit to the present code and pipeline; empty where nothing.

    Files that git does not know yet are in it; a person's settings of git change no line.
    """
    kinds = ("*.py", "dvc.yaml", "*.dvc")
    plain = ("--relative", "--no-color", "--no-ext-diff", "--no-textconv", "--src-prefix=a/", "--dst-prefix=b/")
    changes, _ = git.ask(root, "diff", *plain, "HEAD", "--", *kinds)
    new = git.ask(root, "ls-files", "-z", "--others", "--exclude-standard", "--", *kinds)[0].split("\0")
    return changes + "".join(_as_new(root, name) for name in new if name)


def _as_new(root: Path, name: str) -> str:
    """A file as a change that makes it; empty where it holds no text."""
    try:
        text = (root / name).read_bytes().decode()
    except (OSError, ValueError):
        return ""
    lines = text.removesuffix("\n").split("\n")
    body = "".join(f"+{line}\n" for line in lines) + ("" if text.endswith("\n") else "\\ No newline at end of file\n")
    head = f"diff --git a/{name} b/{name}\nnew file mode 100644\n--- /dev/null\n+++ b/{name}\n"
    return f"{head}@@ -0,0 +1,{len(lines)} @@\n{body}" if text else ""


def _log_curves(client: mlflow.MlflowClient, run_id: str, artifacts: Path) -> None:
    """Every `curve.csv` below `artifacts`, such as `cel/teacher/loss`."""
    for path in sorted(artifacts.glob("*/curve.csv")):
        points = list(_points(path, f"{artifacts.name}/{path.parent.name}"))
        for start in range(0, len(points), BATCH):
            client.log_batch(run_id, metrics=points[start : start + BATCH])


def _points(path: Path, prefix: str) -> Iterator[Metric]:
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    now = int(time.time() * 1000)
    for row in rows[:: len(rows) // POINTS + 1]:
        step = int(row.pop("step"))
        yield from (Metric(f"{prefix}/{key}", float(value), now, step) for key, value in row.items() if value)


def flatten(tree: dict | list, prefix: str = "") -> Iterator[tuple[str, object]]:
    """`{"data": {"size": 64}}` as `("data.size", 64)`; lists of plain values stay whole."""
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _data_hash(root: Path, style: str) -> str:
    try:
        return json.loads((root / "artifacts" / style / "data" / "prepared.json").read_text())["hash"]
    except (OSError, ValueError, KeyError):
        return "unknown"
