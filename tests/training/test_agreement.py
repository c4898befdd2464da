"""The figures that say how well the embedded network follows the real ones."""

import numpy as np
import pytest
import torch
from PIL import Image

from anime_model.training import agreement


def test_pearson_from_sums_is_pearson() -> None:
    a, b = np.random.default_rng(0).normal(size=(2, 3, 500))
    moments = torch.tensor(np.stack([np.ones_like(a), a, b, a * a, b * b, a * b]).sum(2))
    wanted = [np.corrcoef(one, other)[0, 1] for one, other in zip(a, b, strict=True)]
    np.testing.assert_allclose(agreement._pearson(moments).numpy(), wanted, atol=1e-12)


def test_a_measure_agrees_with_itself_and_disagrees_with_its_opposite() -> None:
    x = np.arange(10.0)
    found = agreement._compare({"embedded": x, "lpips": x**3, "rmse": -x, "real_style": x, "made_style": 9 - x})
    assert found["spearman"] == 1
    assert 0.8 < found["pearson"] < 1
    assert found["rmse_spearman"] == -1
    assert found["style_spearman"] == -1


@pytest.mark.parametrize("make", [agreement.distorted_pairs, agreement.stylised_pairs])
def test_pairs_are_of_one_size_and_repeat(make) -> None:
    pictures = [Image.effect_noise(size, 60).convert("RGB") for size in ((150, 200), (300, 140))]
    first, again = make(pictures), make(pictures)
    assert len(first) in (4 * 2, len(agreement.STYLISED) * 2)
    assert all(picture.size == (agreement.SIZE, agreement.SIZE) for pair in first for picture in pair)
    assert all(a[1].tobytes() == b[1].tobytes() for a, b in zip(first, again, strict=True))


def test_losses_of_equal_maps_are_zero() -> None:
    maps = {"relu2_1": torch.randn(3, 8, 6, 6)}
    assert all((loss == 0).all() for loss in agreement._losses("made", maps, maps).values())


def test_cost_counts_the_gradient() -> None:
    class Maps(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
            return {"relu1_1": x.square()}

    cost = agreement.cost(Maps(), size=16, batch=1, repeats=3)
    assert 0 <= cost["forward_ms"] <= cost["with_gradient_ms"]
