"""The view Judge: a rater's blind session by link, and the administrator's part that makes panels and reads results.

A rater's page speaks to three functions. They answer with keys that say nothing and with pictures that are equally
long; a picture's answer waits for as long as its version needed to draw it.
"""

import asyncio
import time
from html import escape
from pathlib import Path

import gradio as gr
from gradio.context import Context

from anime_app.panel.store import CRITERIA, HIGHEST, LOWEST, SIDES, Store, StoreError, UnknownKeyError
from anime_app.studio.compare import script
from anime_app.studio.judge_admin import administration
from anime_app.studio.judge_texts import TEXTS
from anime_app.studio.samples import as_url
from anime_app.studio.settings import Studio
from anime_app.studio.texts import both

PETALS = "".join(
    f'<path transform="rotate({72 * turn} 32 32)" d="M32 31c-8-6-10-17-5-25l5 4 5-4c5 8 3 19-5 25z"/>'
    for turn in range(5)
)
FLOWER = f'<svg viewBox="0 0 64 64" aria-hidden="true">{PETALS}</svg>'


def build(studio: Studio) -> None:
    """Adds the view to the open page, and opens it first where the page's address has `?panel=`."""
    store = Store(Path(studio.database))
    gr.HTML(
        page(),
        elem_id="judge",
        elem_classes="judge-part",
        js_on_load=script("closer", "zoom", "judge"),
        server_functions=answers(store),
    )
    with gr.Column(elem_id="judge-admin"):
        administration(studio, store)
    _open_first()


def answers(store: Store) -> list:
    """What a rater's page may ask. Every question is a record from outside: nothing in it is trusted."""

    async def judge_next(question: dict) -> dict:
        return await _answered(lambda: _next(store, question))

    async def judge_picture(question: dict) -> dict:
        began = time.perf_counter()
        found = await _answered(
            lambda: {"found": store.picture(*(_text(question, key) for key in ("rater", "pair", "side")))}
        )
        if "found" not in found:
            return found
        jpeg, milliseconds = found["found"]
        address = as_url(jpeg)
        await asyncio.sleep(max(0.0, milliseconds / 1000 - (time.perf_counter() - began)))
        return {"picture": address}

    async def judge_rate(question: dict) -> dict:
        return await _answered(lambda: _rate(store, question))

    async def judge_back(question: dict) -> dict:
        return await _answered(lambda: _back(store, question))

    return [judge_next, judge_picture, judge_rate, judge_back]


async def _answered(work) -> dict:
    try:
        return await asyncio.to_thread(work)
    except UnknownKeyError as error:
        return {"problem": str(error), "lost": True}
    except StoreError as error:
        return {"problem": str(error)}


def _next(store: Store, question: dict) -> dict:
    pair = store.next_pair(_text(question, "rater"))
    return {"pair": pair.key, "position": pair.position, "total": pair.total} if pair else {"pair": None}


def _back(store: Store, question: dict) -> dict:
    scores = store.take_back(_text(question, "rater"))
    return {"scores": scores and dict(zip(SIDES, scores, strict=True))}


def _rate(store: Store, question: dict) -> dict:
    rater, pair = _text(question, "rater"), _text(question, "pair")
    sides = [question.get(side) for side in SIDES]
    seconds = question.get("seconds")
    if not all(isinstance(side, dict) for side in sides) or not isinstance(seconds, int | float):
        raise StoreError("a rating has a left and a right side, and seconds")
    kept = store.rate(rater, pair, *sides, min(float(seconds), 86_400.0))
    return {"kept": kept}


def _text(question: object, key: str) -> str:
    value = question.get(key) if isinstance(question, dict) else None
    if not isinstance(value, str):
        raise UnknownKeyError("this link belongs to no panel: ask for yours again")
    return value


def _open_first() -> None:
    """A rater's link leads here, past the other views."""
    tab = Context.block
    while tab is not None and not isinstance(tab, gr.Tab):
        tab = tab.parent
    if tab is None or not isinstance(tab.parent, gr.Tabs):
        return

    def chosen(request: gr.Request):
        return gr.Tabs(selected=tab.id) if "panel" in request.query_params else gr.skip()

    Context.root_block.load(chosen, None, tab.parent, queue=False, show_progress="hidden")


def page() -> str:
    """All that a rater may see, one part at a time."""
    return "".join(
        f'<div data-part="{name}" hidden>{inside}</div>'
        for name, inside in (
            ("outside", _card(f"<h2>{_t('judge_outside_title')}</h2><p>{_t('judge_outside')}</p>")),
            ("welcome", _card(_welcome(), middle=False)),
            ("pair", _pair()),
            ("done", _card(_done())),
            ("lost", _card(f"<h2>{_t('judge_lost_title')}</h2><p>{_t('judge_lost')}</p>")),
            ("away", _card(f"<p>{_t('judge_away')}</p>{_button('main', 'retry', 'judge_retry')}")),
        )
    )


def _t(key: str) -> str:
    return both(key, TEXTS)


def _card(inside: str, middle: bool = True) -> str:
    return f'<div class="card{" middle" if middle else ""}">{FLOWER if middle else ""}{inside}</div>'


def _done() -> str:
    back = _button("soft back", "back", "judge_back")
    return f"<h2>{_t('judge_done_title')}</h2><p>{_t('judge_done')}</p>{back}"


def _button(kind: str, action: str, key: str) -> str:
    return f'<button type="button" class="{kind}" data-do="{action}">{_t(key)}</button>'


def _welcome() -> str:
    texts = "".join(f"<p>{_t(key)}</p>" for key in ("judge_how", "judge_speed_how", "judge_stop"))
    start = "".join(f'<span data-start="{kind}">{_t(key)}</span>' for kind, key in START)
    return f'<h2>{_t("judge_title")}</h2>{texts}<button type="button" class="main" data-do="start">{start}</button>'


START = (("first", "judge_start"), ("again", "judge_go_on"))


def _pair() -> str:
    place = "".join(
        f'<span lang="{language}" data-text="{escape(text)}"></span>'
        for language, text in zip(("en", "zh"), TEXTS["judge_of"], strict=True)
    )
    head = f'<div class="place" aria-live="polite">{place}<div class="bar"><i></i></div></div>'
    return f"{head}{_duel()}<form class='scales' autocomplete='off'>{_points()}{_foot()}</form>"


def _duel() -> str:
    left, right = (
        f'<figure class="pane"><div class="view" data-side="{side}"></div><figcaption>{name}</figcaption></figure>'
        for side, name in zip(SIDES, "AB", strict=True)
    )
    photo = (
        '<figure class="pane original"><div class="view" data-side="photo"></div>'
        f"<figcaption>{_t('judge_photo')}</figcaption></figure>"
    )
    middle = f'<div class="middle">{photo}{_button("soft", "again", "judge_again")}</div>'
    return f'<div class="duel" data-panes tabindex="0" role="group" aria-label="A, B">{left}{middle}{right}</div>'


def _points() -> str:
    return "".join(
        f'<div class="point">{_scale("left", criterion)}<div class="what"><b>{_t(criterion)}</b>'
        f"<small>{_t(f'{criterion}_hint')}</small>{_no_face() if criterion == 'naturalness' else ''}</div>"
        f"{_scale('right', criterion)}</div>"
        for criterion in CRITERIA
    )


def _scale(side: str, criterion: str) -> str:
    steps = "".join(
        f'<label><input type="radio" name="{side}-{criterion}" value="{value}"><span>{value}</span></label>'
        for value in range(LOWEST, HIGHEST + 1)
    )
    return f"<fieldset><legend>{'AB'[SIDES.index(side)]}: {_t(criterion)}</legend>{steps}</fieldset>"


def _no_face() -> str:
    return f'<label><input type="checkbox" name="no-face">{_t("no_face")}</label>'


def _foot() -> str:
    small = f"<small>{_t('judge_scale')}<br>{_t('judge_missing')}</small>"
    back = _button("soft back", "back", "judge_back")
    button = f'<button type="submit" class="main next" disabled>{_t("judge_next")}</button>'
    return f'<div class="foot">{back}{small}{button}</div>'
