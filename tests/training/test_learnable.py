"""Published networks that can be learned in PyTorch, and those that are refused before hours of training."""

from pathlib import Path

import numpy as np
import pytest
import torch
from onnx import helper

from anime_model.reference.opening import NetworkError
from anime_model.training import learnable as module
from anime_model.training.learnable import learnable
from tests.networks.test_onnx_network import published_like
from tests.tiny_onnx import foreign_model


def test_it_draws_in_the_way_of_the_file(tmp_path: Path):
    photo = torch.zeros(2, 3, 16, 24)
    assert learnable(published_like(tmp_path / "net.onnx"))(photo).shape == photo.shape


def test_other_levels_are_refused(tmp_path: Path):
    """Clipped to [-1, 1], levels up to 255 would all be white."""
    nodes = [helper.make_node("Mul", ["x", "one"], ["m"]), helper.make_node("Clip", ["m", "low", "high"], ["y"])]
    limits = {"one": 1.0, "low": 0.0, "high": 255.0}
    path = foreign_model(tmp_path / "net.onnx", nodes, {name: np.float32(value) for name, value in limits.items()})
    with pytest.raises(NetworkError, match=r"net\.onnx: takes 0\.\.255 to 0\.\.255, .*; here only \[-1, 1\] in rgb"):
        learnable(path)


def test_what_pytorch_would_draw_otherwise_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path, forward = published_like(tmp_path / "net.onnx"), module.OnnxNetwork.forward
    monkeypatch.setattr(module.OnnxNetwork, "forward", lambda self, photo: forward(self, photo) * 0.9)
    with pytest.raises(NetworkError, match=r"net\.onnx: draws otherwise in PyTorch than in ONNX Runtime \("):
        learnable(path)
