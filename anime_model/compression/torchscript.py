"""TorchScript files, float and INT8: the article's route. `torch.ao` and TorchScript are deprecated upstream."""

import io
import warnings
from pathlib import Path

import torch
from torch import Tensor
from torch.ao.quantization import QConfigMapping, get_default_qconfig
from torch.ao.quantization.quantize_fx import convert_fx, prepare_fx

from anime_model.compression.export import ExportError, deployable, verify
from anime_model.metrics.fidelity import psnr
from anime_model.networks.generator import Generator
from anime_model.pictures.atomic import whole_path
from anime_model.recipes.int8 import INT8_PSNR

OF_THE_WRITER = ("version", "byteorder", ".data/serialization_id")  # records that a writer makes by itself
ENGINES = ("fbgemm", "x86", "qnnpack")  # in the order of choice: x86 processors have the first two, ARM has the last


def export_torchscript(generator: Generator, path: Path) -> None:
    """Float TorchScript, frozen, verified on several sizes before it takes its place. Raises `ExportError`."""
    network = deployable(generator)
    script = _traced(network)
    verify(script, network, path)
    _save(script, path)


@torch.no_grad()
def export_int8_torchscript(generator: Generator, calibration: Tensor, path: Path) -> None:
    """INT8 TorchScript of the layers that `generator.arch.int8` names, ranges from `calibration`, for this machine.

    fbgemm's own configuration keeps activations to 7 bits, which guards against saturation without VNNI. Raises
    `ExportError` where PyTorch has no engine for INT8 here.
    """
    engine = int8_engine(path)
    network = deployable(generator)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.backends.quantized.engine = engine
        prepared = prepare_fx(network, _mapping(network, engine), (calibration[:1],))
        for batch in calibration.split(4):
            prepared(batch)
        script = _traced(convert_fx(prepared))
    found = float(psnr(torch.cat([script(photo) for photo in calibration.split(1)]), network(calibration)))
    if found < INT8_PSNR:
        raise ExportError(f"{path.name}: {found:.1f} dB to the float network, under {INT8_PSNR} dB; not kept")
    _save(script, path)


def int8_engine(path: Path) -> str:
    """The engine that runs INT8 networks of PyTorch on this machine. Raises `ExportError`."""
    found = next((name for name in ENGINES if name in torch.backends.quantized.supported_engines), None)
    if found is None:
        raise ExportError(f"{path.name}: PyTorch runs no INT8 on this machine ({', '.join(ENGINES)}: none is there)")
    return found


def _mapping(network: Generator, engine: str) -> QConfigMapping:
    """Everything float but the chosen convolutions and their activations."""
    mapping = QConfigMapping().set_global(None)
    for name in network.arch.int8:
        mapping.set_module_name(name, get_default_qconfig(engine))
    return mapping


def _traced(network: torch.nn.Module) -> torch.jit.ScriptModule:
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        return torch.jit.freeze(torch.jit.trace(network, torch.zeros(1, 3, 64, 96), check_trace=False).eval())


def _save(script: torch.jit.ScriptModule, path: Path) -> None:
    """Without the tables for debuggers, which name folders of this machine: equal networks make equal files."""
    made, slim = io.BytesIO(), io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(script, made)
    made.seek(0)
    reader, writer = torch._C.PyTorchFileReader(made), torch._C.PyTorchFileWriter(slim)
    for name in reader.get_all_records():
        if not name.endswith(".debug_pkl") and name not in OF_THE_WRITER:
            record = reader.get_record(name)
            writer.write_record(name, record, len(record))
    writer.write_end_of_file()
    with whole_path(path) as part:
        part.write_bytes(slim.getvalue())
