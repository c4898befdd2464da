"""A published network's pictures of a folder of photos, each at several scales; a broken run goes on where it stood."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from anime_model.pictures.arrays import picture_files, read_picture, write_picture
from anime_model.reference.network import PublishedNetwork
from anime_model.reference.scales import drawing_file, scaled

OnStep = Callable[[int, int, dict[str, float]], None]


def draw_photos(reference: PublishedNetwork, photos: Path, out: Path, scales: Sequence[float], on_step: OnStep) -> int:
    """Writes out/x<scale>/<photo>.jpg for every photo and scale that is not there yet; the number of all.

    A file is there whole or not at all. `on_step` hears of every picture, with the minutes left. Raises `NetworkError`.
    """
    jobs = [(photo, scale) for photo in picture_files(photos) for scale in scales]
    left = [(photo, scale) for photo, scale in jobs if not drawing_file(out, scale, photo).exists()]
    start, done, total = time.monotonic(), len(jobs) - len(left), sum(scale**2 for _, scale in left)
    drawn = 0.0
    for index, (photo, scale) in enumerate(left, start=1):
        picture = scaled(read_picture(photo), scale)
        write_picture(drawing_file(out, scale, photo), reference(picture))
        drawn += scale**2  # the time goes with the number of pixels
        minutes = (time.monotonic() - start) / 60 * (total - drawn) / drawn
        on_step(done + index, len(jobs), {"minutes_left": minutes})
    return len(jobs)
