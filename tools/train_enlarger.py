"""Trains the enlarger, by hand, on frames: `python -m tools.train_enlarger FOLDER... --out FILE`. No stage runs it.

Minutes of a GPU, or an hour of a CPU. `--factor 4 --before models/enlarger.safetensors` trains the one that enlarges
four times in one step. `python -m tools.ship_enlarger FILE` makes the file that ships.
"""

import argparse
import math
import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from anime_model.networks.enlarger import Enlarger, load_enlarger, save_enlarger
from anime_model.pictures.arrays import PictureError, read_picture
from anime_model.training.enlarger import HELD_OUT, split, train_step

SUFFIXES = (".jpg", ".png", ".webp")
WARM_UP, LAST = 100, 0.01  # steps to the full rate, and the share of it at the end


def main() -> None:
    arguments = _arguments()
    try:
        _train(arguments)
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")


def read_frames(folders: list[Path], side: int, device: str) -> list[Tensor]:
    """uint8 [3, H, W] of all frames that are not held out and have the size of a crop. Raises `PictureError`."""
    frames = []
    for folder in folders:
        names, _ = split([path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES])
        for path in names:
            pixels = read_picture(path)
            if min(pixels.shape[:2]) >= 2 * side:
                frames.append(torch.from_numpy(pixels).permute(2, 0, 1).contiguous().to(device))
    if not frames:
        raise PictureError(f"{', '.join(map(str, folders))}: no frames of {2 * side} pixels and more")
    return frames


def _train(arguments: argparse.Namespace) -> None:
    frames = read_frames(arguments.frames, arguments.side, arguments.device)
    torch.manual_seed(0)
    model = load_enlarger(arguments.start)[0] if arguments.start else Enlarger(factor=arguments.factor)
    model = model.to(arguments.device).train()
    before = load_enlarger(arguments.before)[0].to(arguments.device) if arguments.before else None
    if (before or model).factor != 2:
        raise ValueError("--before: an enlarger that doubles is needed, such as models/enlarger.safetensors")
    optimizer = torch.optim.Adam(model.parameters(), arguments.rate, (0.9, 0.99))
    draw, start, told, step = np.random.default_rng(0), time.monotonic(), 0.0, 0
    while (gone := time.monotonic() - start) < arguments.seconds:
        fall = LAST + (1 - LAST) * (1 + math.cos(math.pi * gone / arguments.seconds)) / 2
        optimizer.param_groups[0]["lr"] = arguments.rate * fall * min(1, (step + 1) / WARM_UP)
        loss = train_step(model, optimizer, frames, arguments.batch, arguments.side, draw, before)
        step += 1
        if gone - told > 5:
            told = gone
            print(f"{gone:.0f} s step {step} loss {float(loss):.4f}", flush=True)
    notes = {"steps": step, "batch": arguments.batch, "side": arguments.side, "frames": len(frames)}
    save_enlarger(arguments.out, model, **notes)
    print(f"wrote {arguments.out}: {step} steps, every {HELD_OUT}th frame left out")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Trains the network that enlarges drawings.")
    add = parser.add_argument
    add("frames", nargs="+", type=Path, help="folders of frames")
    add("--out", type=Path, default=Path("models/enlarger.safetensors"))
    add("--start", type=Path, help="weights to go on from")
    add("--factor", type=int, choices=(2, 4), default=2, help="how many times as large, without --start")
    add("--before", type=Path, help="the enlarger that doubles, whose pictures one of --factor 4 enlarges further")
    add("--seconds", type=float, default=600)
    add("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    add("--batch", type=int, default=16)
    add(
        "--side",
        type=int,
        default=192,
        help="pixels of an answer, a multiple of 16 times --factor (default: %(default)s)",
    )
    add("--rate", type=float, default=1e-3)
    return parser.parse_args()


if __name__ == "__main__":
    main()
