"""Long work that says how far it is, and that ends when nobody waits for it any more.

Gradio runs a handler that yields step by step and closes it when the person presses stop, closes the page or loses the
connection. The work itself runs in a thread beside it, and learns at its next tick that it is to end.
"""

import json
import threading
from collections.abc import Callable, Iterator
from typing import ClassVar
from weakref import WeakSet

from anime_app.studio.reasons import reason
from anime_app.studio.workshop import Gone

EVERY = 0.25  # seconds between two words


class Stopped(Exception):
    """Nobody waits for this any more."""


class Progress:
    """What a piece of work says while it runs; `tick` raises `Stopped` when it is to end."""

    running: ClassVar[WeakSet] = WeakSet()

    def __init__(self) -> None:
        self.stop = threading.Event()
        self.state: dict = {}
        self.running.add(self)

    def tick(self) -> None:
        if self.stop.is_set():
            raise Stopped

    def tell(self, share: float | None = None, **more: object) -> None:
        self.tick()
        self.state = {**self.state, "share": share, **more}


def stop_all() -> None:
    """The studio ends."""
    for progress in list(Progress.running):
        progress.stop.set()


def run(work: Callable[[Progress], dict], name: str = "") -> Iterator[str]:
    """JSON of `{"progress": ...}` while `work` runs, then its answer: `{"done": ...}`, `{"gone": true}` or
    `{"problem": [English, Chinese]}`. `name` is what a problem calls the photo."""
    progress, answer = Progress(), {}

    def thread() -> None:
        try:
            answer["done"] = work(progress)
        except Stopped:
            pass
        except Gone:
            answer["gone"] = True
        except (ValueError, OSError, MemoryError) as error:  # PictureError, VideoError and ModelError are among them
            answer["problem"] = reason(name, error)
        except Exception:
            answer["problem"] = reason(name, ValueError("the picture could not be made"))
            raise

    worker = threading.Thread(target=thread, daemon=True)
    worker.start()
    try:
        while worker.is_alive():
            worker.join(EVERY)
            if worker.is_alive():
                yield json.dumps({"progress": progress.state})
        yield json.dumps(answer)
    finally:  # also where the page has gone: the place in the queue is free only when the work has ended
        progress.stop.set()
        worker.join()
