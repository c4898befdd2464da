"""What runs on every core: one session of one thread, tasks in, rows of the manifest (or of parts of films) out."""

import hashlib
import importlib.metadata
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from anime_app.bulk import manifest, places
from anime_app.bulk.plan import ADOPT, COMPARE, DRAW, Task, tasks_of
from anime_app.drawing import Order, frames_by, reason
from anime_app.pipeline import Stages, run
from anime_model.pictures import images
from anime_model.pictures.arrays import PictureError
from anime_model.pictures.atomic import whole_file
from anime_model.pictures.cores import cores_here
from anime_model.pictures.opening import Unreadable
from anime_model.runtime.film_parts import Part, draw_part
from anime_model.runtime.session import ModelError
from anime_model.runtime.shares import memory_of
from anime_model.runtime.stylizer import Stylizer

PACKAGES = ("numpy", "onnxruntime", "pillow")  # which decide bytes, beside the code
CODE = (
    *("anime_model/pictures", "anime_model/runtime"),
    *("anime_app/bulk", "anime_app/drawing.py", "anime_app/pipeline.py"),
)
ROOM = 40_000_000  # pixels of all pictures that the workers of one computer hold
LEAST = 4_000_000  # of them for one worker
GIVE_UP = 3  # processes that died over a picture
STOP = "stop"  # a row that ends the run: no picture can be drawn
DRAWN = "drawn"  # a row of a part of a film
DRAWINGS, DONE = ".mkv", ".json"  # of a part: its pictures, and the digests of its frames, which are written last
REFUSED = "refused "  # before the state of a row that the manifest does not take: the result that is there has its own


@dataclass(frozen=True)
class Brief:
    """What every worker is told once. `model` are the bytes of an ONNX file, which need not be on its computer."""

    order: Order
    model: bytes
    style: str
    threads: int
    stroke: int | None  # None: what the model asks for
    settings: str
    code: dict[str, str]


@dataclass
class Work:
    """A task on its way, and what the manifest will say of it. `left`: the result that is there stays."""

    task: Task
    row: dict
    left: bool = False


class Unread(Exception):
    """The source could not be had: no fault of the picture."""


class Worker:
    """An actor of Ray Data: tables of tasks to tables of rows. `ledger`: see `Ledger`, None where nobody dies."""

    def __init__(self, brief: Brief, ledger: Any = None) -> None:
        self.brief, self.ledger = brief, ledger
        self.room = max(LEAST, ROOM // (os.cpu_count() or 1))
        self.refusal = other_code(brief.code, own_code())
        if not self.refusal:
            try:
                self.stylizer = open_model(brief)
            except ModelError as error:
                self.refusal = str(error)

    def __call__(self, block: pa.Table) -> pa.Table:
        tasks, rows = tasks_of(block), []
        if self.refusal:
            return _rows([{"index": tasks[0].index, "state": STOP, "reason": self.refusal}])
        if tasks[0].part:
            return _rows([self._part(task) for task in tasks])
        stages = Stages(self._read, self._draw, self._write)
        waiting = [Work(task, self._row(task)) for task in tasks]

        def report(work: Work, error: Exception | None) -> None:
            rows.append(work.row | self._ending(work, error))

        died = self._ask("begun", [task.index for task in tasks])
        if not any(died.values()):
            run(waiting, stages, 1, report, self.room)
        else:  # a process died over one of them: one by one shows over which
            for work in waiting:
                self._alone(work, died[work.task.index], stages, report)
        self._ask("ended", [task.index for task in tasks], wait=False)
        return _rows(rows)

    def _part(self, task: Task) -> dict:
        """The drawings of a part of a film, where they are not there."""
        row = {"index": task.index, "state": DRAWN}
        died = self._ask("begun", [task.index]).get(task.index, 0)
        if died >= GIVE_UP:
            return row | {"state": manifest.UNREADABLE, "reason": f"{task.source}: {died} processes died over it"}
        if died:
            self._ask("alone", [task.index])
        try:
            row["result_bytes"] = self._drawn(task)
        except ModelError as error:
            return row | {"state": STOP, "reason": str(error).replace(str(self.stylizer.path), self.brief.style)}
        except Exception as error:  # whatever is wrong with one film, all else is drawn
            row |= {"state": state_of_film(task.source, error), "reason": reason(task.source, task.target, error)}
        self._ask("ended", [task.index])
        return row

    def _drawn(self, task: Task) -> int:
        """The bytes of the drawings. Raises `VideoError`, `ModelError`, `OSError`."""
        pictures, done, about = f"{task.target}{DRAWINGS}", f"{task.target}{DONE}", json.loads(task.part)
        if places.exists(done):  # by one that died since
            return 0
        draw, max_size = frames_by(self.stylizer, self.brief.order.look), self.brief.order.max_size
        source, part = places.film(task.source), Part(**about["part"])
        with places.written(pictures) as path, whole_file(path) as file:
            digests = draw_part(source, about["suffix"], part, draw, file, max_size)
            size = file.seek(0, os.SEEK_END)
        places.write(done, json.dumps(digests).encode())
        return size

    def _alone(self, work: Work, died: int, stages: Stages, report: Any) -> None:
        if died >= GIVE_UP:
            report(work, PictureError(f"{work.task.source}: {died} processes died over it"))
            return
        if work.task.what == DRAW and places.exists(work.task.target):  # the dead one had come to its end
            work.task = work.task._replace(what=ADOPT)
            work.row["state"] = manifest.MADE
        self._ask("alone", [work.task.index])
        run([work], stages, 1, report, self.room)
        self._ask("ended", [work.task.index])

    def _read(self, work: Work, admit: Any) -> images.Picture | None:
        task = work.task
        try:
            source, work.row["sha256"] = places.fetch(task.source)
        except Unreadable as error:
            raise PictureError(f"{task.source}: {error}") from error
        except OSError as error:
            message = error.strerror.lower() if error.strerror else str(error).removeprefix(f"{task.source}: ")
            raise Unread(f"{task.source}: {message}") from error
        work.left = task.what == ADOPT or (task.what == COMPARE and task.known == work.row["sha256"])
        if task.what == COMPARE and task.owner and not work.left:
            raise NotOurs(f"{task.source}: its result would overwrite that of {task.owner}")
        return None if work.left else self.brief.order.read(source, admit)

    def _draw(self, work: Work, picture: images.Picture | None) -> images.Picture | None:
        return None if picture is None else self.brief.order.draw(picture, self.stylizer)

    def _write(self, work: Work, picture: images.Picture | None) -> None:
        target = work.task.target
        found = places.digest(target) if picture is None else places.save(picture, target)
        work.row["result_sha256"], work.row["result_bytes"] = found

    def _row(self, task: Task) -> dict:
        settings = None if task.what == ADOPT else self.brief.settings
        names = {"source": manifest.text(task.source), "target": task.below, "stamp": task.stamp}
        return {"index": task.index, "settings": settings, "state": "", **names}

    def _ending(self, work: Work, error: Exception | None) -> dict:
        """The state, and the reason where there is one."""
        if error is None:
            return {"state": work.row["state"] or (manifest.THERE if work.left else manifest.MADE)}
        if isinstance(error, ModelError):
            return {"state": STOP, "reason": str(error).replace(str(self.stylizer.path), self.brief.style)}
        why = reason(work.task.source, work.task.target, error)
        return {"state": self._failed(work, error), "reason": why}

    def _failed(self, work: Work, error: Exception) -> str:
        if isinstance(error, NotOurs):
            return REFUSED
        kinds = {Unread: manifest.UNREAD, PictureError: manifest.UNREADABLE, OSError: manifest.UNWRITTEN}
        state = next((state for kind, state in kinds.items() if isinstance(error, kind)), manifest.UNFIT)
        return REFUSED + state if work.task.known else state

    def _ask(self, what: str, indices: list[int], wait: bool = True) -> dict[int, int]:
        """What the ledger answers; one that has just died itself knows nothing."""
        if self.ledger is None:
            return {}
        import ray

        try:
            answer = getattr(self.ledger, what).remote(indices)
            return ray.get(answer) if wait else {}
        except ray.exceptions.RayError:
            return dict.fromkeys(indices, 0)


def state_of_film(source: str, error: Exception) -> str:
    """The state of a film that was not made."""
    if isinstance(error, places.Away) and str(error).startswith(source):
        return manifest.UNREAD
    kinds = {FileNotFoundError: manifest.UNREAD, OSError: manifest.UNWRITTEN, NotOurs: REFUSED}
    return next((state for kind, state in kinds.items() if isinstance(error, kind)), manifest.UNREADABLE)


class NotOurs(ValueError):
    """A result that another source owns."""


class Ledger:
    """Which pictures are being worked at, and how many processes died over each. One for a run, beside its start."""

    def __init__(self) -> None:
        self._open: dict[int, int] = {}

    def begun(self, indices: list[int]) -> dict[int, int]:
        """How often each was begun and never ended. All are begun now, unless one of them was already."""
        found = {index: self._open.get(index, 0) for index in indices}
        if not any(found.values()):
            self._open.update(dict.fromkeys(indices, 1))
        return found

    def alone(self, indices: list[int]) -> dict[int, int]:
        for index in indices:
            self._open[index] = self._open.get(index, 0) + 1
        return {}

    def ended(self, indices: list[int]) -> dict[int, int]:
        for index in indices:
            self._open.pop(index, None)
        return {}


def open_model(brief: Brief) -> Stylizer:
    """A stylizer with its session open. Raises `ModelError`."""
    with tempfile.TemporaryDirectory(prefix="anime-") as folder:
        path = Path(folder, f"{brief.style}.onnx")
        path.write_bytes(brief.model)
        memory = memory_of(max(1, cores_here() // brief.threads))  # as if each core had a worker
        stylizer = Stylizer(path, brief.threads, memory, brief.order.max_pixels, brief.stroke)
        try:
            stylizer(np.zeros((8, 8, 3), np.uint8))
        except ModelError as error:
            raise ModelError(str(error).replace(str(path), brief.style)) from error
    return stylizer


def own_code() -> dict[str, str]:
    """What decides the bytes of a result: the packages' versions, and a digest of this project's own code."""
    root, digest = Path(__file__).parents[2], hashlib.sha256()
    for name in CODE:
        place = root / name
        for file in [place] if place.is_file() else sorted(place.glob("*.py")):
            digest.update(file.read_bytes())
    return {"animegan-lite": digest.hexdigest()[:12]} | {name: importlib.metadata.version(name) for name in PACKAGES}


def other_code(wanted: dict[str, str], own: dict[str, str]) -> str:
    """One line where a worker's code is not that of the computer that asks; empty where it is."""
    for name, version in wanted.items():
        if own.get(name) != version:
            where = f"{os.uname().nodename if hasattr(os, 'uname') else 'a node'}"
            return (
                f"{where}: {name} there is {own.get(name)}, here {version}; "
                "the same versions on every node make the same pictures"
            )
    return ""


def settings_of(order: Order, style: str, model: bytes, strokes: tuple[int, int]) -> dict:
    """What decides a result beside its source, as the manifest has it. `strokes`: of `Stylizer.strokes_for`."""
    stroke = strokes[0] if strokes[0] == strokes[1] else "{} to {}".format(*strokes)
    look = {"palette": order.look.palette, "strength": order.look.strength, "keep_colour": order.look.keep_colour}
    rest = {"stroke": stroke, "max_size": order.max_size, "compare": order.compare}
    return {"style": style, "model": hashlib.sha256(model).hexdigest(), **look, **rest}


def _rows(rows: list[dict]) -> pa.Table:
    index = pa.array([row["index"] for row in rows], pa.int64())
    return manifest.table_of(rows).append_column("index", index)


def settings_text(settings: dict) -> str:
    return json.dumps(settings, sort_keys=True)
