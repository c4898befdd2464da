import numpy as np
import pytest

from anime_model.metrics.downloads import EvaluationError
from anime_model.metrics.lpips import load_distance, lpips_distance
from anime_model.networks.perceptual import EMBEDDED

SQUEEZE = "squeezenet1_1-b8a52dc0.pth"


def pictures(seed: int) -> list[np.ndarray]:
    draw = np.random.default_rng(seed)
    return [draw.integers(0, 256, shape, dtype=np.uint8) for shape in ((64, 64, 3), (48, 80, 3))]


@pytest.mark.parametrize("net", ["embedded", "squeeze"])
def test_equal_pictures_are_at_distance_zero(net: str, torch_home):
    need(net, torch_home)
    distance = load_distance(net)
    found = lpips_distance(pictures(0), pictures(0), net, distance)
    assert found == {"lpips": pytest.approx(0, abs=1e-7), "lpips_net": net}
    assert lpips_distance(pictures(0), pictures(1), net, distance)["lpips"] > 0.01


def test_more_noise_is_further_away(torch_home):
    need("embedded", torch_home)
    smooth = np.linspace(60, 190, 64 * 64 * 3).reshape(64, 64, 3)
    noise = np.random.default_rng(0).normal(size=smooth.shape)
    noisy = [(smooth + noise * level).clip(0, 255).astype(np.uint8) for level in (0, 10, 40)]
    near, far = (lpips_distance([picture], noisy[:1], "embedded")["lpips"] for picture in noisy[1:])
    assert 0 < near < far


def test_one_line_when_weights_are_missing(no_network):
    with pytest.raises(EvaluationError, match=r"LPIPS \(squeeze\) can be neither read nor downloaded.*TORCH_HOME") as e:
        load_distance("squeeze")
    assert "\n" not in str(e.value)


def test_refusals():
    with pytest.raises(EvaluationError, match="choose one of embedded"):
        load_distance("resnet")
    with pytest.raises(EvaluationError, match="32 px"):
        lpips_distance([], [], "embedded")
    with pytest.raises(EvaluationError, match="not finite"):
        lpips_distance(pictures(0), pictures(0), "squeeze", lambda a, b: (a - b).mean((1, 2, 3)) / 0)


def need(net: str, torch_home) -> None:
    if net == "squeeze":
        torch_home(SQUEEZE)
    elif not EMBEDDED.is_file():
        pytest.skip("the embedded perceptual network is not trained yet")
