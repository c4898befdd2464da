"""What all tests share: where they start from, and the order in which they run."""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # before anything imports ONNX Runtime
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
# Each of two workers has one core: threads that spin while they wait for each other would take the other one's.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import pytest

from anime_model.pictures.cores import cores_here
from tests.order import in_order
from tests.process_state import put_back

if TYPE_CHECKING:  # the rooms that have nothing to do with PyTorch need not wait for it
    import torch

    from anime_model.networks.generator import Generator

WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
THREADS = max(1, min(2, cores_here() // WORKERS))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items[:] = in_order(items, os.environ.get("TEST_ORDER", ""))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    from tests.scheduling import scheduler  # needs pytest-xdist

    return scheduler(config, log)


@pytest.fixture(autouse=True)
def _the_process_is_as_before() -> Iterator[None]:
    """One seed for every test, and no more threads than this process may use: waiting for a core costs minutes."""
    with put_back(THREADS):
        yield


@pytest.fixture
def photo() -> "torch.Tensor":
    import torch

    return torch.rand(2, 3, 48, 64) * 2 - 1


@pytest.fixture
def student(photo: "torch.Tensor") -> "Generator":
    """A lite generator whose batch norms have seen pictures."""
    import torch

    from anime_model.networks.generator import Generator
    from tests.support import lite

    generator = Generator(lite()).train()
    with torch.no_grad():
        for _ in range(5):
            generator(photo)
    return generator.eval()
