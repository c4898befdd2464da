import os

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # before anything imports ONNX Runtime

import pytest
import torch

from anime_model.networks.generator import Generator
from anime_model.pictures.cores import cores_here
from tests.support import lite

WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
THREADS = max(1, min(2, cores_here() // WORKERS))


@pytest.fixture(autouse=True)
def _repeatable():
    """One seed for every test, and no more threads than this process may use: waiting for a core costs minutes."""
    torch.set_num_threads(THREADS)
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
