"""A few steps of the teacher's game with each kind of discriminator, on pictures of one colour each."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from anime_model.networks.architecture import CHOICES, animeganv2
from anime_model.networks.checkpoint import save_generator
from anime_model.networks.generator import Generator
from anime_model.networks.perceptual import load_perceptual
from anime_model.pictures.arrays import write_picture
from anime_model.recipes.abstraction import AbstractionSettings
from anime_model.recipes.teacher import TeacherSettings
from anime_model.training import losses, teacher
from anime_model.training.loop import Training, TrainingError
from anime_model.training.yuv import to_grey
from tests.support import lite

SETTINGS = TeacherSettings(
    width=0.125,
    discriminator_width=8,
    crop=32,
    batch=2,
    warm_up_steps=2,
    steps=3,
    weights={"adversarial": 1.0, "content": 1.0, "style": 1.0, "colour": 1.0, "variation": 0.1},
    snapshots=1,
)


@pytest.fixture
def data(tmp_path) -> teacher.TeacherData:
    draw = np.random.default_rng(1)
    for part in ("photos/train", "frames", "smooth"):
        (tmp_path / part).mkdir(parents=True)
        for index in range(6):
            colour = draw.integers(0, 256, 3, dtype=np.uint8)
            write_picture(tmp_path / part / f"{index}.png", np.broadcast_to(colour, (40, 40, 3)).copy())
    return teacher.TeacherData.load(tmp_path, SETTINGS.crop, torch.device("cpu"))


@pytest.mark.parametrize("start", ["", "bilinear", "half_pixel"])
def test_colours_are_carried_where_the_recipe_says_so(tmp_path, data, start):
    settings = SETTINGS
    if start:
        arch = replace(animeganv2(SETTINGS.width), upsample=start)
        save_generator(tmp_path / "start.safetensors", Generator(arch))
        settings = replace(SETTINGS, warm_start=str(tmp_path / "start.safetensors"))
    torch.manual_seed(5)
    plain = teacher.starting_generator(settings, data.photos)
    torch.manual_seed(5)
    carrying = teacher.starting_generator(replace(settings, carry_colours=True), data.photos)
    assert not torch.equal(plain.layers["b1"].conv.weight, carrying.layers["b1"].conv.weight)
    assert plain.arch == carrying.arch == replace(animeganv2(SETTINGS.width), upsample=start or "bilinear")
    assert carrying.training


@pytest.mark.parametrize("upsample", CHOICES["upsample"])
def test_a_start_draws_as_its_checkpoint_does(tmp_path, data, photo, upsample):
    """Released teachers have another upsampling than new ones; with the new ones' their pictures are shifted."""
    begun = Generator(replace(animeganv2(SETTINGS.width), upsample=upsample, detail="gated")).eval()
    save_generator(tmp_path / "start.safetensors", begun)
    settings = replace(SETTINGS, warm_start=str(tmp_path / "start.safetensors"))
    with torch.no_grad():
        assert torch.equal(teacher.starting_generator(settings, data.photos).eval()(photo), begun(photo))


@pytest.mark.parametrize(
    ("arch", "line"),
    [(lite(), "is no AnimeGANv2 generator"), (animeganv2(0.25), r"needs teacher\.width 0\.25, not 0\.125")],
)
def test_a_start_of_another_kind_is_refused(tmp_path, data, arch, line):
    save_generator(tmp_path / "start.safetensors", Generator(arch))
    settings = replace(SETTINGS, warm_start=str(tmp_path / "start.safetensors"))
    with pytest.raises(TrainingError, match=rf"start\.safetensors {line}"):
        teacher.starting_generator(settings, data.photos)


@pytest.mark.parametrize("kind", ["patch", "projected"])
def test_both_players_learn_and_the_perceptual_network_does_not(tmp_path, data, kind):
    perceptual = load_perceptual("embedded", ("relu1_1", "relu2_1"))
    before = {key: value.clone() for key, value in perceptual.state_dict().items()}
    settings = replace(SETTINGS, discriminator=kind, colour_pool=4, abstraction=AbstractionSettings(rounds=1))
    settings = replace(settings, content_layers=("relu2_1",), style_layers=("relu1_1",))
    torch.manual_seed(3)
    start = teacher.new_discriminator(settings, perceptual).state_dict()
    players = {}

    class Watched(teacher._Players):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments)
            players["all"] = self

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(teacher, "_Players", Watched)
        trained = teacher.train_teacher(data, perceptual, settings, Training(tmp_path / "scratch", 3, log_every=1))
    assert [sorted(row) for row in trained.curve[:2]] == [["content", "loss", "step"]] * 2
    assert {"adversarial", "discriminator"} <= set(trained.curve[-1])
    judge = players["all"].modules()["discriminator"].state_dict()
    assert judge.keys() == start.keys()
    moved = [key for key in judge if key.endswith("weight.original") and not torch.equal(judge[key], start[key])]
    assert moved
    assert all(torch.equal(before[key], value) for key, value in perceptual.state_dict().items())


def test_the_warm_up_learns_the_abstraction(tmp_path, data, monkeypatch):
    """Whatever `abstract` makes of a photo is what the generator is drawn to."""
    monkeypatch.setattr(teacher, "abstract", lambda photo, settings, palette: torch.full_like(photo, -0.8))
    settings = replace(SETTINGS, warm_up_steps=60, steps=0, warm_up_rate=5e-3)
    settings = replace(settings, weights=settings.weights | {"colour": 10.0, "content": 0.0})
    perceptual = load_perceptual("embedded", ("relu3_1",))
    trained = teacher.train_teacher(data, perceptual, settings, Training(tmp_path / "scratch"))
    with torch.no_grad():
        made = trained.generator(data.photos.fixed(2, 32))
    assert made.mean() == pytest.approx(-0.8, abs=0.25)


@pytest.mark.parametrize("kind", ["relative", "published"])
@pytest.mark.parametrize(
    ("learner", "rates"),
    [("adversarial", {"rate": 2e-3, "discriminator_rate": 1e-8}), ("discriminator", {"rate": 1e-8})],
)
def test_each_player_gets_better_where_the_other_stands_still(tmp_path, data, kind, learner, rates):
    weights = dict.fromkeys(SETTINGS.weights, 0.0) | {"adversarial": 1.0}
    settings = replace(SETTINGS, warm_up_steps=0, steps=30, weights=weights, losses=kind, **rates)
    perceptual = load_perceptual("embedded", ("relu2_1", "relu3_1"))
    curve = teacher.train_teacher(data, perceptual, settings, Training(tmp_path / "x", log_every=1)).curve
    first, last = (sum(row[learner] for row in rows) / 5 for rows in (curve[:5], curve[-5:]))
    assert 0 <= last < 0.95 * first


def test_the_published_warm_up_knows_no_colours(tmp_path, data):
    perceptual = load_perceptual("embedded", ("relu2_1", "relu3_1"))
    for kind, alone in (("relative", False), ("published", True)):
        settings = replace(SETTINGS, losses=kind, warm_up_steps=1, steps=0)
        (row,) = teacher.train_teacher(data, perceptual, settings, Training(tmp_path / kind, log_every=1)).curve
        assert (row["loss"] == pytest.approx(row["content"], abs=1e-5)) == alone


def test_published_losses_see_the_colours_of_the_picture():
    """The style loss as published compares the coloured picture with grey frames; variation is half the squares."""
    perceptual = load_perceptual("embedded", ("relu2_1", "relu3_1"))
    made, anchor = torch.rand(2, 3, 32, 32) * 2 - 1, torch.rand(2, 3, 32, 32) * 2 - 1
    grey = perceptual(to_grey(made))
    given = (SimpleNamespace(settings=SETTINGS, _maps=perceptual), made, perceptual(made), anchor, grey)
    own, published = teacher._Trainer._relative(*given), teacher._Trainer._published(*given)
    assert own["style"] == 0  # a picture's grey version against itself
    assert published["style"] > 0
    assert published["variation"] == pytest.approx(float(losses.total_variation(made)) / 2)
    assert published["colour"] == losses.colour_published(made, anchor)
