"""The page: header, one tab for each view, and the application that serves it on this computer only."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path

import gradio as gr
from fastapi import FastAPI
from gradio import routes
from jinja2 import ChoiceLoader, DictLoader
from starlette.middleware.trustedhost import TrustedHostMiddleware

from anime_app.bounds import LOOPBACK
from anime_app.studio import compare, create, judge
from anime_app.studio.desk import Desk, desk_of
from anime_app.studio.engineer_texts import TEXTS as ENGINEERS
from anime_app.studio.folder import AGE, EVERY, sweep_for_ever
from anime_app.studio.guard import Guard
from anime_app.studio.make_page import PETALS
from anime_app.studio.routes import own_routes
from anime_app.studio.settings import Studio
from anime_app.studio.texts import TEXTS, WRITTEN_ONCE, both, label, translations
from anime_app.studio.theme import style_sheet, theme

TITLE = "AnimeGAN-Lite"
HERE = Path(__file__).parent
SESSIONS = 128  # visitors whose album is remembered
RATE = 2.0  # seconds between two words on the place in the queue
LOOK = 0.02  # seconds after which Gradio's queue looks again for a free place; its own 0.001 costs 5 % of a core


def page(studio: Studio, desk: Desk) -> gr.Blocks:
    """The page, with every view."""
    with gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=(EVERY, AGE), fill_width=True) as blocks:
        gr.HTML(header(), elem_id="header")
        with gr.Tabs(elem_id="views"):
            for view, build in views(studio, desk).items():
                with gr.Tab(label(view), id=view):
                    build(studio)
    # Gradio keeps a copy of every component's settings for every visitor, of 10,000 visitors unless told otherwise
    blocks.state_session_capacity = SESSIONS
    # not "auto", which writes to everyone who waits whenever anyone's turn comes
    blocks.queue(RATE, False, studio.queue_length, default_concurrency_limit=studio.concurrency)
    blocks._queue.sleep_when_free = blocks._queue.progress_update_sleep_when_free = LOOK
    return blocks


def views(studio: Studio, desk: Desk) -> dict[str, Callable[[Studio], None]]:
    """Make, and the others where there is something to compare or to judge: a project, a registry, a panel, a token."""
    found = {"make": partial(create.build, desk=desk)}
    if studio.project is not None or studio.tracking_uri is not None:
        found["compare"] = compare.build
    if studio.token is not None or Path(studio.database).is_file():
        found["judge"] = judge.build
    return found


def application(studio: Studio, folder: Path, host: str = "127.0.0.1") -> FastAPI:
    """The page as an ASGI application; `folder` is the only one that it serves files from. Its `state.desk` is to be
    stopped at the end.

    Bound to loopback, requests that name another host are refused: a page elsewhere could else reach the studio by a
    name that it lets point here.
    """
    desk = desk_of(studio)
    blocks = page(studio, desk)
    # Gradio checks the paths in a request, and treats SVG with care, only once it believes that it was launched.
    blocks.has_launched = blocks.is_running = True
    _own_index(studio.max_upload)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        sweeping = asyncio.create_task(sweep_for_ever(folder, blocks.temp_file_sets))
        yield
        blocks.is_running = False
        sweeping.cancel()
        with suppress(asyncio.CancelledError):
            await sweeping
        desk.stop()
        desk.close()

    busy = both("busy_now")
    app = FastAPI(openapi_url=None, lifespan=lifespan, routes=own_routes(desk, studio.max_upload, busy))
    app.state.desk = desk
    app.add_middleware(Guard, folder=folder, max_upload=studio.max_upload, busy=busy)
    if host in LOOPBACK:
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(LOOPBACK), www_redirect=False)
    return gr.mount_gradio_app(
        app,
        blocks,
        path="/",
        server_name=host,
        footer_links=[],
        run_history=False,
        show_error=False,
        max_file_size=studio.max_upload,
        ssr_mode=False,
        enable_monitoring=False,
        mcp_server=False,
        i18n=translations(TEXTS, ENGINEERS),
        theme=theme(),
    )


def header() -> str:
    language, dark = (
        f'<button type="button" class="quiet" onclick="studio.{name}()" id="{name}">{inside}</button>'
        for name, inside in (("language", both("language")), ("dark", f'<i></i><span class="sr">{both("dark")}</span>'))
    )
    mark = f'<svg viewBox="0 0 64 64" aria-hidden="true">{PETALS}<circle cx="32" cy="32" r="4"/></svg>'
    return (
        f'<header>{mark}<div class="name"><h1>{TITLE}</h1><p>{both("tagline")}</p></div>'
        f"<nav>{language}{dark}</nav></header>"
    )


def _own_index(max_upload: int) -> None:
    """Gradio's page with two things first: the studio's scripts, which must run before Gradio reads the browser's
    language, and its style sheet, so that nothing is ever shown without it (Gradio would also confine its rules)."""
    name, loader = "frontend/index.html", routes.templates.env.loader
    source = loader.get_source(routes.templates.env, name)[0]
    script = (HERE / "head.html").read_text(encoding="utf-8").replace("__SETTINGS__", _page_settings(max_upload))
    script += f"<script>{(HERE / 'upload.js').read_text(encoding='utf-8')}</script>"
    style = f"<style>{style_sheet()}</style>"
    own = source.replace("<head>", f"<head>{script}", 1).replace("</head>", f"{style}</head>", 1)
    routes.templates.env.loader = ChoiceLoader([DictLoader({name: own}), loader])
    routes.templates.env.cache.clear()


def _page_settings(max_upload: int) -> str:
    """What the page's scripts cannot know by themselves, as JSON that may stand in a script."""
    most = f"{max_upload / 1e6:g}"
    settings = {
        "gradio": _module_of_languages(),
        "texts": TEXTS,
        "once": [TEXTS[key] for key in WRITTEN_ONCE],
        "limit": max_upload,
        "tooLarge": [text.replace("{most}", most) for text in TEXTS["too_large"]],
    }
    return json.dumps(settings, ensure_ascii=False).replace("<", "\\u003c")


def _module_of_languages() -> str:
    """The file of Gradio's page with the function by which its settings change the language; its name differs from
    release to release. Empty where there is none: then the page is loaded again."""
    folder = Path(gr.__file__).parent / "templates" / "frontend"
    for path in folder.glob("assets/core-*.js"):
        if " as changeLocale," in path.read_text(encoding="utf-8"):
            return path.relative_to(folder).as_posix()
    return ""
