"""All figures of one style, from its exported ONNX files and its prepared pictures."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from anime_model.metrics import fid, lpips
from anime_model.metrics.batches import pairs
from anime_model.metrics.downloads import EvaluationError
from anime_model.metrics.fidelity import fidelity
from anime_model.metrics.footprint import footprint
from anime_model.metrics.latency import measure_onnx
from anime_model.pictures.arrays import picture_files, read_picture, write_picture
from anime_model.pictures.atomic import write_whole
from anime_model.pictures.sampling import spread
from anime_model.pictures.tables import write_table
from anime_model.recipes.evaluate import EvaluateSettings
from anime_model.runtime.network import Network

VARIANTS = ("teacher", "separable", "pruned", "distilled", "int8")  # in the order in which they are made
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
) -> list[Metrics]:
    """Measures every variant that `exports` has, writes `out` and returns the metrics, the teacher's first.

    `exports` holds <variant>.onnx, `data` is a prepared folder (photos/test/<set>, frames, prepared.json). `out` gets
    <variant>.json, metrics.csv and pictures/. Raises `ValueError` in one line where a file or the weights of a metric
    are missing.
    """
    files = _exports(exports)
    tick = _ticker(on_step, settings.latency_repeats + 2 * len(files) + 1)
    figures = _costs(files, settings, tick)
    photos = photos_of(data)
    judge = Judge(settings.features, settings.lpips, usual_side(photos), data / "frames")
    plain = {f"{key}_photos{rest}": value for key, rest, value in judge.nearness(photos) if key in ("fid", "kid")}
    tick()
    wanted: Sets = {}
    for variant, path in files.items():
        made = _stylized(photos, Network(path, settings.latency_threads))
        wanted = wanted or made
        quality = judge.figures(made, wanted) | plain
        figures[variant] = {"style": style, "variant": variant, **figures[variant], **quality}
        _write_metrics(out / f"{variant}.json", figures[variant])
        _write_pictures(out / "pictures", variant, made, settings.pictures)
        tick()
    _write_pictures(out / "pictures", "photo", photos, settings.pictures)
    metrics = [_finite(figures[variant]) for variant in files]
    write_table(out / "metrics.csv", metrics)
    return metrics


def compare(
    files: Mapping[str, Path],
    teacher: Path,
    data: Path,
    settings: EvaluateSettings,
    on_step: OnStep = lambda step, total, scalars: None,
) -> dict[str, Metrics]:
    """The figures of some ONNX files, by name, on the same test photos: times side by side, likeness to `teacher`.

    `data` is a prepared folder, as for `evaluate`. Raises `ValueError` in one line where a file or the weights of a
    metric are missing.
    """
    photos = photos_of(data)
    tick = _ticker(on_step, settings.latency_repeats + len(files) + 1)
    times = measure_onnx(files, settings.latency_size, settings.latency_threads, settings.latency_repeats, tick)
    judge = Judge(settings.features, settings.lpips, usual_side(photos), data / "frames")
    wanted = _stylized(photos, Network(teacher, settings.latency_threads))
    tick()
    found = {}
    for name, path in files.items():
        quality = judge.figures(_stylized(photos, Network(path, settings.latency_threads)), wanted)
        found[name] = _finite({"bytes": path.stat().st_size, **times[name], **quality})
        tick()
    return found


@dataclass(frozen=True)
class Judge:
    """Compares pictures with the style frames and with the teacher's; its networks are loaded once.

    Both sides of FID are cut alike into squares of about `side` pixels, so that no network sees a picture out of shape.
    """

    features: str
    lpips: str
    side: int
    frames: Path

    def figures(self, made: Sets, wanted: Sets) -> Metrics:
        """Figures over all pictures and, with `_<set>` at the end of their names, over each test set."""
        found: Metrics = {"fid_features": self.features, "lpips_net": self.lpips}
        found |= {key + rest: value for key, rest, value in self.nearness(made)}
        likeness = {name: self._likeness(list(made[name].values()), list(wanted[name].values())) for name in made}
        counts = {name: len(pictures) for name, pictures in made.items()}
        for key in ("lpips", "psnr", "ssim"):
            found |= {f"{key}_{name}": values[key] for name, values in likeness.items()}
            total = sum(likeness[name][key] * counts[name] for name in made)
            found[key] = total / sum(counts.values())
        return found

    def nearness(self, pictures: Sets) -> list[tuple[str, str, float | int]]:
        """FID and KID to the frames, as (figure, "_<set>" or "", value); the counts go with those over all."""
        sides = {f"_{name}": self._features(list(found.values())) for name, found in pictures.items()}
        whole = fid.frechet_and_kernel(torch.cat(list(sides.values())), self._real, self.features)
        found = [(key, "", whole[key]) for key in ("fid", "kid", "fid_real", "fid_fake")]
        for rest, side in sides.items():
            if len(side) > 1:
                values = fid.frechet_and_kernel(side, self._real, self.features)
                found += [(key, rest, values[key]) for key in ("fid", "kid")]
        return found

    def _likeness(self, made: Sequence[np.ndarray], wanted: Sequence[np.ndarray]) -> Metrics:
        return lpips.lpips_distance(made, wanted, self.lpips, self._distance) | fidelity(pairs(made, wanted))

    def _features(self, pictures: Sequence[np.ndarray]) -> Tensor:
        cuts = [square for picture in pictures for square in squares(picture, self.side)]
        return fid.features_of(cuts, self._extract, self.features)

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


def _ticker(on_step: OnStep, total: int) -> Callable[..., None]:
    """Counts its own calls, whatever they are given, and passes the count on."""
    done = iter(range(1, total + 1))
    return lambda *_: on_step(next(done), total, {})


def _costs(files: Mapping[str, Path], settings: EvaluateSettings, tick: Callable[..., None]) -> dict[str, Metrics]:
    """First of all: the machine is quiet, and the memory free."""
    times = measure_onnx(files, settings.latency_size, settings.latency_threads, settings.latency_repeats, tick)
    found = {}
    for variant, path in files.items():
        found[variant] = footprint(path, settings.latency_threads) | times[variant]
        tick()
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


def _stylized(photos: Sets, network: Network) -> Sets:
    return {name: {stem: network(photo) for stem, photo in found.items()} for name, found in photos.items()}


def _finite(metrics: Metrics) -> Metrics:
    """Without what is no number, such as the teacher's PSNR to itself: JSON has no infinity. Six digits are enough."""
    rounded = {key: round(value, 6) if isinstance(value, float) else value for key, value in metrics.items()}
    return {key: value for key, value in rounded.items() if isinstance(value, str) or math.isfinite(value)}


def _write_metrics(path: Path, metrics: Metrics) -> None:
    write_whole(path, json.dumps(_finite(metrics), indent=1) + "\n")


def _write_pictures(folder: Path, variant: str, made: Sets, count: int) -> None:
    """Writes `count` pictures of every set, spread over it, as <set>/<photo>/<variant>.jpg."""
    for name, pictures in made.items():
        stems = list(pictures)
        for stem in (stems[index] for index in spread(len(stems), count)):
            write_picture(folder / name / stem / f"{variant}.jpg", pictures[stem])
