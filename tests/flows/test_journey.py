"""`anime compress`, without the training: what it makes of files and folders, the recipe, and what it refuses."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from onnx import helper

from anime_app.cli.command import main as anime
from anime_model.networks.checkpoint import load_generator
from anime_model.pictures.arrays import write_picture
from anime_model.recipes.recipe import parse_recipe
from anime_model.reference.probe import open_reference
from anime_model.training.teacher import starting_generator
from flows import journey
from flows.starting import Start, readable
from tasks.shared.pins import check_pin
from tests.flows.forked import forking_python
from tests.tiny_onnx import foreign_model

ROOT = Path(__file__).parents[2]
START = Start("shinkai")
WORK = {"md5": "0" * 32, "hints": {"values": "", "layout": "nhwc", "multiple": 0}, "crop": 128, "network": "/x/a.onnx"}


@pytest.fixture
def photos(tmp_path) -> Path:
    for index in range(20):
        write_picture(tmp_path / f"photos/{index % 2}/{index}.png", np.full((80, 100 + index, 3), index, np.uint8))
    return tmp_path / "photos"


def test_photos_are_shared_out_and_none_is_on_both_sides(photos, tmp_path):
    journey.share_photos(photos, tmp_path / "data")
    train, test = (sorted((tmp_path / "data" / part).rglob("*.png")) for part in ("train", "test/held_out"))
    assert (len(train), len(test)) == (17, 3)
    assert not {path.name for path in train} & {path.name for path in test}
    journey.share_photos(photos, tmp_path / "data")
    assert len(list((tmp_path / "data").rglob("*.png"))) == 20
    for path in list(photos.rglob("*.png"))[:13]:
        path.unlink()
    with pytest.raises(journey.JourneyError, match="7 pictures, at least 8"):
        journey.share_photos(photos, tmp_path / "data")


def test_without_frames_the_networks_own_pictures_stand_in(photos, tmp_path, capsys):
    network = open_reference(foreign_model(tmp_path / "net.onnx", [helper.make_node("Tanh", ["x"], ["y"])]))
    journey.place_frames(None, network, photos, tmp_path / "frames")
    drawn = {path: path.stat().st_mtime_ns for path in (tmp_path / "frames").glob("*.jpg")}
    assert len(drawn) == 20
    lines = capsys.readouterr().out.splitlines(keepends=True)
    assert lines[-1] == "frames: 20 of 20 drawn by the network itself\n", "a whole line where there is no terminal"
    journey.place_frames(None, network, photos, tmp_path / "frames")
    assert all(path.stat().st_mtime_ns == when for path, when in drawn.items()), "a second run draws none again"
    journey.place_frames(photos, network, photos, tmp_path / "frames")
    assert len(list((tmp_path / "frames").rglob("*.png"))) == 20
    assert not list((tmp_path / "frames").glob("*.jpg"))


@pytest.mark.parametrize("crop", [64, 96, 128, 256])
def test_the_recipe_is_right_and_holds_the_steps(crop):
    steps = journey.fitting({"teacher": 0.5, "student": 0.1}, 3600)
    assert steps["teacher"] == round(0.25 * 3600 / 0.5)
    assert sum(steps[key] * (0.5 if key == "teacher" else 0.1) for key in steps) < 3600
    content = yaml.safe_load(yaml.safe_dump(journey.recipe_of("mine", WORK | {"crop": crop}, START, steps)))
    recipe = parse_recipe(content)
    assert recipe.teacher.pairs.crops[-1] == recipe.distill.fine_tune.crop == crop
    assert recipe.teacher.pairs.steps == steps["teacher"]
    assert recipe.teacher.reference_hints["mine"].layout == "nhwc"
    assert recipe.distill.fine_tune.critic > 0 == recipe.quantize.fine_tune.critic
    assert recipe.replace_convs.fine_tune.steps == journey.LEAST, "its network is not the one that goes on"


def test_teacher_and_student_begin_where_they_draw_already():
    """Both are files of the project that fit the recipe, are pinned, and whose gates cost something."""
    recipe = parse_recipe(journey.recipe_of("mine", WORK, START, dict.fromkeys(journey.SHARES, 10)))
    teacher, student = ROOT / recipe.teacher.warm_start, ROOT / recipe.prune.import_file["mine"]
    check_pin("teacher.warm_start", "teacher.warm_start_md5", teacher, recipe.teacher.warm_start_md5)
    check_pin("prune.import_file", "prune.import_md5", student, recipe.prune.import_md5["mine"])
    begun = starting_generator(replace(recipe.teacher, warm_start=str(teacher)), None)
    assert begun.arch.detail == load_generator(student).arch.detail == recipe.replace_convs.detail == "gated"
    assert recipe.teacher.pairs.weights["gate"] > 0 < recipe.distillation.weights["gate"]
    assert recipe.distill.fine_tune.critic == 0, "a critic that learns for ten steps leads astray"


@pytest.mark.parametrize(("file", "name"), [("Hayao v36.onnx", "hayao-v36"), ("/a/2x_GAN.onnx", "x_gan")])
def test_a_style_is_named_after_the_file(file, name):
    assert journey.name_of(file) == name


def test_crops_fit_three_quarters_of_the_photos(photos):
    assert journey.crop_of(photos) == 64


def test_other_data_is_never_replaced(tmp_path):
    (tmp_path / "demo").mkdir()
    with pytest.raises(journey.JourneyError, match="holds other data; give another --name"):
        journey.own(tmp_path / "demo")
    assert journey.own(tmp_path / "mine") == journey.own(tmp_path / "mine")


@pytest.mark.parametrize("option", ["--photos", "--frames"])
@pytest.mark.parametrize(
    ("inside", "line"), [("", "lies in"), ("photos", "lies in"), ("photos/train", "lies in"), ("..", "holds")]
)
def test_what_a_person_gave_is_never_among_what_is_made_anew(tmp_path, option, inside, line):
    folder = tmp_path / "data/mine"
    (folder / "photos/train").mkdir(parents=True)
    with pytest.raises(journey.JourneyError, match=rf"^{option} .*: {line} {folder}, which is filled anew; move it"):
        journey.check_apart(option, folder / inside, folder)
    (tmp_path / "link").symlink_to(folder)
    with pytest.raises(journey.JourneyError, match=line):
        journey.check_apart(option, tmp_path / "link" / inside, folder)
    journey.check_apart(option, tmp_path / "data/mine-too", folder)
    journey.check_apart(option, None, folder)


def test_photos_in_the_journeys_own_folder_stay(photos, tmp_path, monkeypatch):
    """A run whose originals were deleted after it: its copies are all there is."""
    monkeypatch.setattr(journey, "WORKSPACE", tmp_path)
    (tmp_path / ".dvc").mkdir()
    journey.share_photos(photos, journey.own(tmp_path / "data/mine") / "photos")
    path = foreign_model(tmp_path / "net.onnx", [helper.make_node("Tanh", ["x"], ["y"])])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["compress", str(path), "--photos", "data/mine/photos", "--name", "mine"])
    assert journey.main() == 2
    assert len(list((tmp_path / "data/mine").rglob("*.png"))) == 20


def test_damaged_photos_cost_no_run(photos, tmp_path):
    network = open_reference(foreign_model(tmp_path / "net.onnx", [helper.make_node("Tanh", ["x"], ["y"])]))
    files = sorted(photos.rglob("*.png"))
    for file in files[:7:2]:
        file.write_bytes(file.read_bytes()[:60])
    journey.place_frames(None, network, photos, tmp_path / "frames")
    assert len(list((tmp_path / "frames").glob("*.jpg"))) == 16
    assert journey.scales_for(network, photos, 64, 1000.0)
    assert len(list(readable(files))) == 16


def refused(folder: Path, *arguments: object) -> str:
    command = [forking_python(), "-m", "flows.journey", *map(str, arguments)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    return done.stderr


def test_wrong_networks_and_folders_are_one_line(tmp_path, photos):
    path = foreign_model(tmp_path / "net.onnx", [helper.make_node("Tanh", ["x"], ["y"])])
    assert "absent.onnx: no such file" in refused(ROOT, tmp_path / "absent.onnx", "--photos", photos)
    assert "net.onnx: the result would replace the published network itself; give another --name" in refused(
        tmp_path, path.name, "--photos", photos
    )
    assert "'up/x' cannot be a style's name" in refused(ROOT, path, "--photos", photos, "--name", "up/x")


@pytest.mark.parametrize("wrong", ["--minutes=nan", "--minutes=-5", "--minutes=inf", "--multiple=-2", "--multiple=x"])
def test_numbers_that_no_training_can_have_are_refused_at_once(wrong, capsys):
    with pytest.raises(SystemExit) as caught:
        journey._parser().parse_args(["x.onnx", "--photos=p", wrong])
    assert caught.value.code == 2
    option, value = wrong.split("=")
    assert f"argument {option}: '{value}' is no " in capsys.readouterr().err


def test_frames_that_are_not_there_cost_none_that_are(photos, tmp_path):
    network = open_reference(foreign_model(tmp_path / "net.onnx", [helper.make_node("Tanh", ["x"], ["y"])]))
    journey.place_frames(photos, network, photos, tmp_path / "frames")
    (tmp_path / "empty").mkdir()
    for few in (tmp_path / "absent", tmp_path / "empty"):
        with pytest.raises(journey.JourneyError, match=rf"--frames {few}: 0 pictures, at least 4 are needed"):
            journey.place_frames(few, network, photos, tmp_path / "frames")
        assert len(list((tmp_path / "frames").rglob("*.png"))) == 20


def test_the_command_needs_a_clone(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert anime(["compress", "net.onnx", "--photos", "x"]) == 1
    assert "run it in a clone of the project" in capsys.readouterr().err


def test_the_command_hands_its_options_on(tmp_path, monkeypatch):
    from anime_app.cli import compress

    started = []

    class Process:
        def __init__(self, command: list[str]) -> None:
            started.extend(command[3:])

        def wait(self) -> int:
            return 3

    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(compress.subprocess, "Popen", Process)
    assert anime(["compress", "x.onnx", "--photos", "p", "--values=-1..1", "--minutes", "5"]) == 3
    assert started == ["--photos=p", "--minutes=5.0", "--values=-1..1", "--", "x.onnx"]
    parsed = journey._parser().parse_args(started)
    assert (parsed.network, parsed.values, parsed.minutes) == ("x.onnx", "-1..1", 5.0)


TOLD = """
import subprocess, sys
from flows import journey

def compress(options):
    print("before")
    subprocess.run([sys.executable, "-c", "print('the flow')"])
    print("after")
    return 0

journey.compress = compress
sys.exit(journey.main())
"""


@pytest.mark.slow
def test_its_lines_and_those_of_the_flow_come_in_order_into_a_pipe():
    command = [sys.executable, "-c", TOLD, "net.onnx", "--photos", "photos"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["before", "the flow", "after"]


def test_the_nearer_the_start_the_finer_the_steps():
    assert journey.fineness(23, 20) == 1
    assert journey.fineness(10, 20) == pytest.approx(0.25)
    assert journey.fineness(0, 20) == journey.fineness(0, 0) == journey.FINEST
    steps = dict.fromkeys(journey.SHARES, 10)
    coarse, fine = (parse_recipe(journey.recipe_of("mine", WORK, START, steps, share)) for share in (1, 0.25))
    assert fine.teacher.pairs.rate == pytest.approx(coarse.teacher.pairs.rate / 4, rel=0.05)
    assert fine.distill.fine_tune.rate == pytest.approx(coarse.distill.fine_tune.rate / 4)
    assert fine.quantize.fine_tune.rate == coarse.quantize.fine_tune.rate
