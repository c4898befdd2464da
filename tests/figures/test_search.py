"""A search's members as a page shows them: each is there, the front and the chosen ones by their definition."""

import re
from pathlib import Path

import numpy as np
import pytest

from anime_model.figures.search import (
    ENGLISH,
    MOST,
    SPEEDUPS,
    Member,
    chosen,
    figures,
    front,
    network,
    read_members,
    search_html,
)
from anime_model.runtime.models import SIZES

TABLE = Path("results/search_hayao.csv")


def members(count: int, seed: int = 0) -> list[Member]:
    draw = np.random.default_rng(seed)
    ms, lpips = draw.uniform(5, 100, count), draw.uniform(0.05, 0.3, count)
    choice = {"a0": "32", "c1.hidden": "64", "e0.kernel": "5", "depth": "3"}
    return [Member(n, float(lpips[n]), float(ms[n]), float(1100 / ms[n]), 400_000 + n, choice) for n in range(count)]


def test_the_front_is_what_nothing_else_beats_in_both():
    found = members(80)
    beaten = {a.trial for a in found for b in found if b.ms < a.ms and b.lpips <= a.lpips}
    assert {member.trial for member in front(found)} == {member.trial for member in found} - beaten


def test_the_chosen_are_the_nearest_that_are_fast_enough():
    found, named = members(80), chosen(members(80))
    assert named
    for name, member in named.items():
        fast = [other for other in found if other.times_faster >= SPEEDUPS[name]]
        assert member in fast
        assert member.lpips == min(other.lpips for other in fast)
    assert set(SPEEDUPS) - set(named) == {
        name for name, least in SPEEDUPS.items() if all(member.times_faster < least for member in found)
    }


def test_a_network_is_told_by_kinds():
    (member,) = members(1)
    assert network(member) == {
        "search_channels": "a0 32", "search_hidden": "c1 64", "search_kernels": "e0 5", "search_depth": "3",
    }  # fmt: skip


def test_every_member_is_a_row_and_the_front_is_for_the_keyboard_too():
    found = members(200)
    page = search_html("cel", found)
    rows = re.findall(r"<tr><td>(\d+)</td>", page)
    assert sorted(map(int, rows)) == list(range(200))
    points = re.findall(r'<g class="member[^>]*tabindex="0" role="img" aria-label="([^"]*)"', page)
    shown = {member.trial for member in front(found)} | {member.trial for member in chosen(found).values()}
    assert len(points) == len(shown)
    assert all("channels a0 32; inside blocks c1 64; kernels e0 5; blocks 3" in text for text in points)
    assert page.count('class="other"') == 200 - len(shown)
    assert page.count('class="member chosen"') == len({member.trial for member in chosen(found).values()})
    for name, member in chosen(found).items():
        assert re.search(rf"(nano, |lite, )*{name}(, lite|, plus)* · {re.escape(figures(member))}", page)
    assert "python -m flows.search cel --pick nano" in page


def test_of_very_many_some_are_drawn_and_all_are_rows():
    page = search_html("cel", members(3 * MOST))
    assert page.count('class="other"') <= MOST
    assert page.count("<tr><td>") == 3 * MOST


@pytest.mark.parametrize("count", [1, 2])
def test_few_members_are_a_chart_too(count):
    page = search_html("cel", members(count))
    assert "nan" not in page
    assert page.count("<tr><td>") == count
    assert "nan" not in search_html("cel", [members(1)[0]] * 2), "the same figures twice"


def test_what_comes_from_files_is_escaped():
    evil = "<script>alert()</script>"
    member = Member(1, 0.1, 10.0, 100.0, 1000, {"a0": evil, evil: "3", "depth": evil})
    other = Member(2, 0.2, 20.0, 50.0, 1000, {"a0": evil})
    assert "<script" not in search_html(evil, [member, other])


def test_words_are_the_page_s():
    page = search_html("cel", members(30), lambda key, tag: f"<{tag}>{key}!</{tag}>")
    assert {key for key in ENGLISH if f"{key}!" in page} == set(ENGLISH)
    assert not re.search(r"<svg(?:(?!</svg>).)*<span", page), "HTML inside of SVG"


def test_a_search_s_own_table_is_read():
    if not TABLE.is_file():
        pytest.skip("no search is committed")
    found = read_members(TABLE)
    assert [member.ms for member in found] == sorted(member.ms for member in found)
    assert front(found) == found, "it is that of a front"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("trial,lpips\n1,0.1\n", "no column 'ms'"),
        ("trial,lpips,ms,times_faster,bytes\n1,x,3,4,5\n", "could not convert"),
        ("trial,lpips,ms,times_faster,bytes\n1,0.1,nan,4,5\n", "has no figures"),
        ("trial,lpips,ms,times_faster,bytes\n1,0.1\n", "float"),
        (b"\xff\xfe\x00", "codec"),
    ],
)
def test_a_table_that_is_none_is_one_line(tmp_path, text, why):
    path = tmp_path / "trials.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ValueError, match=why) as caught:
        read_members(path)
    assert str(caught.value).startswith(f"{path}: no table of a search (")
    assert "\n" not in str(caught.value)
    path.write_text("")
    assert read_members(path) == []


def test_the_sizes_of_a_search_are_those_that_a_style_ships_in():
    assert tuple(SPEEDUPS) == SIZES
