"""Standard input, output and error where a program was started without one (`2>&-`, a service, pythonw)."""

import os
import sys


def open_streams() -> None:
    """Gives what is said for people a place to go, and takes the places of closed streams.

    Else the next file that is opened would be number 2, and every library's warning would be written into a picture.
    Standard input and output stay closed for those who need them: `standard input is closed` is then true.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 (for as long as the program runs)
