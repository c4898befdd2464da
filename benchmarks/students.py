"""Students side by side: `python -m benchmarks.students STYLE NAME=CHECKPOINT ... [--every N] [--note TEXT]`.

Every N-th test photo of artifacts/STYLE/data, drawn by each checkpoint, by the teacher and by the published network of
artifacts/STYLE/reference; their figures go to results/students.json. Minutes on one core, most of them the teacher's.
The account of it is in docs/results.md: `python -m benchmarks.readme results/release.json`.
"""

import argparse
import math
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import torch

from anime_model.networks.checkpoint import load_generator
from anime_model.networks.generator import Generator
from anime_model.recipes.recipe import load_recipe
from anime_model.report.baselines import PHOTO, REFERENCE, Draw, through
from anime_model.report.evaluate import TEACHER, Judge, Sets, drawn, photos_of, usual_side
from tasks.evaluate import published_of
from tasks.shared import common

RESULTS = Path("results/students.json")
KEPT = ("lpips_reference", "lpips", "lpips_photo", "psnr", "fid", "kid", "kid_deviation", "kid_faces", "kid_scenes")
Row = dict[str, float | str]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.students", description=__doc__.splitlines()[0])
    parser.add_argument("style")
    parser.add_argument("students", nargs="+", metavar="NAME=CHECKPOINT")
    parser.add_argument("--every", type=int, default=1, help="of how many test photos one counts (%(default)s)")
    parser.add_argument("--note", default="", help="what the students are, for the account of it")
    options = parser.parse_args()
    artifacts, recipe = Path("artifacts", options.style), load_recipe("params.yaml")
    torch.set_num_threads(recipe.training.threads)
    photos = {
        name: dict(list(found.items())[:: options.every]) for name, found in photos_of(artifacts / "data").items()
    }
    judge = Judge(recipe.evaluate.features, recipe.evaluate.lpips, usual_side(photos), artifacts / "data/frames")
    draws = {TEACHER: drawer(load_generator(artifacts / "teacher/teacher.safetensors"))}
    if published := published_of(artifacts / "reference/reference.json", recipe.training.threads):
        draws[REFERENCE] = published.draw
    names = dict(student.split("=", 1) for student in options.students)
    rows = list(
        judged(judge, photos, draws, {name: drawer(load_generator(Path(file))) for name, file in names.items()})
    )
    count = sum(map(len, photos.values()))
    protocol = {"style": options.style, "photos": count, "features": judge.features, "lpips": judge.lpips}
    common.write_json(RESULTS, protocol | {"note": options.note, "rows": rows})


def judged(judge: Judge, photos: Sets, known: Mapping[str, Draw], students: Mapping[str, Draw]) -> Iterator[Row]:
    """The figures of what the `known` networks and the `students` draw, each compared with the known ones."""
    plain = judge.nearness(photos)
    pictures = {PHOTO: photos} | {name: drawn(photos, draw) for name, draw in known.items()}
    for name, draw in (known | dict(students)).items():
        made = pictures[name] if name in pictures else drawn(photos, draw)
        figures = judge.figures(made, pictures, plain)
        kept = {key: float(figures[key]) for key in KEPT if key in figures}
        yield {"network": name} | {key: round(value, 6) for key, value in kept.items() if math.isfinite(value)}
        print(f"{name}: done", flush=True)


def drawer(network: Generator) -> Draw:
    return partial(through, network.eval().requires_grad_(False))


if __name__ == "__main__":
    main()
