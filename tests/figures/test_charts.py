"""What charts are drawn with."""

from xml.etree import ElementTree

import pytest

from anime_model.figures.charts import Frame, front, log_ticks, overlap, round_step, ticks

FRAME = Frame(200, 100, 20, 10, 5, 15)


def test_the_front_is_what_no_other_beats():
    points = [(3.0, 1.0), (1.0, 3.0), (2.0, 3.5), (2.0, 2.0), (4.0, 1.0)]
    assert front(points, lambda point: point) == [(1.0, 3.0), (2.0, 2.0), (3.0, 1.0)]
    assert front([], lambda point: point) == []


def test_ticks_are_round_and_few():
    assert ticks(0, 1) == [0, 0.2, 0.4, 0.6, 0.8, 1]
    assert ticks(1.9, 2.1, 3) == [1.9, 2, 2.1]
    assert ticks(3, 3) == [3]
    assert [round_step(step) for step in (0.011, 0.2, 3, 70)] == pytest.approx([0.02, 0.2, 5, 100])


def test_ticks_of_milliseconds_are_decades_where_there_are_many():
    assert log_ticks(3, 60, 9) == [5, 10, 20, 50]
    assert log_ticks(0.5, 3000, 9) == [1, 10, 100, 1000]


def test_scales_begin_and_end_at_the_edges_of_the_frame():
    across, up = FRAME.log_x(1, 100), FRAME.linear_y(-1, 1)
    assert [across(value) for value in (1, 10, 100)] == pytest.approx([20, 105, 190])
    assert [up(value) for value in (-1, 0, 1)] == pytest.approx([85, 45, 5])
    assert FRAME.linear_y(2, 2)(2) == 85, "one value alone"


def test_grids_and_titles_are_svg_inside_the_frame():
    inside = FRAME.upright([(30, "1")], 10) + FRAME.level([(40, "2")], 4) + FRAME.titles("x", "y", 3)
    drawn = ElementTree.fromstring(f"<svg>{inside}</svg>")
    assert [(line.get("x1"), line.get("x2")) for line in drawn.iter("line")] == [("30.0", "30.0"), ("20", "190")]
    assert [text.text for text in drawn.iter("text")] == ["1", "2", "x", "y"]


@pytest.mark.parametrize(("other", "hit"), [((9, 0, 12, 5), True), ((10, 0, 12, 5), False), ((0, 5, 10, 9), False)])
def test_boxes_that_only_touch_do_not_overlap(other, hit):
    assert overlap((0, 0, 10, 5), other) is hit
    assert overlap(other, (0, 0, 10, 5)) is hit
