"""Trains the embedded perceptual network, by hand, from the real ones; no stage of the pipeline runs it.

    TORCH_HOME=... python -m tools.train_perceptual PHOTOS FRAMES --test PHOTOS --sixteenth vgg19_16x.safetensors

It needs VGG-19, SqueezeNet and the FID's Inception-v3 in torch's hub cache. A broken run goes on where it stood.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import torch

from anime_model.networks.perceptual import EMBEDDED, load_embedded, load_perceptual, save_embedded
from anime_model.training import agreement
from anime_model.training import embedded as perceptual
from anime_model.training.distortions import load_pictures
from anime_model.training.loop import OnStep, Training

PROTOCOL = (
    "Photos never trained on; the frames among the FID sets are those of the training. Maps: 256 px, against VGG-19 "
    "(relu4_1: against the sixteenth-size VGG-19). Pairs: 128 px, against LPIPS 0.1 (squeeze) and VGG-19. "
    "FID: 256 px, against Inception-v3 features 768."
)


def main() -> None:
    arguments = _arguments()
    torch.set_num_threads(arguments.threads)
    try:
        _run(arguments)
    except ValueError as error:
        sys.exit(f"error: {error}")


def _run(arguments: argparse.Namespace) -> None:
    teachers = perceptual.Teachers(arguments.sixteenth)
    if arguments.steps:
        photos, frames = (load_pictures(folder) for folder in (arguments.photos, arguments.frames))
        print(f"{len(photos)} photos, {len(frames)} frames", flush=True)
        training = Training(arguments.scratch, seed=arguments.seed, on_step=_report("step"), log_every=50)
        network = perceptual.train(
            teachers, photos, frames, training, steps=arguments.steps, pool_size=arguments.pool, on_pool=_report("pool")
        )
        save_embedded(arguments.out, network, {"steps": arguments.steps, "seed": arguments.seed})
    if arguments.test:
        _measure(arguments, teachers)


def _measure(arguments: argparse.Namespace, teachers: perceptual.Teachers) -> None:
    network = load_embedded(arguments.out)
    photos = load_pictures(arguments.test)
    styles = {
        f"frames {folder.name}": load_pictures(folder)
        for folder in sorted(arguments.frames.iterdir())
        if folder.is_dir()
    }
    collected = agreement.collections(photos, styles)
    results = {
        "protocol": PROTOCOL,
        "parameters": sum(value.numel() for value in network.parameters()),
        "bytes": arguments.out.stat().st_size,
        "cost": _cost(),
        "maps": agreement.of_maps(network, teachers, photos),
        "distorted": agreement.of_distances(network, teachers, agreement.distorted_pairs(photos)),
        "stylised": agreement.of_distances(network, teachers, agreement.stylised_pairs(photos)),
        "fid": agreement.of_fid(network, teachers, photos, collected, lambda name, row: print(name, row, flush=True)),
    }
    arguments.results.parent.mkdir(parents=True, exist_ok=True)
    arguments.results.write_text(json.dumps(results, indent=2) + "\n")
    print(json.dumps({key: value for key, value in results.items() if key != "fid"}, indent=2))
    print(f"fid: spearman {results['fid']['spearman']}, written to {arguments.results}")


def _cost() -> dict[str, object]:
    """Milliseconds of relu3_1 of 8 pictures of 128 x 128, by either network."""
    costs = {name: agreement.cost(load_perceptual(name, ("relu3_1",))) for name in ("embedded", "vgg19")}
    return {"layer": "relu3_1", "size": 128, "batch": 8, "threads": torch.get_num_threads(), **costs}


def _report(word: str) -> OnStep:
    start = time.monotonic()

    def on_step(step: int, total: int, scalars: dict[str, float]) -> None:
        values = " ".join(f"{key}={value:.3f}" for key, value in scalars.items() if key != "step")
        print(f"{word} {step}/{total} {values} after {time.monotonic() - start:.0f} s", flush=True)

    return on_step


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path, help="folder of photos to train on")
    parser.add_argument("frames", type=Path, help="folder of style frames to train on")
    parser.add_argument("--test", type=Path, help="folder of photos never trained on, for the published agreement")
    parser.add_argument("--sixteenth", type=Path, required=True, help="vgg19_16x.safetensors, the teacher of relu4_1")
    parser.add_argument("--out", type=Path, default=EMBEDDED)
    parser.add_argument("--results", type=Path, default=Path("results/perceptual.json"))
    parser.add_argument("--scratch", type=Path, default=Path("scratch/perceptual"), help="resume files")
    parser.add_argument("--steps", type=int, default=2200, help="0 measures the network in --out as it is")
    parser.add_argument("--pool", type=int, default=2500, help="pictures with Inception features")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    main()
