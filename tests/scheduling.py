"""What pytest-xdist hands out to a worker at once: a file, or the files of a unit of `order.py`."""

import pytest
from xdist.scheduler import LoadFileScheduling

from tests.order import unit_of


class Units(LoadFileScheduling):
    def _split_scope(self, nodeid: str) -> str:
        return unit_of(nodeid)


def scheduler(config: pytest.Config, log: object) -> LoadFileScheduling | None:
    """For `--dist loadfile`; pytest-xdist has others for all else."""
    return Units(config, log) if config.getoption("dist") == "loadfile" else None
