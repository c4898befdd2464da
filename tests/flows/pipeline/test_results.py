import json
from pathlib import Path

import pytest

from flows import report
from flows.pipeline.results import aligned, evaluation_folder, protocol, read_baselines, read_metrics, table


def test_variants_come_in_the_order_of_the_evaluation(made: Path):
    assert [metrics["variant"] for metrics in read_metrics(made, "cel")] == ["teacher", "int8"]
    assert read_metrics(made, "shinkai") == []


def test_the_table_has_a_dash_for_what_was_not_measured(made: Path):
    rows = table(read_metrics(made, "cel"))
    assert (rows[0]["PSNR"], rows[1]["PSNR"]) == ("-", "31.5 dB")
    lines = aligned(rows).splitlines()
    assert lines[0].split() == [
        "style", "variant", "parameters", "size", "latency", "p50", "FID", "of", "photos'", "KID", "LPIPS", "to",
        "photo", "PSNR",
    ]  # fmt: skip
    assert len({len(line) for line in lines}) == 1, "figures end in one column"


def test_what_networks_are_compared_with_stands_in_the_table_and_is_no_variant(made: Path):
    assert read_baselines(made, "cel") == []
    photo = {"style": "cel", "variant": "photo", "fid": 20.0, "fid_share": 1.0, "kid": 0.03, "kid_deviation": 0.0041}
    (evaluation_folder(made, "cel") / "baselines.json").write_text(json.dumps([photo]))
    assert [metrics["variant"] for metrics in read_metrics(made, "cel")] == ["teacher", "int8"]
    (row,) = table(read_baselines(made, "cel"))
    assert (row["variant"], row["FID"], row["of photos'"], row["KID"]) == ("photo", "20", "1.00", "0.03 ± 0.004")
    assert (row["size"], row["latency p50"], row["parameters"]) == ("-", "-", "-")


def test_figures_travel_with_their_protocol(made: Path):
    how = protocol(read_metrics(made, "cel")[0])
    assert "onnxruntime, 2 threads, 512 px, toy" in how
    assert "FID: embedded" in how
    assert "LPIPS (embedded)" in how
    assert "too large by few pictures" in how


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("metrics.csv", "style;variants\ncel;int8\n"),
        ("metrics.csv", ""),
        ("int8.json", '{"variant": "int8"}'),
        ("int8.json", "[1]"),
        ("int8.json", '{"style'),
        ("baselines.json", '{"style": "cel"}'),
        ("baselines.json", '[{"fid": 1}]'),
        ("baselines.json", ""),
    ],
)
def test_a_damaged_file_is_named(made: Path, monkeypatch, capsys, name: str, text: str):
    (evaluation_folder(made, "cel") / name).write_text(text)
    monkeypatch.chdir(made)
    monkeypatch.setattr("sys.argv", ["report"])
    assert report.main() == 1
    said = capsys.readouterr().err
    assert said.startswith(f"error: {made}/artifacts/cel/evaluation/{name}: holds no figures of the evaluate stage; ")
    assert said.count("\n") == 1
