"""The studio's own addresses beside Gradio's: photos in, what is to be done to them, pictures out, the sample, the page
on use by programs.

Nothing here runs a network: what does waits in the desk's lines.
"""

import re
from collections.abc import Callable
from functools import partial
from html import escape
from pathlib import Path
from shutil import rmtree
from urllib.parse import unquote

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.requests import ClientDisconnect

from anime_app.line import Line
from anime_app.studio.api_page import api_page
from anime_app.studio.desk import Desk, name_of
from anime_app.studio.films import FILMS
from anime_app.studio.jobs import Progress, Told
from anime_app.studio.reasons import reason
from anime_app.studio.workshop import Gone, Workshop
from anime_model.pictures.arrays import SUFFIXES

HERE = Path(__file__).parent
SHOWN = re.compile(r"(before|after-[0-9a-f]{16})\.(jpg|png)")
MADE = re.compile(r"(full|pair|gif|zip)-[0-9a-f]{16}")
KEPT = {"cache-control": "private, max-age=3600, immutable"}  # a name stands for one picture


def own_routes(desk: Desk, max_upload: int, busy: str) -> APIRouter:
    """`max_upload` bytes are one file's most; the guard has bounded each request before. `busy` is what the page tells
    people where a line is full, as HTML."""
    router, workshop = APIRouter(), desk.workshop

    async def told(request: Request, line: Line, work: Callable[[dict, Progress], dict]) -> Response:
        asked = await request.json()
        if not isinstance(asked, dict):
            return PlainTextResponse("not a request of this page", 400)
        return Told(line, partial(work, asked), name_of(asked), busy)

    @router.post("/studio/draw")
    async def draw(request: Request) -> Response:
        return await told(request, desk.drawing, desk.drawn)

    @router.post("/studio/grade")
    async def grade(request: Request) -> Response:
        return await told(request, desk.grading, desk.graded)

    @router.post("/studio/keep")
    async def keep(request: Request) -> Response:
        return await told(request, desk.drawing, desk.kept)

    @router.post("/studio/photo")
    async def take(request: Request, name: str = "photo.jpg") -> JSONResponse:
        if Path(name).suffix.lower() not in (*SUFFIXES, *FILMS):
            return JSONResponse({"problem": reason(name, ValueError("not a kind of picture or film that is read"))})
        key, source = workshop.new(name[-500:])
        size = 0
        try:
            with source.open("wb") as file:
                async for part in request.stream():
                    size += len(part)
                    if size > max_upload:
                        raise ValueError("too large")
                    file.write(part)
        except (ClientDisconnect, OSError, ValueError) as error:
            rmtree(source.parent, ignore_errors=True)
            if isinstance(error, ClientDisconnect):  # it went away, or the guard has cut it off at its bound
                size, error = max_upload + 1, ValueError("too large")
            return JSONResponse({"problem": reason(name, error)}, 413 if size > max_upload else 500)
        return JSONResponse({"key": key})

    @router.get("/studio/photo/{key}/{name}")
    def show(key: str, name: str) -> FileResponse:
        if not SHOWN.fullmatch(name):
            return _missing()
        return _file(workshop, key, name)

    @router.get("/studio/result/{key}/{folder}")
    def give(key: str, folder: str, show: bool = False) -> FileResponse:
        if not MADE.fullmatch(folder):
            return _missing()
        return _file(workshop, key, folder, attached=not show)

    @router.get("/studio/sample.jpg")
    def sample() -> FileResponse:
        return FileResponse(HERE / "sample.jpg", media_type="image/jpeg", headers=KEPT)

    @router.get("/api")
    def programs(request: Request) -> HTMLResponse:
        return HTMLResponse(api_page(escape(str(request.base_url).rstrip("/"))))

    return router


def _missing() -> JSONResponse:
    return JSONResponse({"detail": "there is no such page"}, 404)


def _file(workshop: Workshop, key: str, name: str, attached: bool | None = None) -> FileResponse | JSONResponse:
    """A file of a photo's folder, or the one file of a folder in it, to show or to save."""
    try:
        path = workshop.place(unquote(key)) / name
        if attached is not None:
            path = next(iter(sorted(path.iterdir())))
        if not path.is_file():
            raise Gone
    except (Gone, OSError, StopIteration):
        return _missing()
    kind = "attachment" if attached else "inline"
    return FileResponse(path, filename=path.name if attached is not None else None, content_disposition_type=kind,
                        headers=KEPT)  # fmt: skip
