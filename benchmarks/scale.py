"""What training would gain from 8 and from 64 processes: measured steps and all-reduces, and a model of the rest.

`python -m benchmarks.scale [--recipe FILE] [--accelerator cpu|cuda] [--steps N] [--note TEXT]` writes
results/scale.json. Measured here: a step of the teacher and of the student in one process, and all-reduces of several
sizes between two processes of this machine. Everything else is arithmetic with the assumptions that the file names.
`--note` says what else the machine was doing. Run it on a machine that does nothing else.
"""

import argparse
import json
import os
import socket
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import distributed, multiprocessing, nn

from anime_model.compression.distillation import Lesson, distill
from anime_model.compression.norms import batch_norms
from anime_model.compression.separable import replace_convs
from anime_model.metrics.latency import cpu_name
from anime_model.networks.architecture import animeganv2
from anime_model.networks.generator import Generator
from anime_model.networks.perceptual import load_perceptual
from anime_model.pictures.arrays import write_picture
from anime_model.recipes.recipe import Recipe, load_recipe
from anime_model.training.data import Pictures
from anime_model.training.loop import Training
from anime_model.training.pairs import train_on_pairs
from tasks.shared import learning

RESULTS = Path("results/scale.json")
LAYERS = ("relu1_1", "relu2_1", "relu3_1")
PROCESSES = (2, 8, 64)
SIZES = (1 << 10, 1 << 14, 1 << 18, 1 << 20, 1 << 22, 1 << 23)  # bytes of an all-reduce
REPEATS = 7
ASSUMPTIONS = (
    "each process takes the same batch as one alone does: the whole batch grows with their number",
    "a ring all-reduce: 2 (n - 1) messages after each other and 2 (n - 1) / n of the bytes through the slowest link",
    "nothing overlaps: DDP sends gradients while it still computes others, so real steps are shorter",
    "gradients travel as 32-bit floats, in one piece; batch norms and losses that are ratios add small all-reduces, "
    "two for each norm on the way there and two on the way back, and twelve for the losses",
    "no process waits for a slower one, for its pictures or for a save",
    "the links but the measured one are round figures for their kinds, which nobody measured here",
)
LOSSES = 12  # small all-reduces of a step of distillation


@dataclass(frozen=True)
class Link:
    """`latency` in seconds of one message, `bandwidth` in bytes a second, of the slowest link of the ring."""

    name: str
    latency: float
    bandwidth: float


LINKS = (
    Link("one machine, NVLink (assumed)", 10e-6, 100e9),
    Link("machines, 200 Gbit/s InfiniBand (assumed)", 20e-6, 20e9),
    Link("machines, 10 Gbit/s Ethernet (assumed)", 60e-6, 1.0e9),
)


@dataclass(frozen=True)
class Work:
    """One step of one process: seconds, bytes of gradients, and how many small all-reduces come with it."""

    name: str
    batch: int
    seconds: float
    gradient_bytes: int
    small: int


def main() -> None:
    arguments = _parser().parse_args()
    recipe = load_recipe(arguments.recipe)
    torch.set_num_threads(recipe.training.threads)
    works = [measure(recipe, arguments.accelerator, arguments.steps) for measure in (teacher, student)]
    measured = fit(SIZES, reduce_times(arguments.accelerator))
    found = {
        "cpu": cpu_name(),
        "cores": os.cpu_count(),
        "accelerator": torch.cuda.get_device_name() if arguments.accelerator == "cuda" else "cpu",
        "recipe": arguments.recipe,
        "note": arguments.note,
        "measured": {"steps": [asdict(work) for work in works], "all_reduce": asdict(measured)},
        "assumptions": ASSUMPTIONS,
        "rows": [row(work, link, count) for work in works for link in (measured, *LINKS) for count in PROCESSES],
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")
    print(RESULTS.read_text())


def row(work: Work, link: Link, processes: int) -> dict[str, float | int | str]:
    """A step of `processes`, and what they get done against one: `speed_up`, and its share of the ideal."""
    step = work.seconds + reduce_time(work.gradient_bytes, link, processes)
    step += work.small * reduce_time(256, link, processes)
    speed_up = processes * work.seconds / step
    return {
        "work": work.name,
        "link": link.name,
        "processes": processes,
        "step_s": round(step, 5),
        "pictures_per_s": round(processes * work.batch / step, 2),
        "speed_up": round(speed_up, 2),
        "efficiency": round(speed_up / processes, 3),
    }


def reduce_time(size: int, link: Link, processes: int) -> float:
    """Seconds of a ring all-reduce of `size` bytes (Patarasuk and Yuan, JPDC 2009); 0 for one process."""
    return 2 * (processes - 1) * (link.latency + size / processes / link.bandwidth)


def fit(sizes: Sequence[int], seconds: Sequence[float]) -> Link:
    """Latency and bandwidth by least squares of the relative error, from all-reduces of two processes."""
    weights = 1 / np.array(seconds)
    unknown = np.stack([2 * np.ones(len(sizes)), np.array(sizes, dtype=float)], axis=1) * weights[:, None]
    latency, inverse = np.linalg.lstsq(unknown, np.ones(len(sizes)), rcond=None)[0]
    name = "between two processes of this machine (measured)"
    return Link(name, max(float(latency), 1e-9), 1 / max(float(inverse), 1e-15))


def teacher(recipe: Recipe, accelerator: str, steps: int) -> Work:
    """A step on pairs at their largest crops, on noise."""
    settings = replace(recipe.teacher.pairs, steps=steps)
    network = Generator(animeganv2(recipe.teacher.width))

    def train(training: Training, _: Path) -> None:
        side = settings.crops[-1]
        noise = (torch.rand(settings.batch, 3, side, side) * 2 - 1).to(training.device)
        perceptual = load_perceptual(recipe.perceptual, (*LAYERS, *settings.content_layers, *settings.style_layers))
        train_on_pairs(network, lambda _: (noise, noise), perceptual.to(training.device), settings, training)

    return Work("teacher", settings.batch, timed(recipe, accelerator, train), size(network), 0)


def student(recipe: Recipe, accelerator: str, steps: int) -> Work:
    """A step of distillation of a separable student."""
    settings = replace(recipe.distill.fine_tune, steps=steps, freeze_norm=False)
    taught = Generator(animeganv2(recipe.teacher.width)).eval()
    pupil = replace_convs(taught, recipe.replace_convs, torch.zeros(1, 3, 64, 64))

    def train(training: Training, folder: Path) -> None:
        pixels = np.random.default_rng(0).integers(0, 255, (settings.crop, settings.crop, 3), np.uint8)
        write_picture(folder / "noise/0.png", pixels)
        perceptual = load_perceptual(recipe.perceptual, (*LAYERS, *settings.content_layers, *settings.style_layers))
        lesson = Lesson(taught, Pictures(folder / "noise", training.device), perceptual.to(training.device))
        distill("scale", pupil, lesson, settings, training)

    small = 4 * len(batch_norms(pupil)) + LOSSES
    return Work("student", settings.batch, timed(recipe, accelerator, train), size(pupil), small)


def size(network: nn.Module) -> int:
    return sum(4 * parameter.numel() for parameter in network.parameters())


def timed(recipe: Recipe, accelerator: str, train: Callable[[Training, Path], None]) -> float:
    """Seconds of a step: the median of all but the first two."""
    moments: list[float] = []
    settings = replace(recipe.training, accelerator=accelerator)
    fabric = Fabric(accelerator=accelerator, devices=1, precision=learning.precision(settings))
    fabric.launch()
    with tempfile.TemporaryDirectory() as folder:
        train(Training(Path(folder), 0, fabric, lambda *_: moments.append(time.monotonic()), 1e9, 1), Path(folder))
    return float(np.median(np.diff(moments)[1:]))


def reduce_times(accelerator: str) -> list[float]:
    """Seconds of an all-reduce of each size between two processes, NCCL's where there are two GPUs, else gloo's."""
    backend = "nccl" if accelerator == "cuda" and torch.cuda.device_count() > 1 else "gloo"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "times.json")
        multiprocessing.spawn(_reduce, args=(backend, port, SIZES, str(out)), nprocs=2)
        return json.loads(out.read_text())


def _reduce(rank: int, backend: str, port: int, sizes: Sequence[int], out: str) -> None:
    distributed.init_process_group(backend, f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    device = f"cuda:{rank}" if backend == "nccl" else "cpu"
    times = [_reduced(torch.zeros(count // 4, device=device)) for count in sizes]
    if rank == 0:
        Path(out).write_text(json.dumps(times))
    distributed.destroy_process_group()


def _reduced(values: torch.Tensor) -> float:
    times = []
    for _ in range(REPEATS):
        distributed.barrier()
        start = time.monotonic()
        distributed.all_reduce(values)
        if values.is_cuda:
            torch.cuda.synchronize()
        times.append(time.monotonic() - start)
    return float(np.median(times))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__.splitlines()[0])
    parser.add_argument("--recipe", default="recipes/release.yaml", help="whose networks and batches (%(default)s)")
    parser.add_argument("--accelerator", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--steps", type=int, default=12, help="steps to time, the first two left out (%(default)s)")
    parser.add_argument("--note", default="", help="what else the machine was doing")
    return parser


if __name__ == "__main__":
    main()
