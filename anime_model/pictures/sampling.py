"""Which of many pictures are taken."""

from collections.abc import Sequence

import numpy as np


def spread(total: int, count: int) -> Sequence[int]:
    """`count` indices spread evenly over `total`, all of them where there are fewer."""
    return np.linspace(0, total - 1, min(count, total)).round().astype(int).tolist()
