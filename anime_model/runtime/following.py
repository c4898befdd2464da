"""A model that others may exchange: what an MLflow alias stands for, such as `models:/animegan-shinkai@champion`."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from anime_model.runtime.models import REGISTRY, asking_mlflow, find_model
from anime_model.runtime.session import ModelError

EVERY = 5.0  # seconds between two questions to the registry at least
Made = TypeVar("Made")


def is_alias(model: Path | str) -> bool:
    return str(model).startswith(REGISTRY) and "@" in str(model)


class Following(Generic[Made]):
    """What `make` makes of the file of the version that the alias stands for.

    Asking for it never waits for the registry: a thread asks there, at most every `every` seconds and only while the
    model is used, and has the new one ready before it takes the old one's place. Where the registry is away, or the new
    version cannot be used, the old one stays; `problem` says why.
    """

    def __init__(self, uri: str, make: Callable[[Path], Made], every: float = EVERY) -> None:
        """`make` is to bring everything to the point where it can serve. Raises `ModelError`."""
        self.uri, self.every, self.problem = uri, every, ""
        self._make = make
        self._broken = ""  # a version that cannot be used is not loaded again and again
        self._looking = threading.Lock()
        version = current_version(uri)
        self._now = version, make(self._file(version))
        self._asked = time.monotonic()

    @property
    def version(self) -> str:
        return self._now[0]

    def now(self) -> Made:
        if time.monotonic() - self._asked >= self.every and self._looking.acquire(blocking=False):
            threading.Thread(target=self._look, name=f"follows {self.uri}", daemon=True).start()
        return self._now[1]

    def _look(self) -> None:
        try:
            version = current_version(self.uri)
            if version not in (self.version, self._broken):
                self._exchange(version)
        except ModelError as error:
            self.problem = str(error)
        finally:
            self._asked = time.monotonic()
            self._looking.release()

    def _exchange(self, version: str) -> None:
        path = self._file(version)
        try:
            self._now = version, self._make(path)
        except ModelError:
            self._broken = version
            raise
        self.problem = ""

    def _file(self, version: str) -> Path:
        return find_model(f"{self.uri.partition('@')[0]}/{version}")


def current_version(uri: str) -> str:
    """The version that an alias stands for. Raises `ModelError`."""
    with asking_mlflow(uri):
        from anime_model.runtime.from_mlflow import version_of

        return version_of(uri)
