"""Films among bulk work: workers draw their parts, and here they are put together, by the plain engine's own code.

Drawings of parts wait in the manifest's folder, named by the film's content, the settings and the code, until their
film is made: a run that was killed, or that failed, goes on with those that are there.
"""

import hashlib
import json
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from anime_app.bulk import manifest, places, worker
from anime_app.bulk.plan import ADOPT, COMPARE, PART, Task
from anime_app.drawing import about_film, reason
from anime_app.pipeline import Stopped
from anime_model.pictures.cores import cores_here
from anime_model.runtime.film_parts import Drawings, Drawn, Part, parts_of
from anime_model.runtime.session import ModelError
from anime_model.runtime.video import Draw, stylize_video

FOLDER = "films"  # in the manifest's
LOOK = 0.2  # seconds from one look for a Ctrl-C to the next
CORES = 4  # of this computer for each film that is put together at once
LOST = "a part of it was never drawn; the same command goes on from here"


@dataclass
class Film:
    """A film to be made. `there` are the names of its parts that are drawn, `failure` the state and the reason."""

    task: Task
    row: dict
    folder: str
    parts: list[Part]
    there: set[str]
    failure: tuple[str, str] | None = None
    frames: int = field(init=False)

    def __post_init__(self) -> None:
        self.frames = sum(part.frames for part in self.parts)

    def place(self, part: Part) -> str:
        return f"{self.folder}/{part.name}"


class Films:
    """The films of one run. Rows of the manifest, with their `index`, are in `rows` as they come.

    `draw` is for frames that no part has, `step` hears of each frame that is in its film.
    """

    def __init__(self, folder: str, brief: worker.Brief, settings: str, steady: bool, draw: Draw) -> None:
        self.folder, self.brief, self.settings, self.steady, self.draw = folder, brief, settings, steady, draw
        self.films: list[Film] = []
        self.remarks: list[str] = []
        self.step: Callable[[], None] = lambda: None
        self._change, self._stopped, self._over = threading.Condition(), False, False
        self._rows: list[dict] = []
        self._parts: dict[int, tuple[Film, Part]] = {}
        self._looked_at: set[str] = set()

    def prepare(self, tasks: list[Task]) -> None:
        """Looks through films: which are to be made, and of which parts. Others get their rows at once."""
        for task in tasks:
            names = {"source": manifest.text(task.source), "target": task.below, "stamp": task.stamp}
            row = {"index": task.index, "settings": self.settings, **names}
            try:
                self._prepare(task, row)
            except (OSError, ValueError) as error:
                self._end(task, row, worker.state_of_film(task.source, error), reason(task.source, task.target, error))

    def _prepare(self, task: Task, row: dict) -> None:
        row["sha256"] = places.film_digest(task.source)
        if task.what == ADOPT or (task.what == COMPARE and task.known == row["sha256"]):
            settings = None if task.what == ADOPT else self.settings
            self._end(task, row | {"settings": settings} | _result(task.target), manifest.THERE)
            return
        if task.what == COMPARE and task.owner:
            raise worker.NotOurs(f"{task.source}: its result would overwrite that of {task.owner}")
        parts = parts_of(places.film(task.source))
        own = f"{self.folder}/{FOLDER}/{_short(task.below)}"
        folder = f"{own}/{_short(row['sha256'], self.settings, json.dumps(self.brief.code))}"
        for other in places.names(own):  # of another content, or drawn with other settings
            if f"{own}/{other}" != folder:
                places.remove_folder(f"{own}/{other}")
        names = set(places.names(folder))
        self.films.append(Film(task, row, folder, parts, {p.name for p in parts if f"{p.name}{worker.DONE}" in names}))

    @property
    def frames(self) -> int:
        return sum(film.frames for film in self.films)

    def tasks(self, first: int) -> list[Task]:
        """What workers have to draw, numbered from `first` on."""
        for film in self.films:
            for part in film.parts:
                if part.name not in film.there:
                    self._parts[first + len(self._parts)] = film, part
        return [self._task(index, *of) for index, of in self._parts.items()]

    def _task(self, index: int, film: Film, part: Part) -> Task:
        about = {"part": asdict(part), "suffix": Path(film.task.below).suffix}
        return Task(index, film.task.source, film.place(part), film.task.below, PART, part=json.dumps(about))

    def take(self, row: dict) -> bool:
        """Whether a worker's row is that of a part, not of a picture. Raises `ValueError`: the run ends."""
        if row["index"] not in self._parts:
            return False
        film, part = self._parts[row["index"]]
        with self._change:
            if row["state"] == worker.DRAWN:
                film.there.add(part.name)
            else:
                film.failure = film.failure or (row["state"], row["reason"])
            self._change.notify_all()
        if row["state"] == worker.DRAWN and film.folder not in self._looked_at:
            self._looked_at.add(film.folder)
            self._check_room(film, row["result_bytes"] / max(1, part.frames))
        return True

    def _check_room(self, film: Film, each: float) -> None:
        """Raises `ValueError` where the drawings of a film will not fit beside it."""
        missing = sum(part.frames for part in film.parts if part.name not in film.there)
        free = places.free(self.folder)
        if free is not None and free < each * missing:
            raise ValueError(
                f"{film.task.source}: its drawings need about {each * missing / 1e9:.1f} GB in {self.folder} "
                f"until it is made, and {free / 1e9:.1f} are free"
            )

    def rows(self) -> list[dict]:
        """Those of films that ended since the last call."""
        with self._change:
            found, self._rows = self._rows, []
            return found

    @contextmanager
    def made(self) -> Iterator[None]:
        """Films are put together while the block runs, and no more once it ends by an exception."""
        with ThreadPoolExecutor(max(1, cores_here() // CORES)) as pool:
            self._works: list[Future] = [pool.submit(self._make, film) for film in self.films]
            try:
                yield
            except BaseException:
                with self._change:
                    self._stopped = True
                    self._change.notify_all()
                raise

    def finish(self) -> Iterator[list[dict]]:
        """When all parts were drawn: rows of the films that are still being put together, as they come."""
        with self._change:
            self._over = True
            self._change.notify_all()
        for work in self._works:
            while not work.done():  # a wait without end would not hear of Ctrl-C on all systems
                with suppress(TimeoutError):
                    work.exception(timeout=LOOK)
                yield self.rows()
            work.result()
        yield self.rows()

    def _make(self, film: Film) -> None:
        """Puts a film together, its drawings as they come. Raises `ModelError`."""
        task, drawings = film.task, Drawings(self._drawn(film), self.draw)
        try:
            with places.written(task.target) as path:
                made = stylize_video(
                    places.film(task.source), path, drawings, 1, self.steady, *self._shape, tick=self._tick
                )
                found = places.digest(str(path))
            film.row |= {"result_sha256": found[0], "result_bytes": found[1]}
            self.remarks += about_film(task.source, task.target, made, self.steady)
            self._end(task, film.row, manifest.MADE)
            with suppress(OSError):
                places.remove_folder(os.path.dirname(film.folder))
        except (Stopped, ModelError):
            raise
        except _Failed:
            self._end(task, film.row, *film.failure)
        except Exception as error:  # whatever is wrong with one film, the others are made
            self._end(task, film.row, worker.state_of_film(task.source, error), reason(task.source, task.target, error))
        finally:
            drawings.close()

    @property
    def _shape(self) -> tuple[int | None, bool]:
        return self.brief.order.max_size, self.brief.order.compare

    def _tick(self, done: int, total: int) -> None:
        if self._stopped:
            raise Stopped
        self.step()

    def _drawn(self, film: Film) -> Iterator[Drawn]:
        """The parts in order, each as soon as it is drawn. Raises `Stopped`, `_Failed`, `OSError`."""
        for part in film.parts:
            self._wait(film, part.name)
            place = film.place(part)
            yield Drawn(json.loads(places.read(f"{place}{worker.DONE}")), places.film(f"{place}{worker.DRAWINGS}"))

    def _wait(self, film: Film, name: str) -> None:
        """Until that part is drawn. Raises `Stopped`, `_Failed`."""
        with self._change:
            self._change.wait_for(lambda: self._stopped or self._over or film.failure or name in film.there)
            if self._stopped:
                raise Stopped
            if film.failure or name not in film.there:
                film.failure = film.failure or (manifest.UNREAD, f"{film.task.source}: {LOST}")
                raise _Failed

    def _end(self, task: Task, row: dict, state: str, why: str | None = None) -> None:
        if state not in manifest.DONE and task.known:  # the result that is there has its row
            state = worker.REFUSED + state
        with self._change:
            self._rows.append(row | {"state": state, "reason": why})


class _Failed(Exception):
    """A part could not be drawn; the film knows why."""


def _result(target: str) -> dict:
    sha256, size = places.digest(target)
    return {"result_sha256": sha256, "result_bytes": size}


def _short(*texts: str) -> str:
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16]
