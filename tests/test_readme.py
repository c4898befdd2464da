"""Every figure of the README comes from a file that a command wrote."""

import json
import re
from pathlib import Path

import pytest

from benchmarks import perceptual
from benchmarks.readme import BLOCK, filled, table

README = Path("README.md").read_text()


def test_the_table_is_the_one_of_its_results_file():
    assert BLOCK.search(README)
    assert filled(README) == README


def test_pictures_and_links_are_there():
    for page in (Path("README.md"), *Path("docs").glob("*.md")):
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page} links to {target}"


def test_a_row_says_what_the_file_says():
    rows = json.loads(Path("results/demo.json").read_text())
    lines = table(rows).splitlines()
    assert len(lines) == len(rows) + 4
    assert lines[2].split("|")[2].strip() == f"{rows[0]['parameters']:,}"
    assert lines[2].split("|")[6].strip() == "1.0x"


@pytest.mark.parametrize("command", ["make demo", "make test", "python -m flows.compress"])
def test_commands_of_the_readme_exist(command):
    assert command in README
    if command.startswith("make "):
        assert re.search(rf"^{command.removeprefix('make ')}:", Path("Makefile").read_text(), re.MULTILINE)


def test_the_card_of_the_perceptual_network_says_what_was_measured():
    card = perceptual.CARD.read_text()
    assert perceptual.filled(card, json.loads(perceptual.RESULTS.read_text())) == card
    assert "@" not in card
