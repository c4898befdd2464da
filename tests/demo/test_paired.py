from pathlib import Path

import numpy as np
import pytest
import torch

from anime_model.demo.paired import CONTENT, SIZES, STYLE, Pairs, draw_pairs, train_paired
from anime_model.networks.architecture import animeganv2
from anime_model.networks.generator import Generator
from anime_model.networks.perceptual import load_perceptual
from anime_model.pictures.arrays import read_picture
from anime_model.training.loop import Training


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pairs")
    draw_pairs(folder, 6, lambda step, total, scalars: None)
    return folder


def test_a_photo_and_its_drawing_show_the_same_scene_at_every_size(drawn: Path):
    photos, drawings = sorted(drawn.glob("photos/*")), sorted(drawn.glob("drawings/*"))
    assert [path.stem for path in photos] == [path.stem for path in drawings] == [f"{n:05d}" for n in range(6)]
    for photo, drawing in zip(map(read_picture, photos), map(read_picture, drawings), strict=True):
        assert photo.shape == drawing.shape
        assert min(photo.shape[:2]) in SIZES
        grey = (picture.mean(2).ravel() for picture in (photo, drawing))
        assert np.corrcoef(*grey)[0, 1] > 0.4


def test_both_sides_of_a_pair_are_cut_alike(drawn: Path, tmp_path: Path):
    pairs = Pairs.load(drawn, 4, 64, Training(tmp_path, seed=3))
    photos, drawings = pairs(5)
    assert photos.shape == drawings.shape == (4, 3, 64, 64)
    assert min(photos.min(), drawings.min()) >= -1
    assert max(photos.max(), drawings.max()) <= 1
    own = torch.corrcoef(torch.stack([photos.mean(1).flatten(), drawings.mean(1).flatten()]))[0, 1]
    other = torch.corrcoef(torch.stack([photos.mean(1).flatten(), drawings.roll(1, 0).mean(1).flatten()]))[0, 1]
    assert own > other + 0.2
    assert torch.equal(pairs(5)[0], photos), "a function of seed and step: a broken run goes on as it would have"


@pytest.mark.slow
def test_training_on_pairs_brings_the_pictures_nearer_to_the_drawings(drawn: Path, tmp_path: Path):
    torch.manual_seed(0)
    training = Training(tmp_path, seed=1, log_every=1)
    pairs, perceptual = Pairs.load(drawn, 2, 64, training), load_perceptual("embedded", tuple({*CONTENT, *STYLE}))
    start = Generator(animeganv2(0.125))
    average, curve = train_paired(start, pairs, perceptual, 60, 5e-3, training)
    first, last = (np.mean([row["pixel"] for row in rows]) for rows in (curve[:10], curve[-10:]))
    assert last < 0.8 * first
    assert average(torch.zeros(1, 3, 64, 64)).shape == (1, 3, 64, 64)
