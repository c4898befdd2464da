"""What all pages of the engineers' view share: versions at hand, opened models, pictures that were drawn already."""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from hashlib import sha256
from html import escape
from pathlib import Path

import numpy as np

from anime_app.studio.engineer_texts import text_html
from anime_app.studio.samples import Sample, data_url, read_photo, run_photos, spread, thumbnail
from anime_app.studio.settings import Studio
from anime_app.studio.versions import Catalogue, Version, model_file, read_catalogue
from anime_model.pictures.arrays import PictureError
from anime_model.runtime.stylizer import Stylizer

DRAWN = 40  # pictures that are kept, about 0.5 MB each
OPENED = 8  # models
PAGES = 1000  # whose turns are counted


class EngineerState:
    """Nothing is read, opened or drawn before a page asks for it."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self.catalogue = Catalogue()
        self.photos: dict[str, tuple[Sample, np.ndarray]] = {}
        self._models: OrderedDict[Path, Stylizer] = OrderedDict()
        self._drawn: OrderedDict[tuple[str, str], str] = OrderedDict()
        self._turns: OrderedDict[str, int] = OrderedDict()
        self._lock = threading.Lock()

    def refresh(self) -> None:
        """Reads the project's files and photos again, and asks MLflow."""
        self.catalogue = read_catalogue(self.studio)
        self.photos = _readable(spread(run_photos(self.studio.project)), self.studio.max_pixels)
        with self._lock:
            self._models.clear()  # files of the same name may be new
            self._drawn.clear()

    def begin(self, page: str) -> int:
        """A page asks for pictures: the number of its turn, which ends the turns before."""
        with self._lock:
            self._turns[page] = self._turns.pop(page, 0) + 1
            while len(self._turns) > PAGES:
                self._turns.popitem(last=False)
            return self._turns[page]

    def is_last(self, page: str, turn: int) -> bool:
        with self._lock:
            return self._turns.get(page) == turn

    def of_style(self, style: str | None) -> list[Version]:
        return [version for version in self.catalogue.all if version.style == style]

    def draw(self, version: Version, photo: np.ndarray) -> str:
        """uint8 RGB [H, W, 3] drawn by a version, as an address. Raises `ModelError`, `OSError`."""
        key = (version.key, sha256(f"{photo.shape}".encode() + photo.tobytes()).hexdigest())
        with self._lock:
            if key in self._drawn:
                self._drawn.move_to_end(key)
                return self._drawn[key]
        made = data_url(self._stylizer(version)(photo))
        with self._lock:
            self._drawn[key] = made
            while len(self._drawn) > DRAWN:
                self._drawn.popitem(last=False)
        return made

    def _stylizer(self, version: Version) -> Stylizer:
        path = model_file(version, self.studio)
        with self._lock:
            if path not in self._models:
                self._models[path] = Stylizer(path, self.studio.threads)
            self._models.move_to_end(path)
            while len(self._models) > OPENED:
                self._models.popitem(last=False)
            return self._models[path]

    def strip(self, own: np.ndarray | None, chosen: str | None, own_key: str) -> str:
        """Buttons with the photos to choose from, a person's own first."""
        buttons = [_button(own_key, "", own, chosen)] if own is not None else []
        buttons += [_button(key, sample.name, photo, chosen) for key, (sample, photo) in self.photos.items()]
        inside = "".join(buttons) or f'<p class="small">{text_html("compare_put")}</p>'
        return f'<div class="strip">{inside}</div>'


def _readable(samples: Sequence[Sample], max_pixels: int) -> dict[str, tuple[Sample, np.ndarray]]:
    found = {}
    for sample in samples:
        try:
            found[sample.key] = (sample, read_photo(sample.path, max_pixels))
        except PictureError:
            continue  # a photo that the run could read and we cannot is no reason to show none
    return found


def _button(key: str, name: str, photo: np.ndarray, chosen: str | None) -> str:
    """A photo to choose; without a name it is the reader's own."""
    words = escape(name) or text_html("compare_own")
    pressed = str(key == chosen).lower()
    return (
        f'<button type="button" data-key="{escape(key)}" aria-pressed="{pressed}" title="{escape(name)}">'
        f'<img src="{thumbnail(photo)}" alt=""><span class="sr">{words}</span></button>'
    )
