"""Saving by time in several processes, and what is saved beside the networks."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from anime_model.training.loop import Training

ROOT = Path(__file__).parents[2]
TWO = """
import sys, time
from pathlib import Path
import torch
from lightning_fabric import Fabric
from torch import nn
from anime_model.training import loop, resume

fabric = Fabric(accelerator="cpu", devices=2, strategy="ddp")
fabric.launch()
rank, saves = fabric.global_rank, []
ticks = iter(range(10**6))
# the second process's clock runs five times as fast: by its own it would save at other steps
loop.time = type("Clock", (), {"monotonic": staticmethod(lambda: next(ticks) * (1.0 if rank == 0 else 5.0))})
loop.save_state = lambda file, *state: saves.append(state[-1]["step"])
network = nn.Linear(2, 1)

def take_step(step):
    loss = torch.ones(()) * step
    fabric.all_reduce(loss.clone())  # as the gradients of every step are: they must not meet a barrier
    return {"loss": loss}

Training = loop.Training
Training(Path(sys.argv[1]), fabric=fabric, save_every=6.0).fit("two", 40, take_step, {"n": network}, {})
fabric.barrier()
if rank == 0:
    print("saved at", *saves)
"""


@pytest.mark.slow
def test_two_processes_with_different_clocks_save_together(tmp_path):
    program = tmp_path / "two.py"
    program.write_text(TWO)
    environment = {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, program, tmp_path],
        capture_output=True,
        text=True,
        timeout=120,  # it hangs where each decides for itself
        env=os.environ | environment,
    )
    assert done.returncode == 0, done.stderr
    steps = [int(step) for step in done.stdout.split("saved at")[1].split()]
    assert len(steps) >= 3
    assert steps[-1] == 40


def test_the_scale_of_16_bit_gradients_is_part_of_where_training_stands(tmp_path):
    def run(scale: float, steps: int) -> tuple[torch.amp.GradScaler, Training]:
        scaler = torch.amp.GradScaler("cpu", init_scale=scale)
        fabric = SimpleNamespace(
            is_global_zero=True,
            world_size=1,
            barrier=lambda: None,
            strategy=SimpleNamespace(precision=SimpleNamespace(scaler=scaler)),
        )
        training = Training(tmp_path, fabric=fabric, save_every=0)
        training.fit("scaled", steps, lambda step: {"loss": torch.zeros(())}, {"n": nn.Linear(1, 1)}, {})
        return scaler, training

    first, training = run(1024.0, 3)
    assert training._scaler() is first
    second, _ = run(65536.0, 5)
    assert second.state_dict() == first.state_dict()
    assert second.get_scale() == 1024


def test_one_process_asks_nobody(tmp_path):
    training = Training(tmp_path)
    assert training._agreed(True) is True
    assert training._agreed(False) is False
