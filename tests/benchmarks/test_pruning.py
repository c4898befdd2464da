import pytest
import torch

from anime_model.compression.norms import gather_statistics
from anime_model.compression.separable import replace_convs
from anime_model.networks.architecture import animeganv2
from anime_model.networks.cost import count_macs
from anime_model.networks.generator import Generator
from anime_model.recipes.prune import PruneSettings
from anime_model.recipes.replace_convs import ReplaceSettings
from benchmarks.pruning import judged, trials


def test_every_rule_is_tried_at_every_share(photo):
    teacher = Generator(animeganv2(0.25)).eval()
    student = replace_convs(teacher, ReplaceSettings(layers=("d0", "e1")))
    gather_statistics(student, [photo])
    whole = count_macs(student.arch)
    first, *rows = trials(student, teacher, photo, photo, PruneSettings(keep=0.5, rounds=2))
    assert (first["rule"], first["macs_512"]) == ("before", whole)
    assert [row["rule"] for row in rows] == 2 * ["chance", "l1", "taylor, nobody stands in", "taylor"]
    for share, cuts in ((0.5**0.5, rows[:4]), (0.5, rows[4:])):
        assert all(0.6 * share * whole < row["macs_512"] <= share * whole for row in cuts)
    psnrs = {round(row["psnr"], 2) for row in rows[4:]}
    assert len(psnrs) == 4  # the rules differ


def test_the_error_of_grey_is_all_of_the_colour():
    class Grey(Generator):
        def forward(self, photo: torch.Tensor) -> torch.Tensor:
            return photo.mean(1, keepdim=True).expand_as(photo)

    colours = torch.tensor([0.5, -0.25, -0.25]).reshape(1, 3, 1, 1).expand(1, 3, 16, 16)
    found = judged(Grey(animeganv2(0.125)), colours, colours)
    assert found["colour_error"] == pytest.approx(1, rel=1e-4)
