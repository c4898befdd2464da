import math

import numpy as np
import pytest
import torch

from anime_model.metrics.batches import pairs
from anime_model.metrics.fidelity import fidelity, psnr, ssim


def noise(seed: int, *shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_equal_pictures():
    a = noise(0, 2, 3, 24, 32)
    assert psnr(a, a) == math.inf
    assert ssim(a, a) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("step", [1, 5, 64])
def test_psnr_of_a_constant_difference(step: int):
    a = torch.full((1, 3, 16, 16), 100, dtype=torch.uint8)
    expected = 20 * math.log10(255 / step)
    assert float(psnr(a, a + step)) == pytest.approx(expected, abs=1e-4)
    assert float(psnr(a / 127.5 - 1, (a + step) / 127.5 - 1)) == pytest.approx(expected, abs=1e-3)


def test_psnr_is_the_mean_over_pictures():
    a, b = torch.zeros(2, 3, 8, 8), torch.zeros(2, 3, 8, 8)
    b[0], b[1] = 0.2, 0.002
    assert float(psnr(a, b)) == pytest.approx((20 + 60) / 2, abs=1e-3)


def test_ssim_of_flat_pictures_is_the_luminance_term():
    a, b = 0.25, 0.75
    flat = [torch.full((1, 3, 16, 16), 2 * value - 1) for value in (a, b)]
    assert float(ssim(*flat)) == pytest.approx((2 * a * b + 1e-4) / (a * a + b * b + 1e-4), abs=1e-5)


def test_ssim_agrees_with_scikit_image():
    metrics = pytest.importorskip("skimage.metrics", reason="scikit-image is not installed")
    draw = np.random.default_rng(3)
    a = draw.integers(0, 256, (40, 31, 3), dtype=np.uint8)
    b = (a * 0.8 + draw.integers(0, 50, a.shape)).astype(np.uint8)
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "channel_axis": 2}
    expected = metrics.structural_similarity(a, b, data_range=255, **options)
    found = fidelity(pairs([a], [b]))
    assert found["ssim"] == pytest.approx(expected, abs=2e-5)
    assert found["psnr"] == pytest.approx(metrics.peak_signal_noise_ratio(a, b, data_range=255), abs=1e-4)


def test_ssim_trains():
    a = noise(1, 1, 3, 16, 16).requires_grad_()
    ssim(a, noise(2, 1, 3, 16, 16)).backward()
    assert a.grad.isfinite().all()
    assert a.grad.abs().sum() > 0


def test_means_over_pictures_of_mixed_sizes():
    draw = np.random.default_rng(4)
    shapes = [(16, 16, 3), (16, 16, 3), (12, 20, 3)]
    a, b = ([draw.integers(0, 256, shape, dtype=np.uint8) for shape in shapes] for _ in range(2))
    alone = [fidelity(pairs([x], [y])) for x, y in zip(a, b, strict=True)]
    for key, value in fidelity(pairs(a, b)).items():
        assert value == pytest.approx(np.mean([found[key] for found in alone]), rel=1e-5)


def test_refusals():
    small = torch.zeros(1, 3, 8, 8)
    with pytest.raises(ValueError, match="11 x 11"):
        ssim(small, small)
    with pytest.raises(ValueError, match="not a pair"):
        psnr(small, torch.zeros(1, 3, 8, 9))
    with pytest.raises(ValueError, match="at least one pair"):
        fidelity([])
    with pytest.raises(ValueError, match="pairs of one size"):
        pairs([np.zeros((12, 12, 3), np.uint8)], [np.zeros((12, 13, 3), np.uint8)])
