"""A teacher that learns a toy map, that of inverted colours, from pairs."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from anime_model.networks.checkpoint import save_generator
from anime_model.networks.perceptual import load_perceptual
from anime_model.pictures.arrays import write_picture
from anime_model.recipes.pairs import PairsSettings
from anime_model.recipes.teacher import TeacherSettings
from anime_model.reference.drawing import draw_photos
from anime_model.training.data import DataError
from anime_model.training.drawn import Drawings, DrawnSampler
from anime_model.training.loop import Training
from anime_model.training.published import Sources, teach

PAIRS = PairsSettings(steps=60, rate=3e-3, batch=2, crops=(32, 40), content_layers=("relu1_1",), style_layers=())
PAIRS = replace(PAIRS, weights={"pixel": 4.0})
SETTINGS = TeacherSettings(
    width=0.125,
    discriminator_width=8,
    crop=32,
    batch=2,
    weights={"adversarial": 0.1, "content": 1.0, "style": 0.1, "colour": 1.0, "variation": 0.1},
    content_layers=("relu2_1",),
    style_layers=("relu1_1",),
    snapshots=2,
    pairs=PAIRS,
)


@pytest.fixture
def sources(tmp_path) -> Sources:
    draw = np.random.default_rng(1)
    for part in ("photos/train", "frames", "smooth"):
        for index in range(6):
            rough = draw.integers(0, 256, (5, 6, 3), dtype=np.uint8)
            write_picture(tmp_path / f"data/{part}/{index}.png", np.kron(rough, np.ones((9, 9, 1), np.uint8)))
    photos = tmp_path / "data/photos/train"
    draw_photos(lambda picture: 255 - picture, photos, tmp_path / "drawn", (0.8, 1.3), lambda *step: None)
    return Sources(tmp_path / "data", tmp_path / "drawn")


@pytest.fixture(scope="module")
def perceptual():
    return load_perceptual("embedded", ("relu1_1", "relu2_1"))


def distance(generator, drawings: Drawings) -> float:
    photos, wanted = drawings.fixed(6, 40)
    with torch.no_grad():
        return float(F.l1_loss(generator.eval()(photos), wanted))


def test_pairs_are_cut_alike_and_grow(sources):
    sampler = DrawnSampler(sources.load(torch.device("cpu")), 4, (32, 40), 10, seed=3)
    assert [sampler.side(step) for step in (0, 4, 5, 9, 99)] == [32, 32, 40, 40, 40]
    photos, wanted = sampler(5)
    assert photos.shape == wanted.shape == (4, 3, 40, 40)
    assert (photos + wanted).abs().mean() < 0.05
    again = DrawnSampler(sources.load(torch.device("cpu")), 4, (32, 40), 10, seed=3)
    assert torch.equal(again(5)[0], photos), "a function of seed and step: a broken run goes on as it would have"
    assert not torch.equal(sampler(6)[0], photos)


def test_crops_that_no_picture_holds_and_missing_drawings_are_named(sources, tmp_path):
    with pytest.raises(DataError, match="no picture of 60 px"):
        DrawnSampler(sources.load(torch.device("cpu")), 2, (32, 60), 10, seed=3)
    with pytest.raises(DataError, match="run the stage `reference` first"):
        Drawings(sources.data / "photos/train", tmp_path / "nothing")


def test_a_teacher_of_pairs_comes_nearer_to_the_map(sources, perceptual, tmp_path):
    drawings = sources.load(torch.device("cpu"))
    taught = teach(sources, perceptual, SETTINGS, Training(tmp_path / "scratch", 3))
    copying = float(F.l1_loss(*drawings.fixed(6, 40)))
    assert distance(taught.generator, drawings) < 0.5 * copying
    assert list(taught.snapshots) == [30, 60]
    assert list(taught.samples) == [0, 30, 60, "reference"]
    assert [row["step"] for row in taught.curve] == [10, 20, 30, 40, 50, 60]


def test_frames_come_after_the_pairs(sources, perceptual, tmp_path):
    settings = replace(SETTINGS, pairs=replace(PAIRS, frames_steps=4), rate=1e-5)
    taught = teach(sources, perceptual, settings, Training(tmp_path / "scratch", 3))
    assert "adversarial" in taught.curve[-1]
    assert taught.curve[-1]["step"] == 64
    assert list(taught.snapshots) == [30, 60, 62, 64]
    drawings = sources.load(torch.device("cpu"))
    assert distance(taught.generator, drawings) < 0.6 * float(F.l1_loss(*drawings.fixed(6, 40)))


def test_a_gate_that_costs_belongs_to_the_teacher(sources, perceptual, tmp_path):
    weights = {"pixel": 4.0, "edges": 1.0, "colour": 1.0, "gate": 0.3}
    settings = replace(SETTINGS, pairs=replace(PAIRS, steps=3, weights=weights, frames_steps=0), rate=1e-4)
    taught = teach(sources, perceptual, settings, Training(tmp_path / "x", 3, log_every=1))
    assert taught.generator.arch.detail == "gated"
    first = taught.curve[0]
    assert {"edges", "colour", "gate"} <= first.keys()
    assert first["loss"] == pytest.approx(sum(weights[key] * first[key] for key in weights), rel=1e-4)


@pytest.mark.parametrize("broken_at", [pytest.param(7, marks=pytest.mark.long), 14])
def test_a_broken_lesson_ends_as_an_unbroken_one(sources, perceptual, tmp_path, broken_at):
    settings = replace(SETTINGS, pairs=replace(PAIRS, steps=12, frames_steps=4), rate=1e-5)

    class Stopped(Exception):
        pass

    def stop(step, total, scalars):
        if step + (12 if total == 4 else 0) >= broken_at:
            raise Stopped

    whole = teach(sources, perceptual, settings, Training(tmp_path / "whole", 3, log_every=1, save_every=0))
    with pytest.raises(Stopped):
        teach(sources, perceptual, settings, Training(tmp_path / "cut", 3, on_step=stop, log_every=1, save_every=0))
    again = teach(sources, perceptual, settings, Training(tmp_path / "cut", 3, log_every=1, save_every=0))
    assert again.curve == whole.curve
    for one, other in zip(whole.generator.parameters(), again.generator.parameters(), strict=True):
        assert torch.equal(one, other)


def test_a_warm_start_that_training_made_worse_is_kept(sources, perceptual, tmp_path):
    taught = teach(sources, perceptual, SETTINGS, Training(tmp_path / "scratch", 3))
    assert not taught.kept_start
    save_generator(tmp_path / "start.safetensors", taught.generator)
    drawings = sources.load(torch.device("cpu"))
    for rate, kept in ((1e-6, False), (0.3, True)):
        pairs = replace(PAIRS, steps=12, rate=rate)
        settings = replace(SETTINGS, warm_start=str(tmp_path / "start.safetensors"), pairs=pairs)
        again = teach(sources, perceptual, settings, Training(tmp_path / f"scratch {rate}", 3))
        assert again.kept_start == kept
        assert distance(again.generator, drawings) < 1.1 * distance(taught.generator, drawings)
