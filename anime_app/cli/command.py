"""The command `anime`: stylize, styles, info, bench, compress, export, studio, serve. An error is one line.

Exit status: 0 all went well, 1 something was not made, 2 the command was wrong, 130 stopped by Ctrl-C.
"""

import argparse
import os
import signal
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

from anime_app.cli.compress import add_options as add_compress
from anime_app.cli.export import add_options as add_export
from anime_app.cli.numbers import port, positive, stroke, threads
from anime_app.cli.serve import add_options as add_serve
from anime_app.cli.streams import open_streams
from anime_app.cli.stylize import stylize
from anime_app.cli.tables import bench, info, list_styles
from anime_app.terminal import say
from anime_model.pictures.cores import cores_here
from anime_model.pictures.images import MAX_PIXELS
from anime_model.runtime.enlarging import STROKE
from anime_model.runtime.models import SIZE, SIZES, default_style
from anime_model.runtime.palettes import PALETTES


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; the exit status."""
    open_streams()
    if not sys.warnoptions:
        warnings.simplefilter("ignore")  # Pillow's remarks on damage that it could read past
    try:
        options = parser().parse_args(arguments)
        return options.run(options)
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except BrokenPipeError:  # whoever read the output has gone; Python would complain once more when it closes it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        say(f"anime: {f'{error.filename}: ' if error.filename else ''}{(error.strerror or str(error))}")
    except (ValueError, MemoryError) as error:  # PictureError, ModelError and VideoError are among them
        say(f"anime: {error or 'not enough memory'}")
    return 1


def parser() -> argparse.ArgumentParser:
    root = argparse.ArgumentParser(prog="anime", description="Photos and videos to anime, on any CPU.")
    commands = root.add_subparsers(required=True, metavar="COMMAND")
    _add_stylize(commands.add_parser("stylize", help="turn pictures, folders and videos into anime"))
    _command(commands, "styles", "the styles that ship, and the palettes", lambda options: list_styles())
    about = "what a model is: layers, parameters, bytes, figures"
    shown = _command(commands, "info", about, lambda options: info(options.model, options.size))
    shown.add_argument("model", help="a style, an ONNX file, or models:/NAME@ALIAS")
    _add_size(shown.add_argument)
    about = "a quick latency table for this machine"
    timed = _command(commands, "bench", about, _bench)
    timed.add_argument("model", nargs="?", help=f"as for info (default: {default_style()})")
    timed.add_argument("--threads", type=threads, default=cores_here(), help="default: all cores (%(default)s)")
    _add_size(timed.add_argument)
    add_compress(commands.add_parser("compress", help="a published network (ONNX) made small, from a folder of photos"))
    add_export(
        commands.add_parser("export", help="a style as a file for phones, browsers and other engines"), default_style()
    )
    _add_studio(commands)
    add_serve(commands.add_parser("serve", help="a service that turns photos into anime over HTTP"))
    return root


def _add_stylize(command: argparse.ArgumentParser) -> None:
    command.set_defaults(run=_stylize)
    add = command.add_argument
    add("inputs", nargs="+", metavar="INPUT", help="files, folders, patterns in quotes, or - for standard input")
    add("-o", "--out", help="the result's file or folder, or - for standard output (default: beside the input)")
    add("--style", help=f"a style, an ONNX file, or models:/NAME@ALIAS (default: {default_style()})")
    _add_size(add)
    add("--palette", choices=PALETTES, help="grade the colours afterwards")
    add("--strength", type=float, default=1.0, help="from 0, the photo, to 1, the drawing (default)")
    add("--keep-colour", action="store_true", help="the photo's colours with the drawing's light and lines")
    about = "short side in pixels at which larger pictures are drawn, then enlarged; 0 or full: no such"
    add("--stroke", type=stroke, metavar="PIXELS", help=f"{about} (default: the style's own, or {STROKE})")
    add("--threads", type=threads, help="cores for one picture (default: chosen from the number of pictures)")
    add("--workers", type=threads, help="pictures in the network at once (default: likewise)")
    add("--max-size", type=positive, help="shrink so that the longer side has at most this many pixels")
    add("--max-pixels", type=positive, default=MAX_PIXELS, help="refuse pictures with more (default: %(default)s)")
    add("--compare", action="store_true", help="write before | after")
    add("--no-steady", action="store_true", help="videos: do not hold still what does not move")
    add("--force", action="store_true", help="make results again that are already there")
    about = "ray: folders or storages (s3://...), on this computer or a cluster, with a manifest in TARGET"
    add("--engine", choices=("plain", "ray"), default="plain", help=about)
    add("--address", metavar="HOST:PORT", help="with --engine ray: the cluster that `ray start --head` made")


def _add_size(add: Callable[..., argparse.Action]) -> None:
    about = f"of a style that ships, as `anime styles` lists them: from the fastest to the finest (default: {SIZE})"
    add("--size", choices=SIZES, help=about)


def _bench(options: argparse.Namespace) -> int:
    return bench(options.model or default_style(options.size), options.threads, options.size)


def _stylize(options: argparse.Namespace) -> int:
    options.style = options.style or default_style(options.size)
    if options.engine == "plain":
        if options.address:
            raise ValueError("--address is for --engine ray")
        return stylize(options)
    try:
        from anime_app.cli.bulk import bulk
    except ModuleNotFoundError as error:
        if error.name not in ("pyarrow", "fsspec"):
            raise
        raise ValueError(f"--engine ray needs {error.name}: pip install 'animegan-lite[ray]'") from error
    return bulk(options)


def _add_studio(commands) -> None:
    command = _command(commands, "studio", "a page to make, compare and judge pictures, on this computer", _studio)
    add = command.add_argument
    add("--host", default="127.0.0.1", help="the address to listen on (default: this computer only)")
    add("--port", type=port, default=7860, help="0 takes a free one (default: %(default)s)")
    add("--open", action="store_true", help="open the page in the browser")
    add("--threads", type=threads, default=1, help="cores of one picture (default: %(default)s)")
    add("--concurrency", type=threads, default=cores_here(), help="pictures drawn at once (default: all cores)")
    add("--queue", type=positive, default=32, help="requests that may wait; more are told to come back (%(default)s)")
    add("--max-pixels", type=positive, default=50_000_000, help="refuse pictures with more (default: %(default)s)")
    add("--max-upload", type=positive, default=40, metavar="MB", help="refuse files with more (default: %(default)s)")
    add("--project", type=Path, help="root of a pipeline project to compare (default: none)")
    add("--tracking-uri", help="MLflow's, for the versions of its registry (default: none)")
    token = os.environ.get("ANIME_STUDIO_TOKEN")  # a command line can be read by everyone on the machine
    add("--token", default=token, help="unlocks promote and roll back (default: $ANIME_STUDIO_TOKEN, else off)")
    add("--database", type=Path, default=Path("panel.db"), help="the panel's ratings (default: %(default)s)")


def _studio(options: argparse.Namespace) -> int:
    try:
        from anime_app.studio.launch import studio

        return studio(options)
    except ModuleNotFoundError as error:
        if error.name not in ("gradio", "uvicorn", "httptools", "fastapi"):
            raise
        raise ValueError("the studio needs Gradio: pip install 'animegan-lite[studio]'") from error


def _command(commands, name: str, about: str, run) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=about, description=about)
    command.set_defaults(run=run)
    return command


if __name__ == "__main__":
    sys.exit(main())
