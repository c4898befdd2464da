"""ONNX: float32 with plain weights, float16, and INT8 with QuantizeLinear / DequantizeLinear pairs."""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from anime_model.exporting.order import FP16, INT8, Order, Run
from anime_model.exporting.source import Source, named_nodes

SHARED = ("Conv", "Add", "Relu", "Resize", "DepthToSpace")  # computed in 8 bits


def write(source: Source, folder: Path, order: Order, *, for_onnx_runtime: bool = True) -> list[Path]:
    """One file; height and width are dynamic unless `order.size` fixes them."""
    import onnx

    from anime_model.networks.onnx_spelling import spell_for_onnx_runtime

    target, model = folder / f"{source.name}.onnx", _copied(source.model)
    if order.size:
        _fix(model, order.size)
    if for_onnx_runtime and order.precision != INT8:
        spell_for_onnx_runtime(model)
    if order.precision == FP16:
        from onnxruntime.transformers.float16 import convert_float_to_float16

        model = convert_float_to_float16(model, keep_io_types=True, disable_shape_infer=True)
    onnx.save(model, target)
    if order.precision == INT8:
        _quantize(target, order.pictures)
    return [target]


def opened(path: Path, order: Order, threads: int) -> Run:
    from anime_model.runtime.session import open_session

    session = open_session(path, threads)
    return lambda photo: session.run(["anime"], {"photo": photo})[0]


def _copied(model: Any) -> Any:
    copy = type(model)()
    copy.CopyFrom(model)
    return copy


def _fix(model: Any, size: tuple[int, int]) -> None:
    for end in (*model.graph.input, *model.graph.output):
        for place, pixels in zip((2, 3), size, strict=True):
            end.type.tensor_type.shape.dim[place].dim_value = pixels


def _quantize(path: Path, pictures: Sequence[np.ndarray]) -> None:
    """Weights symmetric per channel, activations affine per tensor, ranges from the pictures. 8 bits throughout: on x86
    without VNNI a sum of two products may saturate, which the comparison sees where it runs."""
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class Pictures(CalibrationDataReader):
        def __init__(self) -> None:
            self.left: Iterator[np.ndarray] = iter(pictures)

        def get_next(self) -> dict[str, np.ndarray] | None:
            photo = next(self.left, None)
            return None if photo is None else {"photo": photo}

    model = onnx.load(path)
    named_nodes(model)
    plain = path.with_name("plain.onnx")
    onnx.save(model, plain)
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        quantize_static(
            plain,
            path,
            Pictures(),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(SHARED),
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            extra_options={"ActivationSymmetric": False, "WeightSymmetric": True},
        )
    finally:
        logging.disable(level)
        plain.unlink()
