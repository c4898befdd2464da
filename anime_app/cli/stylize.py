"""`anime stylize`: files, folders, patterns, films, standard input and output."""

import argparse
import io
import os
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from anime_app.cli.inputs import Found, Job, find_jobs, is_there
from anime_app.cli.progress_bar import Progress
from anime_app.drawing import Order, about_film, frames_by, reason
from anime_app.pipeline import Stages, Stopped, run
from anime_app.terminal import one_line, say
from anime_model.pictures import images
from anime_model.pictures.cores import cores_here
from anime_model.runtime.models import file_name
from anime_model.runtime.session import ModelError
from anime_model.runtime.shares import memory_of
from anime_model.runtime.stylizer import Look, Stylizer
from anime_model.runtime.video import stylize_video

STANDARD = "-"
PARALLEL = 2  # pictures for each core from which on each picture gets one core


@dataclass
class Result:
    """How the jobs ended; `failures` are lines for people."""

    made: int = 0
    there: int = 0
    failures: list[str] = field(default_factory=list)


def stylize(options: argparse.Namespace) -> int:
    """The exit status: 0 where every result is there, 1 where one is not. Raises `ModelError`, `KeyboardInterrupt`."""
    order = order_of(options)
    if options.inputs == [STANDARD] or options.out == STANDARD:
        return _stream(options, order)
    if STANDARD in options.inputs:
        raise ValueError("standard input (-) stands alone")
    style = style_name(options.style, options.size)
    found = find_jobs(options.inputs, Path(options.out) if options.out else None, style)
    for remark in found.remarks:
        say(remark)
    result = _make(found, options, order)
    for failure in result.failures:
        say(failure)
    return ended(result.made, result.there, len(result.failures))


def order_of(options: argparse.Namespace) -> Order:
    """What the options ask for. Raises `ValueError`."""
    look = Look(options.palette, options.strength, options.keep_colour)
    return Order(look, options.compare, options.max_pixels, options.max_size)


def ended(made: int, there: int, failed: int) -> int:
    """Says how many results there are; the exit status."""
    counts = [(made, "made"), (there, "already there (--force makes them again)"), (failed, "failed")]
    say(", ".join(f"{count} {what}" for count, what in counts if count) or "nothing to make: no pictures and no videos")
    return 1 if failed or not (made or there) else 0


def stopped(made: int, left: int, force: bool) -> None:
    """Says what Ctrl-C leaves to do."""
    say(f"stopped: {made} made, {left} left; {goes_on(force)}")


def goes_on(force: bool) -> str:
    if force:
        return "with --force the same command makes all of them again"
    return "the same command goes on from here"


def _make(found: Found, options: argparse.Namespace, order: Order) -> Result:
    result = Result(failures=found.failures)
    open_jobs = [job for job in found.jobs if options.force or not is_there(job.target)]
    result.there = len(found.jobs) - len(open_jobs)
    pictures = [job for job in open_jobs if not job.is_video]
    threads, workers = _shares(options, len(pictures))
    stylizer = stylizer_of(options, threads, workers)
    try:
        _pictures(pictures, stylizer, order, workers, result)
        for job in (job for job in open_jobs if job.is_video):
            _film(job, order.look, options, result)
    except KeyboardInterrupt:
        stopped(result.made, len(open_jobs) - result.made, options.force)
        raise
    return result


def stylizer_of(options: argparse.Namespace, threads: int, workers: int = 1) -> Stylizer:
    """For so many pictures at once in this process."""
    memory = memory_of(workers)
    return Stylizer(options.style, threads, memory, options.max_pixels, options.stroke, options.size).fixed()


def _shares(options: argparse.Namespace, pictures: int) -> tuple[int, int]:
    """Threads for one picture, and pictures at once: many pictures share the cores best with one core each."""
    cores = cores_here()
    many = pictures >= PARALLEL * cores
    threads = options.threads or (max(1, cores // options.workers) if options.workers else 1 if many else cores)
    return threads, options.workers or (max(1, cores // threads) if many else 1)


def _pictures(jobs: list[Job], stylizer: Stylizer, order: Order, workers: int, result: Result) -> None:
    progress, stop = Progress(len(jobs), "pictures"), threading.Event()

    def read(job: Job, admit: Callable[[int], None]) -> images.Picture:
        return order.read(job.source, admit)

    def tick() -> None:
        if stop.is_set():
            raise Stopped

    def draw(job: Job, picture: images.Picture) -> images.Picture:
        return order.draw(picture, stylizer, tick)

    def report(job: Job, error: Exception | None) -> None:
        if isinstance(error, ModelError):
            raise error
        if error is None:
            result.made += 1
        else:
            result.failures.append(reason(job.source, job.target, error))
        progress.step()

    try:
        stages = Stages(read, draw, lambda job, picture: images.write(picture, job.target))
        run(jobs, stages, workers, report, stop=stop)
    finally:
        progress.clear()


def _film(job: Job, look: Look, options: argparse.Namespace, result: Result) -> None:
    workers = options.workers or cores_here()
    stylizer = stylizer_of(options, options.threads or 1, workers)
    progress = Progress(1, f"frames of {one_line(job.source.name)}")

    def tick(done: int, total: int) -> None:
        progress.total = total
        progress.step()

    try:
        steady = not options.no_steady
        draw = frames_by(stylizer, look)
        made = stylize_video(job.source, job.target, draw, workers, steady, options.max_size, options.compare, tick)
        result.made += 1
        progress.clear()
        for remark in about_film(job.source, job.target, made, steady):
            say(remark)
    except ModelError:
        raise
    except Exception as error:  # whatever is wrong with one film, the others are made
        result.failures.append(reason(job.source, job.target, error))
    finally:
        progress.clear()


def _stream(options: argparse.Namespace, order: Order) -> int:
    """One picture from standard input or a file to standard output or a file."""
    if len(options.inputs) != 1:
        raise ValueError("one picture only goes to standard output")
    source = options.inputs[0]
    for name, stream, used in (("input", sys.stdin, source), ("output", sys.stdout, options.out or STANDARD)):
        if used == STANDARD and stream is None:
            raise ValueError(f"standard {name} is closed")
    target = Path(options.out) if options.out and options.out != STANDARD else None
    if target and _is_there(target, source, options.force):
        say(f"{target}: already there (--force makes it again)")
        return 0
    data = sys.stdin.buffer.read() if source == STANDARD else Path(source)
    stylizer = stylizer_of(options, options.threads or cores_here())
    if source == STANDARD:
        data = io.BytesIO(data)
        data.name = "standard input"
    picture = order.draw(order.read(data), stylizer)
    if target:
        try:
            images.write(picture, target)
        except OSError as error:
            raise ValueError(reason("standard input", target, error)) from error
        return 0
    buffer = io.BytesIO()
    images.encode(picture, buffer, picture.kind_written)
    sys.stdout.buffer.write(buffer.getbuffer())
    sys.stdout.buffer.flush()
    return 0


def _is_there(target: Path, source: str, force: bool) -> bool:
    """Whether a result of standard input is there already. Raises `ValueError` where it may not be written."""
    if target.is_dir():
        raise ValueError(f"{target}: is a folder; name a file")
    if source == STANDARD and _is_standard_input(target):
        raise ValueError(f"{target}: the result would overwrite the photo itself")
    return target.exists() and not force


def _is_standard_input(path: Path) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(sys.stdin.fileno()))
    except (OSError, ValueError):  # not there, or no file behind it
        return False


def style_name(style: str, size: str | None = None) -> str:
    """What a result's name gets: the style (and its size but for lite), a model file's stem, or a registered model's
    name."""
    name = style.removeprefix("models:/").split("@")[0].split("/")[0] if style.startswith("models:/") else style
    return file_name(Path(name).stem, size)
