import copy
from dataclasses import replace

import pytest
import torch

from anime_model.compression.distillation import HINTS, Adapters, distill
from anime_model.compression.norms import batch_norms
from anime_model.networks.generator import Generator
from anime_model.recipes.distillation import DistillSettings
from anime_model.training.loop import Training
from tests.support import lite

SETTINGS = DistillSettings(
    steps=20, batch=2, crop=32, rate=1e-3, weights={"pixel": 2.0, "content": 1.0, "style": 0.2, "feature": 0.3}
)


@pytest.mark.parametrize("freeze", [False, True])
def test_frozen_norms_keep_their_statistics_and_learn_their_scales(lesson, student, tmp_path, freeze):
    means, scales = ([getattr(n, key).clone() for n in batch_norms(student)] for key in ("running_mean", "weight"))
    distill("x", student, lesson, replace(SETTINGS, freeze_norm=freeze), Training(tmp_path / "scratch"))
    kept = [torch.equal(norm.running_mean, mean) for norm, mean in zip(batch_norms(student), means, strict=True)]
    assert all(kept) if freeze else not any(kept)
    assert not any(torch.equal(norm.weight, scale) for norm, scale in zip(batch_norms(student), scales, strict=True))
    assert not student.training


def test_kl_makes_its_share_and_the_loss_falls(lesson, tmp_path):
    torch.manual_seed(0)
    settings = replace(SETTINGS, steps=60, kl_share=0.2)
    curve = distill("x", Generator(lite()), lesson, settings, Training(tmp_path / "scratch"))
    assert all(row["kl_share"] == pytest.approx(0.2, abs=1e-4) for row in curve)
    assert curve[-1]["loss"] < 0.9 * curve[0]["loss"]
    without = distill("y", Generator(lite()), lesson, replace(SETTINGS, kl_share=0.0), Training(tmp_path / "scratch"))
    assert all(row["kl_share"] == 0 for row in without)


def test_a_student_leaves_as_surgery_expects_it(lesson, student, tmp_path):
    distill("x", student, lesson, replace(SETTINGS, steps=1), Training(tmp_path / "scratch"))
    assert all(parameter.is_contiguous() for parameter in student.parameters())


def test_adapters_begin_as_the_best_linear_maps(lesson):
    """From the teacher's own maps they give these back; from a student's, less is wrong than a mean would leave."""
    teacher, photos = lesson.teacher, lesson.photos.fixed(4, 32)
    wanted = teacher.features(photos)
    for student, most in ((copy.deepcopy(teacher), 0.01), (Generator(lite()).eval(), 1.0)):
        adapters = Adapters(student, teacher)
        adapters.fit(student, teacher, photos)
        made = adapters(student.features(photos))
        for name in HINTS:
            wrong = (made[name] - wanted[name]).square().mean() / wanted[name].var((0, 2, 3)).mean()
            assert wrong < most


def test_fitted_adapters_lead_a_good_student_less_astray(lesson, tmp_path, monkeypatch):
    """A copy of the teacher has nothing to learn; what it forgets in the first steps is due to the adapters."""
    curves = {}
    for name in ("fitted", "random"):
        student = copy.deepcopy(lesson.teacher).requires_grad_(True)
        curves[name] = distill("x", student, lesson, replace(SETTINGS, kl_share=0.2), Training(tmp_path / name))
        monkeypatch.setattr(Adapters, "fit", lambda *arguments: None)
    for fitted, random in zip(curves["fitted"], curves["random"], strict=True):
        assert fitted["feature"] < 0.3 * random["feature"]
        assert fitted["psnr"] > random["psnr"]
