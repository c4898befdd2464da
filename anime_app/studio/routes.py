"""The studio's own addresses beside Gradio's: photos in, what is to be done to them, pictures out, the sample, the page
on use by programs.

Nothing here runs a network: what does waits in the desk's lines.
"""

import json
import re
from collections.abc import Awaitable, Callable
from functools import partial
from html import escape
from pathlib import Path
from shutil import rmtree

from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from anime_app.line import Line
from anime_app.studio.api_page import api_page
from anime_app.studio.desk import Desk, name_of
from anime_app.studio.films import FILMS
from anime_app.studio.jobs import Progress, Told
from anime_app.studio.reasons import reason
from anime_app.studio.workshop import Gone, Workshop
from anime_model.pictures.arrays import SUFFIXES

HERE = Path(__file__).parent
SHOWN_AS = {".jpg": "image/jpeg", ".png": "image/png"}
SHOWN = re.compile(r"(before|after-[0-9a-f]{16})\.(jpg|png)")
MADE = re.compile(r"(full|pair|gif|zip)-[0-9a-f]{16}")
KEPT = {"cache-control": "private, max-age=3600, immutable"}  # a name stands for one picture


def own_routes(desk: Desk, max_upload: int, busy: str) -> list[Route]:
    """`max_upload` bytes are one file's most; the guard has bounded each request before. `busy` is what the page tells
    people where a line is full, as HTML."""
    workshop = desk.workshop

    async def take(request: Request) -> Response:
        """A photo's key; with an order, what is said of its drawing after that, and the drawing itself at the end."""
        name = request.query_params.get("name", "photo.jpg")
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
        if (order := request.query_params.get("order")) is None:
            return JSONResponse({"key": key})
        asked = {"key": key, "name": name, "order": _json(order), "picture": True}
        return Told(desk.drawing, partial(desk.drawn, asked), name, busy, {"key": key})

    def told(line: Line, work: Callable[[dict, Progress], dict]) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            asked = json.loads(await request.body() or b"null")  # the guard has seen that it is JSON, or nothing
            if not isinstance(asked, dict):
                return PlainTextResponse("not a request of this page", 400)
            return Told(line, partial(work, asked), name_of(asked), busy)

        return answer

    async def show(request: Request) -> Response:
        """A picture of the page. It is read at once: it is small, and has just been written."""
        path = _file(workshop, request, SHOWN)
        try:
            return Response(path.read_bytes(), headers=KEPT, media_type=SHOWN_AS[path.suffix]) if path else _missing()
        except OSError:  # cleared away meanwhile
            return _missing()

    def give(request: Request) -> Response:
        path = _file(workshop, request, MADE)
        if path is None:
            return _missing()
        kind = "inline" if request.query_params.get("show") == "true" else "attachment"
        return FileResponse(path, filename=path.name, content_disposition_type=kind, headers=KEPT)

    def sample(request: Request) -> Response:
        return FileResponse(HERE / "sample.jpg", media_type="image/jpeg", headers=KEPT)

    def programs(request: Request) -> Response:
        return HTMLResponse(api_page(escape(str(request.base_url).rstrip("/"))))

    return [
        Route("/studio/photo", take, methods=["POST"]),
        Route("/studio/draw", told(desk.drawing, desk.drawn), methods=["POST"]),
        Route("/studio/grade", told(desk.grading, desk.graded), methods=["POST"]),
        Route("/studio/keep", told(desk.drawing, desk.kept), methods=["POST"]),
        Route("/studio/photo/{key}/{name}", show),
        Route("/studio/result/{key}/{name}", give),
        Route("/studio/sample.jpg", sample),
        Route("/api", programs),
    ]


def _json(text: str) -> object:
    """What a text holds; None where it is no JSON."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _missing() -> JSONResponse:
    return JSONResponse({"detail": "there is no such page"}, 404)


def _file(workshop: Workshop, request: Request, names: re.Pattern) -> Path | None:
    """A file of a photo's folder, or the one file of a folder in it; None where no such name is there."""
    name = request.path_params["name"]
    if not names.fullmatch(name):
        return None
    try:
        path = workshop.place(request.path_params["key"]) / name
        if path.is_dir():
            path = next(iter(sorted(path.iterdir())))
    except (Gone, OSError, StopIteration):
        return None
    return path if path.is_file() else None
