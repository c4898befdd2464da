"""What a panel's ratings say: mean scores with intervals, and the Bradley-Terry strength of every version."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import sqrt
from statistics import fmean, stdev

import numpy as np

from anime_app.panel.store import CRITERIA, Rating, Scores
from anime_model.pictures.message import Message

LEVEL = 0.95
NORMAL = 1.959964  # the normal distribution's two-sided quantile at that level
OVERALL = "overall"


@dataclass(frozen=True)
class Mean:
    """A mean score from 1 to 5 and its 95 % interval; no interval (None) from fewer than two raters."""

    mean: float
    low: float | None
    high: float | None
    raters: int


@dataclass(frozen=True)
class Strength:
    """A Bradley-Terry strength (natural logarithm, 0 is the average version), its standard error and 95 % interval.

    `share` is the expected share of wins against an average version.
    """

    label: str
    strength: float
    error: float

    @property
    def low(self) -> float:
        return self.strength - NORMAL * self.error

    @property
    def high(self) -> float:
        return self.strength + NORMAL * self.error

    @property
    def share(self) -> float:
        return float(1 / (1 + np.exp(-self.strength)))


@dataclass(frozen=True)
class Ranking:
    """The strongest first; empty where there is none. `note` is one line: why there is none, or what was assumed."""

    strengths: list[Strength] = field(default_factory=list)
    note: str = ""


def overall(scores: Scores) -> float:
    """The mean of what was rated: of four scores, or of three where the photo shows no face."""
    return fmean(score for score in scores.values() if score is not None)


def means(ratings: Sequence[Rating], labels: Sequence[str]) -> dict[str, dict[str, Mean]]:
    """By label, then by criterion and `overall`; what nobody rated is left out.

    Raters are the independent units, not ratings: one rater's scores depend on each other. So the mean is that of the
    raters' own means, and the interval is Student's t over them, with one degree of freedom fewer than raters.
    """
    found: dict[str, dict[str, Mean]] = {label: {} for label in labels}
    for label in labels:
        for criterion in (*CRITERIA, OVERALL):
            by_rater: dict[str, list[float]] = {}
            for rater, score in _scores(ratings, label, criterion):
                by_rater.setdefault(rater, []).append(score)
            if by_rater:
                found[label][criterion] = _mean([fmean(values) for values in by_rater.values()])
    return found


def _scores(ratings: Sequence[Rating], label: str, criterion: str) -> Iterator[tuple[str, float]]:
    for rating in ratings:
        for side, scores in ((rating.left, rating.left_scores), (rating.right, rating.right_scores)):
            score = overall(scores) if criterion == OVERALL else scores[criterion]
            if side == label and score is not None:
                yield rating.rater, score


def _mean(values: Sequence[float]) -> Mean:
    middle = fmean(values)
    if len(values) < 2:
        return Mean(middle, None, None, len(values))
    from scipy.stats import t  # half a second: only who asks for results pays for it

    half = float(t.ppf((1 + LEVEL) / 2, len(values) - 1)) * stdev(values) / sqrt(len(values))
    return Mean(middle, max(1.0, middle - half), min(5.0, middle + half), len(values))


def wins(ratings: Sequence[Rating], labels: Sequence[str]) -> np.ndarray:
    """[N, N]: how often the row's version was rated above the column's, by `overall`; a tie is half a win each."""
    index = {label: number for number, label in enumerate(labels)}
    table = np.zeros((len(labels), len(labels)))
    for rating in ratings:
        left, right = index[rating.left], index[rating.right]
        difference = overall(rating.left_scores) - overall(rating.right_scores)
        share = 0.5 if abs(difference) < 1e-9 else float(difference > 0)
        table[left, right] += share
        table[right, left] += 1 - share
    return table


def rank(table: np.ndarray, labels: Sequence[str]) -> Ranking:
    """The Bradley-Terry model fitted to `wins` by maximum likelihood, with standard errors from its information matrix.

    The chance that i beats j is s_i / (s_i + s_j) (Bradley, Terry 1952). Strengths are logarithms that sum to zero.
    They exist where every split of the versions in two has wins in both directions (Ford 1957); where only that
    fails, each pair that met gets one tie more, and the note says so. Standard errors take comparisons as
    independent.
    """
    from scipy.sparse.csgraph import connected_components

    met = table + table.T
    parts, part = connected_components(met > 0, directed=False)
    if parts > 1:
        groups = [[label for label, of in zip(labels, part, strict=True) if of == one] for one in range(parts)]
        apart = " with ".join(" and ".join(group) for group in groups)
        text = "no ranking yet: nothing compares {apart}; more pairs must be rated"
        return Ranking(note=Message(text, apart=apart))
    note = ""
    if connected_components(table > 0, directed=True, connection="strong")[0] > 1:
        table = table + 0.5 * (met > 0)
        note = "one tie was added to every pair that met: a version has won, or lost, all there was to win or lose"
    return Ranking(_fit(table, labels), note)


def _fit(table: np.ndarray, labels: Sequence[str]) -> list[Strength]:
    from choix import ilsr_pairwise_dense

    fitted = ilsr_pairwise_dense(table, max_iter=10_000)
    fitted = fitted - fitted.mean()
    chance = 1 / (1 + np.exp(fitted[None, :] - fitted[:, None]))
    information = -(table + table.T) * chance * (1 - chance)
    np.fill_diagonal(information, 0)
    np.fill_diagonal(information, -information.sum(axis=1))
    errors = np.sqrt(np.diag(np.linalg.pinv(information)))  # of strengths that sum to zero
    found = [Strength(*row) for row in zip(labels, fitted.tolist(), errors.tolist(), strict=True)]
    return sorted(found, key=lambda one: -one.strength)
