"""Means and strengths against cases whose answer is known."""

import numpy as np
import pytest
from scipy.stats import t as student

from anime_app.panel.export import panel_metrics, ratings_csv, summary_csv
from anime_app.panel.ranking import means, overall, rank, wins
from anime_app.panel.store import CRITERIA, Rating

LABELS = ("a", "b", "c", "d")


def rating(left: str, right: str, scores: tuple[int, int], rater: str = "Ada", position: int = 1) -> Rating:
    sides = [dict.fromkeys(CRITERIA, score) for score in scores]
    return Rating(rater, position, "photo", left, right, *sides, 1.0, "2026-01-01T00:00:00+00:00")


def expected_wins(strengths: np.ndarray, each: float) -> np.ndarray:
    table = each / (1 + np.exp(strengths[None, :] - strengths[:, None]))
    np.fill_diagonal(table, 0)
    return table


def test_known_strengths_are_found_again():
    truth = np.array([1.2, 0.3, -0.4, -1.1])
    found = rank(expected_wins(truth, 100), LABELS)
    assert [one.label for one in found.strengths] == list(LABELS)
    assert [one.strength for one in found.strengths] == pytest.approx(truth, abs=1e-5)
    assert found.note == ""


def test_intervals_hold_what_they_promise():
    """Of many panels drawn by chance from known strengths, about 95 % of the intervals hold the truth."""
    truth, rng, held = np.array([0.8, 0.2, -0.3, -0.7]), np.random.default_rng(0), []
    upper = np.triu(np.ones((4, 4), bool), 1)
    for _ in range(200):
        drawn = rng.binomial(40, expected_wins(truth, 1)) * upper
        found = rank(drawn + (40 * upper - drawn).T, LABELS)
        held += [one.low <= truth[LABELS.index(one.label)] <= one.high for one in found.strengths]
    assert 0.92 < np.mean(held) < 0.98


def test_the_error_of_two_versions_is_the_logit_s():
    """Two versions: the strength is half the logit of the share of wins, whose error is 1 / sqrt(n p (1 - p))."""
    found = rank(np.array([[0, 30], [10, 0]], float), ("a", "b")).strengths[0]
    assert found.strength == pytest.approx(np.log(3) / 2, abs=1e-6)
    assert found.error == pytest.approx(0.5 / np.sqrt(40 * 0.75 * 0.25), rel=1e-5)
    assert found.share == pytest.approx(1 / (1 + np.sqrt(1 / 3)))


def test_symmetric_data_gives_equal_strengths():
    found = rank(np.full((4, 4), 5.0) - 5 * np.eye(4), LABELS).strengths
    assert [one.strength for one in found] == pytest.approx([0] * 4, abs=1e-9)
    assert len({round(one.error, 9) for one in found}) == 1


def test_what_was_never_compared_is_one_line():
    table = np.zeros((4, 4))
    table[0, 1] = table[1, 0] = table[2, 3] = table[3, 2] = 3
    found = rank(table, LABELS)
    assert found.strengths == []
    assert found.note == "no ranking yet: nothing compares a and b with c and d; more pairs must be rated"
    assert "nothing compares a with b with c with d" in rank(np.zeros((4, 4)), LABELS).note


def test_a_version_that_always_wins_has_a_finite_strength_and_a_note():
    table = expected_wins(np.zeros(4), 10)
    table[0, 1:], table[1:, 0] = 10, 0
    found = rank(table, LABELS)
    assert found.strengths[0].label == "a"
    assert np.isfinite([one.strength for one in found.strengths]).all()
    assert "one tie was added to every pair" in found.note


def test_equal_scores_are_half_a_win():
    table = wins([rating("a", "b", (4, 4)), rating("b", "a", (5, 1))], ("a", "b"))
    assert table.tolist() == [[0, 0.5], [1.5, 0]]


def test_scores_that_are_equal_on_average_are_a_tie():
    uneven = Rating("Ada", 1, "p", "a", "b", dict(zip(CRITERIA, (5, 4, 3, 2), strict=True)),
                    dict(zip(CRITERIA, (2, 3, 4, 5), strict=True)), 1.0, "")  # fmt: skip
    assert wins([uneven], ("a", "b"))[0, 1] == 0.5
    assert overall({"naturalness": None, "colour": 2, "anime": 3, "speed": 4}) == 3


def test_the_interval_is_student_s_over_the_raters_means():
    ratings = [rating("a", "b", (score, 1), rater) for rater, scores in
               (("Ada", (5, 5, 5, 5)), ("Bob", (3,)), ("Eve", (4, 2))) for score in scores]  # fmt: skip
    found = means(ratings, ("a", "b"))["a"]["overall"]
    assert (found.mean, found.raters) == (pytest.approx(11 / 3), 3)
    half = student.ppf(0.975, 2) * np.std([5, 3, 3], ddof=1) / np.sqrt(3)
    assert found.low == pytest.approx(max(1, 11 / 3 - half))
    assert found.high == pytest.approx(min(5, 11 / 3 + half))


def test_one_rater_has_a_mean_and_no_interval():
    found = means([rating("a", "b", (4, 2))], LABELS)
    assert (found["a"]["speed"].mean, found["a"]["speed"].low) == (4, None)
    assert found["c"] == {}, "nobody rated it"


def test_csv_files_have_every_figure_and_no_formula():
    ratings = [rating("=a", "b", (4, 2)), rating("b", "=a", (3, 3), position=2)]
    lines = ratings_csv(ratings).splitlines()
    assert lines[0].startswith("rater,position,photo,left,right,left_naturalness")
    assert lines[1] == "Ada,1,photo,'=a,b,4,4,4,4,2,2,2,2,1.0,2026-01-01T00:00:00+00:00"
    found = means(ratings, ("=a", "b"))
    lines = summary_csv(found, rank(wins(ratings, ("=a", "b")), ("=a", "b"))).splitlines()
    assert lines[0].split(",")[-3:] == ["overall", "overall_low", "overall_high"]
    assert lines[1].startswith("'=a,1,")
    assert lines[1].endswith(",3.5,,")


def test_metrics_have_the_names_that_promotion_reads():
    ratings = [rating("a", "b", (4, 2)), rating("b", "a", (3, 3), "Bob")]
    found, ranking = means(ratings, ("a", "b")), rank(wins(ratings, ("a", "b")), ("a", "b"))
    metrics, tags = panel_metrics(found["a"], ranking, "a")
    assert set(metrics) == {f"panel_{key}" for key in (*CRITERIA, "overall", "strength")}
    assert tags == {"panel_overall": "3.5", "panel_raters": "2"}
    assert panel_metrics({}, ranking, "z") == ({}, {})
