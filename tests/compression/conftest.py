"""Lessons of toy networks."""

import numpy as np
import pytest

from anime_model.compression.distillation import Lesson
from anime_model.networks.architecture import animeganv2
from anime_model.networks.generator import Generator
from anime_model.networks.perceptual import load_perceptual
from anime_model.pictures.arrays import write_picture
from anime_model.training.data import Pictures
from tests.exports import graphs_are_traced_once

__all__ = ["graphs_are_traced_once"]


@pytest.fixture
def lesson(tmp_path) -> Lesson:
    draw = np.random.default_rng(0)
    for index in range(4):
        write_picture(tmp_path / f"photos/{index}.png", draw.integers(0, 255, (40, 48, 3), np.uint8))
    perceptual = load_perceptual("embedded", ("relu2_1", "relu3_1"))
    return Lesson(Generator(animeganv2(0.125)).eval(), Pictures(tmp_path / "photos"), perceptual)
