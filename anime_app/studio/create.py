"""The view Make: photos in, drawings out, one click for each look.

Every look is colour grading after one network. A request holds a place in the queue until its last picture is drawn;
pictures are shown as they come.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import gradio as gr
from gradio.utils import get_upload_folder

from anime_app.studio.drawing import Drawing, Order, Painter, pack, reason
from anime_app.studio.settings import Studio
from anime_app.studio.texts import both, label
from anime_model.pictures.arrays import SUFFIXES
from anime_model.pictures.images import MAX_PIXELS
from anime_model.runtime.models import styles
from anime_model.runtime.palettes import PALETTES
from anime_model.runtime.stylizer import Look

PLAIN = "plain"
LOOKS = (PLAIN, *PALETTES)
SIZES = (("size_full", 0), ("3000", 3000), ("2000", 2000), ("1200", 1200))
PICTURES = 24  # drawn by one request
FAVOURITE = "shinkai"
NETWORK = "network"  # the queue that everything which runs a network shares
Album = list[Drawing]


class Page(NamedTuple):
    """Components that a run fills, or what it fills them with."""

    album: gr.State | Album
    notice: gr.HTML | str
    result: gr.ImageSlider | tuple[str, str] | None
    shown: gr.Gallery | list[tuple[str, str]]
    full: gr.DownloadButton | str | None
    packed: gr.DownloadButton | str | None


def build(studio: Studio) -> None:
    """Adds the view to the open page."""
    painter = Painter(studio.threads, min(studio.max_pixels, MAX_PIXELS))
    with gr.Row(elem_id="make", equal_height=False):
        with gr.Column(scale=5, min_width=320):
            photos, choices = _photos(), _choices()
            with gr.Row(elem_id="go"):
                draw = gr.Button(label("draw"), variant="primary", elem_id="draw")
                stop = gr.Button(label("stop"), elem_id="stop", min_width=80, scale=0)
        with gr.Column(scale=7, min_width=320):
            page = _results()

    def make(files: list[tuple[str, str | None]] | None, *chosen: object) -> Iterator[tuple]:
        yield from _made(painter, [Path(file) for file, _ in files or []], *chosen)

    looks, strength, *others = choices
    run = gr.on(
        [photos.change, looks.input, strength.release, *(choice.input for choice in others), draw.click],
        make,
        [photos, *choices],
        list(page),
        trigger_mode="always_last",
        concurrency_limit=studio.concurrency,
        concurrency_id=NETWORK,
        show_progress="minimal",
        show_progress_on=page.notice,
        api_name="make",
    )
    stop.click(lambda album: _said("stopped", album), page.album, page.notice, cancels=[run], queue=False)
    page.shown.select(_chosen, page.album, [page.notice, page.result, page.full], queue=False, show_progress="hidden")


def _choices() -> tuple[gr.components.Component, ...]:
    """Look, strength, network, whether to keep colours, size: as `_made` takes them."""
    named = [(label(look), look) for look in LOOKS]
    looks = gr.Radio(named, value=PLAIN, label=label("preset"), elem_id="looks")
    hint = label("strength_hint")
    strength = gr.Slider(0, 1, 1, step=0.05, label=label("strength"), info=hint, elem_id="strength")
    return looks, strength, *_more()


def _results() -> Page:
    """What a run fills. The style sheet shows of it what there is, by the class of the notice: for every property that
    is set from here Gradio would build the component anew, which takes longer than a small picture."""
    album = gr.State([], time_to_live=3600)
    notice = gr.HTML(_empty(), elem_id="notice")
    fixed = {"interactive": False, "elem_id": "result"}
    result = gr.ImageSlider(label=label("result"), max_height=560, buttons=["fullscreen"], **fixed)
    tiles = {"columns": 4, "allow_preview": False, "object_fit": "cover", "buttons": [], "interactive": False}
    shown = gr.Gallery(label=label("album"), elem_id="album", **tiles)
    with gr.Row(elem_id="take"):
        full = gr.DownloadButton(label("download"), variant="primary", elem_id="download")
        packed = gr.DownloadButton(label("zip"), elem_id="zip")
    return Page(album, notice, result, shown, full, packed)


def _photos() -> gr.Gallery:
    return gr.Gallery(
        label=label("photos"),
        sources=["upload", "webcam", "clipboard"],
        file_types=list(SUFFIXES),
        type="filepath",
        columns=3,
        height=230,
        object_fit="cover",
        interactive=True,
        buttons=[],
        elem_id="photos",
    )


def _more() -> tuple[gr.Radio, gr.Checkbox, gr.Dropdown]:
    with gr.Accordion(label("more"), open=False, elem_id="more"):
        shipped = list(styles())
        network = gr.Radio(
            [(name.title(), name) for name in shipped],
            value=FAVOURITE if FAVOURITE in shipped else shipped[0],
            label=label("network"),
            info=label("network_hint"),
            elem_id="network",
        )
        keep = gr.Checkbox(label=label("keep"), elem_id="keep", container=False)
        sizes = [(label(text) if pixels == 0 else f"{text} px", pixels) for text, pixels in SIZES]
        size = gr.Dropdown(sizes, value=0, label=label("size"), elem_id="size", filterable=False)
    return network, keep, size


def _made(
    painter: Painter, photos: list[Path], look: str, strength: float, network: str, keep: bool, size: int
) -> Iterator[Page]:
    """The page after each picture."""
    order = Order(network, Look(None if look == PLAIN else look, strength, keep), size or None)
    wanted, folder, album, problems = photos[:PICTURES], Path(get_upload_folder(), "results"), [], []
    if len(photos) > PICTURES:
        problems.append(both("too_many", count=len(photos), most=PICTURES))
    for index, photo in enumerate(wanted):
        if len(wanted) > 1:
            yield _filled(album, _said("working", album, problems, done=index + 1, total=len(wanted)))
        try:
            album.append(painter.draw(photo, folder, order))
        except (ValueError, OSError, MemoryError) as error:  # PictureError and ModelError are among them
            problems.append(both("failed", name=photo.name, reason=reason(photo, error)))
    yield _finished(album, problems)


def _finished(album: Album, problems: list[str]) -> Page:
    if not album:
        return _filled(album, _said(None, album, problems) if problems else _empty())
    if len(album) == 1:
        return _filled(album, _said("done_one", album, problems, name=album[0].full.name))
    packed = pack([drawing.full for drawing in album], album[0].full.with_name("anime.zip"))
    return _filled(album, _said("done", album, problems, count=len(album)), packed)


def _filled(album: Album, notice: str, packed: Path | None = None) -> Page:
    """The first picture in the slider, and the gallery, which one picture does not need."""
    tiles = [(str(drawing.after), drawing.full.stem) for drawing in album] if len(album) > 1 else []
    zipped = str(packed) if packed else None
    if not album:
        return Page([], notice, None, [], None, zipped)
    first = album[0]
    return Page(list(album), notice, (str(first.before), str(first.after)), tiles, str(first.full), zipped)


def _chosen(album: Album, event: gr.SelectData) -> tuple[object, ...]:
    """The picture of the gallery that was clicked, in the slider."""
    index = event.index
    if not isinstance(index, int) or not 0 <= index < len(album) or not album[index].full.exists():
        return _said("expired", album), None, None
    drawing = album[index]
    said = _said("done_one", album, name=drawing.full.name)
    return said, (str(drawing.before), str(drawing.after)), str(drawing.full)


def _said(key: str | None, album: Album, problems: Sequence[str] = (), **values: object) -> str:
    """One line on how it goes, and one for each picture that was not made; its class says how many there are."""
    lines = [f'<p class="line" role="status">{both(key, **values)}</p>'] if key else []
    lines += [f'<p class="line problem" role="alert">{problem}</p>' for problem in problems]
    count = ("none", "one", "many")[min(2, len(album))]
    return f'<div class="{count} {"working" if key == "working" else "still"}">{"".join(lines)}</div>'


def _empty() -> str:
    return (
        f'<div class="empty"><svg viewBox="0 0 64 64" aria-hidden="true">{PETALS}</svg>'
        f"<h3>{both('empty_title')}</h3><p>{both('empty_text')}</p></div>"
    )


PETALS = "".join(
    f'<path transform="rotate({72 * turn} 32 32)" d="M32 31c-8-6-10-17-5-25l5 4 5-4c5 8 3 19-5 25z"/>'
    for turn in range(5)
)
