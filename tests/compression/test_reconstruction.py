"""A student that is fitted to its teacher layer by layer draws like it before any training."""

from dataclasses import replace

import pytest
import torch

from anime_model.compression.norms import gather_statistics
from anime_model.compression.reconstruction import reconstruct
from anime_model.compression.separable import replace_convs
from anime_model.metrics.fidelity import psnr
from anime_model.networks.architecture import animeganv2
from anime_model.networks.generator import Generator, with_gate
from anime_model.recipes.replace_convs import ReplaceSettings

ALIKE = {"activation": "leaky_relu", "padding": "reflect", "tail": "resize"}


@pytest.fixture
def teacher() -> Generator:
    torch.manual_seed(3)
    network = Generator(animeganv2(0.125)).eval()
    network.out.weight.data *= 3  # as a trained one's, its pictures fill their range
    return network


@pytest.fixture
def photos() -> torch.Tensor:
    torch.manual_seed(4)
    coarse = torch.rand(6, 3, 12, 16) * 2 - 1
    return torch.nn.functional.interpolate(coarse, (48, 64), mode="bicubic").clamp(-1, 1)


def test_what_batch_norms_can_express_is_found_exactly(teacher, photos):
    """But for the ridge. The teacher's norms see a picture at a time: for one picture, they are batch norms."""
    student = replace_convs(teacher, ReplaceSettings(layers=(), **ALIKE))
    reconstruct(student, teacher, photos[:1])
    torch.testing.assert_close(student(photos[:1]), teacher(photos[:1]), atol=1e-2, rtol=0)


@pytest.mark.parametrize("gated", [False, True])
@pytest.mark.parametrize("changes", [{}, {"stem": "strided"}, {"upsample": "bilinear"}, ALIKE])
def test_it_begins_nearer_than_by_statistics_alone(teacher, photos, changes, gated):
    if gated:
        teacher = with_gate(teacher)
        teacher.out.weight.data[3:] = 0.1
    settings = ReplaceSettings(layers=("a2", "b0", "b1", "c0", "c5", "d0", "d1", "e0", "e1", "e2"), **changes)
    settings = replace(settings, detail="gated" if gated else "drawn")
    wanted = teacher(photos)
    gathered, fitted = (replace_convs(teacher, settings, photos) for _ in range(2))
    gather_statistics(gathered, photos.split(2))
    reconstruct(fitted, teacher, photos[..., :46, :61])
    assert psnr(fitted(photos), wanted) > psnr(gathered(photos), wanted) + 3
    assert not fitted.training


def test_a_gate_that_the_teacher_has_not_stays_closed(teacher, photos):
    student = replace_convs(teacher, ReplaceSettings(layers=("e2",), detail="gated"), photos)
    reconstruct(student, teacher, photos)
    assert student.out.weight[12:].abs().max() == 0
    assert student.out.weight[:12].abs().max() > 0


def test_many_photos_take_the_memory_of_few(teacher, photos, monkeypatch):
    seen = []
    monkeypatch.setattr("anime_model.compression.reconstruction.PIXELS", 2 * 48 * 64)
    student = replace_convs(teacher, ReplaceSettings(layers=("e2",)))
    teacher.register_forward_pre_hook(lambda network, given: seen.append(given[0]))
    reconstruct(student, teacher, photos)
    assert torch.equal(seen[0], photos[[0, 5]])


def test_only_batch_norms_take_up_a_fit(teacher, photos):
    with pytest.raises(ValueError, match="only batch norms can take up a fit; this network has norm 'group'"):
        reconstruct(replace_convs(teacher, ReplaceSettings(layers=(), norm="group")), teacher, photos)
