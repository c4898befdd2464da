"""Numbers that options take: argparse says what is wrong with any other. Each raises `ArgumentTypeError`."""

import argparse
from collections.abc import Callable
from math import inf

MOST_HOURS = 10_000  # more than a year


def hours(text: str) -> float:
    """A number of hours that a step can take."""
    return _number(text, lambda found: 0 < found <= MOST_HOURS, f"number of hours above 0 and up to {MOST_HOURS}")


def minutes(text: str) -> float:
    """Likewise of minutes."""
    most = 60 * MOST_HOURS
    return _number(text, lambda found: 0 < found <= most, f"number of minutes above 0 and up to {most}")


def share(text: str, least: float = 0) -> float:
    """A number from `least` to 1."""
    return _number(text, lambda found: least <= found <= 1, f"share from {least:g} to 1")


def above_zero(text: str) -> float:
    """Any number that is one."""
    return _number(text, lambda found: 0 < found < inf, "number above 0")


def whole(text: str, most: int) -> int:
    """A whole number from 1 to `most`."""
    if text.isdecimal() and 0 < int(text) <= most:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 to {most:,}")


def _number(text: str, allowed: Callable[[float], bool], what: str) -> float:
    try:
        if allowed(found := float(text)):
            return found
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"{text!r} is no {what}")
