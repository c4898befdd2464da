"""What a run would do, and about how long its training takes here."""

import json
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from threading import Event

from anime_model.recipes.recipe import Recipe
from flows.pipeline.graph import Pipeline, Stage
from flows.pipeline.run_stage import run_python
from flows.pipeline.source_data import out_of_sync

LONG = 2000  # steps of training from which it is worth to time a few of them first


def training_steps(stage: Stage, recipe: Recipe) -> int:
    """Steps of training that a stage does by the recipe; 0 for one that trains nothing."""
    teacher, prune = recipe.teacher, recipe.prune
    if stage.kind == "train_teacher":
        if stage.style in teacher.import_file:
            return 0
        pairs = teacher.pairs.steps + teacher.pairs.frames_steps
        return pairs if stage.style in teacher.reference else teacher.warm_up_steps + teacher.steps
    if stage.kind == "prune":
        if stage.style in prune.import_file:
            return 0
        return prune.sparsity_steps + prune.rounds * prune.fine_tune.steps
    if stage.kind in ("replace_convs", "distill", "quantize"):
        return getattr(recipe, stage.kind).fine_tune.steps
    return 0


def steps_to_do(stages: Iterable[Stage], recipe: Recipe) -> dict[str, int]:
    """By stage, of those that have to run and train."""
    steps = {stage.name: training_steps(stage, recipe) for stage in stages if stage.changed}
    return {name: number for name, number in steps.items() if number}


def step_times(root: Path, stop: Event, timeout: float, on_line: Callable[[str], None]) -> dict[str, float]:
    """Seconds of a step of `teacher` and `student` by the active recipe, from a few that are done on noise; empty where
    training is not on this machine's processor, whose GPU is not to be disturbed. Raises `StageError`."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "pace.json")
        run_python(["-m", "tools.pace", "params.yaml", str(out)], root, stop, timeout, on_line)
        times = json.loads(out.read_text())
    return {} if times.pop("gpu") else times


def seconds_to_do(steps: dict[str, int], times: dict[str, float], at_once: int, recipe: Recipe) -> float:
    """Of training alone; styles that run side by side share the time."""
    total = sum(
        number * times["teacher" if name.startswith("train_teacher") else "student"] for name, number in steps.items()
    )
    return total / max(1, min(at_once, len(recipe.styles)))


def duration(seconds: float) -> str:
    """As people say it: 40 s, 12 min, 3 h 20 min."""
    minutes = round(seconds / 60)
    if minutes < 2:
        return f"{max(1, round(seconds))} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def plan_lines(pipeline: Pipeline, recipe: Recipe) -> list[str]:
    """A line for each stage that would run and each folder that would be synchronized, and one for all others."""
    data = [f"{source.path}: {source.state}, as {source.file} sees it" for source in out_of_sync(pipeline.sources)]
    return [*data, *_stage_lines(pipeline.stages, recipe)]


def _stage_lines(stages: Sequence[Stage], recipe: Recipe) -> list[str]:
    steps = steps_to_do(stages, recipe)
    run = [stage for stage in stages if stage.changed]
    width = max((len(stage.name) for stage in run), default=0)
    lines = [
        f"{stage.name:<{width}}  {stage.changed}" + (f"; {steps[stage.name]} steps" if stage.name in steps else "")
        for stage in run
    ]
    return [*lines, f"{len(run)} stages would run, {len(stages) - len(run)} are up to date"]
