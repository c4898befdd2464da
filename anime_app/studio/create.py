"""The view Make: photos in, drawings out, one click for each look.

Every look is colour grading after one network. A request holds a place in the queue until its last picture is drawn;
pictures are shown as they come.
"""

from collections.abc import Iterator
from pathlib import Path

import gradio as gr
from gradio.utils import get_upload_folder

from anime_app.studio.drawing import Drawing, Order, Painter, pack, reason
from anime_app.studio.settings import Studio
from anime_app.studio.texts import both, label
from anime_model.runtime.images import MAX_PIXELS
from anime_model.runtime.models import styles
from anime_model.runtime.palettes import PALETTES
from anime_model.runtime.pictures import SUFFIXES
from anime_model.runtime.stylizer import Look

PLAIN = "plain"
LOOKS = (PLAIN, *PALETTES)
SIZES = (("size_full", 0), ("3000", 3000), ("2000", 2000), ("1200", 1200))
PICTURES = 24  # drawn by one request
FAVOURITE = "shinkai"
NETWORK = "network"  # the queue that everything which runs a network shares
Album = list[Drawing]


def build(studio: Studio) -> None:
    """Adds the view to the open page."""
    painter = Painter(studio.threads, min(studio.max_pixels, MAX_PIXELS))
    album = gr.State([], time_to_live=3600)
    with gr.Row(elem_id="make", equal_height=False):
        with gr.Column(scale=5, min_width=320):
            photos = _photos()
            looks = gr.Radio(
                [(label(look), look) for look in LOOKS], value=PLAIN, label=label("preset"), elem_id="looks"
            )
            strength = gr.Slider(
                0, 1, 1, step=0.05, label=label("strength"), info=label("strength_hint"), elem_id="strength"
            )
            network, keep, size = _more()
            with gr.Row(elem_id="go"):
                draw = gr.Button(label("draw"), variant="primary", elem_id="draw")
                stop = gr.Button(label("stop"), visible=False, elem_id="stop", min_width=80, scale=0)
        with gr.Column(scale=7, min_width=320):
            notice = gr.HTML(_empty(), elem_id="notice")
            result = gr.ImageSlider(
                label=label("result"), visible=False, interactive=False, max_height=560, buttons=["fullscreen"],
                elem_id="result",
            )  # fmt: skip
            shown = gr.Gallery(
                label=label("album"), visible=False, interactive=False, columns=4, height="auto", allow_preview=False,
                object_fit="cover", buttons=[], elem_id="album",
            )  # fmt: skip
            with gr.Row(elem_id="take"):
                full = gr.DownloadButton(label("download"), visible=False, variant="primary", elem_id="download")
                packed = gr.DownloadButton(label("zip"), visible=False, elem_id="zip")
    outputs = [album, notice, result, shown, full, packed, stop]

    def make(files, look: str, strength: float, network: str, keep: bool, size: int) -> Iterator[dict]:
        for update in _made(painter, files, look, strength, network, keep, size):
            yield {component: update.get(name, gr.skip()) for name, component in zip(NAMES, outputs, strict=True)}

    run = gr.on(
        [photos.change, looks.input, strength.release, network.input, keep.input, size.input, draw.click],
        make,
        [photos, looks, strength, network, keep, size],
        outputs,
        trigger_mode="always_last",
        concurrency_limit=studio.concurrency,
        concurrency_id=NETWORK,
        show_progress="hidden",
        api_name="make",
    )
    stop.click(lambda: (_line("stopped"), gr.update(visible=False)), None, [notice, stop], cancels=[run], queue=False)
    shown.select(_chosen, album, [notice, result, full], queue=False, show_progress="hidden")


NAMES = ("album", "notice", "result", "shown", "full", "packed", "stop")


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


def _made(painter: Painter, files, look: str, strength: float, network: str, keep: bool, size: int) -> Iterator[dict]:
    """What changes on the page, by name, picture after picture."""
    photos = [Path(file) for file, _ in files or []]
    if not photos:
        yield _cleared()
        return
    order = Order(network, Look(None if look == PLAIN else look, strength, keep), size or None)
    wanted, folder, album, problems = photos[:PICTURES], Path(get_upload_folder(), "results"), [], []
    if len(photos) > PICTURES:
        problems.append(both("too_many", count=len(photos), most=PICTURES))
    yield {"notice": _line("working", problems, done=1, total=len(wanted)), "stop": gr.update(visible=len(wanted) > 1)}
    for index, photo in enumerate(wanted, 1):
        try:
            album.append(painter.draw(photo, folder, order))
        except (ValueError, OSError, MemoryError) as error:  # PictureError and ModelError are among them
            problems.append(both("failed", name=photo.name, reason=reason(photo, error)))
        if index < len(wanted):
            working = _line("working", problems, done=index + 1, total=len(wanted))
            yield {"notice": working, **(_shown(album) if len(album) == 1 else _added(album))}
    yield _finished(album, problems, folder)


def _finished(album: Album, problems: list[str], folder: Path) -> dict:
    if not album:
        return _cleared() | {"notice": _line(None, problems)}
    packed = gr.update(visible=False)
    if len(album) > 1:
        first = album[0].full
        packed = gr.update(value=str(pack([d.full for d in album], first.parent / "anime.zip")), visible=True)
    done = _line("done_one", problems, name=album[0].full.name)
    if len(album) > 1:
        done = _line("done", problems, count=len(album))
    return {"notice": done, "packed": packed, "stop": gr.update(visible=False), **_shown(album), **_added(album)}


def _shown(album: Album, index: int = 0) -> dict:
    """The slider and the download of one picture."""
    drawing = album[index]
    return {
        "result": gr.update(value=(str(drawing.before), str(drawing.after)), visible=True),
        "full": gr.update(value=str(drawing.full), visible=True),
    }


def _added(album: Album) -> dict:
    """The gallery, which one picture does not need."""
    several = len(album) > 1
    pictures = [(str(drawing.after), drawing.full.stem) for drawing in album] if several else []
    return {"album": list(album), "shown": gr.update(value=pictures, visible=several)}


def _cleared() -> dict:
    gone = gr.update(value=None, visible=False)
    hidden = gr.update(visible=False)
    names = {"result": gone, "full": gone, "packed": gone, "shown": gr.update(value=[], visible=False), "stop": hidden}
    return names | {"album": [], "notice": _empty()}


def _chosen(album: Album, event: gr.SelectData) -> tuple:
    """The picture of the gallery that was clicked, in the slider."""
    index = event.index
    if not isinstance(index, int) or not 0 <= index < len(album) or not album[index].full.exists():
        return _line("expired"), gr.skip(), gr.skip()
    chosen = _shown(album, index)
    return _line("done_one", name=album[index].full.name), chosen["result"], chosen["full"]


def _line(key: str | None, problems: list[str] | tuple = (), **values: object) -> str:
    """One line on how it goes, and one for each picture that was not made."""
    lines = [f'<p class="line" role="status">{both(key, **values)}</p>'] if key else []
    return "".join([*lines, *(f'<p class="line problem" role="alert">{problem}</p>' for problem in problems)])


def _empty() -> str:
    return (
        f'<div class="empty"><svg viewBox="0 0 64 64" aria-hidden="true">{PETALS}</svg>'
        f"<h3>{both('empty_title')}</h3><p>{both('empty_text')}</p></div>"
    )


PETALS = "".join(
    f'<path transform="rotate({72 * turn} 32 32)" d="M32 31c-8-6-10-17-5-25l5 4 5-4c5 8 3 19-5 25z"/>'
    for turn in range(5)
)
