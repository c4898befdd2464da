"""From folders of any pictures to those that training and evaluation read: checked, sized, with edge-smoothed twins."""

import hashlib
import json
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageFilter

from anime_model.pictures.arrays import PictureError, picture_files, read_picture, write_picture
from anime_model.pictures.cores import cores_here
from anime_model.pictures.opening import why_not_read

LEAST = {"train": 4, "test": 2, "frames": 4}  # fewer pictures than these are a mistake, not a data set
CANNY = 100, 200  # weak and strong gradient, by the Sobel operator on 8 bits
SMOOTHED = 5  # side in pixels of the zone about an edge pixel that gets blurred
# Words at the end of a figure's name (`fid_share`, `lpips_photo`), where a test set's name stands too (`fid_scenes`).
RESERVED = {
    "bias", "deviation", "fake", "features", "high", "low", "net", "photo", "photos", "real", "reference", "resamples",
    "share",
}  # fmt: skip
LONGEST = 240  # bytes of a name without its suffix; file systems take 255
SIGMA = 1.1  # of the blur, in pixels: a 5 x 5 Gaussian kernel


@dataclass(frozen=True)
class _Job:
    """One picture on its way. `label` names it to people; a twin is written where `smooth` is set.

    `outside` is a link out of its folder: data that came from elsewhere must not draw private pictures in.
    """

    source: Path
    label: str
    target: Path
    short: int
    smooth: Path | None = None
    outside: bool = False


@dataclass(frozen=True)
class _Source:
    """A folder, how many usable pictures it must have at least, and the work on each."""

    folder: Path
    least: int
    jobs: list[_Job]


@dataclass(frozen=True)
class _Done:
    job: _Job
    pixels: str = ""  # digest of the decoded picture
    reason: str = ""  # why it was set aside


def prepare(
    photos: Path,
    frames: Path,
    out: Path,
    *,
    photo_size: int,
    test_size: int,
    frame_size: int,
    smallest: int,
    on_step: Callable[[int, int, dict[str, float]], None] = lambda step, total, scalars: None,
) -> dict:
    """Fills `out`, an empty or new folder, with photos/train, photos/test/<set>, frames, smooth and prepared.json.

    Reads photos/train/**, photos/test/<set>/** and frames/**. Pictures are scaled down to a short side of `photo_size`,
    `test_size` and `frame_size` pixels, never up. Those that cannot be read, whose short side is under `smallest`, or
    that are train photos and test photos at once, are set aside. Returns what prepared.json holds, counts and a hash of
    all that was written, and the list of pictures set aside, each with its reason. Raises `ValueError` where a folder
    has too few usable pictures.
    """
    tests = {
        name: _source(folder, f"photos/test/{name}", out / "photos/test" / name, test_size, LEAST["test"])
        for name, folder in test_sets(photos / "test").items()
    }
    train = _source(photos / "train", "photos/train", out / "photos/train", photo_size, LEAST["train"])
    drawn = _source(frames, "frames", out / "frames", frame_size, LEAST["frames"], out / "smooth")
    total, steps = sum(len(source.jobs) for source in (*tests.values(), train, drawn)), count(1)

    def carry_out(source: _Source, taken: frozenset[str] = frozenset()) -> list[_Done]:
        return _carry_out(source, smallest, taken, lambda: on_step(next(steps), total, {}))

    held = {name: carry_out(source) for name, source in tests.items()}
    taken = frozenset(result.pixels for results in held.values() for result in results if result.pixels)
    results = {"photos": carry_out(train, taken), "frames": carry_out(drawn)}
    done = list(chain(*held.values(), *results.values()))
    facts: dict[str, Any] = {name: sum(not result.reason for result in each) for name, each in results.items()}
    facts["test"] = {name: sum(not result.reason for result in each) for name, each in held.items()}
    facts["hash"] = _hash(out, done)
    # Without the list below: a picture that was never used changes nothing for the stages that read this folder.
    (out / "prepared.json").write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    facts["set_aside"] = [{"file": result.job.label, "reason": result.reason} for result in done if result.reason]
    facts["set_aside"] += _unread(photos, "photos") + _unread(frames, "frames")
    return facts


def smooth_edges(picture: np.ndarray) -> np.ndarray:
    """The twin of a frame [H, W, 3] whose edges are blurred: what a discriminator must learn to refuse.

    CartoonGAN (Chen et al., CVPR 2018), section 3.2: find edges with Canny's detector, dilate them, blur inside.
    """
    # Half a second of imports: a flow that runs nothing looks at folders with this module and needs neither.
    from scipy.ndimage import binary_dilation
    from skimage.feature import canny

    image = Image.fromarray(picture)
    edges = canny(np.asarray(image.convert("L")), 0, *CANNY, mode="nearest")
    zone = binary_dilation(edges, np.ones((SMOOTHED, SMOOTHED)))[..., None]
    return np.where(zone, np.asarray(image.filter(ImageFilter.GaussianBlur(SIGMA))), picture)


def scale_down(picture: np.ndarray, short: int) -> np.ndarray:
    """[H, W, 3] with a short side of at most `short` pixels (Lanczos)."""
    height, width = picture.shape[:2]
    scale = short / min(height, width)
    if scale >= 1:
        return picture
    size = max(round(width * scale), short), max(round(height * scale), short)
    return np.array(Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS))


def test_sets(folder: Path) -> dict[str, Path]:
    """The folders below photos/test; that folder itself, as the set "test", where it has pictures and no folders."""
    below = sorted(path for path in folder.glob("*") if path.is_dir() and not path.name.startswith("."))
    sets = {path.name: path for path in below if picture_files(path)} or {"test": folder}
    if taken := RESERVED & sets.keys():
        raise ValueError(
            f"{folder / min(taken)}: figures have that name for something else; name the folder differently"
        )
    stray = [path for path in picture_files(folder) if path.parent == folder] if "test" not in sets else []
    if stray:
        raise ValueError(
            f"{stray[0]}: put every test photo into a set's folder, as {folder / 'scenes' / stray[0].name}"
        )
    return sets


def _source(folder: Path, label: str, out: Path, short: int, least: int, twins: Path | None = None) -> _Source:
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder; put at least {least} pictures there")
    files = picture_files(folder)
    if len(files) < least:
        raise ValueError(f"{folder}: {len(files)} pictures, at least {least} are needed")
    inside = [path.relative_to(folder) for path in files]
    jobs = [
        _Job(
            file,
            f"{label}/{_encodable(path)}",
            out / name,
            short,
            twins / name if twins else None,
            _leaves(file, folder),
        )
        for file, path, name in zip(files, inside, _flat_names(inside), strict=True)
    ]
    return _Source(folder, least, jobs)


def _unread(folder: Path, label: str) -> list[dict[str, str]]:
    """Pictures of kinds that are not read (raw, PSD), which would else be missing without a word."""
    inside = [path for path in sorted(folder.rglob("*")) if not path.name.startswith(".")]
    reasons = [(path, why_not_read(path)) for path in inside]
    return [{"file": f"{label}/{_encodable(path.relative_to(folder))}", "reason": why} for path, why in reasons if why]


def _carry_out(source: _Source, smallest: int, taken: frozenset[str], on_done: Callable[[], None]) -> list[_Done]:
    done = []
    with ThreadPoolExecutor(cores_here()) as pool:
        for result in pool.map(lambda job: _place(job, smallest, taken), source.jobs):
            done.append(result)
            on_done()
    aside = [result for result in done if result.reason]
    if len(done) - len(aside) < source.least:
        raise ValueError(
            f"{source.folder}: {len(done) - len(aside)} of {len(done)} pictures are usable, at least {source.least} "
            f"are needed; the first that is not: {aside[0].job.label}: {aside[0].reason}"
        )
    return done


def _flat_names(paths: Iterable[Path]) -> list[str]:
    """a/b.png as a-b.jpg; numbered where two would be one file, also where case does not count."""
    names, seen = [], set()
    for path in paths:
        plain = stem = "-".join(_encodable(path.with_suffix("")).split("/"))
        number = 1
        while stem.lower() in seen:
            number += 1
            stem = f"{plain}-{number}"
        stem = _short(stem)
        seen.add(stem.lower())
        names.append(f"{stem}.jpg")
    return names


def _encodable(path: Path) -> str:
    """A path as text that any file can hold: names from old archives may be no UTF-8."""
    return os.fsencode(path.as_posix()).decode(errors="replace")


def _short(stem: str) -> str:
    """A stem that fits into a file's name with its suffix; a long one ends with a digest of the whole."""
    data = os.fsencode(stem)
    if len(data) <= LONGEST:
        return stem
    digest = hashlib.sha256(data).hexdigest()[:16]
    return data[: LONGEST - 17].decode(errors="ignore") + "-" + digest


def _leaves(file: Path, folder: Path) -> bool:
    return file.is_symlink() and not file.resolve().is_relative_to(folder.resolve())


def _place(job: _Job, smallest: int, taken: frozenset[str]) -> _Done:
    if job.outside:
        return _Done(job, reason="a link that leads out of its folder: put the picture itself there")
    try:
        picture = read_picture(job.source)
    except PictureError as error:
        return _Done(job, reason=str(error).removeprefix(f"{job.source}: "))
    height, width = picture.shape[:2]
    if min(height, width) < smallest:
        return _Done(job, reason=f"{width} x {height} px: too small, the short side must have {smallest}")
    pixels = hashlib.sha256(picture.tobytes() + bytes(str(picture.shape), "ascii")).hexdigest()
    if pixels in taken:
        return _Done(job, reason="also a test photo, and a test photo is never trained on")
    picture = scale_down(picture, job.short)
    write_picture(job.target, picture)
    if job.smooth:
        write_picture(job.smooth, smooth_edges(picture))
    return _Done(job, pixels)


def _hash(out: Path, done: list[_Done]) -> str:
    digest = hashlib.sha256()
    targets = [path for result in done if not result.reason for path in (result.job.target, result.job.smooth) if path]
    for path in sorted(targets):
        digest.update(path.relative_to(out).as_posix().encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
