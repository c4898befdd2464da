"""What the studio and the service share at their doors: how much may come in, how long it may take, plain headers."""

import asyncio

from starlette.types import Message, Receive, Scope

LOOPBACK = ("127.0.0.1", "localhost", "::1", "[::1]")
HARDENED = {"x-content-type-options": "nosniff", "referrer-policy": "no-referrer"}


class Refused(Exception):
    """A request that is not let in: its status, one line, and the seconds after which it may come again."""

    def __init__(self, status: int, reason: str, again: int | None = None) -> None:
        super().__init__(reason)
        self.status, self.again = status, again


def raw(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    """Headers as ASGI has them."""
    return [(name.encode(), value.encode()) for name, value in headers.items()]


def bounded(receive: Receive, scope: Scope, most: int) -> Receive:
    """Stops reading past `most` bytes. Raises `Refused` at once where the request says that it holds more."""
    length = dict(scope["headers"]).get(b"content-length", b"0")
    if not length.isdigit() or int(length) > most:
        raise Refused(413, f"too large: at most {most / 1e6:g} MB")
    seen = 0

    async def read() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > most:
            return {"type": "http.disconnect"}
        return message

    return read


async def whole(receive: Receive, seconds: float | None = None) -> bytes:
    """The body of a request. Raises `Refused` where it ends too early, is too large, or takes longer than `seconds`."""
    parts = []
    try:
        async with asyncio.timeout(seconds):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Refused(413, "the request ended too early or was too large")
                parts.append(message.get("body", b""))
                if not message.get("more_body"):
                    return b"".join(parts)
    except TimeoutError as error:
        raise Refused(408, f"the request took longer than {seconds:g} s to come") from error


async def discarded(receive: Receive, most: int = 1_000_000, seconds: float = 0.5) -> bool:
    """Whether the rest of a refused request's body came, within `most` bytes and `seconds`; it is thrown away.

    A connection that is closed over unread bytes is reset, and the answer may be lost with it.
    """
    try:
        async with asyncio.timeout(seconds):
            while most > 0:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return False
                if not message.get("more_body"):
                    return True
                most -= len(message.get("body", b""))
    except TimeoutError:
        pass
    return False


def replay(body: bytes, receive: Receive) -> Receive:
    """A body that was read, to be read again by the application."""
    read = False

    async def again() -> Message:
        nonlocal read
        if read:
            return await receive()
        read = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


async def left(receive: Receive) -> None:
    """Returns when the client of a request whose body was read has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
