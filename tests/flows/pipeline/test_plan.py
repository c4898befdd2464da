"""What a run would do, and what is loaded and timed before a long one."""

from dataclasses import replace
from pathlib import Path

import pytest

from anime_model.recipes.recipe import Recipe, load_recipe
from flows.pipeline import check_networks, plan
from flows.pipeline.graph import Stage, load_pipeline

DEMO = load_recipe("recipes/demo.yaml")


def stage(name: str, changed: str = "changed deps: x") -> Stage:
    return Stage(name, (), changed)


def test_steps_are_those_that_the_stages_will_do():
    names = ("prepare", "train_teacher", "replace_convs", "prune", "distill", "quantize", "export", "evaluate")
    steps = plan.steps_to_do([stage(f"{name}@cel") for name in names], DEMO)
    assert steps == {
        "train_teacher@cel": 0 + 15, "replace_convs@cel": 45, "prune@cel": 15 + 2 * 15, "distill@cel": 160,
        "quantize@cel": 16,
    }  # fmt: skip
    assert plan.steps_to_do([stage("distill@cel", "")], DEMO) == {}, "it is up to date"
    imported = replace(DEMO, teacher=replace(DEMO.teacher, import_file={"cel": "x"}))
    assert plan.steps_to_do([stage("train_teacher@cel")], imported) == {}
    found = replace(DEMO, prune=replace(DEMO.prune, import_file={"cel": "x"}))
    assert plan.steps_to_do([stage("prune@cel")], found) == {}
    drawn = replace(DEMO, teacher=replace(DEMO.teacher, reference={"cel": "x"}))
    assert plan.steps_to_do([stage("train_teacher@cel")], drawn) == {"train_teacher@cel": DEMO.teacher.pairs.steps}


def test_styles_side_by_side_share_the_time():
    steps, times = {"train_teacher@a": 100, "train_teacher@b": 100, "distill@a": 10}, {"teacher": 2.0, "student": 1.0}
    two = replace(DEMO, styles=("a", "b"))
    assert plan.seconds_to_do(steps, times, 1, two) == 410
    assert plan.seconds_to_do(steps, times, 4, two) == 205
    assert plan.seconds_to_do(steps, times, 4, DEMO) == 410


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.2, "1 s"), (40, "40 s"), (700, "12 min"), (3600, "1 h 0 min"), (12_000, "3 h 20 min")]
)
def test_times_are_said_as_people_say_them(seconds: float, said: str):
    assert plan.duration(seconds) == said


def test_a_plan_names_the_changed_key_down_to_the_number(made: Path):
    recipe = made / "params.yaml"
    recipe.write_text(recipe.read_text().replace("rounds: 3", "rounds: 4"))
    lines = plan.plan_lines(load_pipeline(made), load_recipe(recipe))
    assert lines[0] == "train_teacher@cel  changed deps: params.yaml (prune.rounds); changed command; 3 steps"
    assert lines[-1] == "6 stages would run, 0 are up to date"


@pytest.mark.parametrize(
    ("kinds", "loaded"),
    [
        ({"evaluate"}, ["features", "distance"]),
        ({"prune", "export"}, ["perceptual", "engine"]),
        ({"train_teacher", "evaluate", "export"}, ["perceptual", "features", "distance", "engine"]),
        ({"prepare"}, []),
    ],
)
def test_the_networks_of_the_stages_to_come_are_loaded(kinds: set[str], loaded: list[str], monkeypatch):
    seen: list[str] = []
    names = {"perceptual": "load_perceptual", "features": "load_features", "distance": "load_distance"}
    for what, name in (names | {"engine": "int8_engine"}).items():
        monkeypatch.setattr(check_networks, name, lambda *_, what=what: seen.append(what))
    for load in check_networks.needed(DEMO, kinds):
        load()
    assert seen == loaded


def test_only_the_project_s_own_networks_need_no_download():
    def with_lpips(net: str) -> Recipe:
        return replace(DEMO, evaluate=replace(DEMO.evaluate, lpips=net))

    assert not with_lpips("embedded").needs_downloads()
    assert with_lpips("squeeze").needs_downloads()
    assert replace(DEMO, perceptual="vgg19").needs_downloads()
