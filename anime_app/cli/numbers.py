"""Numbers on the command line: within their bounds, or argparse's one line that names the option."""

import argparse

from anime_model.runtime.enlarging import SMALLEST_STROKE

MOST_THREADS = 1024
MOST = 10**12
PORTS = 65_535


def positive(text: str) -> int:
    """A whole number from 1 up, `_` between its digits as one likes. Raises `ArgumentTypeError`."""
    return _whole(text, 1, MOST)


def threads(text: str) -> int:
    """A number of threads. Raises `ArgumentTypeError`."""
    return _whole(text, 1, MOST_THREADS)


def port(text: str) -> int:
    """A port of this computer, 0 for any that is free. Raises `ArgumentTypeError`."""
    return _whole(text, 0, PORTS)


def stroke(text: str) -> int:
    """A working size in pixels, 0 for full. Raises `ArgumentTypeError`."""
    if text in ("full", "0"):
        return 0
    try:
        return _whole(text, SMALLEST_STROKE, MOST)
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(f"{error}; 0 or full draws at full size") from error


def _whole(text: str, least: int, most: int) -> int:
    try:
        value = int(text.replace("_", ""))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number") from None
    if value < least:
        raise argparse.ArgumentTypeError(f"{value} is less than {least}")
    if value > most:
        raise argparse.ArgumentTypeError(f"{value} is more than {most}")
    return value
