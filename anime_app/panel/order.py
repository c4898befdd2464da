"""In which order, and on which side, a rater sees the pairs of a panel."""

import random
from collections.abc import Sequence
from itertools import combinations


def plan_pairs(
    candidates: Sequence[int], photos: Sequence[int], count: int, rng: random.Random
) -> list[tuple[int, int, int]]:
    """At most `count` triples (photo, left, right), all different, in random order.

    They come in rounds: each round shows every pair of candidates once, shuffled, each on a photo that the pair has
    not been shown on. So however early a session ends, the pairs were shown equally often (within one). Which of the
    two stands left is a coin for the first round, and then takes turns, so that a habit of favouring one side cancels.
    """
    rounds: list[list[tuple[int, int, int]]] = [[] for _ in photos]
    for pair in combinations(candidates, 2):
        first = rng.randrange(2)
        for index, photo in enumerate(rng.sample(photos, len(photos))):
            left, right = pair if (first + index) % 2 else pair[::-1]
            rounds[index].append((photo, left, right))
    for shown in rounds:
        rng.shuffle(shown)
    return [triple for shown in rounds for triple in shown][:count]
