"""`anime stylize --engine ray`: many pictures and films, from and to any storage, on one computer or a cluster of them.

What is a picture, what its result is called, and every byte of it are decided by the same code as without Ray.
"""

import argparse
import os
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from anime_app.bulk import cluster, manifest, places, worker
from anime_app.bulk.films import Films
from anime_app.bulk.only import only_run
from anime_app.bulk.plan import Job, Task, plan
from anime_app.cli.inputs import Found, drop_collisions, file_for, find_jobs, is_earlier, is_there, named_for
from anime_app.cli.inputs import Job as Pair
from anime_app.cli.progress_bar import Progress, line
from anime_app.cli.stylize import STANDARD, ended, goes_on, order_of, stopped, style_name, stylizer_of
from anime_app.drawing import frames_by
from anime_app.terminal import say
from anime_model.pictures.arrays import SUFFIXES
from anime_model.pictures.images import kind_of
from anime_model.pictures.opening import why_not_read
from anime_model.runtime.models import file_names
from anime_model.runtime.stylizer import Stylizer
from anime_model.runtime.video import SUFFIXES as FILM_SUFFIXES

SHOWN = 20  # failures that are said; all are in the manifest
GONE = 20  # pictures one after another that a storage did not take or give: it is gone, or full
Listed = list[tuple[str, str]]  # names below a URL, and their stamps
EVERY = 60.0  # seconds from one line about the progress to the next, where there is no terminal


class NothingDrawn(ValueError):
    """No picture can be drawn, now or by the same command once more."""


@dataclass
class Tally:
    """How the tasks end. `done` has a byte for each job: none counts twice."""

    target: str
    inputs: list[str]
    done: bytearray
    tasks: int = 0
    made: int = 0
    there: int = 0
    failed: int = 0
    failures: list[str] = field(default_factory=list)
    unsaid: int = 0  # further failures, which the manifest has
    away: places.Away | None = None  # why the run ends, once its rows are kept
    _same: tuple[str, int] = ("", 0)

    @property
    def left(self) -> int:
        """Tasks whose end nobody has told yet."""
        return self.tasks - sum(self.done)

    def fail(self, reason: str, row: bool = False) -> None:
        """`row`: whether the manifest has it, too."""
        self.failed += 1
        if row and len(self.failures) >= SHOWN:
            self.unsaid += 1
        else:
            self.failures.append(reason)

    def take(self, rows: list[dict]) -> list[dict]:
        """Counts rows; those that the manifest is to have."""
        kept = []
        for row in rows:
            index, state = row.pop("index"), row["state"]
            if self.done[index]:
                continue
            self.done[index] = True
            if state == manifest.MADE:
                self.made += 1
            elif state == manifest.THERE:
                self.there += 1
            else:
                self.fail(row["reason"], row=not state.startswith(worker.REFUSED))
            if not state.startswith(worker.REFUSED):
                kept.append(row)
            self.away = self.away or self._watch(state.removeprefix(worker.REFUSED), row["reason"])
        return kept

    def _watch(self, state: str, reason: str | None) -> places.Away | None:
        """What is wrong where many in a row failed alike."""
        last, count = self._same
        self._same = state, count + 1 if state == last else 1
        if self._same[1] % GONE:
            return None
        if state == manifest.UNWRITTEN:
            return places.Away(f"{self.target} takes no more files ({reason})")
        if state == manifest.UNREAD and not any(map(_reachable, self.inputs)):
            return places.Away(f"{', '.join(self.inputs)}: gone ({reason})")
        return None


class _Shown(Progress):
    """The bar of a terminal; elsewhere a line now and then, since bulk work runs for hours and leaves a log."""

    def __init__(self, pictures: int, frames: int) -> None:
        what = [(pictures, "pictures"), (frames, "frames")]
        super().__init__(pictures + frames, " and ".join(name for count, name in what if count) or "pictures")
        self.reported = self.start
        self._one = threading.Lock()  # films are put together by threads of their own

    def step(self, count: int = 1) -> None:
        with self._one:
            super().step(count)
            now = time.monotonic()
            if not self.shown and now - self.reported >= EVERY:
                self.reported = now
                say(line(self.done, self.total, now - self.start, self.what))


def bulk(options: argparse.Namespace) -> int:
    """The exit status, as that of `stylize`. Raises `ValueError`, `OSError`, `KeyboardInterrupt`."""
    inputs, target = _ends(options)
    if options.address:
        cluster.checked(options.address)
    brief, settings, stylizer = _brief(options)
    listed = _listed(inputs[0]) if places.is_url(inputs[0]) else []  # once: it may be millions of names
    found = _found(inputs, listed, target, brief.style)
    for remark in found.remarks:
        say(remark)
    jobs, films = _jobs(found, inputs, listed, target)
    tally = Tally(target, inputs, bytearray(len(jobs) + len(films)))
    for failure in found.failures:
        tally.fail(failure)
    if jobs or films:
        record, steady = manifest.Manifest(target), not options.no_steady
        of_films, draw = settings | {"steady": steady}, frames_by(stylizer, brief.order.look)
        whole = Films(record.folder, brief, worker.settings_text(of_films), steady, draw)
        _Work(record, brief, settings, of_films, whole, options, tally).run(jobs, films)
    for failure in tally.failures:
        say(failure)
    if tally.unsaid:
        say(f"{tally.unsaid} more: {manifest.Manifest(target).name} has the reasons")
    return ended(tally.made, tally.there, tally.failed)


@dataclass
class _Work:
    """One run. `of_pictures` and `of_films` are settings as the manifest has them."""

    record: manifest.Manifest
    brief: worker.Brief
    of_pictures: dict
    of_films: dict
    films: Films
    options: argparse.Namespace
    tally: Tally

    def run(self, jobs: list[Job], films: list[Job]) -> None:
        """Raises `ValueError`, `OSError`, `KeyboardInterrupt`."""
        tally = self.tally
        with only_run(self.record.folder):
            try:
                tasks = self._planned(jobs, films)
                if tally.tasks:
                    self._do(tasks)
            except KeyboardInterrupt:
                stopped(tally.made, tally.left, self.options.force)
                raise
            except (ValueError, OSError) as error:
                if isinstance(error, NothingDrawn) or not tally.made:
                    raise
                message = f"{error}; {tally.made} made, {tally.left} left: {goes_on(self.options.force)}"
                raise ValueError(message) from error
            finally:
                with suppress(OSError):  # rows that are lost are found again by the results that are there
                    self.record.close()

    def _planned(self, jobs: list[Job], films: list[Job]) -> list[Task]:
        """What workers are to do. Raises `ValueError`, `OSError`."""
        rows, target, force = self.record.load(), self.record.target, self.options.force
        if places.is_url(target):
            there = {f"{target}/{name}" for name, _ in _listed(target)}
            exists = there.__contains__
        else:
            exists = is_there
        try:
            pictures = plan(jobs, rows, self.of_pictures, exists, force)
            whole = plan(films, rows, self.of_films, exists, force)
        except ValueError as error:
            raise ValueError(f"{target}: {error}") from error
        first = len(self.tally.done) - len(films)
        self.tally.there = pictures.there + whole.there
        self.tally.tasks = len(pictures.tasks) + len(whole.tasks)
        jobs.clear()  # names of millions of pictures: from here on Ray has them
        self.films.prepare([task._replace(index=first + task.index) for task in whole.tasks])
        return pictures.tasks + self.films.tasks(len(self.tally.done))

    def _do(self, tasks: list[Task]) -> None:
        films, pictures = self.films, sum(not task.part for task in tasks)
        progress = _Shown(pictures, films.frames)
        films.step = progress.step
        try:
            with films.made():
                if tasks:
                    self._draw(tasks, progress)
                for rows in films.finish():
                    self._keep(rows)
        finally:
            progress.clear()
            for remark in films.remarks:
                say(remark)
        if self.tally.left:
            raise ValueError(f"Ray lost {self.tally.left} pictures")

    def _draw(self, tasks: list[Task], progress: "_Shown") -> None:
        with cluster.started(self.options.address, self.brief.threads, self.options.workers) as workers:
            for table in cluster.rows(tasks, self.brief, workers):
                rows = table.to_pylist()
                if stops := [row["reason"] for row in rows if row["state"] == worker.STOP]:
                    raise NothingDrawn(stops[0])
                pictures = [row for row in rows if not self.films.take(row)]
                self._keep(pictures)
                self._keep(self.films.rows())
                if pictures:
                    progress.step(len(pictures))

    def _keep(self, rows: list[dict]) -> None:
        self.record.add(self.tally.take(rows))
        if self.tally.away:
            raise self.tally.away


def _ends(options: argparse.Namespace) -> tuple[list[str], str]:
    """The inputs and the target, as absolute paths or URLs. Raises `ValueError` for what Ray does not take."""
    if STANDARD in options.inputs or options.out == STANDARD:
        raise ValueError("standard input and output (-) need no --engine ray")
    if not options.out:
        raise ValueError("--engine ray needs -o TARGET: the folder or URL for the results and their manifest")
    inputs, target = [places.plain(name) for name in options.inputs], places.plain(options.out)
    if any(map(places.is_url, inputs)) and len(inputs) > 1:
        raise ValueError("a URL stands alone: give one INPUT after another, each with an -o of its own")
    if (kind_of(Path(target)) or Path(target).suffix.lower() in FILM_SUFFIXES) and not os.path.isdir(target):
        raise ValueError(f"{target}: with --engine ray, -o is a folder or a URL of one, for results and their manifest")
    if not places.is_url(target) and os.path.exists(target) and not os.path.isdir(target):
        raise NotADirectoryError(20, "not a directory", target)
    for name in (*inputs, target):
        places.check(name)
    return [places.absolute(name) for name in inputs], places.absolute(target).rstrip("/") or "/"


def _brief(options: argparse.Namespace) -> tuple[worker.Brief, dict, Stylizer]:
    """What workers are told, what the manifest says of it, and what draws here.

    Raises `ModelError`, `FileNotFoundError`.
    """
    order, threads, style = order_of(options), options.threads or 1, style_name(options.style, options.size)
    stylizer = stylizer_of(options, threads)
    stylizer(np.zeros((8, 8, 3), np.uint8))  # a model that is none is said here, once
    model = stylizer.path.read_bytes()
    settings = worker.settings_of(order, style, model, stylizer.strokes_for())
    text = worker.settings_text(settings)
    return worker.Brief(order, model, style, threads, options.stroke, text, worker.own_code()), settings, stylizer


def _found(inputs: list[str], listed: Listed, target: str, style: str) -> Found:
    """Pairs of source and target as for the plain engine; a URL stands in them with one slash less."""
    out = Path(target)
    return _below_url(inputs[0], listed, out, style) if places.is_url(inputs[0]) else find_jobs(inputs, out, style)


def _below_url(url: str, names: Listed, out: Path, style: str) -> Found:
    """What is below a URL, by the rules for folders: hidden names, results and earlier results are left out."""
    found, root, suffixes = Found(), Path(url), {style, *file_names()}
    if not names:
        found.failures.append(f"{url}: nothing there")
    folders = {parent for name, _ in names for parent in (root / name).parents}
    there = {root / name for name, _ in names} | folders
    for name, _ in names:
        path = root / name
        inside = [path, *path.parents][: len(path.relative_to(root).parts)][::-1]  # outermost first
        if (path.is_relative_to(out) and out != root) or any(part.startswith(".") for part in Path(name).parts):
            continue
        if earlier := next((each for each in inside if is_earlier(each, suffixes, there.__contains__)), None):
            found.earlier += [earlier] if earlier not in found.earlier else []
        elif why := why_not_read(path):
            found.unread.append(f"{path}: {why}")
        elif not name:
            found.jobs.append(Pair(path, file_for(path, out, False, style)))
        elif path.suffix.lower() in (*SUFFIXES, *FILM_SUFFIXES):
            found.jobs.append(Pair(path, out / named_for(Path(name))))
    drop_collisions(found)
    return found


def _jobs(found: Found, inputs: list[str], listed: Listed, target: str) -> tuple[list[Job], list[Job]]:
    """The pictures, and the films. Changes of a source are seen by its stamp."""
    remote, root = places.is_url(inputs[0]), Path(target)
    known = {Path(name).as_posix(): (name, stamp) for name, stamp in listed}  # by its name without empty parts
    jobs: list[Job] = []
    films: list[Job] = []
    for pair in found.jobs:
        below = pair.target.relative_to(root).as_posix()
        if remote:
            name, stamp = known[pair.source.relative_to(Path(inputs[0])).as_posix()]
            source = f"{inputs[0]}/{name}".rstrip("/")
        else:
            source = str(pair.source)
            stamp = places.stamp(source)
        kind = films if pair.is_video else jobs
        kind.append(Job(source, f"{target}/{below}", manifest.text(below), stamp))
    found.jobs.clear()
    return jobs, films


def _listed(url: str) -> Listed:
    try:
        return list(places.listing(url))
    except FileNotFoundError:
        return []


def _reachable(name: str) -> bool:
    try:
        return places.exists(name)
    except OSError:
        return False
