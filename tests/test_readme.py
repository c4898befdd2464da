"""Every figure of the README comes from a file that a command wrote."""

import json
import re
from pathlib import Path

import pytest

from anime_model.recipes.recipe import load_recipe
from anime_model.report.baselines import BASELINES
from anime_model.runtime.models import SIZES
from benchmarks import latency
from benchmarks import perceptual_card as perceptual
from benchmarks.readme import ACCOUNT, BLOCK, EXPLORE, RECIPE, account, filled, main, table

README = Path("README.md").read_text()
RESULTS = Path("results/release.json")
RELEASE = json.loads(RESULTS.read_text())
_EVERY = {
    "style": "ink", "fid_photos": 2.0, "fid_photos_scenes": 2.0, "fid_features": "inception-768", "fid_fake": 178,
    "fid_real": 400, "fid_bias": 0.4, "fid_resamples": 200, "lpips_net": "squeeze", "kid_deviation": 0.00025,
}  # fmt: skip


def _row(variant: str, fid: float, kid: float, **others: float) -> dict:
    over_sets = {f"{key}_{name}": value for name in ("faces", "scenes") for key, value in (("fid", fid), ("kid", kid))}
    return _EVERY | {"variant": variant, "fid": fid, "kid": kid, **over_sets, **others}


def _network(variant: str, fid: float, kid: float, milliseconds: float, size: int, **others: float) -> dict:
    protocol = {
        "latency_size": 512, "latency_repeats": 12, "latency_engine": "ONNX Runtime", "latency_threads": 2,
        "cpu": "a processor", "instruction_set": "avx2",
    }  # fmt: skip
    likeness = {"psnr": 30.0, "ssim": 0.9, "ssim_faces": 0.9, "ssim_scenes": 0.9, "peak_memory_mb": 100.0}
    costs = {"bytes": size, "latency_p50_ms": milliseconds, "latency_reference_ratio": 400 / milliseconds}
    return _row(variant, fid, kid, parameters=1000, macs_512=10**9, **costs, **likeness, **others) | protocol


# An evaluation with everything that there can be, in the order of a results file.
MEASURED = [
    _network("teacher", 1.22, 0.00102, 700, 8_000_000, lpips=0.0, lpips_photo=0.15, lpips_reference=0.06),
    _network("separable", 1.4, 0.0012, 140, 4_000_000, lpips=0.1, lpips_photo=0.15, lpips_reference=0.1),
    _network("pruned", 1.4, 0.0012, 25, 400_000, lpips=0.1, lpips_photo=0.15, lpips_reference=0.1),
    _network("distilled", 1.24, 0.00105, 25, 400_000, lpips=0.04, lpips_photo=0.15, lpips_reference=0.08),
    _network("int8", 1.25, 0.00106, 25, 160_000, lpips=0.04, lpips_photo=0.145, lpips_reference=0.08),
    _row("photo", 2.0, 0.003, lpips=0.2, lpips_photo=0.0, lpips_reference=0.2),
    _row("filter", 1.6, 0.002, lpips=0.18, lpips_photo=0.1, lpips_reference=0.18),
    _network("reference", 1.2, 0.001, 400, 4_000_000, lpips=0.05, lpips_photo=0.15, lpips_reference=0.0),
]


def test_the_table_is_the_one_of_its_results_file():
    assert BLOCK.search(README)
    assert filled(README) == README


def test_pictures_and_links_are_there():
    for page in (Path("README.md"), *Path("docs").glob("*.md")):
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page} links to {target}"


def test_a_row_says_what_the_file_says():
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table(MEASURED).splitlines()[:-2]]
    assert rows[0][0] == "style"
    assert {len(row) for row in rows} == {10}
    assert max(len("".join(row)) for row in rows[2:]) < 90, "a page shows it without scrolling"
    ink = {row[1]: row[2:] for row in rows if row[0] == "ink"}
    assert list(ink) == ["the photo, untouched", "a filter, no network", "the published network", "teacher", "**lite**"]
    assert ink["the photo, untouched"] == ["-", "-", "-", "2.00 (1.00)", "3.00 ± 0.25", "0.200", "0.200", "-"]
    assert ink["the published network"] == [
        "4.00 MB",
        "400 ms",
        "1.8x",
        "1.20 (0.60)",
        "1.00 ± 0.25",
        "-",
        "0.050",
        "0.150",
    ]
    assert ink["teacher"][-3:] == ["0.060", "-", "0.150"]
    assert ink["teacher"][:4] == ["8.00 MB", "700 ms", "1.0x", "1.22 (0.61)"]
    assert ink["**lite**"] == ["0.16 MB", "25 ms", "28.0x", "1.25 (0.62)", "1.06 ± 0.25", "0.080", "0.040", "0.145"]


SMALL = _network("nano", 1.4, 0.0012, 7, 60_000, lpips=0.07, lpips_reference=0.1, lpips_photo=0.1) | {"faster": 101.5}
LARGE = SMALL | {"variant": "plus", "bytes": 300_000, "faster": 12.25, "lpips": 0.02}


def test_the_sizes_of_a_style_have_a_table_of_their_own():
    other = [row | {"style": "fog"} for row in MEASURED]
    made = table([*MEASURED, SMALL, LARGE, *other])
    assert made.startswith(table([*MEASURED, *other]).rstrip("\n"))
    found = [
        line
        for line in made.splitlines()
        if re.match(r"\| \w+ \| \*\*(nano|lite|plus)\*\* \| [\d.]+ MB \| [\d.]+x", line)
    ]
    assert found == [
        "| ink | **nano** | 0.06 MB | 101.5x | 0.070 | 0.100 | 1.20 ± 0.25 |",
        "| ink | **lite** | 0.16 MB | 28.0x | 0.040 | 0.080 | 1.06 ± 0.25 |",
        "| ink | **plus** | 0.30 MB | 12.2x | 0.020 | 0.100 | 1.20 ± 0.25 |",
    ]
    page, plain = account([*MEASURED, SMALL, LARGE], RESULTS), account(MEASURED, RESULTS)
    assert found[0] in page
    aimed = [line for line in page.splitlines() if line.startswith(("| nano: ", "| plus: "))]
    assert aimed == [
        "| nano: times faster than the teacher | at least 100 | 101.5 | met |",
        "| plus: times faster than the teacher | at least 12 | 12.2 | met |",
        "| plus: LPIPS (squeeze) to the teacher | at most 0.03 | 0.020 | met |",
    ]
    page = page.replace("\n".join(aimed) + "\n", "")
    assert page.replace(page[page.index("## Sizes") : page.index("## What every stage draws")], "") == plain


@pytest.mark.parametrize("missing", [(), ("separable", "pruned"), ("distilled",)])
def test_a_style_that_is_published_anew_keeps_its_sizes(tmp_path, monkeypatch, missing):
    monkeypatch.chdir(tmp_path)
    for name in ("docs", "results", "artifacts/ink/evaluation"):
        Path(name).mkdir(parents=True)
    Path("README.md").write_text(README.replace(str(RESULTS), "results/ink.json"))
    Path("results/ink.json").write_text(json.dumps([*MEASURED, SMALL]))
    made = [row | {"parameters": 7} for row in MEASURED[:5] if row["variant"] not in missing]
    for row in made:
        Path(f"artifacts/ink/evaluation/{row['variant']}.json").write_text(json.dumps(row))
    monkeypatch.setattr("sys.argv", ["readme", "results/ink.json", "ink"])
    main()
    rows = json.loads(Path("results/ink.json").read_text())
    assert rows == [*made, SMALL]
    assert ("moved by pruning" in ACCOUNT.read_text()) == ("pruned" not in missing)


def test_a_stage_that_was_not_timed_anew_is_marked():
    """Its times are of another run: over that run's teacher, not over today's."""
    rows = [row | {"faster": 33.3} if row["variant"] == "pruned" else row for row in MEASURED]
    told = account(rows, RESULTS)
    assert "| 25 ms* | 33.3x |" in told
    assert told.count("\\* Of another run than the rest") == 1
    assert "Of another run" not in account(MEASURED, RESULTS)


def test_what_fid_of_few_pictures_is_off_by_stands_beside_the_table():
    said = table(MEASURED).splitlines()[-1]
    assert "FID of few pictures is too large, about alike for all rows: with half of these photos" in said
    assert "± its standard deviation over 200 resamples of the photos" in said
    assert "FID of few pictures is too large" in README


@pytest.mark.parametrize(
    ("what", "changed", "verdict"),
    [
        ("teacher: LPIPS (squeeze) to the published network", {}, "met"),
        ("teacher: LPIPS (squeeze) to the published network", {"teacher": {"lpips_reference": 0.061}}, "missed"),
        ("teacher: FID over the published network's", {"teacher": {"fid": 1.27}}, "missed"),
        ("teacher: KID over the published network's", {"reference": {"kid": -1e-5}}, "not measured"),
        ("lite: LPIPS (squeeze) to the published network", {"int8": {"lpips_reference": 0.081}}, "missed"),
        ("lite: FID over the published network's, scenes", {"int8": {"fid_scenes": 1.29}}, "met"),
        ("lite: FID over the published network's, scenes", {"int8": {"fid_scenes": 1.31}}, "missed"),
        ("lite: KID over the published network's, faces", {"int8": {"kid_faces": 0.00109}}, "missed"),
        ("lite: LPIPS (squeeze) from the photo over the published network's own", {}, "met"),
        (
            "lite: LPIPS (squeeze) from the photo over the published network's own",
            {"int8": {"lpips_photo": 0.13}},
            "missed",
        ),
        ("lite: LPIPS (squeeze) to the teacher", {"int8": {"lpips": 0.06}}, "missed"),
        ("lite: FID over the untouched photos', scenes", {"int8": {"fid_scenes": 1.81}}, "missed"),
        ("lite: times faster than the published network", {"int8": {"latency_reference_ratio": 14.9}}, "missed"),
        ("lite: times faster than the published network", {}, "met"),
        ("lite: file (MB)", {"int8": {"bytes": 301_000}}, "missed"),
    ],
)
def test_every_target_of_pictures_and_speed_has_its_verdict(what: str, changed: dict, verdict: str):
    rows = [row | changed.get(row["variant"], {}) for row in MEASURED]
    lines = account(rows, RESULTS).partition("### ink")[2].splitlines()
    (line,) = (line for line in lines if line.startswith(f"| {what} |"))
    assert line.endswith(f" {verdict} |")


def test_without_a_published_network_its_targets_are_not_measured():
    rows = [
        {key: value for key, value in row.items() if "reference" not in key}
        for row in MEASURED
        if row["variant"] != "reference"
    ]
    page = account(rows, RESULTS)
    assert page.count("| not measured |") == 10
    assert "| 28.0 | met |" in page


def test_the_pages_are_those_of_their_results_files():
    assert ACCOUNT.read_text() == account(RELEASE, RESULTS)
    assert latency.PAGE.exists() == latency.RESULTS.exists()
    if latency.RESULTS.exists():
        assert latency.PAGE.read_text() == latency.page(json.loads(latency.RESULTS.read_text()))


def test_a_target_says_whether_it_was_met():
    rows = {(row["variant"], row["style"]): row for row in RELEASE}
    lite = rows["int8", "shinkai"]
    for size, verdict in ((250_000, "met"), (310_000, "missed")):
        text = account([row | {"bytes": size} if row is lite else row for row in RELEASE], RESULTS)
        shinkai = text.partition("### shinkai")[2].partition("###")[0]
        assert re.search(rf"lite: file \(MB\) .* {verdict} \|", shinkai)


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
    sizes = [row for row in RELEASE if row["style"] == "shinkai" and row["variant"] in SIZES]
    old = [row for row in RELEASE if row["style"] == "shinkai" and row not in sizes]
    shinkai = [row | {"cpu": "Another Processor"} for row in old]
    folder = Path("artifacts/shinkai/evaluation")
    folder.mkdir(parents=True)
    beside = [row for row in shinkai if row["variant"] in BASELINES]
    (folder / "baselines.json").write_text(json.dumps(beside))
    for row in shinkai:
        if row not in beside:
            (folder / f"{row['variant']}.json").write_text(json.dumps(row))
    monkeypatch.setattr("sys.argv", ["readme", str(RESULTS), "shinkai"])
    main()
    others = [row for row in RELEASE if row["style"] != "shinkai"]
    assert json.loads(RESULTS.read_text()) == shinkai + sizes + others
    assert {row["variant"] for row in beside} >= {"photo", "filter"}
    page = ACCOUNT.read_text()
    assert re.search(r"`shinkai`: [^;]*Another Processor[^;]*; `hayao`[^;:]*:[^;]*" + re.escape(others[0]["cpu"]), page)


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
