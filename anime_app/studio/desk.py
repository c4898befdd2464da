"""What the page and programs ask for: a photo drawn, another look of it, files to keep. Any JSON may come.

All state is in files: a photo is known by its key. What runs a network waits in one line; looks, which need none, have
one of their own and never wait for a drawing.
"""

from dataclasses import dataclass
from pathlib import Path

from gradio.utils import get_upload_folder

from anime_app.line import Line, Tick
from anime_app.studio.exports import pack
from anime_app.studio.jobs import Progress
from anime_app.studio.names import folder_of
from anime_app.studio.orders import Order, read_order
from anime_app.studio.reasons import reason
from anime_app.studio.samples import as_url
from anime_app.studio.settings import Studio
from anime_app.studio.workshop import Gone, Painter, Workshop, same_file
from anime_model.pictures.images import MAX_PIXELS

PHOTOS = 200  # in one page, and in one zip
KINDS = ("full", "pair", "gif")


@dataclass(frozen=True)
class Desk:
    """The workshop, and the lines in which requests wait for it."""

    workshop: Workshop
    drawing: Line
    grading: Line

    def stop(self) -> None:
        """The studio ends: who waits is told, and what is being made ends at its next tick. In the event loop."""
        for line in (self.drawing, self.grading):
            line.stop(at_once=True)

    def close(self) -> None:
        """Returns when no thread works any more."""
        for line in (self.drawing, self.grading):
            line.close()

    def drawn(self, asked: dict, progress: Progress) -> dict:
        """What the page shows of a photo; its chips where they are asked for, and so the drawing itself, as an address
        that holds it, where it is a JPEG (a PNG is long). Raises what `Workshop.draw` does."""
        key, order = str(asked.get("key", "")), read_order(asked.get("order"))
        shown = self.workshop.draw(key, order, progress.tick)
        made = vars(shown) | ({"chips": self.workshop.chips(key, order)} if asked.get("chips") else {})
        if asked.get("picture") is True and shown.after.endswith(".jpg"):
            made["picture"] = as_url((self.workshop.place(key) / shown.after).read_bytes())
        return made

    def graded(self, asked: dict, progress: Progress) -> dict:
        """The same, of what was drawn before. Raises what `Workshop.grade` does."""
        return vars(self.workshop.grade(str(asked.get("key", "")), read_order(asked.get("order"))))

    def kept(self, asked: dict, progress: Progress) -> dict:
        """The address and the name of the file to keep, and what a person should know of it.

        Raises what `Workshop.finish` does; of a zip's photos those that fail are named, and unless it is to be
        `complete` those that have been cleared away too.
        """
        photos, order, kind = _photos(asked), read_order(asked.get("order")), asked.get("kind")
        if asked.get("zip"):
            return self._zipped(photos, order, progress, asked.get("complete") is True)
        key = str(photos[0].get("key", "")) if photos else ""
        made = self.workshop.finish(key, order, kind if kind in KINDS else "full", progress.tick, progress.tell)
        return _given(key, made) | {"notes": self.workshop.notes(key)}

    def _zipped(self, photos: list[dict], order: Order, progress: Progress, complete: bool) -> dict:
        """One file with all results that could be made; the others are named. `complete` raises `Gone`."""
        files, problems = [], []
        for index, photo in enumerate(photos):
            progress.tell(index / len(photos), done=index + 1, total=len(photos))
            name = name_of(photo)
            try:
                made = self.workshop.finish(str(photo.get("key", "")), order, "full", progress.tick)
                files.append((str(folder_of(str(photo.get("place", ""))) / made.name), made))
            except (ValueError, OSError, MemoryError) as error:
                if complete and isinstance(error, Gone):
                    raise
                problems.append([name, *reason(name, error)])
        if not files:
            return {"problems": problems}
        key, folder = self.workshop.new_zip()
        return _given(key, pack(files, folder / "anime.zip")) | {"problems": problems}

    def made(self, photo: str, order: dict, tick: Tick) -> str:
        """For programs: the path of the drawing of the file `photo`. Raises what `Workshop.finish` does."""
        key, source = self.workshop.new(Path(photo).name)
        same_file(Path(photo), source)  # Gradio has one file for all who send the same bytes
        return str(self.workshop.finish(key, read_order(order), "full", tick))


def desk_of(studio: Studio) -> Desk:
    painter = Painter(studio.threads, min(studio.max_pixels, MAX_PIXELS), studio.concurrency)
    workshop = Workshop(Path(get_upload_folder(), "photos"), painter)
    return Desk(workshop, *(Line(studio.concurrency, studio.queue_length) for _ in range(2)))


def name_of(asked: dict) -> str:
    """What a person calls the photo of a request; of several, the first."""
    return str(next((photo["name"] for photo in (asked, *_photos(asked)) if "name" in photo), ""))


def _photos(asked: dict) -> list[dict]:
    found = asked.get("photos")
    return [photo for photo in found if isinstance(photo, dict)][:PHOTOS] if isinstance(found, list) else []


def _given(key: str, made: Path) -> dict:
    return {"url": f"studio/result/{key}/{made.parent.name}", "name": made.name}
