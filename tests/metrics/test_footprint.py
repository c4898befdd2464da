import subprocess
import sys
from pathlib import Path

import pytest

from anime_model.metrics import peak_memory as child
from anime_model.metrics.downloads import EvaluationError
from anime_model.metrics.footprint import count_macs, count_parameters, footprint, peak_memory
from tests.metrics.tiny_models import MACS_PER_PIXEL, PARAMETERS, tiny_onnx


@pytest.mark.parametrize("int8", [False, True])
def test_counts_by_hand(tmp_path: Path, int8: bool):
    path = tiny_onnx(tmp_path / "tiny.onnx", int8=int8)
    found = footprint(path, threads=1)
    assert found["parameters"] == PARAMETERS
    assert found["macs_512"] == MACS_PER_PIXEL * 512**2
    assert found["bytes"] == path.stat().st_size
    assert count_macs(path, 128) == MACS_PER_PIXEL * 128**2


def test_peak_memory_is_that_of_the_small_process_alone(tmp_path: Path):
    """Not of this one, which has PyTorch and a large array in it."""
    path = tiny_onnx(tmp_path / "tiny.onnx")
    ballast = bytearray(400_000_000)
    small, large = (peak_memory(path, size, threads=1) for size in (64, 1024))
    assert len(ballast) > small > 20_000_000
    assert large - small > 3 * 1024 * 1024 * 4  # the picture at least


def test_the_small_process_needs_no_pytorch():
    check = f"import runpy, sys; runpy.run_path({child.__file__!r}); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check]).returncode == 0


def test_a_broken_file_is_named_in_one_line(tmp_path: Path):
    path = tmp_path / "broken.onnx"
    path.write_bytes(b"not a model")
    for figure in (count_parameters, count_macs, peak_memory):
        with pytest.raises(EvaluationError, match=r"broken\.onnx") as error:
            figure(path)
        assert "\n" not in str(error.value)


@pytest.mark.slow
def test_the_published_generator(tmp_path: Path):
    """2,143,552 parameters as published, and the 105 GMAC that its layers add up to."""
    from anime_model.compression.export import export_onnx
    from anime_model.networks.architecture import animeganv2
    from anime_model.networks.cost import count_macs as macs_of_description
    from anime_model.networks.generator import Generator

    export_onnx(Generator(animeganv2()), tmp_path / "teacher.onnx")
    assert count_parameters(tmp_path / "teacher.onnx") == 2_143_552
    assert count_macs(tmp_path / "teacher.onnx") == macs_of_description(animeganv2()) == 105_138_618_368
