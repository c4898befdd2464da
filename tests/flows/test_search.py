"""A search from a style's distilled network to a found member in the pipeline's place of pruning."""

import argparse
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import optuna
import pytest
import torch
import yaml
from optuna.distributions import IntDistribution
from optuna.trial import TrialState, create_trial

from anime_model.compression.family import Choice, Space
from anime_model.compression.family_judge import Worth
from anime_model.compression.norms import gather_statistics
from anime_model.compression.separable import replace_convs
from anime_model.figures.search import chosen, read_members
from anime_model.networks.architecture import animeganv2
from anime_model.networks.checkpoint import load_generator, read_notes, save_generator
from anime_model.networks.generator import Generator
from anime_model.pictures.arrays import write_picture
from anime_model.pictures.tables import write_table
from anime_model.recipes.recipe import load_recipe
from anime_model.recipes.replace_convs import ReplaceSettings
from flows import search
from flows.searching import front, picking, study, workshop
from flows.searching.errors import SearchError
from flows.searching.place import Place
from tests.exports import graphs_are_traced_once

__all__ = ["graphs_are_traced_once"]
ROOT = Path(__file__).parents[2]
CHANGES = {"training": {"threads": 1}, "evaluate": {"latency_size": 64, "latency_threads": 1}}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with what the pipeline leaves: photos, a teacher, a distilled network."""
    root, draw = tmp_path_factory.mktemp("search"), np.random.default_rng(0)
    style = root / "artifacts/cel"
    for number in range(12):
        write_picture(style / f"data/photos/train/{number}.png", draw.integers(0, 255, (64, 64, 3), np.uint8))
    torch.manual_seed(0)
    teacher, photos = Generator(animeganv2(0.125)).eval(), torch.rand(2, 3, 64, 64) * 2 - 1
    layers = ("a2", "b0", "b1", "c0", "c5", "d0", "d1", "e0", "e1", "e2")
    lite = replace_convs(teacher, ReplaceSettings(layers=layers, stem="strided", kernels={"e2": 3}), photos)
    gather_statistics(lite, [photos])
    for folder, network in (("teacher", teacher), ("distilled", lite)):
        (style / folder).mkdir()
        save_generator(style / folder / f"{folder}.safetensors", network)
    recipe = yaml.safe_load((ROOT / "recipes/demo.yaml").read_text())
    for part, changes in CHANGES.items():
        recipe[part] |= changes
    recipe["teacher"] |= {"warm_start": "", "warm_start_md5": ""}
    recipe["distill"]["fine_tune"]["crop"] = 48
    (root / "params.yaml").write_text(yaml.safe_dump(recipe))
    return root


@pytest.fixture
def place(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty_store: Path) -> Place:
    import shutil

    import mlflow

    root = tmp_path / "workspace"
    shutil.copytree(template, root)
    shutil.copy(empty_store, root / "mlflow.db")
    monkeypatch.chdir(root)
    monkeypatch.setattr(search, "WORKSPACE", root)
    monkeypatch.setattr(workshop, "MEMBERS", 3)
    mlflow.set_tracking_uri(f"sqlite:///{root}/mlflow.db")
    return Place(root, "cel")


@pytest.fixture(autouse=True)
def _tracking():
    import mlflow

    yield
    mlflow.set_tracking_uri(None)


def options(**changes: object) -> argparse.Namespace:
    found = search._parser().parse_args(["cel", "--trials", "6", "--train-hours", "0.0003"])
    return argparse.Namespace(**{**vars(found), **changes})


@pytest.mark.slow
def test_from_a_distilled_network_to_a_recipe(place: Place, capsys: pytest.CaptureFixture):
    import mlflow

    assert search.search(options()) == 0
    found = study.opened(place, None, None)
    assert len([trial for trial in found.trials if trial.state == TrialState.COMPLETE]) == 6
    assert (place.folder / "front.svg").read_text().startswith("<svg")
    rows = (place.folder / "trials.csv").read_text().splitlines()
    assert len(rows) == 7
    assert rows[0].startswith("trial,lpips,ms,times_faster,bytes,a0,")
    page = (place.folder / "search.html").read_text()
    assert page.count("<tr><td>") == 6, "every trial a row"
    assert "python -m flows.search cel --pick " in page
    runs = mlflow.search_runs(search_all_experiments=True, filter_string="tags.kind = 'search'")
    assert runs["params.trials"].tolist() == ["6"]

    assert search.search(options()) == 0, "a study that has its trials is not gone on with"
    assert len(found.trials) == 6

    capsys.readouterr()
    assert search.search(options(pick="3")) == 0
    assert "python -m flows.compress --recipe recipes/cel-3.yaml" in capsys.readouterr().out
    network, wanted = load_generator(place.folder / "3.safetensors"), found.trials[3].params
    assert {key: network.arch.layers[key].width for key in ("a0", "b1", "e2")} == {
        key: wanted[key] for key in ("a0", "b1", "e2")
    }
    assert len([name for name in network.arch.layers if name in ("c2", "c3", "c4")]) == wanted["depth"]
    recipe = load_recipe(place.root / "recipes/cel-3.yaml")
    assert recipe.prune.import_file == {"cel": "artifacts/cel/search/3.safetensors"}

    (place.root / "params.yaml").write_text((place.root / "recipes/cel-3.yaml").read_text())
    command = [sys.executable, "-m", "tasks.prune", "cel", "none", "none", "none", "none", "artifacts/cel/pruned"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    subprocess.run(command, cwd=place.root, env=environment, check=True, capture_output=True)
    pruned = load_generator(place.artifacts / "pruned/pruned.safetensors")
    photo = torch.rand(1, 3, 64, 64) * 2 - 1
    assert torch.equal(pruned(photo), network(photo))
    assert read_notes(place.artifacts / "pruned/pruned.safetensors")["trial"] == 3


@pytest.mark.slow
def test_another_family_needs_another_study(place: Place):
    search.search(options(trials=1))
    place.family.unlink()
    with pytest.raises(SearchError, match=r"^study 'cel': is of another family_md5; .*--study"):
        search.search(options(trials=1, train_hours=0.0005))
    with pytest.raises(SearchError, match=r"is of another family than artifacts/cel/search/family.safetensors"):
        picking.pick(place, study.opened(place, None, None), "0")


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"style": "ink"}, r"^ink: no style of params.yaml \(cel\)"),
        ({"reference": Path("none.onnx")}, "^--reference none.onnx: is not there"),
        ({"pick": "nano"}, "^study 'cel': is not there"),
        ({"pick": "0", "storage": "sqlite:////none/there.db"}, r"^--storage sqlite:////none/there.db: cannot be used"),
        ({"pick": "0", "storage": "nonsense"}, "^--storage nonsense: cannot be used"),
    ],
)
def test_what_cannot_be_done_is_one_line(place: Place, changes: dict, line: str):
    with pytest.raises(SearchError, match=line) as caught:
        search.search(options(**changes))
    assert "\n" not in str(caught.value)


def test_a_password_is_not_shown(place: Place):
    with pytest.raises(SearchError) as caught:
        study.opened(place, "postgresql://anna:hunter2secret@127.0.0.1:9/x", None)
    assert "hunter2secret" not in str(caught.value)
    assert "***@127.0.0.1:9" in str(caught.value)


def test_a_style_that_was_never_made_is_named(place: Place):
    (place.artifacts / "distilled/distilled.safetensors").unlink()
    with pytest.raises(SearchError, match=r"distilled.safetensors: is not there; run `python -m flows.compress` first"):
        search.search(options())


def test_a_broken_off_training_goes_on(place: Place, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch):
    recipe = load_recipe(place.root / "params.yaml")
    workshop.prepared(place, recipe, None, 1.0)
    part = place.folder / "family.part.safetensors"
    place.family.rename(part)
    capsys.readouterr()
    given: dict = {}
    train = workshop.train_family

    def watched(family, pairs, loss, seconds, seed, *more, **options):
        given.update(seconds=seconds, seed=seed, before=options["before"])
        return train(family, pairs, loss, seconds, seed, *more, **options)

    monkeypatch.setattr(workshop, "train_family", watched)
    workshop.prepared(place, recipe, None, 121.0 - 119.0)
    assert given == {"seconds": 1.0, "seed": recipe.seed + 1, "before": 1.0}, "its rate and its views go on"
    assert place.family.exists()
    assert not part.exists()
    assert read_notes(place.family)["seconds"] == 2.0


def judged(*members: tuple[float, float, int]) -> optuna.Study:
    found = optuna.create_study(directions=["minimize"] * 3)
    found.set_user_attr(study.TEACHER, 1000.0)
    for number, values in enumerate(members):
        found.add_trial(
            create_trial(values=values, params={"a0": 8 + number}, distributions={"a0": IntDistribution(1, 99)})
        )
    return found


def test_sizes_are_the_nearest_that_are_fast_enough():
    fast = (0.30, 5.0, 9), (0.20, 9.9, 10), (0.25, 9.0, 10)
    found = judged(*fast, (0.10, 33.0, 20), (0.02, 90.0, 50), (0.03, 83.0, 60))
    picked = front.sizes(found)
    assert {name: point.trial for name, point in picked.items()} == {"nano": 1, "lite": 3, "plus": 5}
    assert [point.trial for point in front.points(found)] == [0, 2, 1, 3, 5, 4]


def test_a_reader_of_the_table_chooses_the_same_sizes(tmp_path: Path):
    """Also where rounding decides: 29.998 times faster stands there as 30."""
    found = judged((0.2, 10.0004, 10), (0.1, 33.335, 20), (0.03, 83.0, 60), (0.03, 80.0, 60))
    write_table(tmp_path / "trials.csv", [front._row(point) for point in front.points(found, front_only=False)])
    picked = {name: point.trial for name, point in front.sizes(found).items()}
    assert picked == {"nano": 0, "lite": 1, "plus": 3}
    assert {name: member.trial for name, member in chosen(read_members(tmp_path / "trials.csv")).items()} == picked


def test_a_record_that_is_away_is_one_line_without_its_password(place: Place, monkeypatch: pytest.MonkeyPatch):
    import mlflow

    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    mlflow.set_tracking_uri("http://anna:hunter2secret@127.0.0.1:9")
    said = front._recorded(place, {"style": "cel"}, 1, {})
    assert "hunter2secret" not in said
    assert said.startswith("MLflow at http://***@127.0.0.1:9 does not answer; the files are in ")
    assert "\n" not in said


def test_a_size_that_nothing_reaches_is_said(tmp_path: Path):
    found = judged((0.1, 50.0, 9))
    assert set(front.sizes(found)) == {"plus"}
    with pytest.raises(SearchError, match="--pick nano: no member yet is 100 times faster"):
        picking._point(found, "nano")
    with pytest.raises(SearchError, match="--pick 77: is neither nano, lite, plus nor the number"):
        picking._point(found, "77")


class ByWidth:
    """Judges a member by its channels: fewer are faster and farther from the teacher."""

    def __init__(self) -> None:
        layers = ("a2", "b0", "b1", "c0", "c5", "d0", "d1", "e0", "e1", "e2")
        torch.manual_seed(0)
        lite = replace_convs(Generator(animeganv2(0.25)), ReplaceSettings(layers=layers), torch.rand(2, 3, 64, 64))
        self.space, self.judged = Space.around(lite.arch, 0.25, 1.75), 0

    def ms(self, choice: Choice) -> float:
        return float(sum(choice.values()))

    def __call__(self, choice: Choice) -> Worth:
        self.judged += 1
        return Worth(1 / self.ms(choice), self.ms(choice), int(self.ms(choice)))


def test_only_members_that_are_fast_enough_are_judged():
    judge = ByWidth()
    smallest, largest = judge.ms(judge.space.end(0)), judge.ms(judge.space.end(-1))
    limit = smallest + 0.2 * (largest - smallest)
    found = optuna.create_study(directions=["minimize"] * 3)
    study.run(found, judge, 60, None, limit, seed=0)
    done = study.finished(found)
    assert len(done) == judge.judged == 60
    assert all(trial.values[1] <= limit for trial in done)
    assert max(trial.values[1] for trial in done) > limit * 0.9, "as slow as they may be, too"
    assert len({trial.values[1] for trial in done}) > 20
    assert len(found.trials) < 120, "few are tried in vain"


def test_members_that_are_equally_wide_everywhere_begin_and_have_children():
    judge = ByWidth()
    found = optuna.create_study(directions=["minimize"] * 3)
    study.run(found, judge, study.POPULATION + 1, None, seed=0)
    first = [trial.params for trial in found.trials[: study.LEVELS]]
    assert first == [study.level(judge.space, place / (study.LEVELS - 1)) for place in range(study.LEVELS)]
    parents = found.sampler.get_parent_population(found, 1)
    assert {0, study.LEVELS - 1} <= {trial.number for trial in parents}


def test_a_speed_that_no_member_has_is_one_line():
    judge = ByWidth()
    found = optuna.create_study(directions=["minimize"] * 3)
    with pytest.raises(SearchError, match=r"^no member is fast enough: the smallest takes \d+.\d ms, of 1.0 at most$"):
        study.run(found, judge, 6, None, 1.0)
    assert not found.trials
    assert judge.judged == 0


def test_a_speed_is_that_of_the_teacher():
    found = judged((0.1, 50.0, 9))
    assert study.slowest(found, 25) == 40.0
    assert study.slowest(found, None) == math.inf


@pytest.mark.parametrize("faster", ["0", "nan", "-3", "inf", "fast"])
def test_a_speed_that_is_none_is_a_wrong_command(faster: str, capsys: pytest.CaptureFixture):
    with pytest.raises(SystemExit):
        search._parser().parse_args(["cel", "--faster", faster])
    assert f"{faster!r} is no number above 0" in capsys.readouterr().err


WORKER = """
import sys, time, optuna
from pathlib import Path
from flows.searching import study
from flows.searching.place import Place
study.HEARTBEAT, study.GRACE = 1, 2
found = study.opened(Place(Path(sys.argv[1]), "cel"), None, None)
def objective(trial):
    trial.suggest_int("a0", 8, 16, step=8)
    print("began", flush=True)
    time.sleep(600)
found.optimize(objective, n_trials=1)
"""


@pytest.mark.long
def test_a_killed_workers_member_is_judged_by_another(place: Place, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(study, "HEARTBEAT", 1)
    monkeypatch.setattr(study, "GRACE", 2)
    found = study.joined(place, None, None, {"style": "cel"}, dict)
    found.enqueue_trial({"a0": 16})
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", WORKER, str(place.root)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == b"began\n"
        time.sleep(1.5)  # its heart has beaten
        worker.send_signal(signal.SIGKILL)
    time.sleep(3.5)
    found.optimize(lambda trial: (trial.suggest_int("a0", 8, 16, step=8), 1, 1), n_trials=2)
    states = {state: [t.params["a0"] for t in found.trials if t.state == state] for state in TrialState}
    assert states[TrialState.FAIL] == [16]
    assert 16 in states[TrialState.COMPLETE], "taken up again with what it had chosen"


@pytest.mark.slow
def test_the_smallest_members_are_as_small_as_is_asked_for(place: Place):
    recipe = load_recipe(place.root / "params.yaml")
    wide = workshop.prepared(place, recipe, None, 1.0, 1.0).family.space.choices
    workshop.prepared(place, recipe, None, 1.0, 1.0)  # the same command goes on with what is there
    place.family.unlink()
    narrow = workshop.prepared(place, recipe, None, 1.0).family.space.choices
    assert all(narrow[key][0] <= wide[key][0] for key in wide)
    assert any(narrow[key][0] < wide[key][0] for key in wide)
    with pytest.raises(SearchError, match=r"^--least 0.3: search/family.safetensors was trained with 0.4; move"):
        workshop.prepared(place, recipe, None, 1.0, 0.3)


@pytest.mark.parametrize("least", ["0", "nan", "1.5", "small"])
def test_a_width_that_is_none_is_a_wrong_command(least: str, capsys: pytest.CaptureFixture):
    with pytest.raises(SystemExit):
        search._parser().parse_args(["cel", "--least", least])
    assert f"{least!r} is no share from 0.05 to 1" in capsys.readouterr().err


def shared_study(place: Place, **shared: str) -> optuna.Study:
    return study.joined(place, None, None, {"style": "cel", **shared}, lambda: {study.TEACHER: 1.0, "cpu": "x"})


def test_workers_of_two_families_never_join_one_study(place: Place):
    """Also where the first is still timing its layers when the second comes."""

    def meanwhile() -> dict[str, object]:
        with pytest.raises(SearchError, match="is of another family_md5; give this one a name of its own"):
            shared_study(place, family_md5="b")
        return {study.TEACHER: 1.0}

    found = study.joined(place, None, None, {"style": "cel", "family_md5": "a"}, meanwhile)
    assert found.user_attrs[study.IDENTITY]["family_md5"] == "a"
    assert shared_study(place, family_md5="a").user_attrs[study.TEACHER] == 1.0


def test_a_study_without_times_is_one_line(place: Place):
    study.joined(place, None, None, {"style": "cel"}, dict)
    with pytest.raises(SearchError, match=r"^study 'cel': the layers are not timed yet; search first"):
        front.points(study.opened(place, None, None))
    assert shared_study(place).user_attrs["cpu"] == "x", "the next worker times them"


@pytest.mark.slow
def test_a_family_belongs_to_whose_pictures_it_has_learned(place: Place):
    recipe = load_recipe(place.root / "params.yaml")
    workshop.prepared(place, recipe, None, 1.0)
    teacher = place.artifacts / "teacher/teacher.safetensors"
    network = load_generator(teacher)
    with torch.no_grad():
        network.out.weight.mul_(0.5)
    save_generator(teacher, network)
    with pytest.raises(SearchError, match=r"^search/family.safetensors: has learned another network's pictures \(md5"):
        workshop.prepared(place, recipe, None, 1.0)
