"""ncnn's INT8 files byte by byte, by the layout that its own loader reads."""

import struct

import numpy as np
import pytest

from anime_model.exporting import ncnn_int8
from anime_model.exporting.ncnn_int8 import EIGHT_BITS, in_eight_bits, read_param
from anime_model.exporting.order import FormatError

PARAM = """7767517
4 4
Input                    in0                      0 1 in0
Convolution              conv                     1 1 in0 1 0=2 1=1 5=1 6=6
ConvolutionDepthWise     depth                    1 1 1 2 0=2 1=3 4=1 5=0 6=18 7=2
TanH                     tanh                     1 1 2 out0
"""


@pytest.fixture
def pair(tmp_path, monkeypatch):
    """Both files in float, their kernels and the bias."""
    random = np.random.default_rng(0)
    full, bias, depth = (random.normal(size=size).astype("<f4") for size in ((2, 3), 2, (2, 9)))
    (tmp_path / "n.param").write_text(PARAM)
    (tmp_path / "n.bin").write_bytes(b"\0" * 4 + full.tobytes() + bias.tobytes() + b"\0" * 4 + depth.tobytes())
    monkeypatch.setattr(ncnn_int8, "_ranges", lambda *_: {"in0": 1.0, "1": 2.5})
    return tmp_path / "n.param", tmp_path / "n.bin", full, bias, depth


def test_weights_are_whole_numbers_by_one_scale_for_each_channel(pair):
    param, weights, full, bias, depth = pair
    in_eight_bits(param, weights, [])
    data = weights.read_bytes()
    at = 0
    for kernel, offset, largest in ((full, bias, 1.0), (depth, np.empty(0, "<f4"), 2.5)):
        assert data[at : at + 4] == EIGHT_BITS
        whole = np.frombuffer(data, np.int8, kernel.size, at + 4).reshape(kernel.shape)
        at += 4 + -(-kernel.size // 4) * 4
        assert np.array_equal(np.frombuffer(data, "<f4", offset.size, at), offset)
        at += offset.nbytes
        *scales, bottom = struct.unpack_from("<3f", data, at)
        at += 12
        assert bottom == pytest.approx(127 / largest)
        assert np.abs(whole).max(axis=1).tolist() == [127, 127]
        assert np.abs(whole / np.array(scales)[:, None] - kernel).max() <= 0.51 / min(scales)
    assert at == len(data)


def test_the_description_says_where_the_scales_are(pair):
    param, weights, *_ = pair
    head, before = read_param(param)
    in_eight_bits(param, weights, [])
    again, after = read_param(param)
    assert (again, len(after)) == (head, len(before))
    assert [layer.values.get(8) for layer in after] == [None, "2", "1", None]
    assert [layer.bottom for layer in after] == ["", "in0", "1", "2"]


def test_what_else_has_weights_is_refused(pair):
    param, weights, *_ = pair
    weights.write_bytes(weights.read_bytes() + b"\0" * 8)
    with pytest.raises(FormatError, match="a layer other than a convolution has weights"):
        in_eight_bits(param, weights, [])
    weights.write_bytes(b"\x47\x6b\x30\x01" + weights.read_bytes()[4:])
    with pytest.raises(FormatError, match="its weights are no float32 numbers"):
        in_eight_bits(param, weights, [])
