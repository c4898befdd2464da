"""What the service is started with."""

from dataclasses import dataclass

MB = 1_000_000


@dataclass(frozen=True)
class Service:
    """`styles` are served by their names, the first unless a request names another. `token`: what requests must bear.

    `workers` pictures are drawn at once, each with `threads` cores; `queue` more requests may wait. `max_upload` bounds
    one picture's file and `held` all bodies in memory (bytes), `max_pixels` one picture, `batch` the pictures of one
    request. A request has `upload_seconds` to arrive and `timeout` seconds to be drawn; headers have `header_seconds`.
    """

    styles: tuple[str, ...]
    token: str | None = None
    workers: int = 2
    threads: int = 1
    queue: int = 64
    max_upload: int = 40 * MB
    held: int = 512 * MB
    max_pixels: int = 50_000_000
    batch: int = 100
    timeout: float = 60
    upload_seconds: float = 30
    header_seconds: float = 10

    @property
    def max_batch(self) -> int:
        """Bytes of a batch, and of what its zip unpacks to."""
        return 4 * self.max_upload
