"""The routes. Everything that draws goes through one line; everything that refuses says so in one line of JSON."""

import asyncio
import io
import json
import tempfile
import time
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable, Container, Iterator, Sequence
from contextlib import asynccontextmanager
from itertools import chain, count
from pathlib import Path, PurePosixPath
from typing import Annotated, TypeVar

from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, StreamingResponse
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.types import Receive

from anime_app.bounds import LOOPBACK, Refused, left
from anime_app.line import Line
from anime_app.server.door import BATCH, STYLIZE, Door, refused
from anime_app.server.metrics import Metrics
from anime_app.server.settings import Service
from anime_app.server.uploads import BLOCK, Member, Upload, error_text, is_zip, read, unpacked
from anime_app.server.work import Drawing, Options, Painter
from anime_model.runtime.models import card
from anime_model.runtime.onnx_layers import read_graph
from anime_model.runtime.palettes import PALETTES
from anime_model.runtime.session import ModelError

PAGE = Path(__file__).with_name("page.html")
SPOOLED = 16_000_000  # bytes of a batch's answer from which on it lies on disk
PICTURE = {"schema": {"type": "string", "format": "binary"}}
BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "image/*": PICTURE,
            "multipart/form-data": {
                "schema": {"type": "object", "properties": {"file": {"type": "string", "format": "binary"}}}
            },
        },
    }
}
MANY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/zip": PICTURE,
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {"files": {"type": "array", "items": {"type": "string", "format": "binary"}}},
                }
            },
        },
    }
}
ERROR_BODY = {"application/json": {"schema": {"type": "object", "properties": {"error": {"type": "string"}}}}}
REFUSALS = {
    401: "no or another bearer token",
    408: "took too long to come",
    413: "too large",
    422: "no picture, or an option that there is not",
    429: "the queue is full; Retry-After says when to come again",
    503: "stopping; Retry-After says when to come again",
    504: "not drawn in time",
}
ANSWERS = {status: {"description": about, "content": ERROR_BODY} for status, about in REFUSALS.items()}
Made = TypeVar("Made")


class Gone(Exception):
    """The client went away."""


def application(
    service: Service, host: str = "127.0.0.1", log: bool = True, on_broken: Callable[[], None] = lambda: None
) -> FastAPI:
    """The service as an ASGI application; its `state.line` is to be stopped at the end. Raises `ModelError`.

    Bound to loopback, requests that name another host are refused, as by the studio. `on_broken` is called where a
    model cannot be opened; `state.ready`, a task, has the exception.
    """
    line, painter = Line(service.workers, service.queue), Painter(service)
    metrics = Metrics(line)

    def opened(opening: asyncio.Task) -> None:
        if not opening.cancelled() and opening.exception():
            on_broken()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.ready = asyncio.create_task(asyncio.to_thread(painter.open))
        app.state.ready.add_done_callback(opened)
        yield
        line.stop()
        line.close()

    app = FastAPI(title="AnimeGAN-Lite", docs_url=None, redoc_url=None, lifespan=lifespan, version="1",
                  description="Photos to anime. A picture in, a picture out.")  # fmt: skip
    app.state.line = line
    app.add_middleware(Door, service=service, line=line, metrics=metrics, log=log)
    if host in LOOPBACK:
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(LOOPBACK), www_redirect=False)
    _add_errors(app)
    _add_about(app, painter, metrics)
    _add_drawing(app, service, painter, metrics)
    return app


def _add_errors(app: FastAPI) -> None:
    @app.exception_handler(Refused)
    async def refuse(request: Request, error: Refused) -> Response:
        return refused(error)

    @app.exception_handler(RequestValidationError)
    async def wrong(request: Request, error: RequestValidationError) -> Response:
        return refused(Refused(422, error_text(error.errors())))

    @app.exception_handler(HTTPException)
    async def other(request: Request, error: HTTPException) -> Response:
        return JSONResponse({"error": str(error.detail).lower()}, error.status_code, error.headers)

    @app.exception_handler(ModelError)
    async def broken(request: Request, error: ModelError) -> Response:
        return refused(Refused(500, "the model failed"))

    @app.exception_handler(MemoryError)
    async def memory(request: Request, error: MemoryError) -> Response:
        return refused(Refused(503, "not enough memory for this picture", 5))

    @app.exception_handler(Gone)
    async def gone(request: Request, error: Gone) -> Response:
        return Response(status_code=499)


def _add_about(app: FastAPI, painter: Painter, metrics: Metrics) -> None:
    @app.get("/", include_in_schema=False)
    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(PAGE.read_text(encoding="utf-8"))

    @app.get("/healthz", summary="Whether the process answers")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/readyz", summary="Whether pictures can be drawn", responses={503: ANSWERS[503]})
    async def ready(request: Request) -> dict[str, str]:
        state = request.app.state
        if state.line.stopping:
            raise Refused(503, "the service is stopping", 5)
        if not state.ready.done():
            raise Refused(503, "the models are being opened", 1)
        if state.ready.exception():
            raise Refused(503, "a model cannot be opened")
        return {"status": "ready"}

    @app.get("/metrics", summary="Counters for Prometheus")
    async def counted() -> Response:
        return Response(metrics.text(), media_type=metrics.content_type)

    @app.get("/v1/styles", summary="The styles and palettes that there are", responses={401: ANSWERS[401]})
    def styles() -> dict:
        found = [_about(name, painter) for name in painter.stylizers]
        return {"styles": found, "palettes": {name: palette.about for name, palette in PALETTES.items()}}


def _about(name: str, painter: Painter) -> dict:
    stylizer = painter.stylizers[name]
    graph = read_graph(stylizer.path)
    figures = {key: value for key, value in card(graph.metadata).items() if key in ("fid", "fid_features", "lpips")}
    about = {"name": name, "default": name == painter.default(), "parameters": graph.parameters, "bytes": graph.bytes}
    networks = {"networks": list(painter.networks[name])} if painter.networks[name] else {}
    return about | figures | networks | ({"version": stylizer.version} if stylizer.version else {})


def _add_drawing(app: FastAPI, service: Service, painter: Painter, metrics: Metrics) -> None:
    line: Line = app.state.line

    async def draw(data: bytes, options: Options, queued: bool = False) -> Drawing:
        style = painter.stylizer(options).style

        def work(tick) -> Drawing:
            start = time.perf_counter()
            made = painter.draw(data, options, tick)
            metrics.drawing.labels(style).observe(time.perf_counter() - start)
            metrics.pixels.labels(style).inc(made.pixels)
            return made

        return await line.run(work, service.timeout, queued)

    @app.post(STYLIZE, summary="A picture in, the drawing of it out", openapi_extra=BODY, response_class=Response,
              responses=ANSWERS | {200: {"content": {"image/*": PICTURE}}})  # fmt: skip
    async def stylize(request: Request, asked: Annotated[Options, Query()]) -> Response:
        files, options = await read(request, service, 1)
        made = await attended(request.receive, draw(files[0][1], options))
        drawn_by = {"network": options.network} if options.network else {}
        request.scope["state"]["log"].update(pixels=made.pixels, style=painter.style(options), **drawn_by)
        return Response(made.data, media_type=made.media_type)

    @app.post(BATCH, summary="Many pictures in, a zip of drawings out", openapi_extra=MANY, response_class=Response,
              responses=ANSWERS | {200: {"content": {"application/zip": PICTURE}}})  # fmt: skip
    async def batch(request: Request, asked: Annotated[Options, Query()]) -> Response:
        files, options = await read(request, service, service.batch)
        packed = await attended(request.receive, _batch(files, options, service, draw))
        headers = {"content-disposition": 'attachment; filename="anime.zip"'}
        return StreamingResponse(_blocks(packed), media_type="application/zip", headers=headers)


async def _batch(files: Sequence[Upload], options: Options, service: Service, draw) -> tempfile.SpooledTemporaryFile:
    """A zip of the drawings, and `errors.json` with a line for each picture that was not made.

    Raises `Refused` where no picture was made, with the first one's reason.
    """
    packed = tempfile.SpooledTemporaryFile(SPOOLED)  # noqa: SIM115 (streamed, then closed)
    try:
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
            await _fill(archive, _all(files, service), options, draw)
    except BaseException:
        packed.close()
        raise
    packed.seek(0)
    return packed


async def _fill(archive: zipfile.ZipFile, files: Iterator[Member], options: Options, draw) -> None:
    taken, errors, first = set(), {}, None
    for number in count():
        member = await asyncio.to_thread(next, files, None)  # unpacking takes seconds, and others are waiting
        if member is None:
            break
        name, data = member
        try:
            if isinstance(data, Refused):
                raise data
            made = await draw(data, options, queued=bool(taken))
        except Refused as refusal:
            if refusal.status in (429, 503):
                raise
            first = first or refusal
            errors[_unused(name or str(number), errors)] = str(refusal)
            continue
        stem = PurePosixPath(name.replace("\\", "/")).stem or f"{number}"
        archive.writestr(_free(stem, made.suffix, taken), made.data)
    if not taken:
        raise first or Refused(422, "the zip holds no files")
    if errors:
        archive.writestr("errors.json", json.dumps(errors, indent=1, ensure_ascii=False))


def _unused(name: str, taken: Container[str]) -> str:
    """The name, with a number where it stands there already: two files of a form may have one."""
    names = chain([name], (f"{name} ({number})" for number in count(2)))
    return next(each for each in names if each not in taken)


def _all(files: Sequence[Upload], service: Service) -> Iterator[Member]:
    for name, data in files:
        if not is_zip(data):
            yield name, data
            continue
        try:
            yield from unpacked(data, service)
        except Refused as refusal:
            if refusal.status != 422:  # past the bounds of the whole request
                raise
            yield name, refusal


def _free(stem: str, suffix: str, taken: set[str]) -> str:
    """A name inside the zip that no other has, and that leads nowhere."""
    stem = "".join(char if char.isprintable() and char not in "/\\:" else "_" for char in stem)[:100].lstrip(".") or "_"
    name, number = f"{stem}{suffix}", 1
    while name.casefold() in taken:
        number += 1
        name = f"{stem}-{number}{suffix}"
    taken.add(name.casefold())
    return name


def _blocks(packed: io.IOBase) -> Iterator[bytes]:
    with packed:
        while block := packed.read(BLOCK):
            yield block


async def attended(receive: Receive, work: Awaitable[Made]) -> Made:
    """What `work` makes, for as long as the client is there. Raises `Gone`, and ends the work, where it is not."""
    working, leaving = asyncio.ensure_future(work), asyncio.ensure_future(left(receive))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise Gone
    finally:
        leaving.cancel()
        working.cancel()
