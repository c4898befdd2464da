import pytest

from anime_model.networks.architecture import animeganv2
from anime_model.networks.cost import conv_costs, count_macs, count_traffic
from anime_model.networks.generator import Generator
from benchmarks.latency import best_seconds, roofline_ms

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
