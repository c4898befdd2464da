"""In which order stages start, without Prefect: futures that end when they are told to."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread
from time import sleep

import pytest
from prefect.states import Completed

from anime_model.recipes.reading import RecipeError
from anime_model.recipes.recipe import load_recipe
from flows import retrain
from flows.compress import of_styles, run_stages, stages_at_once
from flows.machine.gpus import some_gpus
from flows.pipeline.graph import Stage
from flows.pipeline.run_stage import run_python
from flows.registry.identity import workspace_id


class Future:
    """What `run_stages` asks of Prefect's."""

    def __init__(self, work: Callable[[], None]) -> None:
        self.state, self._done = None, Event()
        self._callbacks: list[Callable] = []
        self._work = work
        Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        self._work()
        self.state = Completed()
        self._done.set()
        sleep(0.01)
        for callback in self._callbacks:
            callback(self)

    def add_done_callback(self, callback: Callable) -> None:
        self._callbacks.append(callback)

    def wait(self) -> None:
        self._done.wait()


def run(stages: list[Stage], slots: int = 4) -> list[tuple[str, frozenset[str]]]:
    """Every stage in the order of their starts, with those that ran at that moment."""
    running: set[str] = set()
    seen: list[tuple[str, frozenset[str]]] = []

    def submit(stage: Stage, upstream: list) -> Future:
        seen.append((stage.name, frozenset(running)))
        running.add(stage.name)
        return Future(lambda: (sleep(0.03), running.discard(stage.name)))

    ended: list = []
    thread = Thread(target=lambda: ended.append(run_stages(stages, submit, slots, Event())), daemon=True)
    thread.start()
    thread.join(20)
    assert ended, f"it waits for ever after {seen}"
    assert set(ended[0]) == {stage.name for stage in stages}
    return seen


def chain(style: str, *kinds: str) -> list[Stage]:
    names = [f"{kind}@{style}" for kind in kinds]
    return [Stage(name, (before,) if before else (), "x") for before, name in zip([None, *names], names, strict=False)]


def test_what_measures_times_runs_alone_and_nothing_waits_for_ever():
    kinds = ("train_teacher", "distill", "quantize", "export", "evaluate", "publish")  # a stage below `evaluate` too
    stages = [*chain("cel", *kinds), *chain("ink", *kinds)]
    for name, beside in run(stages):
        alone = [other for other in (name, *beside) if other.startswith(("quantize", "evaluate"))]
        assert not (alone and beside), f"{name} beside {set(beside)}"


def test_styles_run_side_by_side_as_far_as_there_is_room():
    stages = [stage for style in ("a", "b", "c") for stage in chain(style, "train_teacher")]
    assert max(len(beside) for _, beside in run(stages, slots=2)) == 1
    assert max(len(beside) for _, beside in run(stages, slots=3)) == 2


@pytest.mark.parametrize(
    ("visible", "accelerator", "devices", "cores", "wanted"),
    [
        ("0", "auto", 1, 8, 1),
        ("0,1,2", "cuda", 1, 8, 3),
        ("0,1,2,3", "auto", 2, 8, 2),
        ("0,1,2,3", "cuda", 1, 2, 4),  # in GPUs, not in cores
        ("0,1", "cuda", 4, 8, 1),  # too few: the stage says so itself
        ("0", "cpu", 1, 8, 8),
        ("", "auto", 1, 8, 8),
        ("-1", "auto", 4, 8, 2),  # processes on cores, each with its threads
    ],
)
def test_training_on_gpus_takes_as_many_stages_as_there_are_gpus(
    monkeypatch: pytest.MonkeyPatch, visible: str, accelerator: str, devices: int, cores: int, wanted: int
):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    monkeypatch.setattr("flows.compress.cores_here", lambda: cores)
    training = load_recipe("recipes/demo.yaml").training
    assert stages_at_once(replace(training, threads=1, accelerator=accelerator, devices=devices)) == wanted


def test_styles_limit_what_is_asked_for(toy: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("flows.compress.WORKSPACE", toy)
    assert of_styles([], []) == []
    assert of_styles(["prune"], []) == ["prune"]
    assert of_styles([], ["cel", "ink"]) == ["@cel", "@ink"]
    assert of_styles(["prune", "export@cel"], ["ink"]) == ["prune@ink", "export@cel"]
    with pytest.raises(RecipeError, match=r"styles: celery: not in params.yaml, which has cel, ink"):
        of_styles([], ["celery"])


def test_two_stages_at_once_never_see_the_same_gpu(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,GPU-8f3a,6")
    with some_gpus(1) as first, some_gpus(2) as second, some_gpus(1) as none:
        assert (first, second) == ({"CUDA_VISIBLE_DEVICES": "4"}, {"CUDA_VISIBLE_DEVICES": "GPU-8f3a,6"})
        assert none == {}
    with pytest.raises(ValueError, match="the stage"), some_gpus(3):
        raise ValueError("the stage")
    with some_gpus(3) as again:
        assert again == {"CUDA_VISIBLE_DEVICES": "4,GPU-8f3a,6"}, "what failed gives its GPUs back"


def test_a_stage_sees_its_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    code = "import os; print(os.environ['CUDA_VISIBLE_DEVICES'])"
    with some_gpus(1), some_gpus(1) as seen:
        assert list(run_python(["-c", code], tmp_path, Event(), 60, print, environment=seen)) == ["1"]


def test_a_workspace_keeps_its_id_where_it_is_moved_and_a_copy_gets_another(tmp_path: Path):
    import shutil

    first = tmp_path / "it's here"
    first.mkdir()
    known = workspace_id(first)
    assert workspace_id(first) == known
    moved = first.rename(tmp_path / "moved")
    assert workspace_id(moved) == known
    shutil.copytree(moved, tmp_path / "copy")
    assert workspace_id(tmp_path / "copy") != known


def test_a_schedule_that_nobody_stays_for_is_refused():
    with pytest.raises(RecipeError, match=r"^--cron says when, --serve that it stays: give both"):
        retrain._main(retrain._parser().parse_args(["--cron", "0 3 * * 1"]))
