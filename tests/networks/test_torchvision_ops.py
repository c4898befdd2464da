"""torchvision must be importable beside any torch, and stay untouched where it is whole."""

import subprocess
import sys

import torch

from anime_model.networks import torchvision_ops
from anime_model.networks.torchvision_ops import ensure_torchvision


def run(code: str) -> str:
    """The output of a fresh interpreter: what torchvision registers at import cannot be taken back in this one."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    return done.stdout.strip()


def test_torchvision_can_be_imported_afterwards() -> None:
    code = "from anime_model.networks.torchvision_ops import ensure_torchvision as e; e(); e(); import torchvision"
    assert run(code + "; print(torchvision.models.vgg19.__name__)") == "vgg19"


def test_whole_torchvision_is_left_alone() -> None:
    """Operators declared beforehand stand for the compiled half of torchvision."""
    code = """
import torch
library = torch.library.Library("torchvision", "DEF")
library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
from anime_model.networks import torchvision_ops
torchvision_ops.ensure_torchvision()
print(torchvision_ops._declared)
"""
    assert run(code) == "[]"


def test_declares_only_what_is_missing() -> None:
    ensure_torchvision()
    assert all(hasattr(torch.ops.torchvision, name) for name in torchvision_ops.SCHEMAS)
