"""Exports that trace a graph once: it depends on the architecture and the code alone, and the weights are put in.

PyTorch's exporter takes seconds for every network. Each file is still verified by `export_onnx` against its network,
at several sizes, so that a graph that does not fit is refused. `test_known_graphs.py` compares with files traced anew.
Graphs are kept until the code or a tool that they come from changes (`graphs_folder` in `support.py`).
"""

import copy
import hashlib
import os
from collections.abc import Callable, Iterator
from functools import wraps
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from anime_model.compression import export
from anime_model.networks.generator import Generator

Write = Callable[[Generator, Path], None]


def known_graphs(write: Write, folder: Path) -> Write:
    """`write`, which is called only for networks whose like is not in `folder`."""

    @wraps(write)
    def write_known(network: Generator, path: Path) -> None:
        if network.arch.norm != "none":  # the exporter folds what a norm has into constants without a name
            return write(network, path)
        graph = folder / f"{_likeness(network)}.onnx"
        if not graph.exists():
            write(_another(network), path)
            _keep(path, graph)
        onnx.save(_with_weights(onnx.load(graph), network), path)
        return None

    return write_known


def _another(network: Generator) -> Generator:
    """A network of the same kind whose every weight is different: the exporter leaves out what is zero or equal."""
    another = copy.deepcopy(network)
    with torch.no_grad():
        for weight in another.state_dict().values():
            weight.normal_()
    return another


def _likeness(network: Generator) -> str:
    shapes = [(key, value.shape) for key, value in network.state_dict().items()]
    arch = vars(network.arch) | {"int8": ()}  # the float graph knows nothing of it
    return hashlib.sha256(repr((arch, str(network), shapes)).encode()).hexdigest()[:16]


def _with_weights(model: onnx.ModelProto, network: Generator) -> onnx.ModelProto:
    weights = dict(network.state_dict())
    for tensor in model.graph.initializer:
        if tensor.name in weights:
            values = np.ascontiguousarray(weights.pop(tensor.name).numpy())
            tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))
    assert not weights, f"the exporter has no place for {sorted(weights)}"
    return model


def _keep(path: Path, graph: Path) -> None:
    """A whole file or none: the other worker may look for it now."""
    part = graph.with_name(f"{graph.name}.{os.getpid()}")
    part.write_bytes(path.read_bytes())
    part.replace(graph)


@pytest.fixture(scope="session", autouse=True)
def graphs_are_traced_once() -> Iterator[None]:
    """For every room whose `conftest.py` imports it."""
    from tests.support import graphs_folder  # not in the processes that `trace_once` is for

    folder = graphs_folder()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(export, "_write_onnx", known_graphs(export._write_onnx, folder))
        yield


def trace_once() -> None:
    """For a process that others are forked from: its variable GRAPHS names the folder."""
    export._write_onnx = known_graphs(export._write_onnx, Path(os.environ["GRAPHS"]))
