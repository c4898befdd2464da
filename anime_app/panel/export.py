"""A panel's results as CSV files, and as the metrics and tags that a version in MLflow's registry gets."""

import csv
import io
from collections.abc import Iterable, Sequence

from anime_app.panel.ranking import OVERALL, Mean, Ranking
from anime_app.panel.store import CRITERIA, SIDES, Rating

SUMMARY = ("version", "raters", "strength", "strength_error", "strength_low", "strength_high")


def ratings_csv(ratings: Sequence[Rating]) -> str:
    """One line for each finished pair, as it was shown: who, where, what, and the eight scores."""
    head = ["rater", "position", "photo", *SIDES]
    head += [f"{side}_{criterion}" for side in SIDES for criterion in CRITERIA] + ["seconds", "rated"]
    return _csv([head, *(_row(rating) for rating in ratings)])


def _row(rating: Rating) -> list[object]:
    scores = [side[criterion] for side in (rating.left_scores, rating.right_scores) for criterion in CRITERIA]
    shown = [rating.rater, rating.position, rating.photo, rating.left, rating.right]
    return [*shown, *scores, round(rating.seconds, 1), rating.rated]


def summary_csv(means: dict[str, dict[str, Mean]], ranking: Ranking) -> str:
    """One line for each version: strength, then every criterion's mean with its interval."""
    columns = [f"{key}{part}" for key in (*CRITERIA, OVERALL) for part in ("", "_low", "_high")]
    strengths = {one.label: one for one in ranking.strengths}
    rows: list[list[object]] = [[*SUMMARY, *columns]]
    for label, found in means.items():
        one = strengths.get(label)
        strength = [one.strength, one.error, one.low, one.high] if one else [None] * 4
        parts = [(mean.mean, mean.low, mean.high) if (mean := found.get(key)) else (None,) * 3 for key in columns[::3]]
        raters = found[OVERALL].raters if OVERALL in found else 0
        rows.append([label, raters, *map(_rounded, strength), *(_rounded(value) for part in parts for value in part)])
    return _csv(rows)


def panel_metrics(found: dict[str, Mean], ranking: Ranking, label: str) -> tuple[dict[str, float], dict[str, str]]:
    """Metrics of a version's run and tags of the version; both empty where nobody rated it.

    The tag `panel_overall` is what promotion's gate on a minimum score reads.
    """
    if OVERALL not in found:
        return {}, {}
    metrics = {f"panel_{criterion}": mean.mean for criterion, mean in found.items()}
    for one in ranking.strengths:
        if one.label == label:
            metrics["panel_strength"] = one.strength
    return metrics, {"panel_overall": f"{found[OVERALL].mean:.4g}", "panel_raters": str(found[OVERALL].raters)}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _csv(rows: Iterable[Sequence[object]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([[_harmless(cell) for cell in row] for row in rows])
    return text.getvalue()


def _harmless(cell: object) -> object:
    """A name that a spreadsheet would take for a formula gets an apostrophe."""
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in "=+-@\t\r" and cell else cell
