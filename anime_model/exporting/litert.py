"""LiteRT (.tflite, for Android and others): for one height and width, pictures are [1, H, W, 3]."""

from pathlib import Path

import numpy as np

from anime_model.exporting.order import FLOAT, FP16, Order, Run
from anime_model.exporting.source import Source

HALVES = {
    "weight_tensor_config": {"num_bits": 16, "dtype": "FLOAT", "symmetric": True, "granularity": "TENSORWISE"},
    "compute_precision": "FLOAT",
    "explicit_dequantize": True,
    "skip_checks": False,
    "min_weight_elements": 0,
}


def write(source: Source, folder: Path, order: Order) -> list[Path]:
    """`photo` and `anime`: float32 [1, H, W, 3] in [-1, 1], also where the network inside computes in 8 bits."""
    import litert_torch
    import torch

    from anime_model.exporting.network import NamedEnds, network_of

    last = NamedEnds(litert_torch.to_channel_last_io(network_of(source), args=[0], outputs=[0])).eval()
    photo = torch.zeros(1, *order.example, 3)
    target, plain = folder / f"{source.name}.tflite", folder / "plain.tflite"
    litert_torch.convert(last, sample_kwargs={"photo": photo}).export(str(plain))
    if order.precision == FLOAT:
        plain.rename(target)
    else:
        _quantize(plain, target, order)
        plain.unlink()
    return [target]


def _quantize(plain: Path, target: Path, order: Order) -> None:
    """float16 weights; or weights and activations in 8 bits, ranges from the pictures, with ends in float."""
    from ai_edge_quantizer import quantizer, recipe

    if order.precision == FP16:
        worker = quantizer.Quantizer(str(plain))
        halves = {"regex": ".*", "operation": "*", "algorithm_key": "float_casting", "op_config": HALVES}
        worker.load_quantization_recipe([halves])
        worker.quantize().export_model(str(target))
        return
    ends = [{"regex": ".*", "operation": end, "algorithm_key": "no_quantize"} for end in ("INPUT", "OUTPUT")]
    worker = quantizer.Quantizer(str(plain))
    worker.load_quantization_recipe([*recipe.static_wi8_ai8(), *ends])
    pictures = [{"photo": picture.transpose(0, 2, 3, 1)} for picture in order.pictures]
    worker.quantize(worker.calibrate({"serving_default": pictures})).export_model(str(target))


def opened(path: Path, order: Order, threads: int) -> Run:
    from ai_edge_litert.interpreter import Interpreter

    engine = Interpreter(str(path), num_threads=threads)
    draw = engine.get_signature_runner("serving_default")

    def run(photo: np.ndarray) -> np.ndarray:
        made = draw(photo=np.ascontiguousarray(photo.transpose(0, 2, 3, 1)))["anime"]
        return made.transpose(0, 3, 1, 2)

    return run
