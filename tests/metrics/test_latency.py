import multiprocessing
import time
from pathlib import Path

import pytest

from anime_model.metrics import latency
from tests.metrics.tiny_models import tiny_onnx


def test_times_and_turns():
    order: list[str] = []
    runs = {
        "short": lambda: (order.append("short"), time.sleep(0.002)),
        "long": lambda: (order.append("long"), time.sleep(0.01)),
    }
    rounds: list[int] = []
    found = latency.measure(runs, repeats=5, warmup=1, on_round=rounds.append)
    assert order == ["short", "long"] * 6
    assert rounds == [1, 2, 3, 4, 5]
    assert 2 <= found["short"]["latency_p50_ms"] <= found["short"]["latency_p95_ms"]
    assert found["short"]["latency_p50_ms"] < found["long"]["latency_p50_ms"]
    assert found["long"]["latency_p50_ms"] >= 10
    assert 0 <= found["long"].get("latency_machine_busy", 0) <= 1


def test_a_timed_run_follows_untimed_ones_of_its_own():
    order: list[str] = []
    naps = iter([0.02, 0.0] * 3)
    runs = {"a": lambda: (order.append("a"), time.sleep(next(naps))), "b": lambda: order.append("b")}
    found = latency.measure(runs, repeats=3, warmup=0, untimed=1)
    assert order == ["a", "a", "b", "b"] * 3
    assert found["a"]["latency_p50_ms"] < 20, "only the second of each pair counts"


def test_percentiles():
    assert latency._percentiles([float(i) for i in range(101)]) == {"latency_p50_ms": 50, "latency_p95_ms": 95}


def test_others_share_of_the_machine():
    """Two processors for 10 s: 20 s in all, 12 used, 5 of them here."""
    assert latency._busy_with_others((100, 1, 1000), (112, 6, 1020)) == {"latency_machine_busy": 0.35}
    assert latency._busy_with_others(None, None) == {}


def test_protocol_travels_with_the_figures(tmp_path: Path):
    path = tiny_onnx(tmp_path / "tiny.onnx")
    found = latency.measure_onnx({"tiny": path}, size=32, threads=1, repeats=2)["tiny"]
    assert found["latency_engine"].startswith("ONNX Runtime")
    assert (found["latency_threads"], found["latency_size"], found["latency_repeats"]) == (1, 32, 2)
    assert found["cpu"]
    assert found["instruction_set"]


def test_a_machine_that_tells_nothing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(latency, "_cpuinfo", lambda key: None)
    monkeypatch.setattr(latency, "_processor_times", lambda: None)
    assert latency.cpu_name()
    assert latency.instruction_set()
    assert "latency_machine_busy" not in latency.measure({"x": time.time}, repeats=1)["x"]


def test_measurements_of_two_processes_never_overlap(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    pytest.importorskip("fcntl", reason="no file locks on this system")
    monkeypatch.setattr(latency.tempfile, "gettempdir", lambda: str(tmp_path))
    context = multiprocessing.get_context("fork")
    spans = context.Queue()
    workers = [context.Process(target=_hold, args=(spans,)) for _ in range(2)]
    for worker in workers:
        worker.start()
    first, second = sorted(spans.get(timeout=20) for _ in workers)
    for worker in workers:
        worker.join()
    assert first[1] <= second[0]


def _hold(spans) -> None:
    with latency.alone_on_the_machine():
        started = time.monotonic()
        time.sleep(0.2)
        spans.put((started, time.monotonic()))


def test_refusals():
    with pytest.raises(ValueError, match="nothing to measure"):
        latency.measure({})
