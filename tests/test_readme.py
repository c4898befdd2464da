"""Every figure of the README comes from a file that a command wrote."""

import json
import re
from pathlib import Path

import pytest

from anime_model.recipes.recipe import load_recipe
from benchmarks import latency
from benchmarks import perceptual_card as perceptual
from benchmarks.readme import ACCOUNT, BLOCK, EXPLORE, RECIPE, account, filled, main, table

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


def test_trials_that_were_pruned_by_another_rule_are_called_so(tmp_path, monkeypatch):
    monkeypatch.setattr("benchmarks.readme.EXPLORE", tmp_path / "explore.json")
    found, now = json.loads(EXPLORE.read_text()), load_recipe(RECIPE).prune.importance
    for rule in ("l1", "taylor"):
        (tmp_path / "explore.json").write_text(json.dumps(found | {"importance": rule}))
        assert (f"pruned with `importance: {rule}`" in account(RELEASE, RESULTS)) == (rule != now)


def test_styles_that_are_not_named_keep_their_rows(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("benchmarks.readme.RECIPE", Path(__file__).parent.parent / RECIPE)
    for name in ("docs", "results"):
        Path(name).mkdir()
    Path("README.md").write_text(README)
    RESULTS.write_text(json.dumps(RELEASE))
    shinkai = [row | {"cpu": "Another Processor"} for row in RELEASE if row["style"] == "shinkai"]
    for row in shinkai:
        file = Path("artifacts/shinkai/evaluation", f"{row['variant']}.json")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(row))
    monkeypatch.setattr("sys.argv", ["readme", str(RESULTS), "shinkai"])
    main()
    others = [row for row in RELEASE if row["style"] != "shinkai"]
    assert json.loads(RESULTS.read_text()) == shinkai + others
    page = ACCOUNT.read_text()
    assert re.search(r"`shinkai`: [^;]*Another Processor[^;]*; `hayao`: [^;]*" + re.escape(others[0]["cpu"]), page)


def test_a_loss_by_pruning_is_missed_and_a_gain_is_said_to_be_one():
    for factor, verdict in ((0.9, "missed"), (0.98, "met"), (1.1, "better")):
        base = next(row["psnr"] for row in RELEASE if (row["style"], row["variant"]) == ("shinkai", "separable"))
        rows = [
            row | {"psnr": base * factor} if (row["style"], row["variant"]) == ("shinkai", "pruned") else row
            for row in RELEASE
        ]
        shinkai = account(rows, RESULTS).partition("### shinkai")[2].partition("###")[0]
        assert re.search(rf"PSNR moved by pruning.* {re.escape(f'{100 * (factor - 1):+.1f}')} \| {verdict} \|", shinkai)


@pytest.mark.parametrize("command", ["make demo", "make test", "python -m flows.compress"])
def test_commands_of_the_readme_exist(command):
    assert command in README
    if command.startswith("make "):
        assert re.search(rf"^{command.removeprefix('make ')}:", Path("Makefile").read_text(), re.MULTILINE)


def test_the_card_of_the_perceptual_network_says_what_was_measured():
    card = perceptual.CARD.read_text()
    assert perceptual.filled(card, json.loads(perceptual.RESULTS.read_text())) == card
    assert "@" not in card
