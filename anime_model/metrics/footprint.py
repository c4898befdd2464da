"""What a model weighs: parameters, multiply-accumulates, bytes of its file, and the memory that one picture takes.

All are read off the ONNX file that ships, so that every variant is counted alike: batch norm is folded in it.
"""

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

from anime_model.metrics import peak_memory as child
from anime_model.metrics.downloads import EvaluationError

SIZE = 512
PROBE = 64  # every map of a picture this large is exactly (512 / 64) ** 2 times smaller than one of 512 x 512
LEARNED = ("Conv", "Mul", "Add", "InstanceNormalization", "BatchNormalization")  # operators with learned inputs
FLOATS = (onnx.TensorProto.FLOAT, onnx.TensorProto.INT8, onnx.TensorProto.UINT8, onnx.TensorProto.INT32)


def footprint(path: Path, threads: int = 2) -> dict[str, float | int]:
    """All figures of one ONNX file. Raises `EvaluationError` where it cannot be read or run."""
    return {
        "parameters": count_parameters(path),
        "macs_512": count_macs(path),
        "bytes": path.stat().st_size,
        "peak_memory_mb": round(peak_memory(path, SIZE, threads) / 1e6, 1),
    }


def count_parameters(path: Path) -> int:
    """Learned values, whatever their number format; scales, zero points and shapes are none.

    Counted where they are used: an exporter stores equal values of several layers once.
    """
    graph = _load(path).graph
    weights = _weights(graph)
    learned = [node for node in graph.node if node.op_type in LEARNED and node.output[0] not in weights]
    used = [name for node in learned for name in node.input if name in weights]
    return sum(math.prod(weights[name]) for name in used if math.prod(weights[name]) > 1)


def count_macs(path: Path, size: int = SIZE) -> int:
    """Multiply-accumulates of the convolutions for one `size` x `size` picture (a multiple of 64).

    The maps' sizes come from a run on a small picture: they depend on it through arithmetic in the graph, which static
    shape inference does not follow.
    """
    model = _load(path)
    weights = _weights(model.graph)
    convs = [node for node in model.graph.node if node.op_type == "Conv"]
    kernels = [math.prod(weights[conv.input[1]][1:]) for conv in convs]
    shapes = _shapes(model, [conv.output[0] for conv in convs]) if convs else []
    probe = sum(kernel * math.prod(shape) for kernel, shape in zip(kernels, shapes, strict=True))
    return probe * (size // PROBE) ** 2


def peak_memory(path: Path, size: int = SIZE, threads: int = 2) -> int:
    """Bytes at the peak of a fresh process that runs one `size` x `size` picture on ONNX Runtime and numpy alone."""
    command = [sys.executable, child.__file__, str(path), str(size), str(threads)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        reason = (done.stderr.strip() or f"exit status {done.returncode}").splitlines()[-1]
        raise EvaluationError(f"{path}: does not run in a process of its own ({reason})")
    return int(done.stdout)


def _load(path: Path) -> onnx.ModelProto:
    try:
        return onnx.load(path)
    except Exception as error:  # protobuf's and the file system's errors alike
        raise EvaluationError(f"{path}: cannot be read as an ONNX model; export it again") from error


def _weights(graph: onnx.GraphProto) -> dict[str, tuple[int, ...]]:
    """Shapes of the constants, by the name under which an operator sees them.

    8-bit weights come out of a DequantizeLinear, or out of a Cast and a Mul with their scales.
    """
    shapes = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer if tensor.data_type in FLOATS}
    cast = set()
    for node in graph.node:
        source = node.input[0] if node.input else ""
        if source in cast or (source in shapes and node.op_type in ("DequantizeLinear", "Cast")):
            shapes[node.output[0]] = shapes[source]
        if source in shapes and node.op_type == "Cast":
            cast.add(node.output[0])
    return shapes


def _shapes(model: onnx.ModelProto, names: list[str]) -> list[tuple[int, ...]]:
    """Shapes of the named maps for a `PROBE` x `PROBE` picture; `model` is changed."""
    del model.graph.output[:]
    model.graph.output.extend(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in names)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    taken = session.get_inputs()[0]
    photo = child.as_taken(np.zeros((1, 3, PROBE, PROBE), np.float32), taken)
    return [found.shape for found in session.run(None, {taken.name: photo})]
