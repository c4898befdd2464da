from pathlib import Path

from flows.pipeline.results import aligned, protocol, read_metrics, table


def test_variants_come_in_the_order_of_the_evaluation(made: Path):
    assert [metrics["variant"] for metrics in read_metrics(made, "cel")] == ["teacher", "int8"]
    assert read_metrics(made, "shinkai") == []


def test_the_table_has_a_dash_for_what_was_not_measured(made: Path):
    rows = table(read_metrics(made, "cel"))
    assert (rows[0]["PSNR"], rows[1]["PSNR"]) == ("-", "31.5 dB")
    lines = aligned(rows).splitlines()
    assert lines[0].split() == ["style", "variant", "parameters", "size", "latency", "p50", "FID", "LPIPS", "PSNR"]
    assert len({len(line) for line in lines}) == 1, "figures end in one column"


def test_figures_travel_with_their_protocol(made: Path):
    how = protocol(read_metrics(made, "cel")[0])
    assert "onnxruntime, 2 threads, 512 px, toy" in how
    assert "FID: embedded" in how
    assert "LPIPS (embedded)" in how
