"""Files that run without this project: ONNX (float and INT8 with QuantizeLinear / DequantizeLinear pairs)."""

import contextlib
import logging
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from torch import Tensor

from anime_model.compression.grid import Ranges, fake_quantized
from anime_model.compression.qdq import write_qdq
from anime_model.compression.rounding import rounded
from anime_model.metrics.fidelity import psnr
from anime_model.networks.cost import receptive_radius
from anime_model.networks.generator import Generator, fold_batch_norm
from anime_model.networks.onnx_spelling import spell_for_onnx_runtime
from anime_model.pictures.atomic import whole_path
from anime_model.recipes.int8 import INT8_PSNR

OPSET = 18
SIZES = ((64, 64), (52, 100), (61, 83))  # square, not square, not even divisible by 2
TOLERANCE = 2e-3  # largest difference of any value in [-1, 1]; 8-bit pictures step by 7.8e-3


class ExportError(ValueError):
    """A file that does not compute what the network computes."""


def export_onnx(generator: Generator, path: Path) -> None:
    """Float ONNX with dynamic height and width, batch norm folded, verified before it takes its place.

    Input `photo` and output `anime`: float32 [1, 3, H, W] in [-1, 1]. The metadata holds `receptive_radius` where tiles
    of a picture that overlap by it equal the whole. Raises `ExportError`.
    """
    network = deployable(generator)
    with whole_path(path) as part:
        _write_plain(network, part)
        _speed_up(part)
        verify(lambda photo: run_onnx(part, photo), network, path)


def _write_plain(network: Generator, path: Path) -> None:
    """The exporter's graph, as the steps to INT8 know it."""
    _write_onnx(network, path)
    _describe(path, network)


def _speed_up(path: Path) -> None:
    """Spells a graph as ONNX Runtime is fast at."""
    model = onnx.load(path)
    spell_for_onnx_runtime(model)
    onnx.save(model, path)


def _write_onnx(network: torch.nn.Module, path: Path) -> None:
    with _quiet():
        torch.onnx.export(
            network,
            (torch.zeros(1, 3, 64, 96),),
            path,
            input_names=["photo"],
            output_names=["anime"],
            dynamic_shapes={"photo": {2: torch.export.Dim("height", min=8), 3: torch.export.Dim("width", min=8)}},
            opset_version=OPSET,
            external_data=False,
            dynamo=True,
            verbose=False,
        )


def _describe(path: Path, network: Generator) -> None:
    """Puts into the file's metadata what a runtime needs to know besides the graph: how far tiles must overlap.

    The exporter's own notes, a third of a small file, are taken out: they name folders of the machine that exported.
    """
    model = onnx.load(path)
    for item in (*model.graph.node, *model.graph.value_info, *model.graph.input, *model.graph.output):
        del item.metadata_props[:]
    if network.arch.norm == "none" and network.arch.upsample != "bilinear":
        onnx.helper.set_model_props(model, {"receptive_radius": str(receptive_radius(network.arch))})
    onnx.save(model, path)


def export_int8_onnx(generator: Generator, ranges: Ranges, calibration: Tensor, path: Path, weight_bits: int) -> None:
    """ONNX with all weights in 8 bits; the layers that `generator.arch.int8` names compute in INT8 too.

    Their grid is that of training: weights symmetric per channel in `weight_bits`, activations affine per tensor in
    `ranges`. The kernels of the float layers are rounded by `calibration` [N, 3, H, W] in [-1, 1]. Raises `ExportError`
    where the file's pictures are far from those of the network as it was trained, with fake quantization.
    """
    network, int8 = deployable(generator), generator.arch.int8
    packed, steps = rounded(network, calibration, skip=int8)
    with whole_path(path) as part, tempfile.TemporaryDirectory() as folder:
        _write_plain(packed, Path(folder, "float.onnx"))
        write_qdq(Path(folder, "float.onnx"), part, network.arch, int8, ranges, weight_bits)
        pack_weights(part, steps)
        _speed_up(part)
        made = torch.cat([run_onnx(part, photo) for photo in calibration.split(1)])
        with torch.no_grad(), fake_quantized(network, int8, ranges, weight_bits):
            found = float(psnr(made, network(calibration)))
        if found < INT8_PSNR:
            raise ExportError(f"{path.name}: {found:.1f} dB to the trained network, under {INT8_PSNR} dB; not kept")


def pack_weights(path: Path, steps: Mapping[str, Tensor]) -> None:
    """Stores kernels that are whole multiples of `steps` in 8 bits, and says how to unfold them.

    `steps` holds one for each output channel, by the convolution's name. Engines unfold once, when they load the file
    (a cast and a multiplication of constants are folded), so the layers run as fast as before. A DequantizeLinear would
    be kept for INT8 kernels that do not come, and run for every picture.
    """
    model = onnx.load(path)
    graph = model.graph
    kernels = {f"{name}.weight": step for name, step in steps.items()}
    unfolding = []
    for tensor in [tensor for tensor in graph.initializer if tensor.name in kernels]:
        weight, scale = onnx.numpy_helper.to_array(tensor), kernels[tensor.name].numpy().reshape(-1, 1, 1, 1)
        name, whole, factors = tensor.name, f"{tensor.name}.int8", f"{tensor.name}.scale"
        graph.initializer.remove(tensor)
        graph.initializer.append(onnx.numpy_helper.from_array(np.round(weight / scale).astype(np.int8), whole))
        graph.initializer.append(onnx.numpy_helper.from_array(scale, factors))
        unfolding.append(onnx.helper.make_node("Cast", [whole], [f"{name}.float"], to=onnx.TensorProto.FLOAT))
        unfolding.append(onnx.helper.make_node("Mul", [f"{name}.float", factors], [name]))
    nodes = [*unfolding, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    onnx.save(model, path)


def deployable(generator: Generator) -> Generator:
    """The network as it is shipped: in evaluation mode on the CPU, its batch norm, if it has one, folded."""
    network = generator.cpu().eval()
    return fold_batch_norm(network).eval() if network.arch.norm == "batch" else network


def run_onnx(path: Path, photo: Tensor) -> Tensor:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return torch.from_numpy(session.run(None, {session.get_inputs()[0].name: photo.numpy()})[0])


@torch.no_grad()
def verify(run: Callable[[Tensor], Tensor], network: Generator, path: Path) -> None:
    """Compares `run` with the network on pictures of several sizes; raises `ExportError` naming the size."""
    noise = torch.Generator().manual_seed(0)
    for height, width in SIZES:
        photo = torch.rand(1, 3, height, width, generator=noise) * 2 - 1
        difference = float((run(photo) - network(photo)).abs().max())
        if not difference <= TOLERANCE:
            raise ExportError(
                f"{path.name}: differs from the network by {difference:.2g} at {width}x{height}; not kept"
            )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keeps the exporters' own warnings and log lines away from people; errors still come as exceptions."""
    level = logging.root.manager.disable
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        try:
            yield
        finally:
            logging.disable(level)
