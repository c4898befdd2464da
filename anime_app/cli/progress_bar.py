"""One line on a terminal: how far, how fast, how long still."""

import sys
import time
from typing import TextIO

WIDTH = 24
EVERY = 0.1  # seconds between two pictures of the line


class Progress:
    """Draws nothing where `stream` (standard error) is no terminal, so that logs and pipes stay clean."""

    def __init__(self, total: int, what: str, stream: TextIO | None = None) -> None:
        self.total, self.what, self.done = total, what, 0
        self.stream = stream or sys.stderr
        self.shown = self.stream.isatty() and total > 0
        self.start, self.last = time.monotonic(), 0.0

    def step(self, count: int = 1) -> None:
        self.done += count
        now = time.monotonic()
        if self.shown and (now - self.last >= EVERY or self.done >= self.total):
            self.last = now
            self.stream.write(f"\r\033[K{line(self.done, self.total, now - self.start, self.what)}")
            self.stream.flush()

    def clear(self) -> None:
        """Takes the line away, so that a message can stand in its place."""
        if self.shown:
            self.stream.write("\r\033[K")
            self.stream.flush()


def line(done: int, total: int, seconds: float, what: str) -> str:
    """`[######..................] 10/40 pictures  3.2/s  0:09 left`; a total may be a guess."""
    total = max(total, done)
    full = WIDTH * done // total if total else 0
    rate = done / seconds if seconds > 0 else 0.0
    left = round((total - done) / rate) if rate else 0
    clock = f"{left // 3600}:{left // 60 % 60:02}:{left % 60:02}" if left >= 3600 else f"{left // 60}:{left % 60:02}"
    return f"[{'#' * full}{'.' * (WIDTH - full)}] {done}/{total} {what}  {rate:.1f}/s  {clock} left"
