"""What the pictures of a data set are like, judged before anything is trained on them, and against the last time.

A survey holds, by group (`photos/train`, `photos/test/<set>`, `frames/<style>`) and file, what was measured on each
picture, or the reason why it cannot be used. It is plain JSON, so that the next run can compare itself with it.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import imagehash
import numpy as np
from PIL import Image, ImageOps
from scipy.stats import ks_2samp

from anime_model.pictures.arrays import PictureError, picture_files, read_picture
from anime_model.pictures.cores import cores_here
from anime_model.recipes.checks import CheckSettings
from anime_model.training.preparation import test_sets

TRAIN, TEST, FRAMES = "photos/train", "photos/test/", "frames/"
# Of one picture: means of the channels, of luma, its standard deviation and the mean saturation (0 ... 255), logarithms
# of its size and its shape.
MEASURES = ("red", "green", "blue", "brightness", "contrast", "saturation", "megapixels", "aspect")
SMALL = 256  # px of the short side that is measured: more changes no measure
TINY = 16  # px of the squares that are compared where two hashes are near each other
ALIKE = 0.95  # correlation of two tiny pictures of the same thing; different portraits in one studio have 0.92
ENOUGH = 8  # pictures on both sides, below which a change of distribution cannot be told
SIGNIFICANCE = 0.01  # of all comparisons of one survey together (Bonferroni)

Facts = dict[str, object]
Survey = dict[str, dict[str, Facts]]
OnStep = Callable[[int, int, dict[str, float]], None]


@dataclass(frozen=True)
class Check:
    """One figure of a survey and the bound that it has to keep, either `at most` or `at least`."""

    name: str
    figure: float
    rule: str
    bound: float
    detail: str = ""

    @property
    def passed(self) -> bool:
        return self.figure <= self.bound if self.rule == "at most" else self.figure >= self.bound


def survey(
    photos: Path,
    frames: Mapping[str, Path],
    smallest: int,
    known: Survey | None = None,
    on_step: OnStep = lambda step, total, scalars: None,
) -> Survey:
    """Looks at every picture. `frames` are folders by style; `smallest` is the least short side in pixels.

    Files that `known`, an earlier survey, has with the same size and time are not read again. Raises `ValueError` where
    a folder is missing.
    """
    groups = _folders(photos, frames)
    jobs = [(group, file) for group, folder in groups.items() for file in picture_files(folder)]
    found: Survey = {group: {} for group in groups}

    def look(job: tuple[str, Path]) -> tuple[str, str, Facts]:
        group, file = job
        name = file.relative_to(groups[group]).as_posix()
        return group, name, _facts(file, smallest, (known or {}).get(group, {}).get(name))

    with ThreadPoolExecutor(cores_here()) as pool:
        for step, (group, name, facts) in enumerate(pool.map(look, jobs), start=1):
            found[group][name] = facts
            on_step(step, len(jobs), {})
    return found


def content_hash(found: Survey) -> str:
    """Of the names and pixels of all usable pictures: equal where the data are the same."""
    lines = [f"{group}/{name} {facts['pixels']}" for group, name, facts in _usable(found)]
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()


def checks(found: Survey, settings: CheckSettings, last: Survey | None = None) -> list[Check]:
    """Every check that applies: those against the `last` survey where there is one."""
    return [
        *_counts(found, settings),
        _unusable(found, settings.unusable),
        _twins(found, settings.twin_bits, settings.twins),
        *([_shrunk(found, last, settings.shrunk), _shift(found, last, settings.shift)] if last else []),
    ]


def _folders(photos: Path, frames: Mapping[str, Path]) -> dict[str, Path]:
    groups = {TRAIN: photos / "train"}
    groups |= {f"{TEST}{name}": folder for name, folder in test_sets(photos / "test").items()}
    groups |= {f"{FRAMES}{style}": folder for style, folder in frames.items()}
    for folder in groups.values():
        if not folder.is_dir():
            raise ValueError(f"{folder}: no such folder; see data.photos and data.frames in the recipe")
    return groups


def _facts(file: Path, smallest: int, known: Facts | None) -> Facts:
    status = file.stat()
    facts: Facts = {"bytes": status.st_size, "time": status.st_mtime_ns, "smallest": smallest}
    if known and all(known.get(key) == value for key, value in facts.items()):
        return known
    try:
        picture = read_picture(file)
    except PictureError as error:
        return facts | {"reason": str(error).removeprefix(f"{file}: ")}
    height, width = picture.shape[:2]
    if min(height, width) < smallest:
        return facts | {"reason": f"{width} x {height} px: too small, the short side must have {smallest}"}
    small = Image.fromarray(picture).reduce(max(1, min(height, width) // SMALL))
    return facts | {
        "pixels": hashlib.sha256(bytes(str(picture.shape), "ascii") + picture.tobytes()).hexdigest()[:32],
        "look": str(imagehash.phash(small)),
        "mirrored": str(imagehash.phash(ImageOps.mirror(small))),
        "tiny": small.convert("L").resize((TINY, TINY), Image.Resampling.BOX).tobytes().hex(),
        "measures": [round(float(value), 4) for value in _measures(small, height, width)],
    }


def _measures(small: Image.Image, height: int, width: int) -> Iterator[float]:
    pixels = np.asarray(small, np.float32)
    luma = np.asarray(small.convert("L"), np.float32)
    yield from pixels.mean((0, 1))
    yield luma.mean()
    yield luma.std()
    yield np.asarray(small.convert("HSV"))[..., 1].mean()
    yield np.log2(height * width / 1e6)
    yield np.log2(width / height)


def _usable(found: Survey, prefix: str = "") -> Iterator[tuple[str, str, Facts]]:
    for group, files in found.items():
        if group.startswith(prefix):
            yield from ((group, name, facts) for name, facts in files.items() if "reason" not in facts)


def _counts(found: Survey, settings: CheckSettings) -> Iterator[Check]:
    for group in found:
        least = settings.photos if group == TRAIN else settings.test if group.startswith(TEST) else settings.frames
        yield Check(f"{group}: pictures", sum(1 for name, *_ in _usable(found) if name == group), "at least", least)


def _unusable(found: Survey, most: float) -> Check:
    aside = [(f"{group}/{name}", facts["reason"]) for group in found for name, facts in found[group].items()
             if "reason" in facts]  # fmt: skip
    total = sum(len(files) for files in found.values())
    detail = _few(f"{name} ({reason})" for name, reason in aside)
    return Check("unusable pictures (share)", len(aside) / max(total, 1), "at most", most, detail)


def _twins(found: Survey, bits: int, most: int) -> Check:
    """Test photos that look like a train photo or its mirror image, in which case a test shows memory, not skill.

    First by the perceptual hash, the signs of the lowest 8 x 8 frequencies of the cosine transform (Zauner 2010), then,
    where two hashes are near, by the correlation of the pictures made tiny. Equal pixels do not count: `prepare` sets
    such train photos aside itself.
    """
    train = list(_usable(found, TRAIN))
    looks = np.array([int(str(facts["look"]), 16) for *_, facts in train], np.uint64)
    pairs = []
    for group, name, facts in _usable(found, TEST):
        for look, step in ((facts["look"], 1), (facts["mirrored"], -1)):
            distances = np.bitwise_count(looks ^ np.uint64(int(str(look), 16)))
            near = [train[index] for index in np.flatnonzero(distances <= bits)]
            mine = _tiny(facts)[:, ::step]
            like = [other for _, other, theirs in near if theirs["pixels"] != facts["pixels"]
                    and _alike(mine, _tiny(theirs))]  # fmt: skip
            if like:
                pairs.append(f"{group}/{name} is like {TRAIN}/{like[0]}")
                break
    return Check("test photos that look like train photos", len(pairs), "at most", most, _few(pairs))


def _tiny(facts: Facts) -> np.ndarray:
    return np.frombuffer(bytes.fromhex(str(facts["tiny"])), np.uint8).reshape(TINY, TINY)


def _alike(a: np.ndarray, b: np.ndarray) -> bool:
    """Pictures of hardly any contrast are like no other."""
    return min(a.std(), b.std()) > 1 and np.corrcoef(a.ravel(), b.ravel())[0, 1] >= ALIKE


def _shrunk(found: Survey, last: Survey, most: float) -> Check:
    """The largest share of its pictures that a group has lost; a group that is new or wanted no more has lost none."""
    lost = {}
    for group in found.keys() & last.keys():
        before, now = (sum("reason" not in facts for facts in side[group].values()) for side in (last, found))
        if now < before:
            lost[group] = (before - now) / before
    detail = _few(f"{group}: {share:.0%}" for group, share in sorted(lost.items()))
    return Check("pictures gone since the last run (share)", max(lost.values(), default=0.0), "at most", most, detail)


def _shift(found: Survey, last: Survey, most: float) -> Check:
    """The largest Kolmogorov-Smirnov distance of a measure's distributions now and then, of those that chance does not
    explain: with few pictures large distances mean nothing.
    """
    compared = []
    for group in sorted(found.keys() & last.keys()):
        then, now = (np.array([facts["measures"] for *_, facts in _usable(side, group)]) for side in (last, found))
        if min(len(then), len(now)) >= ENOUGH:
            for column, measure in enumerate(MEASURES):
                test = ks_2samp(then[:, column], now[:, column])
                compared.append((test.statistic, test.pvalue, f"{measure} of {group}"))
    significant = sorted((row for row in compared if row[1] < SIGNIFICANCE / len(compared)), reverse=True)
    detail = _few(f"{what}: {distance:.2f}" for distance, _, what in significant)
    largest = float(significant[0][0]) if significant else 0.0
    return Check("shift since the last run (Kolmogorov-Smirnov)", largest, "at most", most, detail)


def _few(items: Iterable[str], most: int = 3) -> str:
    listed = list(items)
    return ", ".join(listed[:most]) + (f" and {len(listed) - most} more" if len(listed) > most else "")
