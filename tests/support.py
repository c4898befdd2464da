"""What tests of several rooms build."""

import hashlib
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import pytest
from filelock import FileLock

from anime_model.networks.architecture import Architecture, animeganv2

ROOT = Path(__file__).parents[1]


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


def graphs_folder() -> Path:
    """For `exports.py`: in pytest's cache, under a name that changes with all that graphs come from; others go."""
    files = sorted((ROOT / "anime_model/networks").glob("*.py"))
    files += [ROOT / name for name in ("anime_model/compression/export.py", "tests/exports.py")]
    tools = [f"{tool} {version(tool)}" for tool in ("torch", "torchvision", "onnx", "onnxscript", "onnx_ir")]
    parts = [*(file.read_bytes() for file in files), sys.version.encode(), *map(str.encode, tools)]
    digest = hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]
    folder = ROOT / ".pytest_cache/d" / f"graphs-{digest}"  # --cache-clear empties that folder
    if not folder.exists():
        for old in folder.parent.glob("graphs-*"):
            shutil.rmtree(old, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
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
