"""The training program of the embedded network, with small stand-ins for the real networks."""

import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from anime_model.networks.perceptual import Embedded, small
from anime_model.training import distortions
from anime_model.training import embedded as perceptual
from anime_model.training.loop import Training

CHANNELS = {"relu1_1": (64, 1), "relu2_1": (128, 2), "relu3_1": (256, 4), "relu4_1": (512, 8)}


class StandIns:
    """As `Teachers`, random and cheap."""

    def __init__(self) -> None:
        source = torch.Generator().manual_seed(0)
        self.kernels = {name: torch.randn(c, 3, s, s, generator=source) / s for name, (c, s) in CHANNELS.items()}

    def maps(self, x: Tensor) -> dict[str, Tensor]:
        return {name: F.relu(F.conv2d(x, kernel, stride=kernel.shape[-1])) for name, kernel in self.kernels.items()}

    def distance(self, x: Tensor, y: Tensor) -> Tensor:
        return (x - y).abs().mean((1, 2, 3))

    def features(self, pictures: Sequence[Image.Image]) -> Tensor:
        means = [torch.from_numpy(np.array(picture.resize((16, 16)))).flatten().float() / 255 for picture in pictures]
        return torch.stack(means)


def pictures(count: int, seed: int) -> list[Image.Image]:
    source = np.random.default_rng(seed)
    coarse = [Image.fromarray(source.integers(0, 256, (12, 15, 3), np.uint8)) for _ in range(count)]
    return [picture.resize((150, 130), Image.BICUBIC) for picture in coarse]


def train(scratch: Path, steps: int, monkeypatch: pytest.MonkeyPatch, stop_after: int | None = None) -> Embedded:
    monkeypatch.setattr(perceptual, "CROP", 32)
    monkeypatch.setattr(perceptual, "PAIRS", 2)
    call = perceptual.Step.__call__

    def breaking(self: perceptual.Step, step: int) -> dict[str, Tensor]:
        if step == stop_after:
            raise KeyboardInterrupt
        return call(self, step)

    with monkeypatch.context() as patch:
        patch.setattr(perceptual.Step, "__call__", breaking)
        training = Training(scratch, save_every=0)
        return perceptual.train(StandIns(), pictures(3, 0), pictures(2, 1), training, steps=steps, pool_size=20)


@pytest.mark.slow
def test_broken_run_ends_as_an_unbroken_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = train(tmp_path / "whole", 4, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "broken", 4, monkeypatch, stop_after=2)
    resumed = train(tmp_path / "broken", 4, monkeypatch)
    for key, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[key]), key


def test_bases_span_the_strongest_directions() -> None:
    """Maps that use few directions are kept whole by a basis with room for them."""
    network = Embedded(small())
    strong = torch.randn(128, 5, dtype=torch.float64)
    maps = torch.einsum("ck,nkhw->nchw", strong, torch.randn(2, 5, 8, 8, dtype=torch.float64)).float()
    perceptual.set_bases(network, {"relu2_1": maps})
    basis = network.bases["relu2_1"].data
    torch.testing.assert_close(basis.T @ basis, torch.eye(32), rtol=0, atol=1e-5)
    torch.testing.assert_close(network.project("relu2_1", maps).square().mean(), maps.square().mean())


def test_principal_coordinates_keep_distances() -> None:
    features = torch.randn(30, 4) @ torch.randn(4, 50)
    found = perceptual.principal(features, 4)
    torch.testing.assert_close(torch.pdist(found), torch.pdist(features), rtol=1e-3, atol=1e-2)


def test_refit_finds_an_embedding_that_is_linear_in_the_features() -> None:
    network = Embedded(small())
    shown = torch.stack(
        [torch.from_numpy(np.array(one.resize((128, 128)))).permute(2, 0, 1) for one in pictures(12, 4)]
    )
    wanted = network.embedding(shown.float() / 127.5 - 1).detach()
    nn.init.zeros_(network.embed.weight)
    perceptual.refit_embedding(network, shown, wanted, ridge=1e-6)
    torch.testing.assert_close(network.embedding(shown.float() / 127.5 - 1), wanted, rtol=1e-2, atol=1e-2)


def test_distance_loss_is_zero_for_the_wanted_distance() -> None:
    wanted = torch.rand(5)
    assert perceptual.distance_loss(wanted, wanted) == 0
    assert perceptual.distance_loss(wanted + 0.1, wanted) > 0


def test_sixteenth_vgg_has_the_size_of_relu4_1(tmp_path: Path) -> None:
    widths = {"conv0": (3, 3, 1), "conv11": (4, 3, 3), "conv12": (4, 4, 3), "conv21": (4, 4, 3), "conv22": (4, 4, 3)}
    widths |= {f"conv3{index}": (4, 4, 3) for index in range(1, 5)} | {"conv41": (8, 4, 3), "conv41_aux": (512, 8, 1)}
    tensors = {f"{name}.weight": torch.randn(o, i, k, k) for name, (o, i, k) in widths.items()}
    tensors |= {f"{name}.bias": torch.randn(o) for name, (o, _, _) in widths.items()}
    save_file(tensors, tmp_path / "sixteenth.safetensors")
    maps = perceptual.SixteenthVgg(tmp_path / "sixteenth.safetensors")(torch.rand(2, 3, 48, 64))
    assert maps.shape == (2, 512, 6, 8)
    assert isinstance(perceptual.SixteenthVgg(tmp_path / "sixteenth.safetensors"), nn.Module)


def test_pool_is_made_once(tmp_path: Path) -> None:
    made = []

    def make() -> dict[str, Tensor]:
        made.append(1)
        return {"features": torch.ones(2)}

    for _ in range(2):
        assert torch.equal(perceptual.saved_pool(tmp_path / "x" / "pool.safetensors", make)["features"], torch.ones(2))
    assert made == [1]


def test_pairs_depend_on_the_source_of_chance_alone() -> None:
    photos, frames = pictures(3, 0), pictures(2, 1)
    first, again = (perceptual.draw_pairs(photos, frames, random.Random(7)) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert first[0].shape == (perceptual.PAIRS, 3, perceptual.CROP, perceptual.CROP)
    assert first[0].abs().max() <= 1


def test_photos_are_read_once_and_made_small(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    Image.new("L", (900, 600)).save(tmp_path / "deep" / "b.jpg")
    Image.new("RGB", (40, 30)).save(tmp_path / "a.png")
    (tmp_path / "notes.txt").write_text("no picture")
    read = distortions.load_pictures(tmp_path)
    assert [(picture.mode, picture.size) for picture in read] == [("RGB", (40, 30)), ("RGB", (432, 288))]


def test_empty_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=tmp_path.name):
        distortions.load_pictures(tmp_path)
