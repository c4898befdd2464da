"""What people read in a terminal."""

import sys


def one_line(text: str) -> str:
    """A text with everything that a terminal would take as a command written out: names of files hold anything."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def say(text: str) -> None:
    """One line for people, on standard error: standard output is for pictures and tables."""
    print(one_line(text), file=sys.stderr)
