"""The embedded perceptual network and VGG-19: what holds for any weights, and what the shipped ones must manage."""

import math
import os
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from anime_model.networks import perceptual
from anime_model.networks.perceptual import (
    EMBEDDED,
    LAYERS,
    Convolution,
    Embedded,
    PerceptualArchitecture,
    PerceptualError,
    load_embedded,
    load_perceptual,
    save_embedded,
    small,
)

VGG19_FILE = "vgg19-dcbb9e9d.pth"
SHAPES = {"relu1_1": (64, 1), "relu2_1": (128, 2), "relu3_1": (256, 4), "relu4_1": (512, 8)}


def real_vgg19() -> Path:
    file = Path(torch.hub.get_dir(), "checkpoints", VGG19_FILE)
    if not file.exists():
        pytest.skip(f"no {VGG19_FILE} in torch's hub cache (TORCH_HOME={os.environ.get('TORCH_HOME')})")
    return file


@pytest.fixture(scope="module")
def network() -> Embedded:
    return load_perceptual("embedded")


@pytest.fixture
def pictures() -> Tensor:
    """Four smooth random pictures [4, 3, 64, 64] in [-1, 1]."""
    noise = torch.rand(4, 3, 9, 9, generator=torch.Generator().manual_seed(0)) * 2 - 1
    return F.interpolate(noise, (64, 64), mode="bilinear")


def tiny() -> Embedded:
    torch.manual_seed(0)
    convolution = Convolution(8, kernel=4)
    architecture = PerceptualArchitecture(
        stages=((Convolution(8),), (convolution,), (convolution, Convolution(8))),
        maps={"relu1_1": (0, 4, 64), "relu2_1": (1, 8, 128), "relu3_1": (2, 8, 256)},
        embedding=6,
        hidden=8,
        embedding_size=32,
    )
    return Embedded(architecture, tuple(architecture.maps))


def test_file_is_small() -> None:
    assert EMBEDDED.stat().st_size <= 2_000_000


def test_loads_as_frozen_32_bit_float(network: Embedded) -> None:
    assert not network.training
    assert all(value.dtype == torch.float32 and not value.requires_grad for value in network.parameters())


@pytest.mark.parametrize("size", [(64, 64), (65, 67), (48, 80)])
def test_maps_are_of_vgg_sizes(network: Embedded, size: tuple[int, int]) -> None:
    maps = network(torch.zeros(2, 3, *size))
    assert tuple(maps) == LAYERS
    for name, (_, stride) in SHAPES.items():
        assert maps[name].shape[-2:] == (size[0] // stride, size[1] // stride)


@pytest.mark.parametrize("layer", LAYERS)
def test_asking_for_one_layer_gives_it_alone_and_unchanged(network: Embedded, pictures: Tensor, layer: str) -> None:
    alone = load_perceptual("embedded", (layer,))(pictures)
    assert list(alone) == [layer]
    torch.testing.assert_close(alone[layer], network(pictures)[layer], rtol=1e-4, atol=1e-4)


def test_bases_are_orthonormal(network: Embedded) -> None:
    """So that differences of maps measure differences of VGG's maps."""
    for name, basis in network.bases.items():
        channels, width = basis.shape
        assert channels == SHAPES[name][0]
        torch.testing.assert_close(basis.T @ basis, torch.eye(width), rtol=0, atol=3e-3)


def test_projection_keeps_the_mean_square_of_what_the_basis_spans() -> None:
    network = tiny()
    maps = torch.randn(2, 8, 5, 5)
    spanned = torch.einsum("ck,nkhw->nchw", network.bases["relu2_1"], maps)
    projected = network.project("relu2_1", spanned)
    torch.testing.assert_close(projected.square().mean(), spanned.square().mean())


def test_expand_undoes_project_for_maps_that_vgg_could_give() -> None:
    network = tiny()
    maps = torch.zeros(1, 128, 3, 3)
    maps[:, :8] = torch.rand(1, 8, 3, 3)  # the untrained basis spans the first eight channels
    torch.testing.assert_close(network.expand({"relu2_1": network.project("relu2_1", maps)})["relu2_1"], maps)


def test_distance_is_a_distance(network: Embedded, pictures: Tensor) -> None:
    others = pictures.flip(0)
    there, back = network.distance(pictures, others), network.distance(others, pictures)
    assert torch.equal(network.distance(pictures, pictures), torch.zeros(4))
    torch.testing.assert_close(there, back)
    assert there.shape == (4,)
    assert (there > 0).all()


def test_distance_grows_with_noise(network: Embedded, pictures: Tensor) -> None:
    noise = torch.randn(pictures.shape, generator=torch.Generator().manual_seed(1))
    distances = [float(network.distance(pictures, pictures + level * noise).mean()) for level in (0.02, 0.1, 0.4)]
    assert distances == sorted(distances)
    assert distances[0] < 0.5 * distances[2]


def test_embedding_hardly_depends_on_the_size_of_the_picture(network: Embedded, pictures: Tensor) -> None:
    first = network.embedding(F.interpolate(pictures, 128, mode="bilinear"))
    second = network.embedding(F.interpolate(pictures, 160, mode="bilinear"))
    spread = (first - first.mean(0)).norm()
    assert first.shape == (4, network.architecture.embedding)
    assert (first - second).norm() < 0.5 * spread


@pytest.mark.parametrize("picture", ["black", "random"])
def test_gradients_are_finite_and_reach_the_picture(network: Embedded, picture: str) -> None:
    """Flat black pictures too: the unit length must not divide by zero."""
    x = -torch.ones(1, 3, 64, 64) if picture == "black" else torch.rand(1, 3, 64, 64) * 2 - 1
    y = x.clone().requires_grad_()
    maps = sum(map.abs().mean() for map in network(y).values())
    (maps + network.distance(y, x.flip(3) * 0.9).sum() + network.embedding(y).square().mean()).backward()
    assert y.grad.isfinite().all()
    assert y.grad.abs().sum() > 0
    assert all(value.grad is None for value in network.parameters())


def test_gradient_of_equal_pictures_is_finite(network: Embedded, pictures: Tensor) -> None:
    y = pictures.clone().requires_grad_()
    network.distance(y, pictures).sum().backward()
    assert y.grad.isfinite().all()


def test_file_rebuilds_the_network(tmp_path: Path) -> None:
    network = tiny()
    save_embedded(tmp_path / "new" / "tiny.safetensors", network)
    again = load_embedded(tmp_path / "new" / "tiny.safetensors", ("relu3_1",))
    assert again.architecture == network.architecture
    x = torch.rand(1, 3, 32, 32)
    torch.testing.assert_close(again(x)["relu3_1"], network(x)["relu3_1"], rtol=1e-2, atol=1e-2)  # 16-bit weights
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["tiny.safetensors"]


def test_shipped_network_is_the_one_that_the_program_trains(network: Embedded) -> None:
    assert network.architecture == small()


def test_files_that_are_no_network_are_named(tmp_path: Path) -> None:
    file = tmp_path / "broken.safetensors"
    file.write_bytes(b"not a network")
    with pytest.raises(PerceptualError, match=r"broken\.safetensors"):
        load_embedded(file)
    with pytest.raises(PerceptualError, match=r"absent\.safetensors"):
        load_embedded(tmp_path / "absent.safetensors")


def test_weights_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    network = tiny()
    network.embed.weight.data[0, 0] = math.nan
    save_embedded(tmp_path / "nan.safetensors", network)
    with pytest.raises(PerceptualError, match=r"nan\.safetensors.*embed\.weight"):
        load_embedded(tmp_path / "nan.safetensors")


@pytest.mark.parametrize(("name", "layers"), [("vgg11", LAYERS), ("embedded", ("relu9_9",)), ("vgg19", ())])
def test_unknown_names_are_refused(name: str, layers: tuple[str, ...]) -> None:
    with pytest.raises(PerceptualError, match="choose"):
        load_perceptual(name, layers)


def test_missing_vgg19_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(
        torch.hub, "download_url_to_file", lambda *_, **__: (_ for _ in ()).throw(OSError("no network"))
    )
    with pytest.raises(PerceptualError, match="TORCH_HOME") as error:
        load_perceptual("vgg19", ("relu2_1",))
    assert VGG19_FILE in str(error.value)
    assert "\n" not in str(error.value)


def test_truncated_vgg19_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    file = tmp_path / "hub" / "checkpoints" / VGG19_FILE
    file.parent.mkdir(parents=True)
    file.write_bytes(b"PK\x03\x04 the start of a file")
    with pytest.raises(PerceptualError, match=VGG19_FILE):
        load_perceptual("vgg19", ("relu2_1",))


def test_vgg19_stops_at_the_deepest_layer(pictures: Tensor) -> None:
    real_vgg19()
    network = load_perceptual("vgg19", ("relu2_1", "relu3_1"))
    maps = network(pictures)
    assert len(network.features) == 1 + perceptual.VGG19["relu3_1"]
    assert {name: tuple(value.shape[1:]) for name, value in maps.items()} == {
        "relu2_1": (128, 32, 32),
        "relu3_1": (256, 16, 16),
    }
    assert all((value >= 0).all() for value in maps.values())
    assert not any(value.requires_grad for value in network.parameters())


def test_vgg19_with_damaged_layers_names_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    file = real_vgg19()
    state = torch.load(file, weights_only=True, mmap=True)
    if state["features.19.weight"].isfinite().all():
        pytest.skip("this VGG-19 is complete")
    with pytest.raises(PerceptualError, match=r"features\.\d+\.weight.*shallower"):
        load_perceptual("vgg19", ("relu4_1",))


def test_embedded_maps_follow_vgg19(network: Embedded, pictures: Tensor) -> None:
    """Loosely, on pictures unlike any photo: the figures for photos are in results/perceptual.json."""
    real_vgg19()
    real = load_perceptual("vgg19", ("relu1_1", "relu2_1", "relu3_1"))(pictures)
    made = network.expand(network(pictures))
    for name, wanted in real.items():
        correlation = torch.corrcoef(torch.stack([wanted.flatten(), made[name].flatten()]))[0, 1]
        assert correlation > {"relu1_1": 0.9, "relu2_1": 0.5, "relu3_1": 0.25}[name], f"{name}: {correlation:.2f}"
