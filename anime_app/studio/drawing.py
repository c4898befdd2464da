"""Photos to drawings, as files: what the page shows, and what it gives to keep. Knows nothing of Gradio."""

import re
import secrets
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

from PIL import Image

from anime_app.studio.phrases import spoken
from anime_model.pictures import images
from anime_model.runtime.models import styles
from anime_model.runtime.session import ModelError
from anime_model.runtime.stylizer import Look, Stylizer

SHOWN = ("JPEG", "PNG", "WEBP", "GIF", "AVIF")  # what a browser shows as it is
SIDE = 1600  # pixels of the longer side from which the page gets a smaller picture of its own


@dataclass(frozen=True)
class Order:
    """How pictures are to be drawn: by which network, with which look, and at most how large (None: as they are)."""

    network: str
    look: Look = field(default_factory=Look)
    max_size: int | None = None


@dataclass(frozen=True)
class Drawing:
    """`full` is the result to keep; `before` and `after` are what the page shows, the files themselves where it can."""

    full: Path
    before: Path
    after: Path


class Painter:
    """The networks that ship. One is opened with the first picture that asks for it, and shared by every request."""

    def __init__(self, threads: int, max_pixels: int) -> None:
        self.threads, self.max_pixels = threads, max_pixels
        self.opened: dict[str, Stylizer] = {}
        self.opening = Lock()

    def stylizer(self, network: str) -> Stylizer:
        """Raises `ModelError` for anything but the name of a style that ships: requests may hold any text."""
        with self.opening:
            if network not in self.opened:
                if network not in styles():
                    raise ModelError(f"no network {network!r}: there is {', '.join(styles())}")
                self.opened[network] = Stylizer(network, self.threads, max_pixels=self.max_pixels)
            return self.opened[network]

    def draw(self, photo: Path, folder: Path, order: Order) -> Drawing:
        """Every frame of the file `photo` drawn into a new folder below `folder`, in the same format where it can be.

        Raises `PictureError`, `ModelError`, `ValueError`, `OSError`, `MemoryError`.
        """
        stylizer = self.stylizer(order.network)
        picture = images.decode(photo, self.max_pixels, order.max_size)
        made = folder / secrets.token_hex(16)
        made.mkdir(parents=True)
        before = photo if _shown(picture) and not order.max_size else _small(picture, made / "before")
        for frame in picture.frames:
            stylizer.draw(frame, order.look)
        suffix = photo.suffix if images.kind_of(photo) == picture.kind else _suffix(picture.kind)
        full = made / f"{photo.stem}-{order.look.palette or order.network}{suffix}"
        images.write(picture, full)
        return Drawing(full, before, full if _shown(picture) else _small(picture, made / "after"))


def _shown(picture: images.Picture) -> bool:
    """Whether the page can do with the file itself."""
    return picture.kind in SHOWN and max(picture.frames[0].size) <= SIDE


def _small(picture: images.Picture, name: Path) -> Path:
    """The first frame at a size for screens, with its profile."""
    frame = picture.frames[0]
    scale = min(1.0, SIDE / max(frame.size))
    size = tuple(max(1, round(side * scale)) for side in frame.size)
    small = frame.resize(size, Image.Resampling.LANCZOS, reducing_gap=2)
    path = name.with_suffix(".png" if small.mode == "RGBA" else ".jpg")
    small.save(path, quality=90, compress_level=1, icc_profile=picture.icc)
    return path


def _suffix(kind: str) -> str:
    return {"JPEG": ".jpg", "JPEG2000": ".jp2", "TIFF": ".tif"}.get(kind, f".{kind.lower()}")


def pack(files: Sequence[Path], target: Path) -> Path:
    """A zip of pictures, which are compressed already; files of one name get a number."""
    taken: set[str] = set()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for file in files:
            name, number = file.name, 1
            while name in taken:
                number += 1
                name = f"{file.stem}-{number}{file.suffix}"
            taken.add(name)
            archive.write(file, name)
    return target


def reason(photo: Path, error: Exception) -> tuple[str, str]:
    """Why a picture was not made, in English and Chinese, without the folders of this machine."""
    if isinstance(error, OSError) and error.strerror:
        text = error.strerror.lower()
    elif isinstance(error, MemoryError):
        text = "not enough memory"
    else:
        text = re.sub(r" \(--max-pixels raises it\)$", "", str(error).removeprefix(f"{photo}: "))
    return spoken(text.replace(str(photo), photo.name))
