"""What the gates let through: figures of real networks, by the embedded perceptual network."""

from math import inf, nan
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anime_model.recipes.evaluate import EvaluateSettings
from anime_model.recipes.promote import PromoteSettings
from anime_model.report.evaluate import compare
from flows.registry.gates import AT_LEAST, AT_MOST, Gate, gates
from tests.flows.promoting import draw_pictures, make_lite

SETTINGS = EvaluateSettings(latency_size=64, latency_threads=1, latency_repeats=3)
GAIN = 0.35


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Photos, and frames of a style that has no strong colours: what `make_lite(..., GAIN)` draws."""
    for seed, name in enumerate(("faces", "scenes")):
        draw_pictures(tmp_path / "photos/test" / name, 8, seed)
    draw_pictures(tmp_path / "frames", 16, 9)
    for file in (tmp_path / "frames").iterdir():
        faded = 127.5 + GAIN * (np.asarray(Image.open(file), float) - 127.5)
        Image.fromarray(faded.astype(np.uint8)).save(file)
    return tmp_path


def failed(found: list[Gate]) -> set[str]:
    return {gate.name for gate in found if not gate.passed}


def test_the_untouched_photo_is_refused_with_and_without_a_champion(data: Path):
    """A network that changes nothing, beside a teacher that changes nothing: every figure to the teacher is perfect."""
    same = make_lite(data / "same.onnx", 1.0)
    figures = compare({"challenger": same, "champion": same}, same, data, SETTINGS)
    own = figures["challenger"]
    assert (own["lpips"], own["ssim"]) == (pytest.approx(0, abs=1e-6), pytest.approx(1))
    assert failed(gates(PromoteSettings(), own)) == {"style_share", "lpips_photo"}
    assert failed(gates(PromoteSettings(latency_ratio=None), own, figures["champion"])) == {
        "style_share",
        "lpips_photo",
    }


def test_a_network_that_draws_in_the_style_passes(data: Path):
    teacher, lite = make_lite(data / "teacher.onnx", GAIN), make_lite(data / "lite.onnx", GAIN + 0.01)
    own = compare({"challenger": lite}, teacher, data, SETTINGS)["challenger"]
    found = {gate.name: gate for gate in gates(PromoteSettings(), own)}
    assert failed(list(found.values())) == set()
    assert found["style_share"].figure == own["fid_share_scenes"] < 0.5
    assert (found["style_share"].rule, found["lpips_photo"].rule) == (AT_MOST, AT_LEAST)


def test_a_network_that_is_far_from_the_photo_and_from_the_style_is_refused(data: Path):
    negative = make_lite(data / "negative.onnx", -1.0)
    own = compare({"challenger": negative}, negative, data, SETTINGS)["challenger"]
    assert failed(gates(PromoteSettings(), own)) == {"style_share"}


def test_all_sets_count_where_none_is_called_scenes():
    figures = {"fid_share": 0.8, "lpips_photo": 0.2, "psnr": 30.0}
    assert failed(gates(PromoteSettings(), figures)) == set()
    assert failed(gates(PromoteSettings(), figures | {"fid_share_scenes": 0.95})) == {"style_share"}
    assert failed(gates(PromoteSettings(), {"psnr": 30.0})) == {"style_share", "lpips_photo"}, "no figure, no pass"
    assert gates(PromoteSettings(style_share=None, lpips_photo=None, psnr=None), {}) == []


@pytest.mark.parametrize(("low", "high", "passed"), [(1.4, 1.7, True), (1.51, 1.7, False), (nan, nan, False)])
def test_a_network_is_too_slow_where_the_whole_interval_is(low: float, high: float, passed: bool):
    ratio = {"latency_ratio": 1.6, "latency_ratio_low": low, "latency_ratio_high": high}
    plain = {"fid": 1.0, "lpips": 0.1, "fid_share": 0.5, "lpips_photo": 0.3}
    found = {gate.name: gate for gate in gates(PromoteSettings(), plain | ratio, plain)}
    assert found["latency_ratio"].passed == passed
    shown = f"1.6 ({low:g} to {high:g})" if high == 1.7 else "1.6"
    assert found["latency_ratio"].summary == f"{'passed' if passed else 'failed'}: {shown}, at most 1.5"


@pytest.mark.parametrize(("rule", "inside", "outside"), [(AT_MOST, 1.999, 2.001), (AT_LEAST, 2.001, 1.999)])
def test_a_bound_itself_passes_and_what_is_beyond_does_not(rule: str, inside: float, outside: float):
    assert Gate("x", inside, rule, 2.0).passed
    assert Gate("x", 2.0, rule, 2.0).passed
    assert not Gate("x", outside, rule, 2.0).passed
    assert not Gate("x", nan, rule, 2.0).passed


@pytest.mark.parametrize(
    ("gate", "good", "bad"),
    [
        ("bytes", {"bytes": 500}, {"bytes": 1500}),
        ("latency_p95_ms", {"latency_p95_ms": 40}, {"latency_p95_ms": 60}),
        ("fid", {"fid": 90}, {"fid": 110}),
        ("lpips", {"lpips": 0.2}, {"lpips": 0.4}),
        ("psnr", {"psnr": 25}, {"psnr": 15}),
        ("lpips_photo", {"lpips_photo": 0.2}, {"lpips_photo": 0.01}),
        ("style_share", {"fid_share": 0.5}, {"fid_share": 0.95}),
        ("fid_to_champion", {"fid": 82}, {"fid": 88}),  # the champion's is 80, 1.05 times it 84
        ("lpips_to_champion", {"lpips": 0.2}, {"lpips": 0.22}),
    ],
)
def test_each_gate_refuses_the_worse_side(gate: str, good: dict, bad: dict):
    settings = PromoteSettings(bytes=1000, latency_p95_ms=50, fid=100, lpips=0.3, psnr=20)
    champion = {"fid": 80, "lpips": 0.2}
    assert gate not in failed(gates(settings, good, champion))
    assert gate in failed(gates(settings, bad, champion))


@pytest.mark.parametrize(("panel", "passed"), [(3.2, True), (3.0, True), (2.9, False), (None, True)])
def test_people_must_like_it_where_they_were_asked(panel: float | None, passed: bool):
    assert ("panel" not in failed(gates(PromoteSettings(), {}, panel=panel))) == passed


def test_no_ratio_was_measured_is_no_pass():
    plain = {"fid": 1.0, "lpips": 0.1, "fid_share": 0.5, "lpips_photo": 0.3}
    assert failed(gates(PromoteSettings(), plain, plain)) == {"latency_ratio"}


def test_a_row_is_json():
    row = Gate("psnr", inf, AT_LEAST, 20.0).row()
    assert (row["figure"], row["low"], row["passed"]) == (None, None, True)
