import resource

import pytest
import torch
from safetensors.torch import load_file

from anime_model.networks.tensors import write_tensors


def test_tensors_come_back_and_may_share_memory(tmp_path):
    whole = torch.arange(6.0)
    write_tensors(tmp_path / "deep/x.safetensors", {"whole": whole, "half": whole[:3]}, {"kind": "test"})
    back = load_file(tmp_path / "deep/x.safetensors")
    assert torch.equal(back["half"], whole[:3])
    assert [file.name for file in (tmp_path / "deep").iterdir()] == ["x.safetensors"]


def test_a_disk_that_refuses_leaves_the_former_file(tmp_path):
    """A limit on the size of files stands in for a full disk."""
    file = tmp_path / "x.safetensors"
    write_tensors(file, {"a": torch.zeros(4)})
    before, limits = file.read_bytes(), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(OSError, match=r"x\.safetensors"):
            write_tensors(file, {"a": torch.zeros(100_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert file.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["x.safetensors"]
