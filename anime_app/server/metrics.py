"""What the service counts, for Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from anime_app.line import Line

SECONDS = (0.01, 0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 30, 60)


class Metrics:
    """Names of routes are those of the service's own, so that strangers' addresses make no series."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self, line: Line) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter("anime_requests", "answers", ["route", "status"], registry=self.registry)
        self.seconds = Histogram("anime_request_seconds", "from the first byte to the answer", ["route"],
                                 buckets=SECONDS, registry=self.registry)  # fmt: skip
        self.drawing = Histogram("anime_drawing_seconds", "in the network and around it, one picture", ["style"],
                                 buckets=SECONDS, registry=self.registry)  # fmt: skip
        self.pixels = Counter("anime_pixels", "of pictures that were made", ["style"], registry=self.registry)
        self.received = Counter("anime_received_bytes", "of bodies", registry=self.registry)
        for name, about, value in (
            ("anime_queue_waiting", "requests that wait", lambda: line.waiting),
            ("anime_queue_bound", "requests that may wait", lambda: line.most),
            ("anime_drawing_now", "pictures that are being drawn", lambda: line.running),
            ("anime_workers", "pictures that may be drawn at once", lambda: line.workers),
        ):
            Gauge(name, about, registry=self.registry).set_function(value)

    def text(self) -> bytes:
        return generate_latest(self.registry)
