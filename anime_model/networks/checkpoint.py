"""A generator as one `.safetensors` file that rebuilds itself: the architecture travels in the metadata."""

import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from anime_model.networks.architecture import Architecture, ArchitectureError
from anime_model.networks.generator import Generator
from anime_model.networks.tensors import write_tensors

FORMAT = "animegan-generator/1"


class CheckpointError(ValueError):
    """A file that holds no generator."""


def save_generator(path: Path, generator: Generator, **notes: str | float | int) -> None:
    """Writes the file whole or not at all. `notes` (where it comes from, figures) are kept beside the architecture."""
    header = {"format": FORMAT, "architecture": json.loads(generator.arch.to_json()), "notes": notes}
    write_tensors(path, generator.state_dict(), {"generator": json.dumps(header)})


def load_generator(path: Path) -> Generator:
    """The generator in evaluation mode, in 32-bit float. Raises `CheckpointError` naming the file."""
    header, tensors = _read(path)
    return _build(path, json.dumps(header["architecture"]), tensors)


def read_notes(path: Path) -> dict[str, str | float | int]:
    """The notes that `save_generator` kept in the file. Raises `CheckpointError` naming the file."""
    return _read(path)[0]["notes"]


def _read(path: Path) -> tuple[dict, dict[str, torch.Tensor]]:
    try:
        with safe_open(path, "pt") as file:
            header = json.loads((file.metadata() or {}).get("generator", "{}"))
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (safe_open is not a dict)
    except (OSError, SafetensorError, RecursionError, json.JSONDecodeError) as error:
        raise CheckpointError(f"{path}: cannot be read as a checkpoint ({error})") from error
    parts = {"format", "architecture", "notes"}
    if not isinstance(header, dict) or not parts <= header.keys() or header["format"] != FORMAT:
        raise CheckpointError(f"{path}: a .safetensors file, but not a generator of format {FORMAT}")
    return header, tensors


def _build(path: Path, architecture: str, tensors: dict[str, torch.Tensor]) -> Generator:
    try:
        arch = Architecture.from_json(architecture)
        with torch.device("meta"):  # costs no memory, whatever sizes the file claims
            claimed = {key: value.shape for key, value in Generator(arch).state_dict().items()}
        if claimed != {key: value.shape for key, value in tensors.items()}:
            raise ArchitectureError("other tensors or other sizes")
        generator = Generator(arch)
        floats = {key: value.float() if value.is_floating_point() else value for key, value in tensors.items()}
        generator.load_state_dict(floats)
    except (ArchitectureError, RuntimeError, TypeError, ValueError, OverflowError) as error:
        raise CheckpointError(f"{path}: its tensors and its architecture do not fit ({error})") from error
    return generator.eval()
