"""HTTP as the studio and the service speak it: uvicorn's way with llhttp, with a bound for what is no body."""

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD = 65_536  # bytes of a request's first line and headers, and at most one block that was read at once
BESIDE = 1_000_000  # of all in a request that is not its body: the sizes of chunks and the trailers, too


class Bounded(HttpToolsProtocol):
    """Cuts off who sends more beside a body: llhttp keeps a line that does not end for as long as bytes come."""

    _beside = 0
    _headed = False

    def on_message_begin(self) -> None:
        self._beside, self._headed = 0, False
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._headed = True
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._beside -= len(body)
        super().on_body(body)

    def data_received(self, data: bytes) -> None:
        self._beside += len(data)
        super().data_received(data)
        if self._beside > (BESIDE if self._headed else HEAD):
            self.transport.abort()
