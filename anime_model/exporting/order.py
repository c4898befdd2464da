"""What a converter is told, and what it says when it cannot."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from anime_model.runtime.session import first_line

FLOAT, FP16, INT8 = "float", "fp16", "int8"
Size = tuple[int, int]
# float32 [1, 3, H, W] in [-1, 1], H and W multiples of 4, to the same
Run = Callable[[np.ndarray], np.ndarray]


class FormatError(ValueError):
    """A format that cannot be made of a model here; the message is one line: what, and what to do."""


@dataclass(frozen=True)
class Order:
    """`size` is (height, width), None for a file that takes any multiples of 4. `pictures` are float32 [1, 3, H, W] in
    [-1, 1], from which INT8 learns the ranges of its activations."""

    precision: str = FLOAT
    size: Size | None = None
    pictures: Sequence[np.ndarray] = ()

    @property
    def example(self) -> Size:
        """A size to trace a network with: its own, or one that is not square."""
        return self.size or (64, 96)


def text_of(size: Size | None) -> str:
    """As people say it, width first: (480, 640) is 640x480."""
    return f"{size[1]}x{size[0]}" if size else "dynamic"


@contextlib.contextmanager
def hushed(what: str) -> Iterator[None]:
    """Keeps what converters print, also from C++, away from people. Any error becomes a `FormatError` of one line.

    The whole process's output is kept back meanwhile: converters are not for threads of a server.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [os.dup(number) for number in (1, 2)]
    with tempfile.TemporaryFile() as said:
        try:
            for number in (1, 2):
                os.dup2(said.fileno(), number)
            yield
        except (FormatError, MemoryError):
            raise
        except OSError as error:
            if not error.strerror:
                raise FormatError(f"{what}: the converter failed ({first_line(error)})") from error
            where = f" ({error.filename})" if error.filename else ""
            raise FormatError(f"{what}: {error.strerror.lower()}{where}") from error
        except Exception as error:  # every converter has classes of its own
            raise FormatError(f"{what}: the converter failed ({first_line(error)})") from error
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for number, old in zip((1, 2), kept, strict=True):
                os.dup2(old, number)
                os.close(old)
