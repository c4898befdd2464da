"""The order of test files: with two workers, a long file that begins last makes one of them wait for minutes.

And which files one worker runs: what each of them needs takes a worker many seconds of a processor to start.
"""

import random
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Protocol

TESTS = Path(__file__).parent
# Files of one worker, by what they share: it would be started once more for each worker that runs one of them.
UNITS = (
    (  # Prefect's server, and the servers that flows, DVC and comparisons are forked from
        "flows/test_promote.py",
        "flows/test_compress.py",
        "benchmarks/test_rerun.py",
        "flows/pipeline/test_source_data.py",
        "flows/pool/test_refusals.py",
        "flows/test_journey.py",
        "faults/test_kills.py",
        "faults/test_faults.py",
        "faults/test_security.py",
    ),
    (  # the server that stages are forked from
        "tasks/test_pipeline.py",
        "tasks/test_resume.py",
        "tasks/test_reference.py",
        "tasks/test_entry_points.py",
    ),
)
# Every file that takes more than about 5 seconds, the longest first; `pytest --durations=60` tells which do.
LONGEST = (
    *UNITS[0],
    *UNITS[1],
    "studio/test_server.py",
    "compression/test_grid.py",
    "compression/test_export.py",
    "flows/test_search.py",
    "compression/test_family.py",
    "flows/registry/test_following.py",
    "flows/registry/test_versions.py",
    "report/test_evaluate.py",
    "tasks/test_dependencies.py",
    "runtime/test_stylizer.py",
    "compression/test_known_graphs.py",
    "flows/pipeline/test_run_stage.py",
    "server/test_load.py",
    "tools/test_ship.py",
    "flows/registry/test_gates.py",
    "metrics/test_footprint.py",
    "training/test_saving.py",
    "training/test_teacher.py",
    "compression/test_pruning.py",
    "reference/test_opening.py",
)


class Test(Protocol):
    path: Path


def in_order(tests: Sequence[Test], wanted: str) -> list[Test]:
    """The longest files first. `wanted` puts them in another order, so that tests that need one show up.

    "reversed", or a number: files, and the tests of each, are shuffled by it, alike in every worker. The tests of a
    file stay together, since they share what is made for it.
    """
    if wanted == "reversed":
        return list(reversed(tests))
    if wanted:
        return _shuffled(tests, int(wanted))
    ranks = {TESTS / name: rank for rank, name in enumerate(LONGEST)}
    return sorted(tests, key=lambda test: ranks.get(test.path, len(ranks)))


def unit_of(test: str) -> str:
    """The file that stands for all whose tests one worker runs with `test`, which is named as pytest names it."""
    file = test.split("::", 1)[0]
    names = ((unit[0], f"{TESTS.name}/{name}") for unit in UNITS for name in unit)
    return next((f"{TESTS.name}/{first}" for first, name in names if name == file), file)


def _shuffled(tests: Sequence[Test], seed: int) -> list[Test]:
    draw = random.Random(seed)
    files = [list(group) for _, group in groupby(tests, key=lambda test: test.path)]
    draw.shuffle(files)
    for file in files:
        draw.shuffle(file)
    return [test for file in files for test in file]
