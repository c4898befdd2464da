"""The administrator's part of the view Judge: panels, links, results. Every handler asks for the token itself."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import gradio as gr

from anime_app.panel.export import panel_metrics, ratings_csv, summary_csv
from anime_app.panel.pictures import REPEATS, SIDE, draw_panel
from anime_app.panel.ranking import OVERALL, Mean, means, rank, wins
from anime_app.panel.store import CRITERIA, Candidate, Store, StoreError
from anime_app.studio import sheet
from anime_app.studio import version_charts as charts
from anime_app.studio.compare import NETWORK, allowed, script
from anime_app.studio.engineer_texts import label_html, label_words, line_html, named, rater_count, text_html
from anime_app.studio.samples import Sample, run_photos, spread
from anime_app.studio.settings import Studio
from anime_app.studio.texts import label
from anime_app.studio.versions import Catalogue, Version, model_file, read_catalogue, tracking_uri
from anime_model.pictures.arrays import SUFFIXES
from anime_model.pictures.message import Message, about, message_of
from anime_model.runtime.session import first_line

VERSIONS = 8  # of one panel at most
PHOTOS = 40
PAIRS = 24  # for a rater, about ten minutes
EACH, MOST_PAIRS = 12, 120  # photos of a set, and pairs for a rater, at most
PROGRESS = gr.Progress()  # Gradio looks for it among the defaults of a handler


@dataclass(frozen=True)
class Form:
    """The components of the part that a token opens."""

    token: gr.Textbox
    notice: gr.HTML
    inside: gr.Column
    name: gr.Textbox
    versions: gr.Dropdown
    sets: gr.CheckboxGroup
    each: gr.Slider
    files: gr.File
    pairs: gr.Slider
    raters: gr.Textbox
    make: gr.Button
    panel: gr.Dropdown
    again: gr.Button
    more: gr.Textbox
    invite: gr.Button
    links: gr.HTML
    results: gr.HTML
    log: gr.Button
    logged: gr.HTML


def administration(studio: Studio, store: Store) -> None:
    """Adds the part to the open page."""
    if studio.token is None:
        gr.HTML(sheet.say("admin_none"), elem_classes="compare-part")
        return
    with gr.Row(equal_height=True):
        token = gr.Textbox(label=label("token"), type="password", max_lines=1, elem_id="judge-token", scale=4)
        unlock = gr.Button(label("admin_open"), elem_id="judge-open", scale=1, min_width=110)
    notice = _part("judge-notice")
    with gr.Column(visible=False) as inside:
        form = _form(token, notice, inside)
    last = LastCatalogue(studio)

    def open_(token: str) -> tuple:
        if not allowed(studio, token):
            return sheet.say("admin_wrong", problem=True), *[gr.skip()] * 6
        return _opened(last.read(), store, run_photos(studio.project))

    shown = [notice, inside, form.versions, form.sets, form.panel, form.links, form.results]
    gr.on([unlock.click, token.submit], open_, token, shown, show_progress="hidden")
    _wire(studio, store, last, form)


class LastCatalogue:
    """The versions at hand, read when the part is opened."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self.catalogue = Catalogue()

    def read(self) -> Catalogue:
        self.catalogue = read_catalogue(self.studio)
        return self.catalogue


def _part(name: str, code: str | None = None) -> gr.HTML:
    return gr.HTML("", elem_id=name, elem_classes=["compare-part", "judge-part"], js_on_load=code)


def _form(token: gr.Textbox, notice: gr.HTML, inside: gr.Column) -> Form:
    with gr.Accordion(label("admin_new"), open=False, elem_id="judge-new"):
        name = gr.Textbox(label=label("admin_name"), max_length=80, elem_id="judge-name")
        versions = gr.Dropdown(
            [], multiselect=True, max_choices=VERSIONS, label=label("admin_versions"), elem_id="judge-versions"
        )
        with gr.Row():
            sets = gr.CheckboxGroup([], label=label("admin_sets"), elem_id="judge-sets")
            each = gr.Slider(1, EACH, 4, step=1, label=label("admin_each"), elem_id="judge-each")
        files = gr.File(
            label=label("admin_files"),
            file_count="multiple",
            file_types=list(SUFFIXES),
            height=170,
            elem_id="judge-files",
        )
        pairs = gr.Slider(2, MOST_PAIRS, PAIRS, step=1, label=label("admin_pairs"), elem_id="judge-pairs")
        raters = gr.Textbox(label=label("admin_raters"), lines=3, elem_id="judge-raters")
        make = gr.Button(label("admin_make"), variant="primary", elem_id="judge-make")
    with gr.Row(equal_height=True):
        panel = gr.Dropdown([], label=label("admin_panel"), elem_id="judge-panel", scale=4)
        again = gr.Button(label("compare_again"), scale=1, min_width=110, elem_id="judge-again")
    links = _part("judge-links", script("copy"))
    with gr.Row(equal_height=True):
        more = gr.Textbox(label=label("admin_more"), lines=1, elem_id="judge-more", scale=4)
        invite = gr.Button(label("admin_invite"), scale=1, min_width=110, elem_id="judge-invite")
    results = _part("judge-results")
    log = gr.Button(label("admin_log"), elem_id="judge-log")
    logged = _part("judge-logged")
    return Form(
        token, notice, inside, name, versions, sets, each, files, pairs, raters, make, panel, again, more, invite,
        links, results, log, logged,
    )  # fmt: skip


def _opened(catalogue: Catalogue, store: Store, photos: Sequence[Sample]) -> tuple:
    sets = list(dict.fromkeys(sample.key.split("/")[0] for sample in photos))
    # a version of the last run that is registered is one and the same
    choices = {named(_label(version)): version.key for version in reversed(catalogue.all) if version.drawable}
    choices = list(choices.items())[::-1]
    try:
        panels = store.panels()
    except StoreError as error:
        return sheet.line(message_of(error), problem=True), *[gr.skip()] * 6
    newest = panels[0][0] if panels else None
    return (
        "".join(sheet.line(note) for note in catalogue.notes),
        gr.update(visible=True),
        gr.update(choices=choices),
        gr.update(choices=sets, value=sets),
        gr.update(choices=[(name, number) for number, name in panels], value=newest),
        *_shown(store, newest),
    )


def _label(version: Version) -> str:
    """Which version, once and for all: its registered number where it has one."""
    if version.number is None:
        return version.label
    return f"{version.style} v{version.number} · {version.variant}"


def _wire(studio: Studio, store: Store, last: LastCatalogue, form: Form) -> None:
    def make(token, name, keys, sets, each, files, pairs, raters, progress=PROGRESS) -> tuple:
        if not allowed(studio, token):
            return sheet.say("admin_wrong", problem=True), *[gr.skip()] * 4
        try:
            versions = last.catalogue.find(keys or [])
            photos = _photos(studio, sets or [], _number(each, EACH), files or [])
            wanted = _number(pairs, MOST_PAIRS)
            panel = _made(studio, store, name, versions, photos, wanted, raters or "", progress)
        except (ValueError, OSError, MemoryError) as error:  # StoreError, PictureError and ModelError are among them
            return sheet.line(first_line(error), problem=True), *[gr.skip()] * 4
        finally:
            for file in files or []:
                Path(file).unlink(missing_ok=True)
        panels = gr.update(choices=[(name, number) for number, name in store.panels()], value=panel)
        return (
            sheet.say("admin_ready"),
            panels,
            *_shown(store, panel),
            None,
        )

    def turn(token: str, panel: int | None) -> tuple:
        return _shown(store, panel) if allowed(studio, token) else (sheet.say("admin_wrong", problem=True), "")

    def invite(token: str, panel: int | None, names: str) -> tuple:
        if not allowed(studio, token) or panel is None:
            return sheet.say("admin_wrong" if panel is not None else "admin_first", problem=True), gr.skip()
        try:
            store.invite(int(panel), names.splitlines())
        except StoreError as error:
            return sheet.line(message_of(error), problem=True), gr.skip()
        return _links(store, int(panel)), ""

    def log(token: str, panel: int | None) -> str:
        if not allowed(studio, token) or panel is None:
            return sheet.say("admin_wrong" if panel is not None else "admin_first", problem=True)
        return _logged(studio, store, int(panel))

    asked = [form.token, form.name, form.versions, form.sets, form.each, form.files, form.pairs, form.raters]
    outputs = [form.notice, form.panel, form.links, form.results, form.files]
    network = {"concurrency_limit": studio.concurrency, "concurrency_id": NETWORK}
    form.make.click(make, asked, outputs, show_progress="full", show_progress_on=form.notice, **network)
    quiet = {"show_progress": "hidden"}
    gr.on([form.panel.input, form.again.click], turn, [form.token, form.panel], [form.links, form.results], **quiet)
    form.invite.click(invite, [form.token, form.panel, form.more], [form.links, form.more], **quiet)
    form.log.click(log, [form.token, form.panel], form.logged, **quiet)


def _number(value: object, most: int) -> int:
    """What stands in a number field, which a person can empty. Raises `ValueError`."""
    if not isinstance(value, int | float) or not 1 <= value <= most or value != int(value):
        raise ValueError(Message("A number is missing or too large: a whole number from 1 to {most}.", most=most))
    return int(value)


def _photos(studio: Studio, sets: Sequence[str], each: int, files: Sequence[str]) -> list[tuple[str, Path]]:
    """Names and files of the chosen sets' photos, spread over each set, and of a person's own."""
    found = []
    for name in sets:
        chosen = [sample for sample in run_photos(studio.project) if sample.key.split("/")[0] == name]
        found += [(sample.key, sample.path) for sample in spread(chosen, each)]
    found += [(Path(file).name, Path(file)) for file in files]
    if not found:
        raise ValueError("Choose a set of photos, or put in some of your own.")
    if len(found) > PHOTOS:
        text = "{count} photos are more than one panel takes: at most {most}."
        raise ValueError(Message(text, count=len(found), most=PHOTOS))
    return found


def _made(
    studio: Studio, store: Store, name: str, versions: Sequence[Version], photos: Sequence[tuple[str, Path]],
    pairs: int, raters: str, progress: gr.Progress,
) -> int:  # fmt: skip
    names = [line.strip() for line in raters.splitlines() if line.strip()]
    labels = [_label(version) for version in versions]
    if len(set(labels)) < 2 or len(set(labels)) < len(labels):
        raise ValueError("Choose two different versions or more.")
    if len(set(names)) < len(names):
        raise ValueError("Give each rater a name of their own.")
    models = [model_file(version, studio) for version in versions]

    def say(done: int, total: int) -> None:
        progress((done, total), desc="", unit="")  # numbers need no translation

    drawn = draw_panel(photos, models, studio.threads, say)
    candidates = [
        Candidate(label, version.model, None if version.number is None else str(version.number))
        for label, version in zip(labels, versions, strict=True)
    ]
    panel = store.create(name, candidates, drawn, pairs, _method(studio))
    store.invite(panel, names)
    return panel


METHOD = (
    "Pictures of at most {side} pixels. Each appears after the time that its version took for this very photo on this "
    "machine: the median of {repeats} runs, ONNX Runtime {engine}, {cores}, from pixels to pixels."
)


def _method(studio: Studio) -> Message:
    import onnxruntime

    text = "{count} thread" if studio.threads == 1 else "{count} threads"
    cores = Message(text, count=studio.threads)
    return Message(METHOD, side=SIDE, repeats=REPEATS, engine=onnxruntime.__version__, cores=cores)


def _shown(store: Store, panel: int | None) -> tuple[str, str]:
    if panel is None:
        return f'<div class="no-panel">{sheet.empty("admin_no_panel")}</div>', ""
    try:
        return _links(store, int(panel)), _results(store, int(panel))
    except StoreError as error:
        return sheet.line(message_of(error), problem=True), ""


def _links(store: Store, panel: int) -> str:
    words = f"<span>{text_html('admin_copy')}</span><span hidden>{text_html('admin_copied')}</span>"
    rows = "".join(
        f"<tr><td>{escape(seat.name)}</td><td>{text_html('admin_of', done=seat.done, total=seat.total)}</td>"
        f'<td class="left">'
        f'<a href="?panel={seat.key}" target="_blank" rel="noopener">?panel={seat.key}</a></td>'
        f'<td><button type="button" class="soft" data-copy="?panel={seat.key}">{words}</button></td></tr>'
        for seat in store.seats(panel)
    )
    if not rows:
        return sheet.empty("admin_nobody")
    heads = "".join(f"<th>{text_html(key)}</th>" for key in ("admin_rater", "admin_rated"))
    head = f'<tr>{heads}<th class="left">{text_html("admin_link")}</th><th></th></tr>'
    local = f'<p class="notice problem local" hidden>{text_html("admin_local")}</p>'
    return f'{local}<div class="sheet seats"><table><thead>{head}</thead><tbody>{rows}</tbody></table></div>'


def _results(store: Store, panel: int) -> str:
    ratings = store.ratings(panel)
    if not ratings:
        return sheet.empty("admin_no_ratings")
    labels = [candidate.label for candidate in store.candidates(panel)]
    found = means(ratings, labels)
    ranking = rank(wins(ratings, labels), labels)
    order = [one.label for one in ranking.strengths] or labels
    note = sheet.line(ranking.note) if ranking.note else ""
    chart = f'<div class="chart">{charts.intervals(ranking.strengths)}</div>' if ranking.strengths else ""
    people = rater_count(len({rating.rater for rating in ratings}))
    how = f"{text_html('admin_how', pairs=len(ratings), raters=people)} {line_html(store.method(panel))}"
    return (
        f"<h2>{text_html('admin_scores')}</h2>{_means(found, order)}<h2>{text_html('admin_ranking')}</h2>{note}{chart}"
        f'<p class="small">{how}</p><p class="files">{_file("panel-scores.csv", summary_csv(found, ranking))}'
        f"{_file('panel-ratings.csv', ratings_csv(ratings))}</p>"
    )


def _means(found: dict[str, dict[str, Mean]], order: Sequence[str]) -> str:
    keys = (*CRITERIA, OVERALL)
    best = {
        key: max((row[key].mean for row in found.values() if key in row), default=None) if len(found) > 1 else None
        for key in keys
    }
    rows = "".join(
        f"<tr><td>{label_html(name)}</td>{''.join(_cell(found[name].get(key), best[key]) for key in keys)}</tr>"
        for name in order
    )
    head = "".join(f"<th>{text_html(key)}</th>" for key in ("column_version", *(f"score_{key}" for key in keys)))
    return f'<div class="sheet"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'


def _cell(mean: Mean | None, best: float | None) -> str:
    if mean is None:
        return "<td>–</td>"
    interval = "" if mean.low is None else f" <small>{mean.low:.2f} – {mean.high:.2f}</small>"
    mark = ' class="best"' if mean.mean == best else ""
    return f"<td{mark}>{mean.mean:.2f}{interval}</td>"


def _file(name: str, text: str) -> str:
    """A link that holds the whole file: nothing is left on the disk."""
    data = base64.b64encode(text.encode("utf-8-sig")).decode()
    return f'<a download="{name}" href="data:text/csv;charset=utf-8;base64,{data}">{name}</a>'


def _logged(studio: Studio, store: Store, panel: int) -> str:
    """Metrics of every judged version's run in MLflow, and the tags that promotion reads; a line for each."""
    uri = tracking_uri(studio)
    if uri is None:
        return sheet.say("log_no_registry", problem=True)
    ratings, candidates = store.ratings(panel), store.candidates(panel)
    labels = [candidate.label for candidate in candidates]
    found, ranking = means(ratings, labels), rank(wins(ratings, labels), labels)
    return "".join(
        _log_one(uri, candidate, *panel_metrics(found[candidate.label], ranking, candidate.label))
        for candidate in candidates
    )


def _log_one(uri: str, candidate: Candidate, metrics: dict[str, float], tags: dict[str, str]) -> str:
    if not metrics:
        return sheet.say("log_unrated", label=label_words(candidate.label))
    if candidate.model is None or candidate.version is None:
        return sheet.say("log_unregistered", problem=True, label=label_words(candidate.label))
    try:
        from anime_model.runtime.from_mlflow import record

        record(uri, candidate.model, candidate.version, metrics, tags)
    except ModuleNotFoundError:
        return sheet.say("log_no_mlflow", problem=True)
    except Exception as error:  # MLflow's stores raise whatever their clients raise
        return sheet.line(about(candidate.label, first_line(error)), problem=True)
    counts = {"metrics": len(metrics), "tags": len(tags)}
    return sheet.say(
        "log_written", label=label_words(candidate.label), model=candidate.model, version=candidate.version, **counts
    )
