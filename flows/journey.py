"""From a published network and photos to a small network: `python -m flows.journey NETWORK --photos FOLDER`.

What `anime compress` starts. It opens the network, shares the photos out to learn from and to measure with, writes a
recipe whose steps fit the machine and the time, runs the flow on it and leaves NAME.onnx in the current folder.
"""

from flows.machine.environment import WORKSPACE  # first: the tools read their settings when they are imported

# isort: split

import argparse
import io
import json
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
import yaml
from PIL import Image

from anime_model.pictures.arrays import picture_files, write_picture
from anime_model.pictures.atomic import whole_file
from anime_model.pictures.cores import cores_here
from anime_model.pictures.images import same_file
from anime_model.recipes.fields import NAME
from anime_model.recipes.reading import RecipeError
from anime_model.recipes.recipe import parse_recipe
from anime_model.recipes.reference import ReferenceHints
from anime_model.reference.names import LAYOUTS, ORDERS, RANGES
from anime_model.reference.network import PublishedNetwork
from anime_model.reference.opening import NetworkError, file_md5
from anime_model.reference.probe import open_reference
from anime_model.training.preparation import LEAST as FEWEST_PICTURES
from flows.machine import hashes
from flows.machine.numbers import minutes, whole
from flows.runs.console import Passing, guarded
from flows.starting import Start, nearest, readable, starts

FEWEST, FEWEST_FRAMES = 8, FEWEST_PICTURES["frames"]
MOST_MULTIPLE = 1024  # pixels
STAND_INS = 40  # of the network's own pictures, where there are no frames
SCALES = ((0.8, 1.15, 1.6), (0.9, 1.4), (1.0,))  # at which the network draws: as many as its share of the time allows
DRAWING = 0.2  # that share, which comes on top
SHARES = {"teacher": 0.25, "replace_convs": 0.0, "distill": 0.55, "quantize": 0.02}  # of the time
LEAST = 10  # steps of every stage
CRITIC = 0.3  # in the last distillation, where it has some time to learn
ENOUGH = 1000  # steps for a critic
RATES = {"teacher": 5e-4, "replace_convs": 2e-3, "distill": 1e-3, "quantize": 1e-4}
FINEST = 0.1  # of the rates of `teacher` and `distill`
FIXED = yaml.safe_load("""
seed: 1
perceptual: embedded
distillation:
  batch: 2
  weights: {pixel: 4.0, content: 1.0, style: 0.2, edges: 2.0, colour: 4.0, feature: 0.3, gate: 0.3}
  reference_share: 0.75
  content_layers: [relu1_1, relu2_1, relu3_1]
  style_layers: [relu2_1, relu3_1]
replace_convs:
  layers: [a2, b0, b1, c0, c5, d0, d1, e0, e1, e2]
  upsample: half_pixel
  detail: gated
quantize: {calibration: 12, psnr: 44}
""")
PAIRED = {key: weight for key, weight in FIXED["distillation"]["weights"].items() if key != "feature"}


class JourneyError(ValueError):
    """What a person gave that cannot be used; one line."""


def main() -> int:
    options = _parser().parse_args()
    if isinstance(sys.stdout, io.TextIOWrapper):  # in a pipe too: what it starts writes there between its own lines
        sys.stdout.reconfigure(line_buffering=True)
    return guarded(lambda: compress(options), (JourneyError, NetworkError, RecipeError, OSError), options.debug)


def compress(options: argparse.Namespace) -> int:
    """The whole journey; the exit status."""
    network, name = Path(options.network).absolute(), options.name or name_of(options.network)
    if not re.fullmatch(NAME, name):
        raise JourneyError(f"{name!r} cannot be a style's name; give --name: a letter, then letters, digits, '-', '_'")
    target = Path(f"{name}.onnx")
    if same_file(target, network):
        raise JourneyError(f"{target}: the result would replace the published network itself; give another --name")
    if not (WORKSPACE / ".dvc").is_dir():
        raise JourneyError(f"{WORKSPACE} is no DVC project (no .dvc folder): run this in a clone of the project")
    hints = ReferenceHints(options.layout, options.values, "", options.channels, options.multiple)
    reference = open_reference(network, threads=cores_here(), hints=hints)
    print(f"{network.name}: {', '.join(f'{key} {value}' for key, value in asdict(reference.format).items())}")
    folder = WORKSPACE / "data" / name
    for option, given in (("--photos", options.photos), ("--frames", options.frames)):
        check_apart(option, given, folder)
    share_photos(options.photos, own(folder) / "photos")
    place_frames(options.frames, reference, folder / "photos/train", folder / "frames" / name)
    recipe = write_recipe(name, reference, asdict(hints), folder, options.minutes)
    command = [sys.executable, "-m", "flows.compress", "--recipe", str(recipe)]
    if status := subprocess.run(command, cwd=WORKSPACE, check=False).returncode:
        return status
    made = WORKSPACE / "artifacts" / name / "exports/int8.onnx"
    with whole_file(target) as file:
        file.write(made.read_bytes())
    if not options.frames:
        print(f"FID: to {STAND_INS} of {network.name}'s own pictures at most, since no --frames were given")
    print(f"{target}: anime stylize photo.jpg --style {target}")
    return 0


def name_of(network: str) -> str:
    """A style's name from a file's: `Hayao v36.onnx` is `hayao-v36`."""
    return re.sub(r"[^a-z0-9_]+", "-", Path(network).stem.lower()).lstrip("-_0123456789")[:40].rstrip("-_")


def own(folder: Path) -> Path:
    """The folder of the journey's data. Raises `JourneyError` where it holds somebody else's."""
    mark = folder / "journey.json"
    if folder.exists() and not mark.exists():
        raise JourneyError(f"{folder} holds other data; give another --name")
    folder.mkdir(parents=True, exist_ok=True)
    mark.touch()
    return folder


def check_apart(option: str, given: Path | None, folder: Path) -> None:
    """Raises `JourneyError` where what a person gave lies among the copies in `folder`, or holds it: these are made
    anew in every run, and the originals would go with them."""
    if given is None:
        return
    one, other = given.resolve(), folder.resolve()
    if one == other or one in other.parents or other in one.parents:
        where = "lies in" if other in (one, *one.parents) else "holds"
        raise JourneyError(f"{option} {given}: {where} {folder}, which is filled anew; move it, or give another --name")


def share_photos(source: Path, target: Path) -> None:
    """Every eighth photo or so to measure with, 24 at most, the others to learn from; links where there can be."""
    files = picture_files(source)
    if len(files) < FEWEST:
        raise JourneyError(f"--photos {source}: {len(files)} pictures, at least {FEWEST} are needed")
    tests = set(files[:: max(8, -(-len(files) // 24))])
    shutil.rmtree(target, ignore_errors=True)
    for file in files:
        place(file, target / ("test/held_out" if file in tests else "train") / file.relative_to(source))


def place(file: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(file.resolve(), target)
    except OSError:
        shutil.copy2(file, target)


def place_frames(source: Path | None, reference: PublishedNetwork, photos: Path, target: Path) -> None:
    """The style's frames; without any, the network's own pictures of some photos stand in for them."""
    if source:
        files = picture_files(source)
        if len(files) < FEWEST_FRAMES:
            raise JourneyError(f"--frames {source}: {len(files)} pictures, at least {FEWEST_FRAMES} are needed")
        shutil.rmtree(target, ignore_errors=True)
        for file in files:
            place(file, target / file.relative_to(source))
        return
    files = picture_files(photos)
    chosen = files[:: -(-len(files) // STAND_INS)]
    pin = file_md5(reference.network.path)[:8]
    wanted = {target / f"{pin}-{hashes.file_md5(file)[:8]}.jpg": file for file in chosen}
    for path in set(picture_files(target)) - set(wanted):
        path.unlink()
    with Passing() as passing:
        for index, (path, file) in enumerate(wanted.items(), start=1):
            if path.exists():
                continue
            for photo in readable([file]):
                write_picture(path, reference(photo))
                passing.say(f"frames: {index} of {len(wanted)} drawn by the network itself")


def write_recipe(name: str, reference: PublishedNetwork, hints: dict, folder: Path, minutes: float) -> Path:
    """recipes/NAME.yaml, its steps after timing a few. What is there for the same work is kept: nothing runs again."""
    path, mark = WORKSPACE / f"recipes/{name}.yaml", folder / "journey.json"
    network, crop = reference.network.path, crop_of(folder / "photos/train")
    models = starts()
    work = {"md5": file_md5(network), "hints": hints, "crop": crop, "minutes": minutes, "network": str(network)}
    work["starts"] = {start.style: [md5 for _, md5 in start.pins()] for start in models}
    if path.exists() and json.loads(mark.read_text() or "{}") == work:
        return path
    if path.exists() and not path.read_text().startswith("# Written by"):
        raise JourneyError(f"{path} is another recipe; give another --name")
    seconds = minutes * 60
    start, far, photos_far = nearest(reference, picture_files(folder / "photos/train"), models)
    print(
        f"begins from {start.style}, whose pictures are nearest: {far:.1f} levels, the photos' own {photos_far:.1f}; "
        "models/README.md has its terms"
    )
    steps = fitting(pace(recipe_of(name, work, start, dict.fromkeys(SHARES, 1)), folder), seconds)
    content = recipe_of(name, work, start, steps, fineness(far, photos_far))
    content["teacher"]["scales"] = list(scales_for(reference, folder / "photos/train", crop + 32, seconds))
    parse_recipe(content)
    head = f"# Written by `anime compress` for {network.name}: about {minutes:g} minutes of this machine.\n"
    path.write_text(head + yaml.safe_dump(content, sort_keys=False))
    mark.write_text(json.dumps(work))
    print(
        f"{path.relative_to(WORKSPACE)}: scales {content['teacher']['scales']}, "
        + ", ".join(f"{k} {v} steps" for k, v in steps.items())
    )
    return path


def crop_of(photos: Path) -> int:
    """Side in pixels of the largest crops: three quarters of the photos hold them."""
    sides = sorted(min(_size(file)) for file in picture_files(photos))
    return max(64, min(256, sides[len(sides) // 4] // 32 * 32))


def scales_for(reference: PublishedNetwork, photos: Path, side: int, seconds: float) -> tuple[float, ...]:
    """As many scales as the network can draw of all photos in its share of the time, from one that is timed."""
    files = picture_files(photos)
    photo = np.array(Image.fromarray(next(readable(files))).resize((side, side)))
    reference(photo)
    start = time.monotonic()
    reference(photo)
    each = time.monotonic() - start
    allowed = (scales for scales in SCALES if each * len(files) * sum(s * s for s in scales) <= DRAWING * seconds)
    return next(allowed, SCALES[-1])


def _size(file: Path) -> tuple[int, int]:
    try:
        with Image.open(file) as picture:
            return picture.size
    except Exception:  # `prepare` says what is wrong with it
        return (0, 0)


def pace(content: dict, folder: Path) -> dict[str, float]:
    """Seconds of a step of teacher and student, measured in a process of its own."""
    recipe, out = folder / "pace.yaml", folder / "pace.json"
    recipe.write_text(yaml.safe_dump(content))
    print("timing a few steps of teacher and student", flush=True)
    command = [sys.executable, "-m", "tools.pace", str(recipe), str(out)]
    done = subprocess.run(command, cwd=WORKSPACE, check=False, capture_output=True, text=True)
    if done.returncode:
        raise JourneyError(done.stderr.strip().splitlines()[-1].removeprefix("error: "))
    return json.loads(out.read_text())


def fitting(times: dict[str, float], seconds: float) -> dict[str, int]:
    """Steps of every stage, so that each takes its share of the time; `LEAST` at least."""
    per_step = {stage: times["teacher" if stage == "teacher" else "student"] for stage in SHARES}
    return {stage: max(LEAST, min(20_000, round(share * seconds / per_step[stage]))) for stage, share in SHARES.items()}


def fineness(far: float, photos_far: float) -> float:
    """What rates are multiplied by: two pictures a step would undo what a start that is near already has learned."""
    return min(1.0, max(FINEST, (far / max(photos_far, 1e-6)) ** 2))


def recipe_of(name: str, work: dict, start: Start, steps: dict[str, int], fine: float = 1.0) -> dict:
    crop, given = work["crop"], {key: value for key, value in work["hints"].items() if value}
    crops = sorted({max(32, crop * part // 8 // 4 * 4) for part in (5, 6, 8)})
    threads, base = cores_here(), f"data/{name}"
    sections = {key: dict(value) for key, value in FIXED.items() if isinstance(value, dict)}
    sections["distillation"] |= {"crop": crop}
    (teacher, teacher_md5), (student, student_md5) = start.pins()
    rates = RATES | {stage: float(f"{RATES[stage] * fine:.2g}") for stage in ("teacher", "distill")}
    for stage in ("replace_convs", "distill", "quantize"):
        tune = {
            "steps": steps[stage],
            "rate": rates[stage],
            **({} if stage == "replace_convs" else {"freeze_norm": True}),
        }
        sections[stage] = {**sections.get(stage, {}), "fine_tune": tune}
    sections["prune"] = {"import_file": {name: student}, "import_md5": {name: student_md5}}
    if steps["distill"] >= ENOUGH:
        sections["distill"]["fine_tune"]["critic"] = CRITIC
    return {
        "styles": [name],
        "seed": FIXED["seed"],
        "perceptual": FIXED["perceptual"],
        "data": {"generate": [], "photos": f"{base}/photos", "frames": f"{base}/frames", "photo_size": crop + 32},
        "training": {"accelerator": "auto", "threads": threads, "precision": "auto"},
        "teacher": {
            "width": 1.0,
            "warm_start": teacher,
            "warm_start_md5": teacher_md5,
            "crop": crop,
            "reference": {name: work["network"]},
            "reference_md5": {name: work["md5"]},
            **({"reference_hints": {name: given}} if given else {}),
            "pairs": {
                "steps": steps["teacher"],
                "batch": 2,
                "crops": crops,
                "rate": rates["teacher"],
                "weights": PAIRED,
            },
        },
        **sections,
        "evaluate": {"latency_threads": min(threads, 2), "latency_repeats": 12},
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="anime compress", description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("network", metavar="NETWORK", help="an ONNX network: a picture in, a picture of the same size out")
    add("--photos", type=Path, required=True, help="folder of photos to learn from and to measure with")
    add("--frames", type=Path, help="folder of the style's frames, for FID (default: the network's own pictures)")
    add("--name", help="the style's name (default: the file's)")
    add("--minutes", type=minutes, default=120, help="about how long training may take (default: %(default)g)")
    add("--layout", choices=LAYOUTS, default="", help="where a probe cannot tell")
    add("--values", choices=tuple(RANGES), default="", help="levels that the network takes, likewise")
    add("--channels", choices=ORDERS, default="", help="likewise (default: rgb)")
    add("--multiple", type=partial(whole, most=MOST_MULTIPLE), default=0, help="of height and width, likewise")
    add("--debug", action="store_true", help="show tracebacks")
    return parser


if __name__ == "__main__":
    sys.exit(main())
