"""A registered version made again from its commit, its recipe and its data, and compared with what was recorded.

`python -m flows.reproduce animegan-shinkai/7 [--tolerance 0.01] [--keep]`
"""

from flows.machine.environment import WORKSPACE  # first: the tools read their settings when they are imported

# isort: split

import argparse
import contextlib
import csv
import json
import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import isclose
from pathlib import Path
from threading import Event

import mlflow
import yaml
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from anime_model.figures.text import number
from anime_model.recipes.reading import RecipeError
from anime_model.recipes.recipe import for_style, load_recipe
from anime_model.runtime.names import MODEL_PREFIX
from flows.machine import git
from flows.machine.hashes import file_md5
from flows.machine.numbers import hours, share
from flows.pipeline.graph import GraphError, load_sources, load_stages
from flows.pipeline.preflight import pinned
from flows.pipeline.results import aligned_text
from flows.pipeline.run_stage import StageError, reproduce, run_python
from flows.pipeline.source_data import folders, out_of_sync
from flows.registry.champion import NO_ALIAS, holder, now_text
from flows.registry.versions import RegistryError, make_store, reason_of, registry_error
from flows.runs.console import guarded

TIMED = ("latency", "peak_memory")  # figures that depend on the machine's mood: shown, not judged
# Measured times stand in these, between the figures: they are what `evaluate` is for.
WITH_TIMES = re.compile(r"/evaluation(/(\w+\.json|metrics\.csv))?$")
# Why a layer stays float: the recorded choice, where it was a measured one then.
WITH_REASONS = re.compile(r"/quantized/sensitivity\.csv$")
SAME, NEAR, OTHER = "bit for bit", "within tolerance", "differs"


class ReproductionError(RuntimeError):
    """A version that cannot be made again; the message is one line."""


KNOWN = (GraphError, RecipeError, RegistryError, ReproductionError, StageError)


@dataclass(frozen=True)
class Reproduction:
    """`stages` says for each what became of its files; `figures` are (name, recorded, now)."""

    verdict: str
    stages: dict[str, str]
    figures: list[tuple[str, float, float]]
    notes: list[str]


def reproduce_version(
    root: Path, version: ModelVersion, folder: Path, tolerance: float, timeout: float
) -> Reproduction:
    """Makes the version again below `folder`, which is emptied first. Raises one of `KNOWN`."""
    style, variant = version.name.removeprefix(MODEL_PREFIX), version.tags["variant"]
    state = _recorded_state(version, folder.with_suffix(".state"))
    clone = folder / "work"
    _check_out(root, clone, version.tags["git_commit"], state / "uncommitted.diff")
    notes = _use_recipe(clone, state, style)
    _bring_data(root, clone, style, timeout)
    _bring_pinned(root, clone)
    with contextlib.chdir(clone):  # DVC names stages as they are seen from the current folder
        stages = load_stages(clone, [f"evaluate@{style}"])
    for stage in stages:
        print(f"{stage.name}", flush=True)
        reproduce(stage.name, clone, Event(), timeout, lambda line: print(f"  {line}", flush=True))
    made = clone / "artifacts" / style
    same_file = file_md5(made / "exports" / f"{variant}.onnx") == version.tags["dvc_md5"]
    figures = list(
        _figures(_recorded_figures(version), json.loads((made / "evaluation" / f"{variant}.json").read_text()))
    )
    judged = [pair for name, *pair in figures if not name.startswith(TIMED)]
    near = all(isclose(then, now, rel_tol=tolerance, abs_tol=1e-9) for then, now in judged)
    same, changed = _compare_locks(state / "dvc.lock", clone / "dvc.lock")
    notes += [f"{path}: other data than recorded" for path in changed]
    return Reproduction(SAME if same_file and near else NEAR if near else OTHER, same, figures, notes)


def find_version(name: str) -> ModelVersion:
    """`animegan-cel/2` or `animegan-cel@champion`, with or without `models:/`. Raises `ReproductionError`."""
    found = re.fullmatch(r"(?:models:/)?([\w-]+)(?:/(\d+)|@([\w-]+))", name)
    if not found:
        raise ReproductionError(f"{name!r} names no version: write animegan-shinkai/7 or animegan-shinkai@champion")
    model, named, alias = found.groups()
    client = mlflow.MlflowClient()
    try:
        version = client.get_model_version(model, named) if named else holder(client, model, alias)
    except MlflowException as error:
        if error.error_code not in NO_ALIAS:
            raise registry_error(error) from error
        version = None
    if version is None:
        raise ReproductionError(f"MLflow has no {name}: `make mlflow` shows which there are")
    if not {"variant", "git_commit", "dvc_md5"} <= version.tags.keys():
        raise ReproductionError(f"{name} was not registered by this project: its tags do not say how it was made")
    return version


def _recorded_state(version: ModelVersion, folder: Path) -> Path:
    """The `state/` of the pipeline's run, which is the parent of the variant's."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        parent = mlflow.MlflowClient().get_run(version.run_id).data.tags.get("mlflow.parentRunId", version.run_id)
        mlflow.artifacts.download_artifacts(run_id=parent, artifact_path="state", dst_path=str(folder))
    except (MlflowException, OSError) as error:
        raise ReproductionError(
            f"{version.name} {version.version}: its run has kept no recipe and no dvc.lock ({reason_of(error)})"
        ) from error
    return folder / "state"


def _check_out(root: Path, clone: Path, commit: str, changes: Path) -> None:
    shutil.rmtree(clone.parent, ignore_errors=True)
    clone.parent.mkdir(parents=True)
    _git(root, "clone", "--quiet", "--shared", "--no-checkout", str(root), str(clone))
    _git(clone, "checkout", "--quiet", "--detach", commit)
    if changes.exists():
        _git(clone, "apply", "--whitespace=nowarn", str(changes.resolve()))


def _git(folder: Path, *arguments: str) -> None:
    if problem := git.ask(folder, *arguments)[1]:
        raise ReproductionError(f"git {arguments[0]}: {problem}")


def _use_recipe(clone: Path, state: Path, style: str) -> list[str]:
    """The recorded recipe as `params.yaml`, with the layers in float that were so; what was done, in words."""
    content = for_style(yaml.safe_load((state / "params.yaml").read_text()), style)
    notes, measured = [], state / style / "sensitivity.csv"
    if measured.exists():
        with measured.open(newline="") as file:
            kept = [row["layer"] for row in csv.DictReader(file) if row["runs_in"] == "float"]
        content["quantize"]["keep_float"] = kept
        notes.append(f"quantize: {len(kept)} layers stay float as recorded; they were chosen by times")
    (clone / "params.yaml").write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True))
    load_recipe(clone / "params.yaml")
    (clone / "dvc.lock").unlink(missing_ok=True)  # everything is made anew
    return notes


def _bring_data(root: Path, clone: Path, style: str, timeout: float) -> None:
    """Data as the commit's `.dvc` files name them, from the workspace's cache or else the project's remotes; folders
    that DVC does not track are the workspace's own, through a link.
    """
    recipe = load_recipe(clone / "params.yaml")
    cache = root / ".dvc" / "cache"
    run_python(["-m", "dvc", "remote", "add", "--local", "workspace", str(cache)], clone, Event(), timeout, print)
    for source in out_of_sync(load_sources(clone, [f"evaluate@{style}"])):
        try:
            run_python(["-m", "dvc", "pull", "-r", "workspace", source.file], clone, Event(), timeout, print)
        except StageError:
            run_python(["-m", "dvc", "pull", source.file], clone, Event(), timeout, print)
    made = tuple(f"data/{name}" for name in recipe.data.generate)
    for name in folders(recipe):
        if Path(name).is_absolute():
            continue
        here, there = Path(os.path.normpath(clone / name)), root / name
        if not here.is_relative_to(clone.parent):
            raise ReproductionError(f"{name}: too far outside the project to be linked beside a copy of it")
        if not here.exists() and not name.startswith(made) and there.exists():
            here.parent.mkdir(parents=True, exist_ok=True)
            here.symlink_to(there.resolve())


def _bring_pinned(root: Path, clone: Path) -> None:
    """Files that the recipe names and no commit holds, such as networks that a search has found: the stage that takes
    one says so where it is another than the pinned one."""
    for _, name, _, _ in pinned(load_recipe(clone / "params.yaml")):
        here, there = clone / name, root / name
        if not here.exists() and there.is_file():
            here.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(there, here)


def _recorded_figures(version: ModelVersion) -> dict[str, float]:
    """The metrics of the version's run, and its tags: all figures, where it was registered before they were metrics."""
    metrics = mlflow.MlflowClient().get_run(version.run_id).data.metrics
    return {**metrics, **version.tags}


def _figures(recorded: Mapping[str, float], metrics: Mapping[str, object]) -> Iterator[tuple[str, float, float]]:
    for name, now in metrics.items():
        if isinstance(now, int | float) and name in recorded:
            yield name, float(recorded[name]), float(now)


def _compare_outs(now: Mapping[str, str], then: Mapping[str, str]) -> str:
    """Whether a stage's files are the recorded ones, in words; those that hold times never are."""
    other = [path for path in now if now[path] != then.get(path)]
    if not other:
        return "the recorded files"
    known = {"times": WITH_TIMES, "why layers stay float": WITH_REASONS}
    left = [path for path in other if not any(pattern.search(path) for pattern in known.values())]
    if left:
        return f"other files ({', '.join(Path(path).name for path in left)})"
    found = [word for word, pattern in known.items() if any(pattern.search(path) for path in other)]
    return f"the recorded files but for {', '.join(found)}"


def _compare_locks(recorded: Path, made: Path) -> tuple[dict[str, str], list[str]]:
    """By stage what became of its files; and the data that are others, which stages started from."""
    then, now = (yaml.safe_load(path.read_text())["stages"] if path.exists() else {} for path in (recorded, made))
    stages: dict[str, str] = {}
    changed: dict[str, None] = {}
    outs = {out["path"] for stage in now.values() for out in stage.get("outs", [])}
    for name, stage in now.items():
        before = then.get(name, {})
        stages[name] = _compare_outs(_hashes(stage, "outs"), _hashes(before, "outs"))
        known = _hashes(before, "deps")
        for path, md5 in _hashes(stage, "deps").items():
            if path not in outs and path in known and known[path] != md5:
                changed[path] = None
    return stages, list(changed)


def _hashes(stage: Mapping, kind: str) -> dict[str, str]:
    return {item["path"]: item.get("md5", "") for item in stage.get(kind, [])}


def main() -> int:
    """0 where the version was made again, bit for bit or within the tolerance; 1 where it was not; 2 for bad input."""
    parser = argparse.ArgumentParser(prog="python -m flows.reproduce", description="Make a registered version again.")
    parser.add_argument(
        "version", metavar="MODEL_VERSION", help="such as animegan-shinkai/7 or animegan-shinkai@champion"
    )
    parser.add_argument("--tolerance", type=share, default=0.01, help="relative, of figures (default: 0.01)")
    parser.add_argument("--keep", action="store_true", help="keep the copy below scratch/reproduced/")
    parser.add_argument("--timeout-hours", metavar="N", type=hours, default=24, help="longest time for one stage")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    arguments = parser.parse_args()
    return guarded(lambda: _main(arguments), KNOWN, arguments.debug)


def _main(arguments: argparse.Namespace) -> int:
    make_store(mlflow.get_tracking_uri())
    version = find_version(arguments.version)
    folder = WORKSPACE / "scratch" / "reproduced" / f"{version.name}-{version.version}"
    report = reproduce_version(WORKSPACE, version, folder, arguments.tolerance, arguments.timeout_hours * 3600)
    print(report_text(report, arguments.tolerance))
    print(f"{version.name} {version.version} ({version.tags['variant']}): {report.verdict}")
    mlflow.MlflowClient().set_model_version_tag(
        version.name, version.version, "reproduced", f"{report.verdict}, {now_text()}"
    )
    if not arguments.keep and report.verdict != OTHER:
        shutil.rmtree(folder, ignore_errors=True)
    shutil.rmtree(folder.with_suffix(".state"), ignore_errors=True)
    return 1 if report.verdict == OTHER else 0


def report_text(report: Reproduction, tolerance: float) -> str:
    """The report as text: stages, figures, notes."""

    def verdict(name: str, then: float, now: float) -> str:
        if name.startswith(TIMED):
            return "not judged"
        return "equal" if then == now else NEAR if isclose(then, now, rel_tol=tolerance, abs_tol=1e-9) else OTHER

    rows = [
        {"figure": name, "recorded": number(then), "now": number(now), "verdict": verdict(name, then, now)}
        for name, then, now in report.figures
    ]
    stages = [f"{name}: {state}" for name, state in report.stages.items()]
    return "\n".join([*stages, "", aligned_text(rows, right=("recorded", "now")), "", *report.notes])


if __name__ == "__main__":
    sys.exit(main())
