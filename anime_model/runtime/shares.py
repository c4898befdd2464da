"""What each of several pictures that are drawn at once in one process may take of the machine's memory."""

from anime_model.pictures.memory import memory_here
from anime_model.runtime.network import BASE, MEMORY, RUN, SMALLEST

FREE = 0.8  # of the memory that is left, the most that pictures take


def memory_of(workers: int) -> int:
    """For each of so many that draw at once, as `Network` counts it, in bytes.

    `MEMORY`, or less where that would be more than what is left here: large pictures are then cut into smaller tiles.
    """
    left = memory_here()
    if left is None:
        return MEMORY
    return min(MEMORY, BASE + max(SMALLEST * RUN, (int(FREE * left) - BASE) // workers))
