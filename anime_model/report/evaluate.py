"""All figures of one style, from its exported ONNX files and its prepared pictures."""

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from torch import Tensor

from anime_model.metrics import fid, lpips
from anime_model.metrics.batches import pairs
from anime_model.metrics.downloads import EvaluationError
from anime_model.metrics.fidelity import fidelity
from anime_model.metrics.footprint import footprint
from anime_model.metrics.latency import measure_onnx
from anime_model.metrics.nearness import Nearness, nearness
from anime_model.metrics.ratio import latency_ratio
from anime_model.pictures.arrays import picture_files, read_picture, write_picture
from anime_model.pictures.atomic import write_whole
from anime_model.pictures.sampling import spread
from anime_model.pictures.tables import write_table
from anime_model.recipes.evaluate import EvaluateSettings
from anime_model.report.baselines import FILTER, PHOTO, REFERENCE, Draw, Reference, filter_of, runs_at, weight_of
from anime_model.runtime.names import VARIANTS
from anime_model.runtime.network import Network

TEACHER = VARIANTS[0]
WEIGHED_AT_ONCE = 2  # networks, each in a process of its own: they share no memory that would count twice
MOST_FRAMES = 600  # square cuts of style frames on the real side of FID; more change it little and take minutes

Metrics = dict[str, float | int | str]
Sets = dict[str, dict[str, np.ndarray]]  # pictures by test set and name
OnStep = Callable[[int, int, dict[str, float]], None]


def evaluate(
    style: str,
    exports: Path,
    data: Path,
    out: Path,
    settings: EvaluateSettings,
    on_step: OnStep = lambda step, total, scalars: None,
    reference: Reference | None = None,
) -> list[Metrics]:
    """Measures every variant that `exports` has, writes `out` and returns the metrics, the teacher's first.

    `exports` holds <variant>.onnx, `data` is a prepared folder (photos/train, photos/test/<set>, frames),
    `reference` a published network of the same style. `out` gets <variant>.json, baselines.json (the same figures of
    what networks are compared with: the untouched photo, a filter without a network, the reference), metrics.csv and
    pictures/. Raises `ValueError` in one line where a file or the weights of a metric are missing.
    """
    files = _exports(exports)
    photos = photos_of(data)
    weighed = files | ({REFERENCE: reference.file} if reference else {})
    drawings = len(weighed) + 1  # the filter's too
    judged = drawings + 1  # and the photos themselves
    steps = _Steps(on_step, settings.latency_repeats + len(weighed) + (drawings + judged) * _count(photos))
    costs = _costs(weighed, settings, steps)
    rows = _measured(style, files, data, photos, settings, reference, costs, steps, out / "pictures")
    metrics, baselines = ([row for name, row in rows.items() if (name in files) == own] for own in (True, False))
    for row in metrics:
        _write_json(out / f"{row['variant']}.json", row)
    _write_json(out / "baselines.json", baselines)
    write_table(out / "metrics.csv", metrics)
    return metrics


def _measured(
    style: str,
    files: Mapping[str, Path],
    data: Path,
    photos: Sets,
    settings: EvaluateSettings,
    reference: Reference | None,
    costs: Mapping[str, Metrics],
    steps: "_Steps",
    shown: Path,
) -> dict[str, Metrics]:
    """The figures of every row of the table, by name; some of its pictures are written into `shown`."""
    judge = Judge(settings.features, settings.lpips, usual_side(photos), data / "frames")
    known = {PHOTO: photos, TEACHER: drawn(photos, Network(files[TEACHER], settings.latency_threads), steps.add)}
    if reference:
        known[REFERENCE] = drawn(photos, reference.draw, steps.add)
    plain = judge.nearness(photos)
    common = {"style": style, "pictures_md5": pictures_md5(data)}
    found = {}
    for name, made in _rows(known, filter_of(data), files, settings.latency_threads, steps):
        quality = judge.figures(made, known, plain)
        found[name] = _finite({**common, "variant": name, **costs.get(name, {}), **quality})
        _write_pictures(shown, name, made, settings.pictures)
        steps.add(_count(photos))
    return found


def _rows(
    known: Mapping[str, Sets], plain_filter: Draw, files: Mapping[str, Path], threads: int, steps: "_Steps"
) -> Iterator[tuple[str, Sets]]:
    """What each row of the table drew, those first that networks are compared with; one at a time, for the memory."""
    yield PHOTO, known[PHOTO]
    yield FILTER, drawn(known[PHOTO], plain_filter, steps.add)
    if REFERENCE in known:
        yield REFERENCE, known[REFERENCE]
    for name, path in files.items():
        yield name, known[name] if name in known else drawn(known[PHOTO], Network(path, threads), steps.add)


def compare(
    files: Mapping[str, Path],
    teacher: Path,
    data: Path,
    settings: EvaluateSettings,
    on_step: OnStep = lambda step, total, scalars: None,
) -> dict[str, Metrics]:
    """The figures of some ONNX files, by name, on the same test photos: times side by side, likeness to `teacher`.

    A file named "challenger" is also timed in pairs with one named "champion". `data` is a prepared folder, as for
    `evaluate`. Raises `ValueError` in one line where a file or the weights of a metric are missing.
    """
    photos = photos_of(data)
    steps = _Steps(on_step, settings.latency_repeats + (2 * len(files) + 2) * _count(photos))
    size, threads, repeats = settings.latency_size, settings.latency_threads, settings.latency_repeats
    times = measure_onnx(files, size, threads, repeats, lambda _: steps.add())
    if {"challenger", "champion"} <= files.keys():
        times["challenger"] |= latency_ratio(files["challenger"], files["champion"], size, threads)
    judge = Judge(settings.features, settings.lpips, usual_side(photos), data / "frames")
    known = {PHOTO: photos, TEACHER: drawn(photos, Network(teacher, threads), steps.add)}
    plain = judge.nearness(photos)
    steps.add(_count(photos))
    found = {}
    for name, path in files.items():
        quality = judge.figures(drawn(photos, Network(path, threads), steps.add), known, plain)
        found[name] = _finite({"bytes": path.stat().st_size, **times[name], **quality})
        steps.add(_count(photos))
    return found


@dataclass
class _Steps:
    """Counts what is done: a round of timing, a network weighed, a picture drawn or compared."""

    on_step: OnStep
    total: int
    done: int = 0

    def add(self, steps: int = 1) -> None:
        self.done += steps
        self.on_step(self.done, self.total, {})


@dataclass(frozen=True)
class Judge:
    """Compares pictures with the style frames and with those of other rows; its networks are loaded once.

    Both sides of FID are cut alike into squares of about `side` pixels, so that no network sees a picture out of shape.
    """

    features: str
    lpips: str
    side: int
    frames: Path

    def figures(self, made: Sets, known: Mapping[str, Sets], plain: Nearness) -> Metrics:
        """Figures over all pictures and, with `_<set>` at the end of their names, over each test set.

        `known` are the pictures to compare with: the teacher's, the photos and, where there is one, the reference's.
        `plain` is the photos' own nearness to the frames.
        """
        near = self.nearness(made)
        found: Metrics = {"fid_features": self.features, "lpips_net": self.lpips, **near.figures, **near.shares(plain)}
        found |= {
            f"{key}_photos{rest}": plain.figures[key + rest] for rest in plain.resamples for key in ("fid", "kid")
        }
        found |= self._over_sets(made, known[TEACHER], "", pixels=True)
        for name in (PHOTO, REFERENCE):
            if name in known:
                found |= self._over_sets(made, known[name], f"_{name}")
        return found

    def nearness(self, pictures: Sets) -> Nearness:
        """FID and KID to the frames, with their intervals."""
        return nearness({name: self._side(list(found.values())) for name, found in pictures.items()}, self._real,
                        self.features)  # fmt: skip

    def _over_sets(self, made: Sets, wanted: Sets, rest: str, pixels: bool = False) -> Metrics:
        """Likeness to the pictures of one other row: over all pictures and over each test set."""
        likeness = {
            name: self._likeness(list(made[name].values()), list(wanted[name].values()), pixels) for name in made
        }
        counts = {name: len(pictures) for name, pictures in made.items()}
        found: Metrics = {}
        for key in ("lpips", "psnr", "ssim") if pixels else ("lpips",):
            found |= {f"{key}{rest}_{name}": values[key] for name, values in likeness.items()}
            total = sum(likeness[name][key] * counts[name] for name in made)
            found[f"{key}{rest}"] = total / sum(counts.values())
        return found

    def _likeness(self, made: Sequence[np.ndarray], wanted: Sequence[np.ndarray], pixels: bool) -> Metrics:
        found = lpips.lpips_distance(made, wanted, self.lpips, self._distance)
        return found | fidelity(pairs(made, wanted)) if pixels else found

    def _side(self, pictures: Sequence[np.ndarray]) -> tuple[Tensor, list[int]]:
        cuts = [squares(picture, self.side) for picture in pictures]
        features = fid.features_of([square for found in cuts for square in found], self._extract, self.features)
        return features, [len(found) for found in cuts]

    @cached_property
    def _real(self) -> Tensor:
        cuts = [square for file in picture_files(self.frames) for square in squares(read_picture(file), self.side)]
        chosen = [cuts[index] for index in spread(len(cuts), MOST_FRAMES)]
        return fid.features_of(chosen, self._extract, self.features)

    @cached_property
    def _extract(self) -> fid.Extract:
        return fid.load_features(self.features)

    @cached_property
    def _distance(self) -> lpips.Distance:
        return lpips.load_distance(self.lpips)


def squares(picture: np.ndarray, side: int) -> list[np.ndarray]:
    """As many squares of `side` pixels as fit beside each other, about the centre; one smaller one where none fits."""
    height, width, _ = picture.shape
    side = min(side, height, width)
    rows, columns = height // side, width // side
    top, left = (height - rows * side) // 2, (width - columns * side) // 2
    corners = [(top + r * side, left + c * side) for r in range(rows) for c in range(columns)]
    return [picture[y : y + side, x : x + side] for y, x in corners]


def _exports(folder: Path) -> dict[str, Path]:
    files = {variant: folder / f"{variant}.onnx" for variant in VARIANTS}
    if not files["teacher"].is_file():
        raise EvaluationError(f"{files['teacher']}: missing; run the stage `export` first")
    return {variant: path for variant, path in files.items() if path.is_file()}


def costs(
    files: Mapping[str, Path], settings: EvaluateSettings, on_step: OnStep = lambda step, total, scalars: None
) -> dict[str, Metrics]:
    """What ONNX files cost, by name: parameters, bytes, memory and times, all timed in turns.

    One named `REFERENCE` may have any layout and is what the others are compared with.
    """
    return _costs(files, settings, _Steps(on_step, settings.latency_repeats + len(files)))


def _costs(files: Mapping[str, Path], settings: EvaluateSettings, steps: "_Steps") -> dict[str, Metrics]:
    """First of all: the machine is quiet, and the memory free. A reference that cannot be timed has no times."""
    size, threads = settings.latency_size, settings.latency_threads
    timed = {name: file for name, file in files.items() if name != REFERENCE or runs_at(file, size, threads)}
    times = measure_onnx(timed, size, threads, settings.latency_repeats, lambda _: steps.add())
    found = {}

    def weigh(variant: str) -> Metrics:
        return (weight_of if variant == REFERENCE else footprint)(files[variant], threads)

    with ThreadPoolExecutor(WEIGHED_AT_ONCE) as pool:
        for variant, weight in zip(files, pool.map(weigh, files), strict=True):
            found[variant] = weight | times.get(variant, {})
            if REFERENCE in times:
                reference = float(times[REFERENCE]["latency_p50_ms"])
                found[variant]["latency_reference_ratio"] = reference / float(times[variant]["latency_p50_ms"])
            steps.add()
    return found


def photos_of(data: Path) -> Sets:
    """The photos of a prepared folder by test set and name. Raises `EvaluationError` where there are none."""
    folders = sorted(path for path in (data / "photos/test").glob("*") if path.is_dir())
    found = {folder.name: {file.stem: read_picture(file) for file in picture_files(folder)} for folder in folders}
    found = {name: pictures for name, pictures in found.items() if pictures}
    if not found:
        raise EvaluationError(f"{data / 'photos/test'}: no test photos; put some into a folder for each test set")
    return found


def usual_side(photos: Sets) -> int:
    """The median short side in pixels: that of the squares which FID compares."""
    return int(np.median([min(photo.shape[:2]) for found in photos.values() for photo in found.values()]))


def pictures_md5(data: Path) -> str:
    """A hash of the pictures that figures are made on: test photos and frames of a prepared folder."""
    found = hashlib.md5(usedforsecurity=False)
    for file in (*picture_files(data / "photos/test"), *picture_files(data / "frames")):
        found.update(str(file.relative_to(data)).encode() + b"\0" + hashlib.sha256(file.read_bytes()).digest())
    return found.hexdigest()


def _count(pictures: Sets) -> int:
    return sum(map(len, pictures.values()))


def drawn(photos: Sets, draw: Draw, tick: Callable[[], None] = lambda: None) -> Sets:
    """What `draw` makes of each photo, by the same names; `tick` is called after each."""
    made: Sets = {name: {} for name in photos}
    for name, found in photos.items():
        for stem, photo in found.items():
            made[name][stem] = draw(photo)
            tick()
    return made


def _finite(metrics: Metrics) -> Metrics:
    """Without what is no number, such as the teacher's PSNR to itself: JSON has no infinity. Six digits are enough."""
    rounded = {key: round(value, 6) if isinstance(value, float) else value for key, value in metrics.items()}
    return {key: value for key, value in rounded.items() if isinstance(value, str) or math.isfinite(value)}


def _write_json(path: Path, content: object) -> None:
    write_whole(path, json.dumps(content, indent=1) + "\n")


def _write_pictures(folder: Path, row: str, made: Sets, count: int) -> None:
    """Writes `count` pictures of every set, spread over it, as <set>/<photo>/<row>.jpg."""
    for name, pictures in made.items():
        stems = list(pictures)
        for stem in (stems[index] for index in spread(len(stems), count)):
            write_picture(folder / name / stem / f"{row}.jpg", pictures[stem])
