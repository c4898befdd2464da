"""A stylizer goes to other processes as what it was made of."""

import inspect
import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from anime_model.runtime import models
from anime_model.runtime.stylizer import Stylizer
from tests.tiny_onnx import negative_model


@pytest.mark.parametrize("used", [False, True])
def test_a_copy_by_pickle_draws_the_same(tmp_path: Path, used):
    stylizer = Stylizer(negative_model(tmp_path / "m.onnx"), threads=1, memory=123_000_000, max_pixels=99)
    picture = np.random.default_rng(0).integers(0, 256, (12, 16, 3), np.uint8)
    if used:
        stylizer(picture)
    copy = pickle.loads(pickle.dumps(stylizer))
    assert (copy.threads, copy.memory, copy.max_pixels, copy.path) == (1, 123_000_000, 99, stylizer.path)
    assert np.array_equal(copy(picture), 255 - picture)


def test_a_copy_has_every_setting(tmp_path: Path, monkeypatch):
    """Also those that are added later: no value here is the default."""
    settings = {name: one.default for name, one in inspect.signature(Stylizer).parameters.items() if name != "model"}
    given = {name: value - 1 for name, value in settings.items() if value is not None} | {"size": "nano", "stroke": 719}
    assert given.keys() == settings.keys()
    for name in ("ink", "ink-nano"):
        negative_model(tmp_path / f"{name}.onnx")
    monkeypatch.setattr(models, "WEIGHTS", tmp_path)
    copy = pickle.loads(pickle.dumps(Stylizer("ink", **given)))
    assert {name: getattr(copy, name) for name in settings} == given
    assert copy.style == "ink-nano"


def test_a_pool_of_started_processes_draws(tmp_path: Path):
    stylizer = Stylizer(negative_model(tmp_path / "m.onnx"), threads=1)
    pictures = [np.full((8, 8, 3), level, np.uint8) for level in (0, 100)]
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        made = list(pool.map(stylizer, pictures))
    assert [int(picture[0, 0, 0]) for picture in made] == [255, 155]
