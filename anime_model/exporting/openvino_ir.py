"""OpenVINO's intermediate representation: an .xml and a .bin file. INT8 comes from the ONNX file with ranges in it."""

import tempfile
from pathlib import Path

from anime_model.exporting import onnx_file
from anime_model.exporting.order import FLOAT, FP16, INT8, Order, Run
from anime_model.exporting.source import Source


def write(source: Source, folder: Path, order: Order) -> list[Path]:
    import openvino

    precision = INT8 if order.precision == INT8 else FLOAT
    with tempfile.TemporaryDirectory() as beside:
        (onnx,) = onnx_file.write(
            source, Path(beside), Order(precision, order.size, order.pictures), for_onnx_runtime=False
        )
        model = openvino.convert_model(onnx)
    target = folder / f"{source.name}.xml"
    openvino.save_model(model, target, compress_to_fp16=order.precision == FP16)
    return [target, target.with_suffix(".bin")]


def opened(path: Path, order: Order, threads: int) -> Run:
    import openvino

    core = openvino.Core()
    options = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
    request = core.compile_model(path, "CPU", options).create_infer_request()
    return lambda photo: request.infer({"photo": photo})["anime"].copy()
