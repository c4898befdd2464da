import pytest
import torch

from anime_model.recipes.recipe import TrainingSettings
from tasks.shared.learning import precision


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [({"amx_bf16": True}, "bf16-mixed"), ({"avx512_bf16": True}, "bf16-mixed"), ({"avx2": True}, "32-true")],
)
def test_auto_takes_bf16_only_where_the_processor_multiplies_in_it(monkeypatch, capabilities, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    assert precision(TrainingSettings(accelerator="cpu", precision="auto")) == expected


def test_auto_is_32_bits_where_pytorch_cannot_tell(monkeypatch):
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert precision(TrainingSettings(accelerator="cpu", precision="auto")) == "32-true"


@pytest.mark.parametrize(("native", "expected"), [(True, "bf16-mixed"), (False, "32-true")])
def test_auto_asks_the_gpu_where_there_is_one(monkeypatch, native, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: native)
    assert precision(TrainingSettings(accelerator="auto", precision="auto")) == expected


def test_a_named_precision_is_taken_as_it_is():
    assert precision(TrainingSettings(accelerator="cpu", precision="bf16-mixed")) == "bf16-mixed"
