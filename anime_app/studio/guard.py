"""What stands before Gradio and the studio's own routes: which addresses there are, which files can be asked for, how
much may come in.

Gradio brings more than a studio on one's own computer wants to have open: a proxy, downloads by address, screen
recordings, a code editor. Everything that is not listed here does not exist.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from starlette.responses import JSONResponse, PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from anime_app.bounds import HARDENED, Refused, bounded, discarded, raw, replay, whole

API = "/gradio_api"
READ = re.compile(
    r"/|/config/?|/theme\.css|/favicon\.ico|/robots\.txt|/(assets|static|svelte)/.+"
    r"|/api|/studio/(sample\.jpg|photo/[0-9a-f]{32}/[\w.-]+|result/[0-9a-f]{32}/[\w-]+)"
    rf"|{API}/(queue/data|queue/status|upload_progress|app_id|info/?|startup-events|heartbeat/\w+|file=.+)"
)
PHOTO = "/studio/photo"
WRITE = re.compile(
    rf"{PHOTO}|/studio/(draw|grade|keep)|{API}/(queue/join|component_server|run/\w+|upload|cancel|reset)/?"
)
BODY = 1_000_000  # bytes of a request that is no upload: an order, values of a page's components
FILES = 24  # pictures in one upload
# Everything from here, nothing from elsewhere. Gradio's page holds scripts in line and compiles templates.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; media-src 'self' data: blob:; font-src 'self' data:; worker-src 'self' blob:; "
    "connect-src 'self' data: blob:; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'self'"
)
HEADERS = {
    **HARDENED,
    "content-security-policy": POLICY,
    "permissions-policy": "camera=(self), geolocation=(), microphone=()",
}


class Guard:
    """ASGI middleware. `folder` is the only one that files are read from; `max_upload` bytes are one file's most.

    `busy` is HTML for a page that finds the queue full: Gradio's own answer is in English only.
    """

    def __init__(self, app: ASGIApp, folder: Path, max_upload: int, busy: str) -> None:
        self.app, self.folder, self.max_upload, self.busy = app, folder.resolve(), max_upload, busy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await (self.app(scope, receive, send) if scope["type"] == "lifespan" else _close(send))
        try:
            admitted = await self._admitted(scope, receive)
        except Refused as refusal:
            if scope["method"] == "POST":
                await discarded(receive)
            return await PlainTextResponse(str(refusal), refusal.status)(scope, receive, send)
        if scope["path"].startswith(API):  # pictures are compressed already, and messages are small
            scope = scope | {"headers": [pair for pair in scope["headers"] if pair[0] != b"accept-encoding"]}
        joins = scope["path"].rstrip("/") == f"{API}/queue/join"
        await self.app(scope, admitted, self._answering(scope, receive, send, joins))

    async def _admitted(self, scope: Scope, receive: Receive) -> Receive:
        """What the application reads the request from. Raises `Refused`."""
        path, method = scope["path"], scope["method"]
        if not (READ if method in ("GET", "HEAD") else WRITE).fullmatch(path) or method not in ("GET", "HEAD", "POST"):
            raise Refused(404, "there is no such page")
        if path.startswith(f"{API}/file="):
            self.check_file(path.removeprefix(f"{API}/file="))
        if method != "POST":
            return receive
        if not _of_this_page(dict(scope["headers"])):
            raise Refused(403, "only the studio's own page and programs may ask for this")
        if path == PHOTO:
            return bounded(receive, scope, self.max_upload)
        if path.rstrip("/") == f"{API}/upload":
            return bounded(receive, scope, FILES * self.max_upload + BODY)
        body = await whole(bounded(receive, scope, BODY))
        for file in _files_of(body):
            self.check_file(file)
        return replay(body, receive)

    def check_file(self, name: str) -> None:
        """Raises `Refused` for anything but a file below the folder, links and `..` followed, or an address."""
        try:
            inside = Path(unquote(name)).resolve().is_relative_to(self.folder)
            inside = inside and Path(name).resolve().is_relative_to(self.folder)
        except (OSError, ValueError, RuntimeError):  # no path at all, or links in a circle
            inside = False
        if not inside:
            raise Refused(403, "this file is not the studio's")

    def _answering(self, scope: Scope, receive: Receive, send: Send, joins: bool) -> Send:
        """Adds the headers; puts the studio's own words in the place of Gradio's for a queue that is full."""
        full = False

        async def answer(message: Message) -> None:
            nonlocal full
            if message["type"] == "http.response.start":
                full = joins and message["status"] == 503
                message["headers"] = [*message.get("headers", []), *raw(HEADERS)]
            if not full:
                await send(message)
            elif message["type"] == "http.response.body" and not message.get("more_body"):
                # by status 503 Gradio's page would show a sentence of its own
                refusal = JSONResponse({"detail": self.busy}, 429, HEADERS | {"retry-after": "5"})
                await refusal(scope, receive, send)

        return answer


def _of_this_page(headers: dict[bytes, bytes]) -> bool:
    """Whether a request that changes something is the studio's own page's, or no browser's at all.

    A page of another origin, also of another port of this computer, can send one without asking (CSRF). Browsers say
    so themselves in `Sec-Fetch-Site`; those that do not, or that reach the studio without TLS, send `Origin`.
    """
    if site := headers.get(b"sec-fetch-site"):
        return site in (b"same-origin", b"none")
    origin = headers.get(b"origin")
    return origin is None or urlsplit(origin.decode("latin-1")).netloc.encode("latin-1") == headers.get(b"host")


async def _close(send: Send) -> None:
    await send({"type": "websocket.close", "code": 1008})


def _files_of(body: bytes) -> Iterator[str]:
    """Every path and address in the values of a request. Raises `Refused` where it is no JSON."""
    try:
        waiting = [json.loads(body or b"{}")]
    except (ValueError, RecursionError) as error:
        raise Refused(400, "not a request of this page") from error
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if isinstance(value.get("path"), str):
                yield value["path"]
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
