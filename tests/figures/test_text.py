from math import inf, nan

import pytest

from anime_model.figures.text import NONE, TEXTS, interval, number, text
from anime_model.report.figures import FIGURES
from flows.pipeline.results import FIGURES as IN_FLOWS
from flows.registry.gates import AT_MOST, Gate

OTHERWISE = {"parameters", "psnr"}  # shorter in the report, whose heads have the unit


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("parameters", 2143552, "2,143,552"),
        ("bytes", 8_601_234, "8.60 MB"),
        ("bytes", 16_400_000, "16 MB"),
        ("latency_p50_ms", 69.84, "69.8 ms"),
        ("latency_p50_ms", 2292.4, "2292 ms"),
        ("fid", 0.01234, "0.0123"),
        ("fid", 1234.5, "1234"),
        ("lpips", 0.1, "0.100"),
        ("psnr", 31.46, "31.5 dB"),
        ("psnr", inf, NONE),
        ("kid", nan, NONE),
        ("ssim", None, NONE),
        ("fid", "unknown", NONE),
    ],
)
def test_a_figure_is_written_by_its_key(key, value, expected):
    assert text(key, value) == expected


def test_report_flows_and_studio_write_alike():
    from anime_app.studio.sheet import COLUMNS

    assert {figure.key for figure in FIGURES if figure.text is not TEXTS[figure.key]} == OTHERWISE
    assert set(IN_FLOWS.values()) | {key for key, _ in COLUMNS} <= TEXTS.keys()


@pytest.mark.parametrize(
    ("value", "expected"),
    [(None, NONE), ("good", "good"), (True, "True"), (1234567, "1,234,567"), (20.0, "20"), (0.1234567, "0.123457")],
)
def test_any_other_figure(value, expected):
    assert number(value) == expected


def test_a_gate_says_its_interval_where_there_is_one():
    gate = Gate("latency_ratio", 1.0625, AT_MOST, 1.5, low=0.98765, high=1.1)
    assert gate.summary == "passed: 1.0625 (0.9877 to 1.1), at most 1.5"
    assert interval(0.9, None) == interval(nan, 1.0) == ""
    assert Gate("bytes", 2_143_552, AT_MOST, 2e6).summary == "failed: 2,143,552, at most 2,000,000"
