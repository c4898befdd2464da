"""Photos to drawings, as files: what the page shows, and what it gives to keep. Knows nothing of Gradio.

A photo that came in has a folder of its own, named by a key that nobody can guess. What the network drew of it is kept
there: every other look, strength and size is made of that, without the network.
"""

import json
import os
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from shutil import copyfile
from threading import Lock

import numpy as np
from PIL import Image

from anime_app.studio.exports import pair_of, wipe
from anime_app.studio.films import FILMS, first_frame, make_film
from anime_app.studio.names import result_name
from anime_app.studio.orders import Order
from anime_app.studio.samples import data_url, middle
from anime_app.studio.translation import translated
from anime_model.pictures import images
from anime_model.pictures.atomic import whole_file
from anime_model.pictures.message import Message, from_record, message_of, to_record, with_values
from anime_model.runtime.models import SIZE, find_model, sizes, styles
from anime_model.runtime.palettes import PALETTES
from anime_model.runtime.session import ModelError
from anime_model.runtime.shares import memory_of
from anime_model.runtime.stylizer import Look, Stylizer

SIDE = 1600  # pixels of the longer side of what the page shows
CHIP = 112  # pixels of the sides of a chip, which shows what a choice does to the photo
CHIP_STROKE = 320  # pixels of the short side at which the chip of a style is drawn
QUALITY = 90
Tick = Callable[[], None]
Tell = Callable[[float], None]  # hears of the share that is done, from 0 to 1


class Gone(ValueError):
    """A photo that has been cleared away, or never was."""

    def __init__(self) -> None:
        super().__init__("cleared away; please put it in again")


class Painter:
    """The networks that ship. One is opened with the first picture that asks for it, and shared by every request."""

    def __init__(self, threads: int, max_pixels: int, workers: int = 1) -> None:
        """For so many `workers` at once."""
        self.threads, self.max_pixels, self.workers = threads, max_pixels, workers
        self.opened: dict[tuple[str, str], Stylizer] = {}
        self.opening = Lock()

    def stylizer(self, network: str, speed: str = SIZE) -> Stylizer:
        """Raises `ModelError` for all but styles that ship in sizes that they have: requests may hold any text."""
        with self.opening:
            if (network, speed) not in self.opened:
                if network not in styles():
                    choices = ", ".join(styles())
                    raise ModelError(Message("no network {name!r}: there is {choices}", name=network, choices=choices))
                path = sizes(network).get(speed) or find_model(network, speed)  # which says what there is instead
                self.opened[network, speed] = Stylizer(path, self.threads, memory_of(self.workers), self.max_pixels)
            return self.opened[network, speed]


@dataclass(frozen=True)
class Shown:
    """What the page learns of a photo: sizes in pixels, frames, and the names of two files in its folder."""

    width: int
    height: int
    frames: int
    film: bool
    before: str
    after: str


@dataclass(frozen=True)
class Workshop:
    """All photos of all visitors, below `folder`."""

    folder: Path
    painter: Painter

    def place(self, key: str) -> Path:
        """The folder of a photo. Raises `Gone`."""
        path = self.folder / key
        if not (len(key) == 32 and key.isalnum() and key.isascii() and (path / "about.json").is_file()):
            raise Gone
        return path

    def new(self, name: str) -> tuple[str, Path]:
        """The key of a new photo, and where its file is to be written; `name` as the person knows it."""
        key = secrets.token_hex(16)
        place = self.folder / key
        place.mkdir(parents=True, mode=0o700)
        suffix = Path(name).suffix.lower()[:10]
        source = place / f"photo{suffix if suffix.isascii() and suffix[1:].isalnum() else ''}"
        (place / "about.json").write_text(json.dumps({"name": name, "source": source.name}))  # nobody knows the key yet
        return key, source

    def new_zip(self) -> tuple[str, Path]:
        """A key, and a folder for one file that is no photo's own."""
        key, source = self.new("zip")
        folder = source.parent / f"zip-{key[:16]}"
        folder.mkdir()
        return key, folder

    def notes(self, key: str) -> list[tuple[str, str]]:
        """What a person should know of a film that was made, in English and Chinese."""
        path = self.place(key) / "notes.json"
        records = json.loads(path.read_text())["notes"] if path.is_file() else []
        return [translated(from_record(record)) for record in records]

    def draw(self, key: str, order: Order, tick: Tick = lambda: None) -> Shown:
        """The photo as the page shows it, before and after; the network runs where it has not drawn this yet.

        Raises `Gone`, `PictureError`, `VideoError`, `ModelError`, `ValueError`, `OSError`, `MemoryError`.
        """
        place = self.place(key)
        stylizer = self.painter.stylizer(order.network, order.speed)
        if "before" in (about := _read_json(place)):
            if (place / f"{order.drawing}.npy").is_file():
                return self.grade(key, order)
            frame = self._picture(place, about, None).frames[0]
            photo = self._photo(place, frame)
        else:
            frame, photo = self._look_at(place)
        film = _read_json(place)["film"]
        sketch = stylizer.sketch(frame, tick, stylizer.stroke_for(order.stroke) if film else order.stroke)
        del frame
        drawn = sketch
        if drawn.shape[:2] != photo.shape[:2]:
            shown = Image.fromarray(photo)
            stylizer.finish(shown, sketch, Look(), tick)
            drawn = np.asarray(shown)[..., :3]
            _save(place / f"{order.drawing}.small.npy", drawn)
        _save(place / f"{order.drawing}.npy", sketch)
        return self._shown(place, order, photo, drawn)

    def grade(self, key: str, order: Order) -> Shown:
        """The same, of what the network drew before. Raises `Gone` where it did not."""
        place = self.place(key)
        _touch(place)
        return self._shown(place, order, *self._drawn(place, order))

    def _shown(self, place: Path, order: Order, photo: np.ndarray, drawn: np.ndarray) -> Shown:
        about, name = _read_json(place), _digest("after", order.drawing, order.look)
        made = next(place.glob(f"{name}.*"), None)
        if made is None:
            picture = order.look.apply(photo[..., :3], drawn)
            if photo.shape[2] > 3:
                picture = np.concatenate([picture, photo[..., 3:]], axis=2)
            made = _save_shown(Image.fromarray(picture), place / name)
        return Shown(about["width"], about["height"], about["frames"], about["film"], about["before"], made.name)

    def chips(self, key: str, order: Order) -> dict[str, dict[str, str]]:
        """The middle of the photo in each style and in each palette, as addresses that hold the whole picture."""
        place = self.place(key)
        photo, drawn = self._drawn(place, order)
        photo = photo[..., :3]
        before, after = middle(photo, CHIP), middle(drawn, CHIP)
        palettes = {"none": after} | {name: Look(name).apply(before, after) for name in PALETTES}
        small = Image.fromarray(photo)
        small.thumbnail((4 * CHIP_STROKE, 4 * CHIP_STROKE), Image.Resampling.LANCZOS)
        drawings = {
            name: middle(self.painter.stylizer(name).sketch(small.copy(), stroke=CHIP_STROKE), CHIP)
            for name in styles()
        }
        both = {"palettes": palettes, "styles": drawings}
        return {kind: {name: data_url(made, 82) for name, made in chips.items()} for kind, chips in both.items()}

    def finish(self, key: str, order: Order, kind: str, tick: Tick, tell: Tell = lambda share: None) -> Path:
        """The file to keep: "full" (a picture, or the whole film), "pair" (before | after), "gif" (one into the other).

        It is made once for each order.
        """
        place = self.place(key)
        _touch(place)
        about, picture = _read_json(place), None
        if "film" not in about:  # nobody has looked at it: a program's, or one that was taken in again
            picture = self._learn(place, about)
            _write_json(place / "about.json", about)
        target = place / _digest(kind, order.drawing, order.look, order.size)
        made = next(target.glob("*"), None) if target.is_dir() else None
        if made is not None:
            return made
        if kind == "full" and about["film"]:
            target.mkdir(exist_ok=True)
            path = target / result_name(about["name"], order, ".webm" if about["source"].endswith(".webm") else ".mp4")
            stylizer = self.painter.stylizer(order.network, order.speed)
            notes = make_film(place / about["source"], path, stylizer, order, tick, tell)
            _write_json(place / "notes.json", {"notes": [to_record(note) for note in notes]})
            return path
        if picture is None or order.size:
            picture = self._picture(place, about, order.size)
        photos = [frame.copy() for frame in picture.frames[:1]] if kind != "full" else []
        if kind != "full":
            del picture.frames[1:]
        self._finish_frames(place, picture, order, tick, tell)
        if kind == "gif":
            picture, suffix = wipe(photos[0], picture.frames[0], picture.icc), ".gif"
        else:
            suffix = _suffix(place / about["source"], picture.kind)
            if kind == "pair":
                picture.frames = [pair_of(photos[0], picture.frames[0])]
        target.mkdir(exist_ok=True)
        path = target / result_name(about["name"], order, suffix, "" if kind == "full" else "before-after")
        images.write(picture, path)
        return path

    def _finish_frames(self, place: Path, picture: images.Picture, order: Order, tick: Tick, tell: Tell) -> None:
        stylizer, kept = self.painter.stylizer(order.network, order.speed), place / f"{order.drawing}.npy"
        sketch = np.load(kept, mmap_mode="r") if kept.is_file() else None
        stroke = stylizer.stroke_of(picture, order.stroke, tick, sketch)
        for index, frame in enumerate(picture.frames):
            tell(index / len(picture.frames))
            if index == 0 and sketch is not None:
                stylizer.finish(frame, sketch, order.look, tick)
            else:
                stylizer.draw(frame, order.look, tick, stroke)

    def _picture(self, place: Path, about: dict, max_size: int | None) -> images.Picture:
        """What is in the file; of a film its first frame."""
        source = place / ("frame.png" if about["film"] else about["source"])
        return images.decode(source, self.painter.max_pixels, max_size)

    def _learn(self, place: Path, about: dict) -> images.Picture:
        """Reads a photo for the first time, and adds to `about` what there is to know of it."""
        source = place / about["source"]
        about["film"] = source.suffix in FILMS
        if about["film"]:
            Image.fromarray(first_frame(source)).save(place / "frame.png", compress_level=1)
        try:
            picture = self._picture(place, about, None)
        except images.PictureError as error:
            said = with_values(message_of(error), lambda value: value.replace(str(source), about["name"]))
            raise images.PictureError(said) from error
        frame = picture.frames[0]
        about |= {"width": frame.width, "height": frame.height, "frames": len(picture.frames)}
        if picture.icc:
            (place / "icc").write_bytes(picture.icc)
        return picture

    def _look_at(self, place: Path) -> tuple[Image.Image, np.ndarray]:
        """Learns what there is to know of a photo. Its frame, and what the page shows of it, which is kept."""
        about = _read_json(place)
        source = place / about["source"]
        frame = self._learn(place, about).frames[0]
        small = _to_show(frame)
        photo = np.asarray(small)
        if small is frame and _shows_itself(source):
            same_file(source, place / "before.jpg")
            about["before"] = "before.jpg"
        else:
            about["before"] = _save_shown(small, place / "before").name
            _save(place / "photo.npy", photo)
        _write_json(place / "about.json", about)
        return frame, photo

    def _photo(self, place: Path, frame: Image.Image | None = None) -> np.ndarray:
        """A photo that was looked at, as the page shows it; `frame` is what its file holds, if it was read already.
        Raises `Gone`.

        Where its own file has its levels, they are written when they are asked for again: most photos are drawn once,
        and a file of levels is larger than all other files of a photo together.
        """
        path = place / "photo.npy"
        if not path.is_file():
            try:
                frame = frame or self._picture(place, _read_json(place), None).frames[0]
            except images.PictureError as error:  # it could be read before
                raise Gone from error
            _save(path, np.asarray(_to_show(frame)))
        return _load(path)

    def _drawn(self, place: Path, order: Order) -> tuple[np.ndarray, np.ndarray]:
        """A photo as the page shows it, and what the network drew of it in the same size. Raises `Gone`."""
        small = place / f"{order.drawing}.small.npy"
        drawn = _load(small if small.is_file() else place / f"{order.drawing}.npy")
        photo = self._photo(place)
        if drawn.shape[:2] != photo.shape[:2]:
            raise Gone
        return photo, drawn


def _to_show(frame: Image.Image) -> Image.Image:
    """The frame in the size in which the page shows it; itself where that is its own."""
    if max(frame.size) <= SIDE:
        return frame
    size = tuple(max(1, round(side * SIDE / max(frame.size))) for side in frame.size)
    return frame.resize(size, Image.Resampling.LANCZOS, reducing_gap=2)


def same_file(source: Path, target: Path) -> None:
    """`target` is what `source` is: a second name where the file system has such, else a copy; one that is there
    already is left. Raises `OSError`."""
    try:
        os.link(source, target)
    except FileExistsError:
        return
    except OSError:
        copyfile(source, target)


def _shows_itself(source: Path) -> bool:
    """Whether a browser shows a file that was read as it was read: a JPEG of RGB that nothing in it turns."""
    with source.open("rb") as file:
        if file.read(3) != b"\xff\xd8\xff":
            return False
    with Image.open(source, formats=["JPEG"]) as image:
        return image.format == "JPEG" and image.mode == "RGB" and not {"exif", "xmp"} & set(image.info)


def _save_shown(image: Image.Image, name: Path) -> Path:
    path = name.with_suffix(".png" if image.mode == "RGBA" else ".jpg")
    icc = name.parent / "icc"
    profile = icc.read_bytes() if icc.is_file() else None
    with whole_file(path) as file:
        kind = "PNG" if image.mode == "RGBA" else "JPEG"
        image.save(file, kind, quality=QUALITY, compress_level=1, icc_profile=profile)
    return path


def _suffix(source: Path, kind: str) -> str:
    if images.kind_of(source) == kind:
        return source.suffix
    return {"JPEG": ".jpg", "JPEG2000": ".jp2", "TIFF": ".tif"}.get(kind, f".{kind.lower()}")


def _touch(place: Path) -> None:
    """A photo's files count as new, so that nothing that is in use is cleared away."""
    now = time.time()
    for path in place.iterdir():
        with suppress(OSError):
            os.utime(path, (now, now))


def _digest(kind: str, *parts: object) -> str:
    return f"{kind}-{sha256(repr(parts).encode()).hexdigest()[:16]}"


def _load(path: Path) -> np.ndarray:
    try:
        return np.load(path, mmap_mode="r")
    except FileNotFoundError as error:
        raise Gone from error


def _save(path: Path, array: np.ndarray) -> None:
    array = np.ascontiguousarray(array)
    with whole_file(path) as file:
        np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(array))
        file.write(array.data)  # at once: np.save would copy it piece by piece


def _read_json(place: Path) -> dict:
    try:
        return json.loads((place / "about.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Gone from error


def _write_json(path: Path, record: dict) -> None:
    with whole_file(path) as file:
        file.write(json.dumps(record).encode())
