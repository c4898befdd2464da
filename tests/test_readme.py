"""Every figure of the README comes from a file that a command wrote."""

import json
import re
from pathlib import Path

import pytest

from anime_model.recipe import load_recipe
from benchmarks import latency, perceptual
from benchmarks.readme import ACCOUNT, BLOCK, EXPLORE, RECIPE, account, filled, table

README = Path("README.md").read_text()
RESULTS = Path("results/release.json")
RELEASE = json.loads(RESULTS.read_text())


def test_the_table_is_the_one_of_its_results_file():
    assert BLOCK.search(README)
    assert filled(README) == README


def test_pictures_and_links_are_there():
    for page in (Path("README.md"), *Path("docs").glob("*.md")):
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page} links to {target}"


def test_a_row_says_what_the_file_says():
    lines = table(RELEASE).splitlines()
    assert len(lines) == len(RELEASE) + 4
    cells = [cell.strip() for cell in lines[2].split("|")]
    assert cells[1:4] == [RELEASE[0]["style"], "teacher", f"{RELEASE[0]['parameters']:,}"]
    assert cells[7] == "1.0x"


def test_the_pages_are_those_of_their_results_files():
    assert ACCOUNT.read_text() == account(RELEASE, RESULTS)
    assert latency.PAGE.exists() == latency.RESULTS.exists()
    if latency.RESULTS.exists():
        assert latency.PAGE.read_text() == latency.page(json.loads(latency.RESULTS.read_text()))


def test_a_target_says_whether_it_was_met():
    rows = {(row["variant"], row["style"]): row for row in RELEASE}
    lite = rows["int8", "shinkai"]
    for size, verdict in ((400_000, "met"), (600_000, "missed")):
        text = account([row | {"bytes": size} if row is lite else row for row in RELEASE], RESULTS)
        shinkai = text.partition("### shinkai")[2].partition("###")[0]
        assert re.search(rf"lite file \(MB\) .* {verdict} \|", shinkai)


def test_trials_with_another_teacher_are_called_so(tmp_path, monkeypatch):
    monkeypatch.setattr("benchmarks.readme.EXPLORE", tmp_path / "explore.json")
    found, same = json.loads(EXPLORE.read_text()), load_recipe(RECIPE).teacher.import_md5["shinkai"]
    cases = {same: None, "0" * 32: f"(md5 {'0' * 32})", "": "(trained, not imported)"}
    for md5, said in cases.items():
        (tmp_path / "explore.json").write_text(json.dumps(found | {"style": "shinkai", "teacher_md5": md5}))
        page = account(RELEASE, RESULTS)
        assert ("is another than that above" in page) == bool(said)
        assert not said or said in page


@pytest.mark.parametrize("command", ["make demo", "make test", "python -m flows.compress"])
def test_commands_of_the_readme_exist(command):
    assert command in README
    if command.startswith("make "):
        assert re.search(rf"^{command.removeprefix('make ')}:", Path("Makefile").read_text(), re.MULTILINE)


def test_the_card_of_the_perceptual_network_says_what_was_measured():
    card = perceptual.CARD.read_text()
    assert perceptual.filled(card, json.loads(perceptual.RESULTS.read_text())) == card
    assert "@" not in card
