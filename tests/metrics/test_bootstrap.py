import numpy as np
import pytest
import torch

from anime_model.metrics import bootstrap
from anime_model.metrics.bootstrap import interval, resample
from anime_model.metrics.fid import frechet_and_kernel


def normal(seed: int, count: int, features: int = 6, shift: float = 0.0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(shift, 1, (count, features)))


@pytest.mark.parametrize(("fakes", "reals"), [(30, 50), (50, 30), (3, 9)])
def test_fid_of_all_pictures_is_that_of_torch_fidelity(fakes: int, reals: int):
    fake, real = normal(0, fakes, shift=0.5), normal(1, reals)
    found = bootstrap._Sides(fake.numpy(), real.numpy()).fid(np.ones(fakes))
    assert found == pytest.approx(frechet_and_kernel(fake, real, "normal")["fid"], rel=1e-5)


def test_kid_of_two_sides_of_one_size_is_that_of_torch_fidelity():
    fake, real = normal(0, 20, shift=0.5), normal(1, 20)
    found = bootstrap._Sides(fake.numpy(), real.numpy()).kid(np.ones(20))
    assert found == pytest.approx(frechet_and_kernel(fake, real, "normal")["kid"], rel=1e-9)


def test_a_resample_is_the_figure_of_the_rows_that_it_names():
    fake, real = normal(0, 12, shift=0.5), normal(1, 20)
    weights = np.array([0, 3, 1, 1, 0, 2, 1, 1, 0, 1, 1, 1.0])
    repeated = fake[np.repeat(np.arange(12), weights.astype(int))]
    assert bootstrap._Sides(fake.numpy(), real.numpy()).fid(weights) == pytest.approx(
        frechet_and_kernel(repeated, real, "x")["fid"], rel=1e-5
    )


@pytest.mark.parametrize("key", ["fid", "kid"])
def test_the_deviation_is_that_of_other_collections(key: str):
    """The oracle: as many other collections of the same kind, drawn anew."""
    real = normal(99, 200)
    others = [
        getattr(bootstrap._Sides(normal(seed, 60, shift=0.4).numpy(), real.numpy()), key)(np.ones(60))
        for seed in range(60)
    ]
    found = [getattr(resample(normal(seed, 60, shift=0.4), real, [1] * 60), key).std() for seed in range(6)]
    assert np.mean(found) == pytest.approx(np.std(others), rel=0.35)


def test_the_interval_is_about_the_figure_though_resamples_are_too_large():
    fake, real = normal(0, 40, shift=0.4), normal(1, 100)
    found = resample(fake, real, [1] * 40)
    fid = frechet_and_kernel(fake, real, "x")["fid"]
    low, high = interval(fid, found.fid)
    assert low < fid < high
    assert found.fid.mean() > fid, "a resample has fewer different pictures"


def test_cuts_of_one_picture_stay_together():
    """Twenty pictures of ten equal cuts say as little as twenty pictures, not as much as two hundred."""
    fake, real = normal(0, 20, shift=0.4), normal(1, 100)
    cut = fake.repeat_interleave(10, 0)
    together = resample(cut, real, [10] * 20).kid.std()
    apart = resample(cut, real, [1] * 200).kid.std()
    assert together > 2 * apart


def test_the_same_seed_draws_the_same_pictures():
    fake, real = normal(0, 30), normal(1, 30)
    a, b = resample(fake, real, [1] * 30), resample(2 * fake, real, [1] * 30)
    assert (resample(fake, real, [1] * 30).fid == a.fid).all()
    assert np.corrcoef(a.kid, b.kid)[0, 1] > 0.3, "pair by pair"


def test_halving_shows_a_bias_that_fewer_pictures_make_larger():
    real = normal(99, 400)
    few, many = (resample(normal(0, count), real, [1] * count).halving for count in (20, 200))
    assert few > 3 * many > 0
    assert np.isnan(resample(normal(0, 3), real, [1] * 3).halving)


def test_what_does_not_add_up_is_refused():
    with pytest.raises(ValueError, match="3 cuts of 2 features against 4"):
        resample(normal(0, 2), normal(1, 4), [3])
