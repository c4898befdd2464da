"""Photos on which a network fails most, found for a training."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from anime_model.networks.architecture import animeganv2
from anime_model.networks.checkpoint import save_generator
from anime_model.networks.generator import Generator
from anime_model.pictures.arrays import write_picture
from tools import hardest


def photo() -> Tensor:
    return torch.rand(1, 3, 320, 320, generator=torch.Generator().manual_seed(1)) * 2 - 1


def changed(height: int = 320, amount: float = 0.5, top: int = 96):
    """A network that moves a square, which a mean of the whole picture hardly sees, and adds nothing elsewhere."""

    def draw(picture: Tensor) -> Tensor:
        made = picture.clone()
        made[..., top : top + 32, 96:128] += amount
        return made

    return draw


def test_what_counts_is_where_the_model_changes_shapes():
    model = changed()
    there, elsewhere = (
        hardest.apart(photo(), changed(amount=0.2), model),
        hardest.apart(photo(), changed(top=256), model),
    )
    assert hardest.apart(photo(), model, model) == 0
    assert there > 4 * hardest.apart(photo(), lambda picture: model(picture) + 0.05, model)
    assert elsewhere > there, "a square that is missing and one that is too much are both seen"


def test_the_photos_that_differ_most_are_linked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    draw = np.random.default_rng(0)
    for index in range(5):
        write_picture(tmp_path / f"photos/{index}.png", draw.integers(0, 256, (40, 52, 3), dtype=np.uint8))
    torch.manual_seed(0)
    for name in ("lite", "model"):
        save_generator(tmp_path / f"{name}.safetensors", Generator(animeganv2(0.25)).eval())
    errors = iter([0.1, 0.5, 0.2, 0.9, 0.3])
    monkeypatch.setattr(hardest, "apart", lambda *given: next(errors))
    given = [str(tmp_path / name) for name in ("lite.safetensors", "model.safetensors", "photos")]
    hardest.main([*given, "2", str(tmp_path / "hard/photos")])
    linked = sorted((tmp_path / "hard/photos").iterdir())
    assert [file.name for file in linked] == ["1.png", "3.png"]
    assert linked[0].read_bytes() == (tmp_path / "photos/1.png").read_bytes()


def test_a_view_is_small_and_of_whole_multiples(tmp_path: Path):
    write_picture(tmp_path / "wide.png", np.zeros((700, 1100, 3), np.uint8))
    assert hardest.view(tmp_path / "wide.png").shape == (1, 3, 320, 496)
