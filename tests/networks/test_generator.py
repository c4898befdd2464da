from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from anime_model.networks.architecture import CHOICES, animeganv2
from anime_model.networks.checkpoint import CheckpointError, load_generator, read_notes, save_generator
from anime_model.networks.cost import count_macs, count_parameters, receptive_radius
from anime_model.networks.discriminator import Discriminator, ProjectedDiscriminator
from anime_model.networks.generator import Generator, convolutions, fold_batch_norm, unfold_batch_norm, with_gate
from anime_model.networks.importer import import_generator
from anime_model.networks.perceptual import load_perceptual
from tests.support import lite


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def published_unit(inputs: int, outputs: int, kernel: int = 3, stride: int = 1, pad=1, groups: int = 1, bias=False):
    return [
        nn.ReflectionPad2d(pad),
        nn.Conv2d(inputs, outputs, kernel, stride, groups=groups, bias=bias),
        nn.GroupNorm(1, outputs),
        nn.LeakyReLU(0.2),
    ]


class PublishedBlock(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        wide = inputs * 2
        self.residual = inputs == outputs
        self.layers = nn.Sequential(
            nn.Sequential(*published_unit(inputs, wide, 1, pad=0)),
            nn.Sequential(*published_unit(wide, wide, groups=wide, bias=True)),
            nn.Conv2d(wide, outputs, 1, bias=False),
            nn.GroupNorm(1, outputs),
        )

    def forward(self, x):
        return x + self.layers(x) if self.residual else self.layers(x)


class Published(nn.Module):
    """AnimeGANv2 written a second time, from the published description: the oracle of the importer."""

    def __init__(self) -> None:
        super().__init__()

        def unit(*args, **kwargs):
            return nn.Sequential(*published_unit(*args, **kwargs))

        right_bottom = (0, 1, 0, 1)
        self.block_a = nn.Sequential(unit(3, 32, 7, pad=3), unit(32, 64, 3, 2, right_bottom), unit(64, 64))
        self.block_b = nn.Sequential(unit(64, 128, 3, 2, right_bottom), unit(128, 128))
        self.block_c = nn.Sequential(
            unit(128, 128), PublishedBlock(128, 256), *(PublishedBlock(256, 256) for _ in range(3)), unit(256, 128)
        )
        self.block_d = nn.Sequential(unit(128, 128), unit(128, 128))
        self.block_e = nn.Sequential(unit(128, 64), unit(64, 64), unit(64, 32, 7, pad=3))
        self.out_layer = nn.Sequential(nn.Conv2d(32, 3, 1, bias=False), nn.Tanh())

    def forward(self, x):
        half = self.block_a(x)
        deep = self.block_c(self.block_b(half))
        up = self.block_d(F.interpolate(deep, half.shape[-2:], mode="bilinear", align_corners=True))
        return self.out_layer(self.block_e(F.interpolate(up, x.shape[-2:], mode="bilinear", align_corners=True)))


@pytest.fixture(scope="module")
def published() -> Published:
    torch.manual_seed(1)
    network = Published().eval()
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim == 1:  # norms that do nothing would hide a swapped key
                parameter.add_(torch.randn_like(parameter) * 0.1)
    return network


def test_published_size():
    assert parameters(Generator(animeganv2())) == 2_143_552


@pytest.mark.parametrize("size", [(48, 64), (51, 67)])
def test_published_state_dict_imports_and_gives_the_same_picture(published, tmp_path, size):
    torch.save(published.state_dict(), tmp_path / "face_paint.pt")
    photo = torch.rand(1, 3, *size) * 2 - 1
    with torch.no_grad():
        torch.testing.assert_close(import_generator(tmp_path / "face_paint.pt")(photo), published(photo))


def test_import_refuses_what_is_no_state_dict(tmp_path):
    (tmp_path / "text.pt").write_text("no weights here")
    torch.save({"weight": torch.zeros(3)}, tmp_path / "other.pt")
    for name in ("text.pt", "other.pt", "absent.pt"):
        with pytest.raises(CheckpointError, match=name):
            import_generator(tmp_path / name)


def test_import_never_runs_pickled_code(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (tmp_path.joinpath("exploded").write_text, ("boom",))

    torch.save(Bomb(), tmp_path / "bomb.pt")
    with pytest.raises(CheckpointError):
        import_generator(tmp_path / "bomb.pt")
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("arch", [animeganv2(), lite(), lite(tail="resize"), lite(norm="none", upsample="nearest")])
def test_costs_follow_from_the_description(arch):
    network = Generator(arch).eval()
    counted = []
    for conv in convolutions(network).values():
        conv.register_forward_hook(lambda c, _, out: counted.append(out[0, 0].numel() * c.weight.numel()))
    network(torch.zeros(1, 3, 64, 64))
    assert count_parameters(arch) == parameters(network)
    assert count_macs(arch, 64) == sum(counted)


def test_published_macs():
    assert round(count_macs(animeganv2()) / 1e9) == 105


@pytest.mark.parametrize("size", [(8, 8), (48, 64), (51, 67), (9, 50)])
@pytest.mark.parametrize(
    "arch",
    [
        animeganv2(0.25),
        replace(animeganv2(0.25), upsample="half_pixel"),
        lite(),
        lite(tail="resize"),
        lite(upsample="nearest"),
        lite(upsample="half_pixel"),
        lite(detail="gated"),
        lite(detail="gated", tail="resize", upsample="bilinear"),
        *(lite(padding="reflect", tail=tail, upsample=way) for tail in CHOICES["tail"] for way in CHOICES["upsample"]),
        lite(padding="reflect", detail="gated"),
    ],
)
def test_any_size_keeps_its_shape_and_range(arch, size):
    with torch.no_grad():
        anime = Generator(arch).eval()(torch.rand(1, 3, *size) * 2 - 1)
    assert anime.shape[-2:] == size
    assert anime.abs().max() <= 1


@pytest.mark.parametrize(("tail", "detail"), [("subpixel", "drawn"), ("resize", "drawn"), ("subpixel", "gated")])
def test_a_tile_equals_the_whole_beyond_the_receptive_radius(tail, detail):
    arch, photo = lite(upsample="half_pixel", tail=tail, detail=detail), torch.rand(1, 3, 288, 32) * 2 - 1
    generator = Generator(arch).eval()
    radius = receptive_radius(generator.arch)
    with torch.no_grad():
        whole, tile = generator(photo), generator(photo[:, :, 40:])
        assert radius < 120
        torch.testing.assert_close(tile[:, :, radius:], whole[:, :, 40 + radius :], atol=1e-5, rtol=0)
        photo[:, :, 40] += 5
        moved = (generator(photo) - whole).abs().amax((0, 1, 3)).nonzero().flatten()
    assert moved.min() >= 40 - radius
    assert moved.max() <= 40 + radius


@pytest.mark.parametrize("tail", ["subpixel", "resize"])
def test_a_gate_starts_closed_and_lets_the_photo_through_when_it_opens(photo, tail):
    drawn = Generator(lite(tail=tail)).eval()
    gated = with_gate(drawn)
    folded = with_gate(fold_batch_norm(drawn))
    with torch.no_grad():
        torch.testing.assert_close(gated(photo), drawn(photo))
        torch.testing.assert_close(folded(photo), drawn(photo), atol=1e-5, rtol=1e-5)
        folded.out.bias[-len(folded.out.bias) // 4 :] = 0.7  # the gate's channels are the last quarter
        made, wanted = folded(photo), torch.tanh(torch.atanh(drawn(photo).clamp(-0.99999, 0.99999)) + 0.7 * photo)
        torch.testing.assert_close(made, wanted, atol=1e-3, rtol=0)
        folded.out.bias[-len(folded.out.bias) // 4 :] = 1.0
        folded.out.weight.zero_()
        torch.testing.assert_close(folded(photo), torch.tanh(photo))


def test_folded_batch_norm_gives_equal_pictures(student, photo):
    with torch.no_grad():
        torch.testing.assert_close(fold_batch_norm(student)(photo), student(photo), atol=1e-5, rtol=1e-5)
    assert fold_batch_norm(student).arch.norm == "none"


def test_only_batch_norm_folds():
    with pytest.raises(ValueError, match="group"):
        fold_batch_norm(Generator(animeganv2(0.25)))


def test_checkpoint_rebuilds_itself(student, photo, tmp_path):
    save_generator(tmp_path / "x.safetensors", student, origin="test")
    again = load_generator(tmp_path / "x.safetensors")
    assert again.arch == student.arch
    assert torch.equal(again(photo), student(photo))
    assert read_notes(tmp_path / "x.safetensors") == {"origin": "test"}
    assert [file.name for file in tmp_path.iterdir()] == ["x.safetensors"]


def test_equal_networks_make_equal_files(student, tmp_path):
    for index in range(8):
        save_generator(tmp_path / f"{index}.safetensors", student, origin="test", step=3)
    assert len({file.read_bytes() for file in tmp_path.iterdir()}) == 1


def test_broken_checkpoints_are_named(student, tmp_path):
    good = tmp_path / "good.safetensors"
    save_generator(good, student)
    (tmp_path / "cut.safetensors").write_bytes(good.read_bytes()[:1000])
    (tmp_path / "empty.safetensors").write_bytes(b"")
    for name in ("cut", "empty", "absent"):
        with pytest.raises(CheckpointError, match=name):
            load_generator(tmp_path / f"{name}.safetensors")


def test_discriminator_is_spectrally_normed_and_judges_patches():
    discriminator = Discriminator(32).train()
    for _ in range(30):  # power iterations
        logits = discriminator(torch.rand(2, 3, 64, 48) * 2 - 1)
    assert logits.shape == (2, 1, 16, 12)
    norms = [torch.linalg.matrix_norm(c.weight.flatten(1), 2) for c in convolutions(discriminator).values()]
    assert max(norms) < 1.1


def test_the_projected_discriminator_reads_every_map_and_trains_nothing_else():
    perceptual = load_perceptual("embedded")
    discriminator = ProjectedDiscriminator.on(perceptual, 8).eval()
    picture = torch.rand(2, 3, 64, 32) * 2 - 1
    maps = perceptual(picture)
    logits = discriminator(maps)
    assert logits.shape == (2, len(maps), 8, 4)
    assert set(discriminator.heads) == set(maps)
    for name in maps:  # each head hears its own map, and no other
        changed = discriminator(maps | {name: maps[name] + 1})
        heard = (changed - logits).abs().amax((0, 2, 3)) > 1e-6
        assert heard.tolist() == [other == name for other in maps]
    assert not any(key.startswith("perceptual") for key in discriminator.state_dict())


def test_unfolding_gives_batch_norms_back():
    torch.manual_seed(0)
    network = Generator(lite()).eval()
    for norm in (module for module in network.modules() if isinstance(module, nn.BatchNorm2d)):
        norm.running_mean.normal_(0, 0.2)
        norm.running_var.uniform_(0.5, 2)
    back = unfold_batch_norm(fold_batch_norm(network), network.arch)
    assert back.arch == network.arch
    photo = torch.rand(1, 3, 24, 32) * 2 - 1
    with torch.no_grad():
        torch.testing.assert_close(back(photo), network(photo), atol=1e-5, rtol=0)
