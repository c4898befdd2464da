"""An ONNX graph as ONNX Runtime is fast at, and as converters for other engines know it; both compute the same."""

import onnx

from anime_model.networks.onnx_shuffle import use_depth_to_space, use_transposed_convolutions
from anime_model.networks.onnx_slices import join_slices, split_slices


def spell_for_onnx_runtime(model: onnx.ModelProto) -> None:
    """Changes the graph in place."""
    use_transposed_convolutions(model)
    join_slices(model)


def spell_for_converters(model: onnx.ModelProto) -> None:
    """The way back, in place."""
    use_depth_to_space(model)
    split_slices(model)
