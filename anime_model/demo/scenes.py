"""The generated demo pictures: photo-like scenes, and the same kind of scenes as cel drawings, unpaired.

One description of a scene feeds two ways of painting it (`canvas.py`): the same seed gives the photo and its drawing,
so a person can see what a network should learn. The demo set takes its photos and its frames from different seeds.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image

from anime_model.demo.canvas import CEL, PHOTO, Canvas
from anime_model.demo.landscapes import WEATHERS, landscape
from anime_model.demo.portraits import portrait
from anime_model.pictures.arrays import read_picture, write_picture
from anime_model.pictures.processes import spread_over

SUBJECTS = {"scenes": landscape, "faces": portrait}
WIDTHS = {"scenes": 4 / 3, "faces": 1.0}  # of a photo; a film frame is 3 : 2 whatever it shows
TRAIN, FRAMES, TEST = 0, 400_000, 700_000  # where each set's seeds begin: the sets share no scene


def render(seed: int, size: tuple[int, int], subject: str, style: str) -> np.ndarray:
    """One picture, uint8 [H, W, 3]; `size` is (height, width), `subject` scenes or faces, `style` photo or cel."""
    draw = np.random.default_rng([seed, list(SUBJECTS).index(subject)])
    weather = WEATHERS[draw.choice(list(WEATHERS), p=[0.45, 0.2, 0.2, 0.15])]
    light = (draw.choice([-1, 1]) * draw.uniform(0.4, 0.9), -draw.uniform(0.5, 1.0), draw.uniform(0.5, 0.9))
    canvas = Canvas(size, style, weather, light, [seed, 7])
    SUBJECTS[subject](canvas, draw)
    return canvas.picture()


def generate_demo(
    out: Path,
    *,
    photos: int,
    frames: int,
    test: int,
    size: int,
    seed: int,
    workers: int = 1,
    on_step: Callable[[int, int, dict[str, float]], None] = lambda step, total, scalars: None,
) -> None:
    """Writes photos/train/*.jpg, photos/test/{faces,scenes}/*.jpg and frames/cel/*.png under `out`.

    `photos`, `frames` and `test` (for each test set) count pictures, `size` is a photo's short side in pixels; frames
    are 1.6 times as high. Half of the photos and of the frames show faces. The test scenes end with the real photos
    that scikit-learn ships: a first look at what the model makes of reality. Raises `ValueError` without them.
    `workers` processes draw at once; the pictures do not depend on how many.
    """
    real = real_photos()[:test]
    first, works = seed * 1_000_000, []
    for odd, subject in enumerate(SUBJECTS):
        train, frame, tested = (out / name for name in ("photos/train", "frames/cel", f"photos/test/{subject}"))
        works += [_Work(train, subject, i, PHOTO, first + TRAIN, size) for i in range(odd, photos, 2)]
        works += [_Work(frame, subject, i, CEL, first + FRAMES, size) for i in range(odd, frames, 2)]
        works += [_Work(tested, subject, i, PHOTO, first + TEST, size) for i in range(test)]
    for step, _ in enumerate(spread_over(workers, _Work.draw, works, at_once=4), 1):
        on_step(step, len(works), {})
    for path in real:
        write_picture(out / "photos/test/scenes" / f"real-{path.name}", _shrink(read_picture(path), size))


@dataclass(frozen=True)
class _Work:
    """One picture to draw. `first` is where the seeds of its set begin, `size` the short side of a photo in pixels."""

    folder: Path
    subject: str
    number: int
    style: str
    first: int
    size: int

    def draw(self) -> None:
        cel, size = self.style == CEL, self.size
        shape = (round(size * 1.6), round(size * 2.4)) if cel else (size, round(size * WIDTHS[self.subject]))
        picture = render(self.first + self.number, shape, self.subject, self.style)
        write_picture(self.folder / f"{self.subject}-{self.number:04d}.{'png' if cel else 'jpg'}", picture)


def real_photos() -> list[Path]:
    """The two photos inside scikit-learn's wheel. Raises `ValueError`, one line, where they are not there.

    To leave them out then would be another demo by the same recipe, and DVC would take one for the other.
    """
    package = find_spec("sklearn")
    places = package.submodule_search_locations if package else None
    folder = Path(places[0] if places else "", "datasets/images")
    found = [folder / name for name in ("china.jpg", "flower.jpg") if (folder / name).is_file()]
    if len(found) < 2:
        raise ValueError(
            "the demo's test set has two photos of scikit-learn, which is not there: pip install scikit-learn"
        )
    return found


def _shrink(picture: np.ndarray, short: int) -> np.ndarray:
    scale = short / min(picture.shape[:2])
    size = round(picture.shape[1] * scale), round(picture.shape[0] * scale)
    return np.array(Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS))
