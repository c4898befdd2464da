import pytest
import torch

from anime_model.recipe import TrainingSettings
from tasks.learning import precision


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [({"amx_bf16": True}, "bf16-mixed"), ({"avx512_bf16": True}, "bf16-mixed"), ({"avx2": True}, "32-true")],
)
def test_auto_takes_bf16_only_where_the_processor_multiplies_in_it(monkeypatch, capabilities, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert precision(TrainingSettings(accelerator="cpu", precision="auto")) == expected


def test_a_named_precision_is_taken_as_it_is():
    assert precision(TrainingSettings(accelerator="cpu", precision="bf16-mixed")) == "bf16-mixed"
