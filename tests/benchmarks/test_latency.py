import json
from hashlib import md5
from pathlib import Path

import pytest

from anime_model.networks.architecture import animeganv2
from anime_model.networks.cost import conv_costs, count_macs, count_traffic
from anime_model.networks.generator import Generator
from benchmarks.latency import SIZES, THREADS, best_seconds, is_former, kept, roofline_ms
from flows.machine.hashes import file_md5

ARCH = animeganv2(0.125)


def test_traffic_is_what_enters_and_leaves_every_convolution():
    first, second, *_ = conv_costs(ARCH)
    assert second.name == "layers.a1.conv"
    assert second.scale == 2  # it halves the picture
    values = 3 * 512**2 + 8 * 512**2 + first.weights + 8 * 512**2 + 8 * 256**2 + second.weights
    rest = list(conv_costs(ARCH))[2:]
    for conv in rest:
        scale_in = 2 if conv.name == "layers.b0.conv" else conv.scale
        values += conv.inputs * (512 // scale_in) ** 2 + conv.outputs * (512 // conv.scale) ** 2 + conv.weights
    assert count_traffic(ARCH) == 4 * values


def test_the_roofline_is_the_slower_of_arithmetic_and_memory():
    network = Generator(ARCH)
    arithmetic = roofline_ms(network, 1, peak=100, bandwidth=1e9)
    assert arithmetic == pytest.approx(2 * count_macs(ARCH) / 100e9 * 1e3)
    memory = roofline_ms(network, 2, peak=1e9, bandwidth=10)
    assert memory == pytest.approx(2 * count_traffic(ARCH) / 10e9 * 1e3)


def test_the_best_of_several_runs_counts():
    calls = []
    assert best_seconds(lambda: calls.append(1), repeats=3) >= 0
    assert len(calls) == 3


def test_a_run_that_was_cut_off_goes_on_and_one_of_other_files_starts_again(tmp_path: Path):
    results, protocol = tmp_path / "latency.json", {"style": "cel", "files": {"lite": "1"}}
    assert kept(results, protocol) == []
    rows = [{"threads": 1, "size": "256x256", "ms": 1.0}]
    results.write_text(json.dumps(protocol | {"rows": rows}))
    assert kept(results, protocol) == rows
    assert kept(results, protocol | {"files": {"lite": "2"}}) == []
    whole = [{"threads": threads, "size": size} for threads in THREADS for size in SIZES]
    results.write_text(json.dumps(protocol | {"rows": whole}))
    assert kept(results, protocol) == [], "what is complete is measured anew"


def test_figures_of_other_files_are_those_of_a_former_release(tmp_path: Path):
    file = tmp_path / "lite.onnx"
    assert is_former({str(file): "1"}), "a file that is gone"
    file.write_text("network")
    assert not is_former({str(file): file_md5(file)})
    file.write_text("another")
    assert is_former({str(file): md5(b"network", usedforsecurity=False).hexdigest()})
