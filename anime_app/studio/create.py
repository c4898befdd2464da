"""The view Make: photos and films in, drawings out.

The page's own script (`make.js`) holds the photos and asks for drawings by the studio's own addresses (`routes.py`).
The one event in Gradio's queue, `make`, is for programs.
"""

import json
from pathlib import Path

import gradio as gr

from anime_app.bounds import Refused
from anime_app.studio.compare import script
from anime_app.studio.desk import PHOTOS, Desk
from anime_app.studio.films import FILMS
from anime_app.studio.make_page import make_page
from anime_app.studio.reasons import reason
from anime_app.studio.settings import Studio
from anime_model.pictures.arrays import SUFFIXES
from anime_model.runtime.models import SIZE, sizes, styles


def build(studio: Studio, desk: Desk) -> None:
    """Adds the view to the open page."""
    settings = {"suffixes": [*SUFFIXES, *FILMS], "films": FILMS, "photos": PHOTOS, "speeds": speeds()}
    code = f"const SETTINGS = {json.dumps(settings)};\n" + script("ask", "intake", "closer", "stage", "make")
    gr.HTML(make_page(), elem_id="make", elem_classes="own-part", js_on_load=code)
    _event(studio, desk)


def speeds() -> dict[str, list[str]]:
    """The sizes that each style's network has."""
    return {style: list(sizes(style)) for style in styles()}


def _event(studio: Studio, desk: Desk) -> None:
    """The event for programs. Its components are never shown."""
    photo, file = gr.File(visible=False), gr.File(visible=False)
    style, palette, lines = gr.Textbox(visible=False), gr.Textbox(visible=False), gr.Textbox(visible=False)
    strength, keep, size = gr.Number(visible=False), gr.Checkbox(visible=False), gr.Number(visible=False)
    speed = gr.Textbox(SIZE, visible=False)  # programs of before name none

    async def make(
        photo, style, palette="none", strength=1, keep_colour=False, lines="bold", longest_side=0, speed=SIZE
    ) -> str:
        return await _made(desk, photo or "", style, palette, strength, keep_colour, lines, longest_side, speed)

    choices = [style, palette, strength, keep, lines, size, speed]
    # twice as many as are drawn at once: the line has the next one while Gradio has not looked
    gr.Button("", visible=False).click(
        make, [photo, *choices], file, api_name="make", concurrency_limit=2 * studio.concurrency,
        show_progress="hidden",
    )  # fmt: skip


async def _made(desk: Desk, photo: str, style: str, palette: str, strength, keep, lines: str, size, speed) -> str:
    """The path of the drawing. What is wrong is an error of one line.

    A program has waited in Gradio's queue: here it is drawn in its turn, and never told that the line is full.
    """
    try:
        order = {"network": style or next(iter(styles()), ""), "palette": palette or "none", "keep": bool(keep),
                 "lines": lines or "bold", "strength": 1 if strength is None else strength,
                 "size": int(size or 0), "speed": speed or SIZE}  # fmt: skip
        return await desk.drawing.run(lambda tick: desk.made(photo, order, tick), None, queued=True)
    except Refused as refusal:
        raise gr.Error(str(refusal), print_exception=False) from refusal
    except (ValueError, OSError, MemoryError) as error:
        raise gr.Error(reason(Path(photo).name, error)[0], print_exception=False) from error
