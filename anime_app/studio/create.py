"""The view Make: photos and films in, drawings out.

The page's own script (`make.js`) holds the photos and speaks to three events in Gradio's queue: `draw` runs the
network, `grade` makes another look of what it drew, `keep` makes the files to keep. A fourth, `make`, is for programs.
All state is in files: a photo is known by its key.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from shutil import copyfile

import gradio as gr
from gradio.utils import get_upload_folder

from anime_app.studio import jobs
from anime_app.studio.compare import script
from anime_app.studio.exports import pack
from anime_app.studio.films import FILMS
from anime_app.studio.make_page import make_page
from anime_app.studio.names import folder_of
from anime_app.studio.orders import read_order
from anime_app.studio.reasons import reason
from anime_app.studio.settings import Studio
from anime_app.studio.workshop import Gone, Painter, Workshop
from anime_model.pictures.arrays import SUFFIXES
from anime_model.pictures.images import MAX_PIXELS
from anime_model.runtime.models import SIZE, sizes, styles

NETWORK = "network"  # the queue that everything which runs a network shares
PHOTOS = 200  # in one page, and in one zip
KINDS = ("full", "pair", "gif")


def workshop_of(studio: Studio) -> Workshop:
    painter = Painter(studio.threads, min(studio.max_pixels, MAX_PIXELS), studio.concurrency)
    return Workshop(Path(get_upload_folder(), "photos"), painter)


def build(studio: Studio) -> None:
    """Adds the view to the open page."""
    workshop = workshop_of(studio)
    settings = {"suffixes": [*SUFFIXES, *FILMS], "films": FILMS, "photos": PHOTOS, "speeds": speeds()}
    code = f"const SETTINGS = {json.dumps(settings)};\n" + script("queue", "intake", "closer", "stage", "make")
    gr.HTML(make_page(), elem_id="make", elem_classes="own-part", js_on_load=code)
    _events(studio, workshop)


def speeds() -> dict[str, list[str]]:
    """The sizes that each style's network has."""
    return {style: list(sizes(style)) for style in styles()}


def _events(studio: Studio, workshop: Workshop) -> None:
    """The events behind the page's script. Their components are never shown."""
    asked, answer = gr.Textbox(visible=False), gr.Textbox(visible=False)
    photo, file = gr.File(visible=False), gr.File(visible=False)
    style, palette, lines = gr.Textbox(visible=False), gr.Textbox(visible=False), gr.Textbox(visible=False)
    strength, keep, size = gr.Number(visible=False), gr.Checkbox(visible=False), gr.Number(visible=False)
    speed = gr.Textbox(SIZE, visible=False)  # programs of before name none
    waits = {"concurrency_limit": studio.concurrency, "concurrency_id": NETWORK, "show_progress": "hidden"}
    at_once = {"concurrency_limit": studio.concurrency, "concurrency_id": "grade", "show_progress": "hidden"}

    def draw(asked: str) -> Iterator[str]:
        yield from _drawn(workshop, asked)

    def grade(asked: str) -> str:
        return _graded(workshop, asked)

    def keep_files(asked: str) -> Iterator[str]:
        yield from _kept(workshop, asked)

    def make(
        photo, style, palette="none", strength=1, keep_colour=False, lines="bold", longest_side=0, speed=SIZE
    ) -> str:
        return _made(workshop, photo, style, palette, strength, keep_colour, lines, longest_side, speed)

    button = gr.Button("", visible=False)
    for event, name, how in ((draw, "draw", waits), (grade, "grade", at_once), (keep_files, "keep", waits)):
        button.click(event, asked, answer, api_name=name, api_visibility="undocumented", **how)
    choices = [style, palette, strength, keep, lines, size, speed]
    button.click(make, [photo, *choices], file, api_name="make", **waits)


def _asked(text: object) -> dict:
    """A request as a record; what is none is an empty one."""
    try:
        found = json.loads(text) if isinstance(text, str) else {}
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _drawn(workshop: Workshop, text: str) -> Iterator[str]:
    """JSON of how it goes, and at the end of what the page shows of a photo; its chips where they are asked for."""
    asked = _asked(text)

    def work(progress: jobs.Progress) -> dict:
        key, order = str(asked.get("key", "")), read_order(asked.get("order"))
        shown = workshop.draw(key, order, progress.tick)
        return vars(shown) | ({"chips": workshop.chips(key, order)} if asked.get("chips") else {})

    yield from jobs.run(work, str(asked.get("name", "")))


def _graded(workshop: Workshop, text: str) -> str:
    asked = _asked(text)
    try:
        order = read_order(asked.get("order"))
        return json.dumps({"done": vars(workshop.grade(str(asked.get("key", "")), order))})
    except Gone:
        return json.dumps({"gone": True})
    except (ValueError, OSError, MemoryError) as error:
        return json.dumps({"problem": reason(str(asked.get("name", "")), error)})


def _kept(workshop: Workshop, text: str) -> Iterator[str]:
    """JSON of how it goes, and at the end the address and the name of the file to keep."""
    asked = _asked(text)
    photos = [photo for photo in asked.get("photos", ()) if isinstance(photo, dict)][:PHOTOS]
    kind = asked.get("kind") if asked.get("kind") in KINDS else "full"

    def work(progress: jobs.Progress) -> dict:
        order = read_order(asked.get("order"))
        if asked.get("zip"):
            return _zipped(workshop, photos, order, progress)
        key = str(photos[0].get("key", "")) if photos else ""
        made = workshop.finish(key, order, kind, progress.tick, progress.tell)
        return {"url": f"studio/result/{key}/{made.parent.name}", "name": made.name, "notes": workshop.notes(key)}

    yield from jobs.run(work, str(photos[0].get("name", "")) if photos else "")


def _zipped(workshop: Workshop, photos: list[dict], order, progress: jobs.Progress) -> dict:
    """One file with all results that could be made; the others are named."""
    files, problems = [], []
    for index, photo in enumerate(photos):
        progress.tell(index / len(photos), done=index + 1, total=len(photos))
        name = str(photo.get("name", ""))
        try:
            made = workshop.finish(str(photo.get("key", "")), order, "full", progress.tick)
            files.append((str(folder_of(str(photo.get("place", ""))) / made.name), made))
        except (ValueError, OSError, MemoryError) as error:
            problems.append([name, *reason(name, error)])
    if not files:
        return {"problems": problems}
    key, folder = workshop.new_zip()
    made = pack(files, folder / "anime.zip")
    return {"url": f"studio/result/{key}/{folder.name}", "name": made.name, "problems": problems}


def _made(workshop: Workshop, photo: str, style: str, palette: str, strength, keep, lines: str, size, speed) -> str:
    """For programs: the path of the drawing. What is wrong is an error of one line."""
    try:
        asked = {"network": style or next(iter(styles()), ""), "palette": palette or "none", "keep": bool(keep),
                 "lines": lines or "bold", "strength": 1 if strength is None else strength,
                 "size": int(size or 0), "speed": speed or SIZE}  # fmt: skip
        key, source = workshop.new(Path(photo or "").name)
        copyfile(photo or "", source)  # Gradio has one file for all who send the same bytes
        return str(workshop.finish(key, read_order(asked), "full", lambda: None))
    except (ValueError, OSError, MemoryError) as error:
        raise gr.Error(reason(Path(photo or "").name, error)[0], print_exception=False) from error
