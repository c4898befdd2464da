import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from anime_model.compression.distillation import HINTS, Adapters, distill, with_kl
from anime_model.compression.norms import batch_norms
from anime_model.networks.architecture import animeganv2
from anime_model.networks.generator import Generator
from anime_model.recipes.distillation import DistillSettings
from anime_model.reference.drawing import draw_photos
from anime_model.training.drawn import Drawings
from anime_model.training.loop import Training
from anime_model.training.losses import channel_kl
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


def test_the_loss_falls_with_and_without_kl(lesson, tmp_path):
    torch.manual_seed(0)
    settings = replace(SETTINGS, steps=60, kl_share=0.2)
    curve = distill("x", Generator(lite()), lesson, settings, Training(tmp_path / "scratch"))
    assert all(row["kl_share"] > 0 for row in curve)
    assert curve[-1]["loss"] < 0.9 * curve[0]["loss"]
    without = distill("y", Generator(lite()), lesson, replace(SETTINGS, kl_share=0.0), Training(tmp_path / "scratch"))
    assert all(row["kl_share"] == 0 for row in without)


def test_the_kl_term_is_added_and_leads_to_the_teacher():
    """Its gradient is that of the divergence, scaled so that the term makes its share."""
    wanted = {name: torch.randn(2, 4, 3, 3) for name in HINTS}
    hints = {name: torch.randn(2, 4, 3, 3, requires_grad=True) for name in HINTS}
    others = torch.tensor(2.0)
    total, share = with_kl(others, hints, wanted, 0.2, 3.0)
    assert total.item() == pytest.approx(2.0 / 0.8)
    assert share.item() == pytest.approx(0.2)
    total.backward()
    kl = torch.stack([channel_kl(hints[name], wanted[name], 3.0) for name in HINTS]).mean()
    alone = torch.autograd.grad(kl, list(hints.values()))
    for hint, slope in zip(hints.values(), alone, strict=True):
        torch.testing.assert_close(hint.grad, slope * (0.5 / kl.item()), rtol=1e-4, atol=1e-6)


def test_a_penalty_is_added(lesson, tmp_path):
    ends = {}
    for weight in (0.0, 1.0):
        torch.manual_seed(0)
        student = Generator(lite())
        distill("x", student, lesson, SETTINGS, Training(tmp_path / f"{weight}"), lambda net, w=weight: w * scales(net))
        ends[weight] = scales(student).item()
    assert ends[1.0] < 0.995 * ends[0.0]


def scales(network: Generator) -> torch.Tensor:
    return torch.stack([norm.weight.abs().sum() for norm in batch_norms(network)]).sum()


@pytest.mark.parametrize("loss", ["edges", "colour", "gate"])
def test_every_loss_counts_with_its_weight(lesson, tmp_path, loss):
    found = {}
    for weight in (0.0, 2.5):
        torch.manual_seed(0)
        student = Generator(lite(detail="gated"))
        settings = replace(SETTINGS, steps=1, kl_share=0.0, weights={"pixel": 2.0, loss: weight})
        found[weight] = distill("x", student, lesson, settings, Training(tmp_path / f"{weight}", log_every=1))[0]
    assert loss not in found[0.0]
    assert found[2.5][loss] > 0
    assert found[2.5]["loss"] == pytest.approx(found[0.0]["loss"] + 2.5 * found[2.5][loss], rel=1e-5)


def test_a_gate_that_costs_lets_less_through_and_the_student_can_be_copied(lesson, tmp_path):
    torch.manual_seed(5)  # a teacher and photos that do not depend on the tests before
    lesson = replace(lesson, teacher=Generator(animeganv2(0.125)).eval())
    photo = lesson.photos.fixed(4, 40)
    opened = {}
    for weight in (0.0, 10.0):
        torch.manual_seed(0)
        student = Generator(lite(detail="gated"))
        distill(
            "x",
            student,
            lesson,
            replace(SETTINGS, rate=1e-2, steps=100, weights={"pixel": 1.0, "gate": weight}),
            Training(tmp_path / f"{weight}"),
        )
        made = []
        copied = copy.deepcopy(student)
        copied.out.register_forward_hook(lambda module, given, maps, kept=made: kept.append(maps))
        with torch.no_grad():
            copied(photo)
        opened[weight] = float(made[0][:, -made[0].shape[1] // 4 :].abs().mean())
    assert opened[10.0] < 0.8 * opened[0.0]


def test_a_critic_is_a_part_of_where_training_stands(lesson, tmp_path):
    settings = replace(SETTINGS, steps=8, rate=1e-4, critic=0.5)

    class Stopped(Exception):
        pass

    def stop(step, total, scalars):
        if step == 5:
            raise Stopped

    def trained(folder: str, **more) -> tuple[Generator, list]:
        torch.manual_seed(0)
        student = Generator(lite())
        training = Training(tmp_path / folder, 3, log_every=1, save_every=0, **more)
        return student, distill("x", student, lesson, settings, training)

    whole, curve = trained("whole")
    with pytest.raises(Stopped):
        trained("cut", on_step=stop)
    again, resumed = trained("cut")
    assert resumed == curve
    assert {"critic", "adversarial"} <= curve[0].keys()
    assert all(torch.equal(one, other) for one, other in zip(whole.parameters(), again.parameters(), strict=True))


def test_a_critic_turns_what_the_student_learns(lesson, tmp_path):
    ends = []
    for critic in (0.0, 0.5):
        torch.manual_seed(0)
        student = Generator(lite())
        curve = distill(
            "x",
            student,
            lesson,
            replace(SETTINGS, steps=1, critic=critic, kl_share=0.0),
            Training(tmp_path / f"{critic}", log_every=1),
        )
        ends.append((student, curve[0]["loss"]))
    assert ends[0][1] == pytest.approx(ends[1][1], rel=1e-5)  # its value is that of the distances
    assert not torch.equal(ends[0][0].out.weight, ends[1][0].out.weight)


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


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_share_of_the_pictures_is_the_published_networks_own(lesson, tmp_path, share):
    """With all of them, a student learns the drawings' colour, which the teacher does not have."""
    draw_photos(
        lambda picture: np.full_like(picture, (0, 255, 0)),
        tmp_path / "photos",
        tmp_path / "drawn",
        (1.0,),
        lambda *step: None,
    )
    lesson = replace(lesson, drawings=Drawings(tmp_path / "photos", tmp_path / "drawn"))
    settings = replace(SETTINGS, steps=40, rate=5e-3, weights={"pixel": 2.0}, kl_share=0.0, reference_share=share)
    torch.manual_seed(0)
    student = Generator(lite())
    distill("x", student, lesson, settings, Training(tmp_path / "scratch"))
    with torch.no_grad():
        red, strong, blue = student(lesson.photos.fixed(2, 32)).mean((0, 2, 3))
    assert (strong - max(red, blue) > 0.5) == bool(share)
