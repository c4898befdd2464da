import numpy as np
import pytest
import torch

from anime_model.metrics.downloads import EvaluationError
from anime_model.metrics.fid import features_of, frechet_and_kernel, load_features

INCEPTION = "weights-inception-2015-12-05-6726825d.pth"


def mean_colour(pictures: torch.Tensor) -> torch.Tensor:
    """Features with a closed form: the mean of every channel."""
    return pictures.double().mean((2, 3))


def test_equal_covariances_leave_the_squared_distance_of_the_means():
    draw = np.random.default_rng(0)
    real = draw.integers(0, 200, (50, 8, 8, 3), dtype=np.uint8)
    fake = real + np.array([3, 4, 12], dtype=np.uint8)
    sides = [features_of(list(side), mean_colour, "mean") for side in (fake, real)]
    found = frechet_and_kernel(*sides, "mean")
    assert found["fid"] == pytest.approx(3**2 + 4**2 + 12**2, rel=1e-6)
    assert (found["fid_features"], found["fid_real"], found["fid_fake"]) == ("mean", 50, 50)


def test_equal_means_leave_the_difference_of_the_deviations():
    real = torch.tensor([[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]] * 4, dtype=torch.float64)
    found = frechet_and_kernel(3 * real, real, "square")
    assert found["fid"] == pytest.approx((3 - 1) ** 2 * float(real.var(0).sum()), rel=1e-6)


def test_kid_against_its_definition():
    """The unbiased estimator over all pictures of both sides, with the kernel (x y / D + 1) ** 3."""
    draw = np.random.default_rng(1)
    a, b = draw.normal(size=(6, 4)), draw.normal(1, 1, size=(6, 4))

    def kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return (x @ y.T / 4 + 1) ** 3

    within = sum((kernel(x, x).sum() - np.trace(kernel(x, x))) / (6 * 5) for x in (a, b))
    expected = within - 2 * kernel(a, b).mean()
    found = frechet_and_kernel(torch.from_numpy(a), torch.from_numpy(b), "normal")
    assert found["kid"] == pytest.approx(expected, rel=1e-9)


def test_features_keep_the_order_of_pictures_of_mixed_sizes():
    sizes = [(8, 8), (8, 8), (4, 6), (8, 8)] + 30 * [(3, 3)]
    pictures = [np.full((*size, 3), i, dtype=np.uint8) for i, size in enumerate(sizes)]
    assert features_of(pictures, mean_colour, "mean")[:, 0].tolist() == list(range(34))


def test_refusals():
    with pytest.raises(EvaluationError, match="choose one of embedded"):
        load_features("vgg")
    with pytest.raises(EvaluationError, match="two pictures or more on each side, not 1 and 2"):
        frechet_and_kernel(torch.zeros(1, 3), torch.zeros(2, 3), "x")
    with pytest.raises(EvaluationError, match="'broken' are not finite"):
        features_of([np.zeros((4, 4, 3), np.uint8)], lambda pictures: mean_colour(pictures) / 0, "broken")


def test_one_line_when_weights_are_missing(no_network):
    with pytest.raises(EvaluationError, match=r"Inception-v3 \(FID\) can be neither read nor downloaded"):
        load_features("inception-768")


def test_agrees_with_torch_fidelity_from_end_to_end(torch_home):
    torch_home(INCEPTION)
    from torch_fidelity import calculate_metrics

    draw = np.random.default_rng(2)
    fake, real = draw.integers(0, 256, (2, 5, 32, 32, 3), dtype=np.uint8)
    expected = calculate_metrics(
        input1=_dataset(fake), input2=_dataset(real), fid=True, kid=True, feature_layer_fid="64",
        feature_layer_kid="64", kid_subset_size=5, cuda=False, save_cpu_ram=True, verbose=False,
    )  # fmt: skip
    extract = load_features("inception-64")
    sides = [features_of(list(side), extract, "inception-64") for side in (fake, real)]
    found = frechet_and_kernel(*sides, "inception-64")
    assert found["fid"] == pytest.approx(expected["frechet_inception_distance"], rel=1e-4)
    assert found["kid"] == pytest.approx(expected["kernel_inception_distance_mean"], rel=1e-4)


def _dataset(pictures: np.ndarray) -> torch.utils.data.Dataset:
    tensors = torch.from_numpy(pictures.transpose(0, 3, 1, 2).copy())
    return type("Pictures", (torch.utils.data.Dataset,), {
        "__len__": lambda _: len(tensors), "__getitem__": lambda _, i: tensors[i]
    })()  # fmt: skip
