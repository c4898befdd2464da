"""Opens a published network's ONNX file: what it holds is checked first, so that what cannot be used says so in a line.

Nothing but the named file is read, and external data below its folder. onnx, ONNX Runtime and numpy only.
"""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # ONNX Runtime reads it when it is imported

import numpy as np
import onnx
import onnxruntime
from onnx import AttributeProto, GraphProto, ModelProto, TensorProto, external_data_helper

BUILT_IN = ("", "ai.onnx", "ai.onnx.ml", "com.microsoft")  # what ONNX Runtime carries without a library
KINDS = {  # numbers that a picture may be given in, and what numpy calls them
    TensorProto.FLOAT: np.float32,
    TensorProto.FLOAT16: np.float16,
    TensorProto.DOUBLE: np.float64,
    TensorProto.UINT8: np.uint8,
}
SMALLEST = 16  # px; a side of fewer is a number of channels


class NetworkError(ValueError):
    """A network that cannot be a reference; the message is one line: the file, the reason and what to do."""


@dataclass(frozen=True)
class Opened:
    """An ONNX Runtime session and what the file says of its input: number type, dimensions (0 where free), notes."""

    path: Path
    session: onnxruntime.InferenceSession
    kind: type
    dims: tuple[int, int, int, int]
    notes: dict[str, str]

    def run(self, batch: np.ndarray) -> np.ndarray:
        """What the network makes of a batch of one. Raises whatever ONNX Runtime does."""
        name = self.session.get_inputs()[0].name
        batch = np.rint(batch).clip(0, 255) if self.kind is np.uint8 else batch
        return self.session.run(None, {name: np.ascontiguousarray(batch, self.kind)})[0]


def open_network(path: Path, md5: str = "", threads: int = 1) -> Opened:
    """Checks and opens the file. Raises `NetworkError`.

    `md5` is the pin (`file_md5`); empty leaves it unchecked. Height and width that the file fixes are set free: most
    networks of convolutions then take any size, and the probe finds those that do not.
    """
    path = Path(path)
    model = _read(path, md5)
    _check_operators(path, model)
    inputs = _real_inputs(path, model)
    kind, dims = _kind(path, inputs[0]), _dims(path, inputs[0])
    _set_free(model, inputs[0])
    notes = {item.key: item.value for item in model.metadata_props}
    return Opened(path, _session(path, model, threads), kind, dims, notes)


def file_md5(path: Path) -> str:
    """The pin of a network: the md5 of the file, followed by that of its external data where it has any."""
    digest = hashlib.md5(Path(path).read_bytes(), usedforsecurity=False)
    for file in _external_files(Path(path), _parse(Path(path))):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _read(path: Path, md5: str) -> ModelProto:
    if not path.is_file():
        raise NetworkError(f"{path}: no such file; name an ONNX network")
    model = _parse(path)
    _external_files(path, model)
    if md5 and (found := file_md5(path)) != md5:
        raise NetworkError(f"{path}: has the md5 {found}, not {md5}; pin it anew if that is the file you mean")
    try:
        external_data_helper.load_external_data_for_model(model, str(path.parent))
    except Exception as error:  # damaged offsets and lengths raise anything
        raise NetworkError(f"{path}: its external data cannot be read ({_line(error)})") from error
    return model


def _parse(path: Path) -> ModelProto:
    try:
        model = onnx.load(path, load_external_data=False)
    except OSError as error:
        raise NetworkError(f"{path}: cannot be read ({error.strerror})") from error
    except Exception as error:  # protobuf has a class of its own
        raise NetworkError(f"{path}: not an ONNX network") from error
    if not model.graph.node:
        raise NetworkError(f"{path}: not an ONNX network")
    return model


def _external_files(path: Path, model: ModelProto) -> list[Path]:
    """Files that the tensors lie in, sorted; each below the network's own folder, links followed."""
    names, folder = set(), path.parent.resolve()
    for tensor in _tensors(model):
        if tensor.data_location == TensorProto.EXTERNAL:
            names.add({item.key: item.value for item in tensor.external_data}.get("location", ""))
    for name in names:
        file = (folder / name).resolve()
        if not name or os.path.isabs(name) or not file.is_relative_to(folder):
            raise NetworkError(f"{path}: its data lies outside its folder ({name or 'nowhere'}); save it as one file")
        if not file.is_file():
            raise NetworkError(f"{path}: its data file {name} is missing; put it beside the network")
    return sorted(folder / name for name in names)


def _graphs(model: ModelProto) -> Iterator[GraphProto]:
    """The graph and all graphs inside its operators, those of local functions too."""
    waiting: list = [model.graph, *model.functions]
    while waiting:
        graph = waiting.pop()
        yield graph
        for node in graph.node:
            for attribute in node.attribute:
                waiting += [attribute.g] if attribute.type == AttributeProto.GRAPH else attribute.graphs


def _tensors(model: ModelProto) -> Iterator[TensorProto]:
    for graph in _graphs(model):
        if isinstance(graph, GraphProto):
            yield from graph.initializer
            yield from (part for sparse in graph.sparse_initializer for part in (sparse.values, sparse.indices))
        for node in graph.node:
            for attribute in node.attribute:
                yield from [attribute.t] if attribute.type == AttributeProto.TENSOR else attribute.tensors


def _check_operators(path: Path, model: ModelProto) -> None:
    local = {(function.domain, function.name) for function in model.functions}
    for graph in _graphs(model):
        for node in graph.node:
            if node.domain not in BUILT_IN and (node.domain, node.op_type) not in local:
                raise NetworkError(
                    f"{path}: needs the custom operator {node.domain}.{node.op_type}, which would be foreign code; "
                    "export it with standard operators"
                )


def _real_inputs(path: Path, model: ModelProto) -> list:
    """The one input that is no weight, and the one output."""
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in weights]
    for what, values in {"takes": inputs, "makes": model.graph.output}.items():
        if len(values) != 1:
            names = ", ".join(value.name for value in values) or "nothing"
            raise NetworkError(f"{path}: {what} {len(values)} things ({names}); a reference {what} one picture")
    return inputs


def _kind(path: Path, value: onnx.ValueInfoProto) -> type:
    number = value.type.tensor_type.elem_type
    if number not in KINDS:
        name = TensorProto.DataType.Name(number).lower() if number else value.type.WhichOneof("value")
        raise NetworkError(f"{path}: takes {name}; a reference takes a picture in float or uint8")
    return KINDS[number]


def _dims(path: Path, value: onnx.ValueInfoProto) -> tuple[int, int, int, int]:
    shape = value.type.tensor_type.shape.dim
    if len(shape) != 4:
        raise NetworkError(f"{path}: takes {len(shape)} dimensions; a picture has four, batch and channels included")
    dims = tuple(dim.dim_value for dim in shape)
    if 3 not in dims[1::2] and (all(dims[1::2]) or any(0 < side < SMALLEST for side in dims[1::2])):
        raise NetworkError(f"{path}: takes {list(dims)}; a picture has 3 channels, second or last")
    return dims


def _set_free(model: ModelProto, value: onnx.ValueInfoProto) -> None:
    """No size but that of the channels is said any more, for what goes in, comes out and lies between."""
    del model.graph.value_info[:]
    for end in (value, model.graph.output[0]):
        for index, dim in enumerate(end.type.tensor_type.shape.dim):
            if dim.dim_value != 3:
                dim.dim_param = f"{end.name}_{index}"


def _session(path: Path, model: ModelProto, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 4
    options.enable_mem_pattern = False  # sizes differ from picture to picture
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # each kind of bad file has a class of its own, none of them public
        raise NetworkError(f"{path}: ONNX Runtime cannot open it ({_line(error)})") from error


def _line(error: Exception) -> str:
    text = " ".join(str(error).split()).split(" : ")[-1] or type(error).__name__
    return text if len(text) <= 160 else text[:157] + "..."
