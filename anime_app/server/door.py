"""What stands before the routes: who may come in, how much, how fast; what is counted and written down of each."""

import hmac
import json
import re
import secrets
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from anime_app.bounds import HARDENED, Refused, bounded, discarded, raw, replay, whole
from anime_app.line import Line
from anime_app.server.metrics import Metrics
from anime_app.server.settings import MB, Service
from anime_model.runtime.session import first_line

STYLIZE, BATCH = "/v1/stylize", "/v1/stylize/batch"
OPEN = ("/", "/docs", "/openapi.json", "/healthz", "/readyz")  # without a token
ROUTES = (*OPEN, "/metrics", "/v1/styles", STYLIZE, BATCH)
FORM = MB  # bytes of a form around its files
LARGE = 4 * MB  # a body that is not even read where the line is full
GONE = 499  # as others write down a client that went away
IDENTITY = re.compile(rb"[\w.-]{1,64}")
POLICY = "default-src 'self'; style-src 'self' 'unsafe-inline'; script-src 'self' 'unsafe-inline'; img-src 'self' blob:"


class Door:
    """ASGI middleware. Bodies are read whole before a route sees them: a slow client holds no worker and no place."""

    def __init__(self, app: ASGIApp, service: Service, line: Line, metrics: Metrics, log: bool = True) -> None:
        self.app, self.service, self.line, self.metrics, self.log = app, service, line, metrics, log
        self.held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await (self.app(scope, receive, send) if scope["type"] == "lifespan" else _close(send))
        start, seen = time.perf_counter(), {"status": GONE, "route": _route(scope["path"]), "bytes": 0}
        unread = _has_body(scope)
        scope["state"] = {"log": seen}
        answer = _answering(send, seen, _identity(scope), lambda: unread)
        size = 0
        try:
            self._admit(scope)
            if scope["method"] == "POST":
                body = await whole(
                    self._counted(bounded(receive, scope, self._most(scope)), seen), self.service.upload_seconds
                )
                size, unread, receive = len(body), False, replay(body, receive)
                del body
            await self.app(scope, receive, answer)
        except Refused as refusal:
            unread = unread and not await discarded(receive)
            await refused(refusal)(scope, receive, answer)
        except Exception as error:  # a fault of the service: one line for the log, none of it for the client
            seen["error"] = first_line(error)
            if seen["status"] == GONE:
                await refused(Refused(500, "something failed in the service"))(scope, receive, answer)
        finally:
            self.held -= seen["bytes"]
            self._write_down(scope, seen, size, time.perf_counter() - start)

    def _admit(self, scope: Scope) -> None:
        """Raises `Refused`."""
        if scope["path"] not in ROUTES:
            raise Refused(404, "there is no such address")
        if scope["path"] not in OPEN and self.service.token is not None:
            bearer = dict(scope["headers"]).get(b"authorization", b"")
            if not hmac.compare_digest(bearer, f"Bearer {self.service.token}".encode()):
                raise Refused(401, "a bearer token is needed")
        if scope["method"] == "POST" and self.line.stopping:
            raise Refused(503, "the service is stopping", 5)
        if scope["method"] == "POST" and self.line.full and _length(scope) > LARGE:
            raise Refused(429, f"{self.line.waiting} requests are waiting already", self.line.again())

    def _most(self, scope: Scope) -> int:
        return FORM + (self.service.max_batch if scope["path"] == BATCH else self.service.max_upload)

    def _counted(self, receive: Receive, seen: dict) -> Receive:
        """Counts what all bodies together hold in memory. Raises `Refused` past the bound."""

        async def read() -> Message:
            message = await receive()
            size = len(message.get("body", b""))
            self.held += size
            seen["bytes"] += size
            if self.held > self.service.held:
                raise Refused(429, "the service holds as many bytes as it may", self.line.again())
            return message

        return read

    def _write_down(self, scope: Scope, seen: dict, size: int, seconds: float) -> None:
        route = seen["route"]
        self.metrics.requests.labels(route, str(seen["status"])).inc()
        self.metrics.seconds.labels(route).observe(seconds)
        self.metrics.received.inc(size)
        if self.log:
            client = scope.get("client")
            line = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), "method": scope["method"]}
            line |= seen | {"seconds": round(seconds, 4), "client": client[0] if client else None}
            print(json.dumps(line), file=sys.stderr, flush=True)


def refused(refusal: Refused) -> JSONResponse:
    headers = {"retry-after": str(refusal.again)} if refusal.again else {}
    if refusal.status == 401:
        headers["www-authenticate"] = "Bearer"
    return JSONResponse({"error": str(refusal)}, refusal.status, headers)


def _answering(send: Send, seen: dict, identity: str, unread: Callable[[], bool]) -> Send:
    """Adds the headers. Where a body was left unread the connection ends: else its rest would be waited for."""
    seen["id"] = identity
    headers = raw(HARDENED | {"content-security-policy": POLICY, "x-request-id": identity})

    async def answer(message: Message) -> None:
        if message["type"] == "http.response.start":
            seen["status"] = message["status"]
            message["headers"] = [
                *message.get("headers", []),
                *headers,
                *([(b"connection", b"close")] if unread() else []),
            ]
        await send(message)

    return answer


def _identity(scope: Scope) -> str:
    """The request's own name where it has a plain one, else a new one."""
    given = dict(scope["headers"]).get(b"x-request-id", b"")
    return given.decode() if IDENTITY.fullmatch(given) else secrets.token_hex(8)


def _route(path: str) -> str:
    return path if path in ROUTES else "other"


def _has_body(scope: Scope) -> bool:
    return b"transfer-encoding" in dict(scope["headers"]) or _length(scope) > 0


def _length(scope: Scope) -> int:
    length = dict(scope["headers"]).get(b"content-length", b"0")
    return int(length) if length.isdigit() else 0


async def _close(send: Send) -> None:
    await send({"type": "websocket.close", "code": 1008})
