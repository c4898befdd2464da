import os

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # before anything imports ONNX Runtime

import pytest
import torch

from anime_model.networks.generator import Generator
from tests.support import lite


@pytest.fixture(autouse=True)
def _repeatable():
    """Two threads and one seed for every test."""
    torch.set_num_threads(2)
    torch.manual_seed(0)


@pytest.fixture
def photo() -> torch.Tensor:
    return torch.rand(2, 3, 48, 64) * 2 - 1


@pytest.fixture
def student(photo: torch.Tensor) -> Generator:
    """A lite generator whose batch norms have seen pictures."""
    generator = Generator(lite()).train()
    with torch.no_grad():
        for _ in range(5):
            generator(photo)
    return generator.eval()
