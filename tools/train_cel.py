"""Trains the teacher that the demo starts from, by hand; no stage of the pipeline runs it.

    TORCH_HOME=... python -m flows.machine.environment python -m tools.train_cel

It draws pairs of pictures first, photo and cel drawing of one scene, from seeds that no demo uses, and needs VGG-19 in
torch's hub cache. A broken run goes on where it stood.
"""

import argparse
import sys
from pathlib import Path

import torch
from lightning_fabric import Fabric

from anime_model.demo.paired import CONTENT, STYLE, Pairs, draw_pairs, train_paired
from anime_model.networks.checkpoint import load_generator, save_generator
from anime_model.networks.perceptual import load_perceptual
from anime_model.recipes.training import TrainingSettings
from anime_model.training.loop import Training
from tasks.shared import common, learning

START = Path("models/warm_up.safetensors")
TARGET = Path("models/teachers/cel.safetensors")


def main() -> None:
    arguments = _arguments()
    torch.set_num_threads(arguments.threads)
    try:
        _run(arguments)
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")


def _run(arguments: argparse.Namespace) -> None:
    pairs = arguments.scratch / f"pairs-{arguments.pairs}"
    if not pairs.exists():
        draw_pairs(part := pairs.with_suffix(".part"), arguments.pairs, common.show)
        part.replace(pairs)
    settings = TrainingSettings(accelerator="cpu", precision=arguments.precision)
    fabric = Fabric(accelerator="cpu", devices=1, precision=learning.precision(settings))
    fabric.launch()
    training = Training(arguments.scratch, arguments.seed, fabric, common.show)
    perceptual = load_perceptual(arguments.perceptual, tuple(dict.fromkeys((*CONTENT, *STYLE)))).to(fabric.device)
    data = Pairs.load(pairs, arguments.batch, arguments.crop, training)
    start = load_generator(arguments.start).float()
    generator, _ = train_paired(start, data, perceptual, arguments.steps, arguments.rate, training)
    notes = {"trained_steps": arguments.steps, "crop": arguments.crop, "trained_on": f"{arguments.pairs} drawn pairs"}
    save_generator(arguments.out, generator.half(), **notes)
    print(f"wrote {arguments.out}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--start", type=Path, default=START, help="checkpoint to begin from")
    parser.add_argument("--out", type=Path, default=TARGET)
    parser.add_argument("--scratch", type=Path, default=Path("scratch/cel"), help="pairs and resume files")
    parser.add_argument("--pairs", type=int, default=2400)
    parser.add_argument("--steps", type=int, default=2200)
    parser.add_argument("--batch", type=int, default=6)
    parser.add_argument("--crop", type=int, default=128)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--perceptual", choices=("vgg19", "embedded"), default="vgg19")
    parser.add_argument("--precision", default="auto", help="auto, or as in Lightning Fabric")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    main()
