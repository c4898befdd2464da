"""Whether a search finds better networks than pruning: `python -m benchmarks.searched STYLE --photos FOLDER=SHARE ...`.

At one speed, `--faster` times that of the style's lite network, two networks begin: the nearest member of its family
that a search finds, and the lite network itself, pruned in rounds. Both train for `--seconds` in all, on the same
photos, towards the same teacher, with the same losses. Their figures on the test photos of artifacts/STYLE/data and
their times, taken in turns, go to results/searched.json. The family's own training, which all members share, comes on
top. What is made stays in `--out`, and a broken-off run goes on after the last network that it finished.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np
import optuna
import torch
from torch import Tensor

from anime_model.compression.block_times import BlockTime, LatencyTable, time_blocks
from anime_model.compression.export import export_onnx
from anime_model.compression.family import Space
from anime_model.compression.family_file import open_family
from anime_model.compression.family_judge import Judge, split_held_out
from anime_model.compression.pruning import cut, least_widths
from anime_model.metrics.batches import pairs
from anime_model.metrics.fidelity import fidelity
from anime_model.metrics.latency import measure_onnx
from anime_model.metrics.lpips import load_distance, lpips_distance
from anime_model.networks.architecture import Architecture
from anime_model.networks.checkpoint import load_generator, save_generator
from anime_model.networks.cost import count_macs, count_parameters
from anime_model.networks.generator import Generator
from anime_model.pictures.arrays import picture_files
from anime_model.pictures.sampling import spread
from anime_model.recipes.prune import PruneSettings
from anime_model.recipes.recipe import load_recipe
from anime_model.report.evaluate import photos_of
from anime_model.runtime.network import Network
from flows.searching.errors import SearchError
from flows.searching.study import finished, run
from flows.searching.workshop import drawing, squares
from tasks.shared import common

RESULTS = Path("results/searched.json")
ROUNDS = 2  # of pruning; the first has a quarter of the time
MEMBERS, THREADS, SIZE = 16, 1, 512  # members whose layers are timed, and how
HALVINGS = 6  # of what pruning keeps, until it is as fast as is asked for
TRAINING = ("--batch", "3", "--crop", "192", "--rate", "1.5e-3", "--gate-cost", "0.5", "--pool", "200", "--no-bf16")
NET = "squeeze"  # of LPIPS
NETWORKS = ("searched", "pruned")


def main() -> None:
    options = parsed()
    torch.set_num_threads(options.threads)
    family = open_family(options.family)
    options.out.mkdir(parents=True, exist_ok=True)
    table = LatencyTable(block_times(options.out / "blocks.json", family.space))
    lite = load_generator(options.lite)
    target = table(lite.arch) / options.faster
    photos = squares(split_held_out(picture_files(options.data / "photos/train"))[1])
    wanted = drawing(load_generator(options.teacher))
    searched(options, Judge(family, photos, wanted, load_distance(NET), table), target)
    pruned(options, photos, lambda arch: table(arch) <= target)
    measured(options)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.searched", description=__doc__.splitlines()[0])
    parser.add_argument("style")
    parser.add_argument("--photos", nargs="+", required=True, metavar="FOLDER=SHARE", help="to train on")
    parser.add_argument("--faster", type=float, default=2.2, help="times the lite network's speed (%(default)s)")
    parser.add_argument("--seconds", type=int, default=1200, help="of training, for each (%(default)s)")
    parser.add_argument("--trials", type=int, default=150, help="members that the search judges (%(default)s)")
    parser.add_argument("--test", type=int, default=20, help="photos of each test set to measure with (%(default)s)")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("artifacts/searched"))
    options = parser.parse_args()
    options.family = Path(f"models/under_way/{options.style}-family.safetensors")
    options.lite = Path(f"models/under_way/{options.style}.safetensors")  # with its norms
    options.teacher = Path(f"models/teachers/{options.style}.safetensors")
    options.data = Path("artifacts", options.style, "data")
    return options


def block_times(file: Path, space: Space) -> list[BlockTime]:
    if not file.exists():
        common.write_json(file, [asdict(row) for row in time_blocks(space, SIZE, THREADS, MEMBERS)])
    return [BlockTime(**row) for row in common.read_json(file)]


def searched(options: argparse.Namespace, judge: Judge, target: float) -> None:
    """The member nearest to the teacher's pictures of those that are fast enough, trained alone."""
    made, start = options.out / "searched.safetensors", options.out / "searched-start.safetensors"
    if not start.exists():
        study = optuna.create_study(directions=["minimize"] * 3)
        try:
            run(study, judge, options.trials, None, target, seed=0)
        except SearchError as error:
            raise SystemExit(f"--faster {options.faster:g}: {error}") from None
        trials = finished(study)
        best = min(trials, key=lambda trial: trial.values[0])
        save_generator(start, judge.network(best.params), trial=best.number, lpips=best.values[0], ms=best.values[1])
        print(f"searched: trial {best.number}, {len(trials)} of {len(study.trials)} fast enough, {best.values}")
    if not made.exists():
        trained(options, start, made, options.seconds)


def pruned(options: argparse.Namespace, photos: Tensor, fast: Callable[[Architecture], bool]) -> None:
    """The lite network, pruned in rounds until it is fast enough, trained after each."""
    student, teacher = load_generator(options.lite), load_generator(options.teacher)
    settings = PruneSettings(budget="macs", group_keep=0.25, round_to=16)
    least, whole = least_widths(student, settings.group_keep, settings.round_to), count_macs(student.arch)

    def kept(network: Generator, share: float) -> Generator:
        return cut(network, teacher, photos, settings, round(whole * share), least)

    made = options.out / "pruned.safetensors"
    if made.exists():
        return
    share = largest_share(lambda share: fast(kept(student, share).arch))
    print(f"pruned: {share:.2f} of the multiply-adds")
    for turn in range(1, ROUNDS + 1):
        start = options.out / f"pruned-start-{turn}.safetensors"
        save_generator(start, kept(student, share ** (turn / ROUNDS)))
        out = made if turn == ROUNDS else options.out / f"pruned-{turn}.safetensors"
        trained(options, start, out, options.seconds * (0.75 if turn == ROUNDS else 0.25 / (ROUNDS - 1)))
        student = load_generator(out)


def largest_share(fast: Callable[[float], bool]) -> float:
    low, high = 0.05, 1.0
    for _ in range(HALVINGS):
        middle = (low * high) ** 0.5
        low, high = (middle, high) if fast(middle) else (low, middle)
    return low


def trained(options: argparse.Namespace, start: Path, made: Path, seconds: float) -> None:
    """`start` after so many seconds of learning the teacher's pictures, the same for both."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "tools.imitate", "polish", "--start", str(start), "--out", folder]
        command += ["--reference", str(options.teacher), "--photos", *options.photos]
        command += ["--seconds", str(round(seconds)), "--threads", str(options.threads), *TRAINING]
        subprocess.run(command, check=True)
        Path(folder, "polished.safetensors").rename(made)


def measured(options: argparse.Namespace) -> None:
    """Likeness to the teacher's pictures of `--test` photos of each set, spread over it, and times in turns."""
    recipe = load_recipe("params.yaml").evaluate
    networks = {name: load_generator(options.out / f"{name}.safetensors") for name in NETWORKS}
    networks["lite"] = load_generator(options.lite)
    photos = [photo for found in photos_of(options.data).values() for photo in _some(found, options.test)]
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        files = {name: Path(folder, f"{name}.onnx") for name in (*networks, "teacher")}
        for name, network in (networks | {"teacher": load_generator(options.teacher)}).items():
            export_onnx(network, files[name])
        teacher = Network(files.pop("teacher"), options.threads)
        times = measure_onnx(files, recipe.latency_size, options.threads, recipe.latency_repeats)
        wanted = [teacher(photo) for photo in photos]
        for name, file in files.items():
            made = [*map(Network(file, options.threads), photos)]
            near = lpips_distance(made, wanted, NET) | fidelity(pairs(made, wanted))
            arch = networks[name].arch
            size = {"parameters": count_parameters(arch), "macs_512": count_macs(arch)}
            rows.append({"network": name, **size, **near, **times[name]})
            print(f"{name}: LPIPS {near['lpips']:.4f}, {times[name]['latency_p50_ms']:.1f} ms", flush=True)
    facts = {key: getattr(options, key) for key in ("style", "faster", "seconds", "trials", "threads")}
    common.write_json(RESULTS, facts | {"photos": len(photos), "rows": rows})


def _some(photos: Mapping[str, np.ndarray], count: int) -> list[np.ndarray]:
    found = list(photos.values())
    return [found[place] for place in spread(len(found), min(count, len(found)))]


if __name__ == "__main__":
    main()
