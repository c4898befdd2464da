"""Two processes with half the batch each learn what one with the whole learns, saving by time switched on."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from anime_model.pictures.arrays import write_picture
from anime_model.reference.drawing import draw_photos
from anime_model.training.data import Pictures, Sampler
from anime_model.training.drawn import Drawings, DrawnSampler
from anime_model.training.together import mean_over_processes, processes, shared_norms

ROOT = Path(__file__).parents[2]
TIGHT, AFTER = 1e-4, 2e-2  # relative: of the first step, whose weights are the same; of later ones, which drift apart


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, draw = tmp_path_factory.mktemp("together"), np.random.default_rng(1)
    for part in ("photos/train", "frames", "smooth"):
        for index in range(6):
            rough = torch.from_numpy(draw.integers(0, 256, (1, 3, 5, 6), np.uint8)).float()
            fine = torch.nn.functional.interpolate(rough, size=(44, 52), mode="bicubic").clamp(0, 255)
            write_picture(folder / "data" / part / f"{index}.png", fine[0].permute(1, 2, 0).byte().numpy())
    draw_photos(lambda photo: 255 - photo, folder / "data/photos/train", folder / "reference", (1.0,), lambda *_: None)
    return folder


@pytest.fixture(scope="module")
def curves(pictures: Path) -> dict[int, dict[str, list[dict[str, float]]]]:
    """By the number of processes, every curve."""
    for count in (1, 2):
        done = subprocess.run(
            [sys.executable, str(Path(__file__).with_name("together.py")), str(pictures), str(count)],
            capture_output=True,
            text=True,
            timeout=280,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )
        assert done.returncode == 0, done.stderr[-3000:]
    return {count: json.loads((pictures / f"curves_{count}.json").read_text()) for count in (1, 2)}


@pytest.mark.long  # two real processes train eight times; `test_saving.py` has two in `make test`
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "trained", ["teacher", "projected", "published", "recovery", "steered", "without_hints", "rounds", "fine_tuned"]
)
def test_two_processes_have_the_losses_of_one(curves, trained):
    one, two = (curves[count][trained] for count in (1, 2))
    assert [row.keys() for row in one] == [row.keys() for row in two]
    for number, (whole, halves) in enumerate(zip(one, two, strict=True)):
        near = TIGHT if number == 0 else AFTER
        for key, value in whole.items():
            assert halves[key] == pytest.approx(value, rel=near, abs=2e-6), f"{trained}: {key} of row {number}"


@pytest.mark.parametrize("step", [0, 5])
def test_the_crops_of_two_processes_are_those_of_one(pictures, step):
    photos = Pictures(pictures / "data/photos/train")
    whole = Sampler(photos, 4, 32, 7, stream=2)(step)
    halves = [Sampler(photos, 2, 32, 7, stream=2, rank=rank)(step) for rank in (0, 1)]
    assert torch.equal(torch.cat(halves), whole)


def test_the_drawn_pairs_of_two_processes_are_those_of_one(pictures):
    drawings = Drawings(pictures / "data/photos/train", pictures / "reference")
    whole = DrawnSampler(drawings, 4, (32,), 10, 7)(3)
    halves = [DrawnSampler(drawings, 2, (32,), 10, 7, rank)(3) for rank in (0, 1)]
    for part in (0, 1):
        assert torch.equal(torch.cat([half[part] for half in halves]), whole[part])


def test_one_process_is_left_as_it_is(student, photo):
    value = torch.ones(3)
    assert processes() == 1
    assert mean_over_processes(value) is value
    kinds = [type(module) for module in student.modules()]
    with shared_norms(student):
        assert [type(module) for module in student.modules()] == kinds
