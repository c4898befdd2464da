"""The view Compare: one photo through every version side by side, their figures, and the registry's promotions."""

import hmac
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import gradio as gr
import numpy as np
from gradio.context import Context

from anime_app.studio import promotion, sheet
from anime_app.studio import version_charts as charts
from anime_app.studio.engineer_state import EngineerState
from anime_app.studio.engineer_texts import named, text_html
from anime_app.studio.found import found
from anime_app.studio.samples import data_url, read_photo
from anime_app.studio.settings import Studio
from anime_app.studio.texts import label
from anime_app.studio.versions import Version, tracking_uri
from anime_model.pictures.arrays import SUFFIXES
from anime_model.pictures.message import about, message_of
from anime_model.runtime.session import first_line

HERE = Path(__file__).parent
TOGETHER = 6  # versions beside each other; a label says so
LISTED = 30  # rows of the table, and versions in the lists
DEFAULT = 0  # instead of a version's number: the one that the flow takes by itself
OWN = "own"  # the key of the photo that a person put in
NETWORK = "network"  # what runs a network in Gradio's queue: here and in Judge
FILE_GONE = "its model file is not there; benchmarks.explore keeps it in scratch/explore."
GUESS = 1.0  # seconds that a wrong token costs
MEASURING = {"check": "promote_measuring", "promote": "promote_measuring", "back": "promote_rolling"}


@dataclass(frozen=True)
class Parts:
    """The components that change."""

    notes: gr.HTML
    style: gr.Radio
    picked: gr.Dropdown
    again: gr.Button
    strip: gr.HTML
    upload: gr.UploadButton
    panes: gr.HTML
    table: gr.HTML
    axis: gr.Radio
    pareto: gr.HTML
    trends: gr.HTML
    search: gr.HTML
    number: gr.Dropdown
    photo: gr.State  # the key of the photo that is shown
    own: gr.State  # the photo that a person put in: uint8 RGB [H, W, 3]

    @property
    def page(self) -> list:
        """What a style changes, in the order of `_page`."""
        return [
            self.notes, self.style, self.picked, self.strip, self.photo, self.table, self.pareto, self.trends,
            self.search, self.number,
        ]  # fmt: skip


def build(studio: Studio) -> None:
    """Adds the view to the open page."""
    state = EngineerState(studio)
    with gr.Column(elem_id="compare"):
        parts = _components(studio, state)
    _wire(studio, state, parts)


def script(*names: str) -> str:
    """The views' own JavaScript: nothing comes from elsewhere."""
    return "\n".join((HERE / f"{name}.js").read_text(encoding="utf-8") for name in names)


def _part(name: str, *scripts: str) -> gr.HTML:
    """An empty piece of the page, whose buttons speak to the server where it has the script `press`."""
    code = script(*scripts) if scripts else None
    return gr.HTML("", elem_id=name, elem_classes="compare-part", js_on_load=code)


def _head(key: str) -> None:
    gr.HTML(f'<h2 id="{key}">{text_html(key)}</h2>', elem_classes="compare-part")


def _components(studio: Studio, state: EngineerState) -> Parts:
    notes = _part("compare-notes")
    with gr.Row(equal_height=True):
        style = gr.Radio([], label=label("compare_style"), elem_id="compare-style", scale=2, min_width=180)
        picked = gr.Dropdown(
            [], multiselect=True, max_choices=TOGETHER, label=label("compare_versions"),
            elem_id="compare-versions", scale=6, min_width=300,
        )  # fmt: skip
        again = gr.Button(label("compare_again"), elem_id="compare-again", scale=1, min_width=110)
    with gr.Row(equal_height=True):
        with gr.Column(scale=8, min_width=240):
            strip = _part("compare-strip", "press")
        with gr.Column(scale=1, min_width=140):
            words = label("compare_upload")
            upload = gr.UploadButton(words, file_types=list(SUFFIXES), elem_id="compare-upload")
    panes = _part("compare-panes", "closer", "zoom")
    _head("compare_figures")
    table = _part("compare-table")
    with gr.Row(equal_height=False):
        with gr.Column(scale=5, min_width=440):  # narrower, and the words in it are too small to read
            _head("compare_front")
            axis = gr.Radio(
                [(label(f"compare_{axis}"), axis) for axis in ("lpips", "fid")], value="lpips", show_label=False,
                label=label("compare_front"), container=False, elem_id="compare-axis",
            )  # fmt: skip
            pareto = _part("compare-pareto", "press")
        with gr.Column(scale=5, min_width=440):
            _head("compare_trends")
            trends = _part("compare-trends")
    _head("compare_search")
    search = _part("compare-search")
    number = _promotion(studio, state, style)
    return Parts(
        notes, style, picked, again, strip, upload, panes, table, axis, pareto, trends, search, number,
        gr.State(None),
        gr.State(None, time_to_live=3600),
    )  # fmt: skip


def _wire(studio: Studio, state: EngineerState, parts: Parts) -> None:
    def read(style: str | None, axis: str, own) -> Iterator[list]:
        yield [sheet.say("compare_reading"), *[gr.skip()] * (len(parts.page) - 1)]
        state.refresh()
        yield _page(state, style, axis, own)

    def turn(style: str, axis: str, own) -> list:
        return _page(state, style, axis, own)

    def figures(style: str, keys: list[str], axis: str) -> tuple[str, str]:
        return _figures(state, style, keys, axis), _chart(state, style, keys, axis)

    def look(keys: list[str], photo: str | None, own, request: gr.Request) -> Iterator[str]:
        turn = state.begin(str(request.session_hash))
        for shown in _look(state, keys, _photo(state, photo, own)):
            if not state.is_last(str(request.session_hash), turn):
                return  # the page has asked for other pictures since
            yield shown

    def choose(style: str, keys: list[str], axis: str, event: gr.EventData) -> tuple:
        return _chosen(state, style, keys, axis, str(event.key))

    def take(own, event: gr.EventData) -> tuple:
        key = str(event.key)
        return key, state.strip(own, key, OWN)

    def put(path: str) -> tuple:
        return _put(state, Path(path))

    draw = {
        "fn": look, "inputs": [parts.picked, parts.photo, parts.own], "outputs": parts.panes,
        "concurrency_limit": studio.concurrency, "concurrency_id": NETWORK, "trigger_mode": "always_last",
        "show_progress": "hidden",
    }  # fmt: skip
    quiet = {"show_progress": "hidden"}
    seen = [parts.style, parts.axis, parts.own]
    gr.on([_opened(), parts.again.click], read, seen, parts.page, **quiet).then(**draw)
    parts.style.input(turn, seen, parts.page, **quiet).then(**draw)
    rows = [parts.style, parts.picked, parts.axis]
    parts.picked.input(figures, rows, [parts.table, parts.pareto], **quiet).then(**draw)
    parts.axis.input(figures, rows, [parts.table, parts.pareto], **quiet)
    outputs = [parts.picked, parts.table, parts.pareto, parts.notes]
    parts.pareto.select(choose, rows, outputs, **quiet).then(**draw)
    parts.strip.select(take, parts.own, [parts.photo, parts.strip], **quiet).then(**draw)
    parts.upload.upload(put, parts.upload, [parts.own, parts.photo, parts.strip, parts.notes], **quiet).then(**draw)


def _opened():
    """The event of this view's first showing: of its tab, or of the page where it stands alone."""
    block = Context.block
    while block is not None and not isinstance(block, gr.Tab):
        block = block.parent
    return block.select if block is not None else Context.root_block.load


def _page(state: EngineerState, style: str | None, axis: str, own) -> list:
    """Everything that a style changes: the last run's versions are picked, and its first photo where there is none."""
    catalogue = state.catalogue
    styles = catalogue.styles
    style = style if style in styles else next(iter(styles), None)
    versions = state.of_style(style)
    run = [version.key for version in versions if version.key.startswith("run/") and version.drawable]
    keys = (run or [version.key for version in versions[-3:]])[:TOGETHER]
    registered = [version for version in versions if version.key.startswith("registry/")]
    photo = OWN if own is not None else next(iter(state.photos), None)
    return [
        "".join(sheet.line(note, problem=True) for note in catalogue.notes),
        gr.update(choices=[(name.title(), name) for name in styles], value=style),
        gr.update(
            choices=[(named(version.label), version.key) for version in versions if version.drawable], value=keys
        ),
        state.strip(own, photo, OWN),
        photo,
        _figures(state, style, keys, axis),
        _chart(state, style, keys, axis),
        f'<div class="chart">{charts.trends(registered)}</div>',
        f'<div class="chart">{found(state.studio.project, style)}</div>',
        gr.update(choices=_numbers(registered), value=DEFAULT),
    ]


def _numbers(registered: Sequence[Version]) -> list[tuple[str, int]]:
    newest = [(version.label, version.number) for version in registered[::-1]]
    return [(label("compare_newest"), DEFAULT), *newest[:LISTED]]


def _figures(state: EngineerState, style: str | None, keys: Sequence[str] | None, axis: str) -> str:
    """What networks are compared with, the run, what is picked, and the registry's others, the newest first."""
    versions = state.of_style(style)
    run = [version for version in versions if version.key.startswith("run/")]
    known = {version.number for version in run}
    others = [version for version in versions if version.key.startswith("registry/") and version.number not in known]
    trials = [version for version in versions if version.key.startswith("trial/") and version.key in (keys or [])]
    beside = [version for version in state.catalogue.baselines if version.style == style]
    return sheet.figures_table([*beside, *run, *trials, *others[::-1]][:LISTED])


def _chart(state: EngineerState, style: str | None, keys: Sequence[str] | None, axis: str) -> str:
    versions = state.of_style(style)
    run = {version.number for version in versions if version.key.startswith("run/")}
    shown = [version for version in versions if not version.key.startswith("registry/") or version.number not in run]
    return f'<div class="chart">{charts.pareto(shown, keys or [], axis)}</div>'


def _look(state: EngineerState, keys: Sequence[str] | None, photo: np.ndarray | None) -> Iterator[str]:
    """The photo and its drawings, each as soon as it is there."""
    versions = state.catalogue.find((keys or [])[:TOGETHER])
    if photo is None or not versions:
        yield sheet.empty("compare_no_photo" if photo is None else "compare_no_version") if state.catalogue.all else ""
        return
    size = photo.shape[:2]
    done = [sheet.pane("photo", f"{size[1]} x {size[0]}", size, data_url(photo))]
    waiting = [sheet.pane(version.label, sheet.about(version), size, None) for version in versions]
    yield sheet.panes([*done, *waiting])
    for index, version in enumerate(versions):
        try:
            made, problem = state.draw(version, photo), ""
        except (ValueError, OSError, MemoryError) as error:  # ModelError is among them
            made, problem = None, first_line(error)
        done.append(sheet.pane(version.label, sheet.about(version), size, made, problem))
        yield sheet.panes([*done, *waiting[index + 1 :]])


def _photo(state: EngineerState, key: str | None, own: np.ndarray | None) -> np.ndarray | None:
    if key == OWN:
        return own
    return state.photos[key][1] if key in state.photos else None


def _put(state: EngineerState, path: Path) -> tuple:
    """A person's photo, read and then removed from the disk."""
    try:
        photo = read_photo(path, state.studio.max_pixels)
    except (ValueError, MemoryError) as error:
        return gr.skip(), gr.skip(), gr.skip(), sheet.line(message_of(error) or "not enough memory", problem=True)
    finally:
        path.unlink(missing_ok=True)
    return photo, OWN, state.strip(photo, OWN, OWN), ""


def _chosen(state: EngineerState, style: str, keys: Sequence[str] | None, axis: str, key: str) -> tuple:
    """A point of the chart joins the pictures, or leaves them; the last picked one makes room where there is none."""
    keys, found = list(keys or []), state.catalogue.find([key])
    if not found:
        return (*[gr.skip()] * 3, sheet.say("compare_gone", problem=True))
    if not found[0].drawable:
        problem = about(found[0].label, FILE_GONE)
        return (*[gr.skip()] * 3, sheet.line(problem, problem=True))
    if key in keys:
        keys.remove(key)
    else:
        keys = [*keys[: TOGETHER - 1], key]
    return keys, _figures(state, style, keys, axis), _chart(state, style, keys, axis), ""


def _promotion(studio: Studio, state: EngineerState, style: gr.Radio) -> gr.Dropdown:
    """Promote and roll back, by the flows' own command; without a token the buttons do nothing, here and by request."""
    _head("promote_title")
    open_ = studio.token is not None and studio.project is not None
    if not open_:
        gr.HTML(sheet.say(_closed(studio)), elem_classes="compare-part")
    with gr.Row(equal_height=True, visible=open_):
        number = gr.Dropdown([], label=label("promote_version"), elem_id="promote-version", scale=3, min_width=360)
        why = gr.Textbox(
            label=label("promote_reason"),
            max_lines=1,
            max_length=500,
            elem_id="promote-reason",
            scale=3,
            min_width=240,
        )
        token = gr.Textbox(
            label=label("token"), type="password", max_lines=1, elem_id="promote-token", scale=2, min_width=160
        )
    with gr.Row(visible=open_):
        check = gr.Button(label("promote_check"), elem_id="promote-check", interactive=open_)
        promote = gr.Button(label("promote"), variant="primary", elem_id="promote", interactive=open_)
        back = gr.Button(label("promote_back"), elem_id="promote-back", interactive=open_)
    verdict = _part("promote-verdict")

    def ask(kind: str):
        def run(style: str, number: int | None, why: str, token: str) -> Iterator[str]:
            yield from _promoted(studio, state, kind, style, number, why, token)

        return run

    for kind, button in (("check", check), ("promote", promote), ("back", back)):
        button.click(
            ask(kind), [style, number, why, token], verdict, concurrency_limit=1, concurrency_id="promotion",
            show_progress="hidden",
        )  # fmt: skip
    return number


def _closed(studio: Studio) -> str:
    """The key of what is missing before anything can be promoted."""
    return "promote_locked" if studio.token is None else "promote_no_project"


def allowed(studio: Studio, token: str | None) -> bool:
    """Whether this is the studio's token; a wrong one costs time, so that guessing does not pay."""
    if studio.token is None or not token:
        return False
    same = hmac.compare_digest(token.encode(), studio.token.encode())
    if not same:
        time.sleep(GUESS)
    return same


def _promoted(
    studio: Studio, state: EngineerState, kind: str, style: str | None, number: int | None, why: str, token: str
) -> Iterator[str]:
    if studio.token is None or studio.project is None:
        yield sheet.say(_closed(studio), problem=True)
    elif not allowed(studio, token):
        yield sheet.say("promote_wrong", problem=True)
    elif style not in state.catalogue.styles:
        yield sheet.say("promote_no_style", problem=True)
    elif kind == "back" and not why.strip():
        yield sheet.say("promote_why", problem=True)
    else:
        uri, began = tracking_uri(studio), time.monotonic()
        if kind == "back":
            asked = partial(promotion.roll_back, studio.project, uri, style, why.strip())
        else:
            asked = partial(promotion.promote, studio.project, uri, style, number or None, dry_run=kind == "check")
        with ThreadPoolExecutor(1) as pool:
            verdict = pool.submit(asked)
            while not verdict.done():
                yield sheet.say_with_time(MEASURING[kind], "promote_so_far", time.monotonic() - began, style=style)
                wait([verdict], timeout=1)
        yield sheet.verdict(verdict.result(), style)
