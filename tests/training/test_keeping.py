"""Training may not leave a worse network than it began with."""

import copy

import pytest
import torch

from anime_model.networks.perceptual import load_perceptual
from anime_model.training.keeping import start_is_better

LAYERS = (("relu1_1",), ("relu2_1",))


@pytest.fixture(scope="module")
def perceptual():
    return load_perceptual("embedded", ("relu1_1", "relu2_1"))


@pytest.mark.parametrize("weights", [{"pixel": 1.0}, {"content": 1.0}, {"pixel": 4.0, "style": 0.2, "gate": 100.0}])
def test_the_nearer_of_two_networks_is_found(student, photo, perceptual, weights):
    """The wanted pictures are those of one of them."""
    other = copy.deepcopy(student)
    with torch.no_grad():
        wanted = student(photo)
        for weight in other.parameters():
            weight.add_(0.05 * torch.randn_like(weight))
    assert start_is_better(student, other, (photo, wanted), perceptual, weights, LAYERS)
    assert not start_is_better(other, student, (photo, wanted), perceptual, weights, LAYERS)


def test_what_is_as_near_is_what_training_left_and_what_is_no_number_never(student, photo, perceptual):
    with torch.no_grad():
        wanted = student(photo) * 0.9
    trained = copy.deepcopy(student)
    assert not start_is_better(student, trained, (photo, wanted), perceptual, {"pixel": 1.0}, LAYERS)
    with torch.no_grad():
        next(trained.parameters()).fill_(float("nan"))
    assert start_is_better(student, trained, (photo, wanted), perceptual, {"pixel": 1.0}, LAYERS)
