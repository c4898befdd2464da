"""What tests of several rooms build."""

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from filelock import FileLock

from anime_model.networks.architecture import Architecture, animeganv2


def lite(**changes: str) -> Architecture:
    """A narrow generator of the kind that ships: batch norm, ReLU, zero padding, sub-pixel tail."""
    wanted = {"norm": "batch", "activation": "relu", "padding": "zeros", "tail": "subpixel"} | changes
    return replace(animeganv2(0.25), **wanted)


def shared_folder(factory: pytest.TempPathFactory, name: str) -> Path:
    """A folder that all workers of one run of tests share."""
    base = factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / name
    folder.mkdir(exist_ok=True)
    return folder


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """A folder that one worker makes and all workers read; they wait for it. What breaks off is made again."""
    folder = shared_folder(factory, "made") / name
    done = folder.with_suffix(".done")
    with FileLock(folder.with_suffix(".lock")):
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            done.touch()
    return folder
