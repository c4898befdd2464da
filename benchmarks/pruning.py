"""What pruning goes by: `python -m benchmarks.pruning STYLE`, minutes on a CPU.

Cuts the separable network of artifacts/STYLE to several shares of its MACs by several rules, without any training, and
writes how near its pictures of the test photos still are to the teacher's to results/pruning.json. The account of it is
in docs/results.md: `python -m benchmarks.readme results/release.json`.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from anime_model.compression.importance import ChannelStatistics, collect_statistics
from anime_model.compression.norms import gather_statistics, interleaved_batches, recalibrate_batch_norm
from anime_model.compression.pruning import CALIBRATION, least_widths, prune_to
from anime_model.metrics.fidelity import psnr, ssim
from anime_model.networks.checkpoint import load_generator
from anime_model.networks.cost import count_macs, count_parameters
from anime_model.networks.generator import Generator
from anime_model.recipes.prune import PruneSettings
from anime_model.recipes.recipe import load_recipe
from anime_model.training.data import Pictures
from anime_model.training.yuv import to_yuv
from tasks.shared import common

RESULTS = Path("results/pruning.json")
PHOTOS = 12  # of each test set
DRAWS = 3
Row = dict[str, float | str]


class Chance(ChannelStatistics):
    """A random order of the channels, another at every call."""

    def importance(self, units: Sequence[str]) -> Tensor:
        return torch.rand(self.gates[units[0]].shape[1])


class Alone(ChannelStatistics):
    """The right order, but nobody stands in for what has left."""

    def compensate(self, name: str, conv: nn.Conv2d, removed: Sequence[int]) -> None:
        pass


def main(arguments: list[str]) -> None:
    (style,) = arguments
    artifacts, recipe = Path("artifacts", style), load_recipe("params.yaml")
    torch.set_num_threads(recipe.training.threads)
    torch.manual_seed(recipe.seed)
    student = load_generator(artifacts / "separable/separable.safetensors")
    teacher = load_generator(artifacts / "teacher/teacher.safetensors")
    size = recipe.prune.fine_tune.crop
    calibration = Pictures(artifacts / "data/photos/train", smallest=size).fixed(CALIBRATION, size)
    sets = sorted((artifacts / "data/photos/test").iterdir())
    photos = torch.cat([Pictures(folder, smallest=size).fixed(PHOTOS, size) for folder in sets])
    rows = list(trials(student, teacher, calibration, photos, recipe.prune))
    protocol = {"style": style, "photos": len(photos), "size": size, "calibration": CALIBRATION, "draws": DRAWS}
    common.write_json(RESULTS, protocol | {"rows": rows})
    print(f"wrote {RESULTS}")


def trials(
    student: Generator, teacher: Generator, calibration: Tensor, photos: Tensor, settings: PruneSettings
) -> Iterator[Row]:
    """A row for the network before, and for every rule at every round's share of the MACs; chance is a mean."""
    recalibrate_batch_norm(student, interleaved_batches(calibration))
    with torch.no_grad():
        wanted = teacher(photos)
    yield {"rule": "before", **judged(student, photos, wanted)}
    statistics = collect_statistics(student, teacher, calibration)
    rules: dict[str, list[ChannelStatistics | None]] = {
        "chance": [Chance(statistics.gates, statistics.covariances)] * DRAWS,
        "l1": [None],
        "taylor, nobody stands in": [Alone(statistics.gates, statistics.covariances)],
        "taylor": [statistics],
    }
    whole, least = count_macs(student.arch), least_widths(student, settings.group_keep, settings.round_to)
    for turn in range(1, settings.rounds + 1):
        amount = round(whole * settings.keep ** (turn / settings.rounds))
        for rule, tries in rules.items():
            found = []
            for seen in tries:
                cut = prune_to(student, "macs", amount, least, seen, settings.round_to)
                gather_statistics(cut, interleaved_batches(calibration))
                found.append(judged(cut, photos, wanted))
            row = {key: sum(values[key] for values in found) / len(found) for key in found[0]}
            print(f"{amount / 1e9:.1f} GMAC, {rule}: {row['psnr']:.2f} dB", flush=True)
            yield {"rule": rule, **{key: round(value, 4) for key, value in row.items()}}


@torch.no_grad()
def judged(network: Generator, photos: Tensor, wanted: Tensor) -> dict[str, float]:
    """Costs, PSNR, SSIM and `colour_error` to the teacher."""
    made = torch.cat([network(batch) for batch in photos.split(4)])
    return {
        "macs_512": count_macs(network.arch),
        "parameters": count_parameters(network.arch),
        "psnr": float(psnr(made, wanted)),
        "ssim": float(ssim(made, wanted)),
        "colour_error": colour_error(made, wanted),
    }


def colour_error(made: Tensor, wanted: Tensor) -> float:
    """Squared error of U and V over what there is of them: 0 for equal colours, 1 for grey."""
    made, wanted = to_yuv(made)[:, 1:], to_yuv(wanted)[:, 1:]
    return ((made - wanted).square().mean() / wanted.square().mean()).item()


if __name__ == "__main__":
    common.run(main, "STYLE")
