"""How long one picture takes, measured side by side and alone on the machine."""

import contextlib
import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import onnxruntime

from anime_model.metrics.peak_memory import as_taken

UNTIMED = 1  # runs of a network right before each timed one: another network's run has taken its caches
LOCK = "animegan-lite-latency.lock"  # in the machine's folder for temporary files
# x86: what speeds up INT8; ARM: the same under its own names.
INSTRUCTIONS = ("avx2", "avx512f", "avx_vnni", "avx512_vnni", "amx_int8", "asimd", "asimddp", "i8mm")

Figures = dict[str, float | int | str]


def measure_onnx(
    files: Mapping[str, Path], size: int, threads: int, repeats: int, on_round: Callable[[int], None] | None = None
) -> dict[str, Figures]:
    """Latency of every ONNX file on ONNX Runtime's CPU provider for one `size` x `size` photo, by name.

    It is the network alone, from a float photo in memory to a float picture, and right after a picture of its own, as
    in a folder or a film. Raises what ONNX Runtime raises for a file that it cannot run.
    """
    photo = np.random.default_rng(0).uniform(-1, 1, (1, 3, size, size)).astype(np.float32)
    runs = {name: onnx_run(path, photo, threads) for name, path in files.items()}
    protocol: Figures = {
        "latency_engine": f"ONNX Runtime {onnxruntime.__version__}",
        "latency_threads": threads,
        "latency_size": size,
        "latency_repeats": repeats,
        "latency_untimed": UNTIMED,
        "cpu": cpu_name(),
        "instruction_set": instruction_set(),
    }
    found = measure(runs, repeats, on_round=on_round, untimed=UNTIMED)
    return {name: figures | protocol for name, figures in found.items()}


def measure(
    runs: Mapping[str, Callable[[], object]],
    repeats: int = 20,
    warmup: int = 2,
    on_round: Callable[[int], None] | None = None,
    untimed: int = 0,
) -> dict[str, Figures]:
    """Median and 95th percentile in milliseconds of every callable, by name.

    All take turns, round by round, so that a slow moment of the machine meets them all and their ratios stay fair.
    `untimed` runs of each come before its timed one: a large network leaves cold caches behind, which cost a small one
    a third of its time, and an engine's idle threads spin on into the next one's turn. Two measurements never overlap,
    whichever process makes them. `latency_machine_busy` is the part of the machine's processor time that others used
    meanwhile (0 ... 1), left out where the system does not tell.
    """
    if not runs or repeats < 1:
        raise ValueError("nothing to measure: name at least one callable and one repeat")
    times: dict[str, list[float]] = {name: [] for name in runs}
    with alone_on_the_machine():
        for run in runs.values():
            for _ in range(warmup):
                run()
        before = _processor_times()
        for turn in range(repeats):
            for name, run in runs.items():
                for _ in range(untimed):
                    run()
                started = time.perf_counter()
                run()
                times[name].append((time.perf_counter() - started) * 1000)
            if on_round:
                on_round(turn + 1)
        busy = _busy_with_others(before, _processor_times())
    return {name: _percentiles(values) | busy for name, values in times.items()}


@contextlib.contextmanager
def alone_on_the_machine(lock: str = LOCK) -> Iterator[None]:
    """Waits until no other process is inside; a killed one lets the next in. Without fcntl there is no lock."""
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    path = Path(tempfile.gettempdir(), lock)
    with contextlib.suppress(PermissionError), path.open("a"):  # another user's file opens for reading only
        pass
    with path.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def cpu_name() -> str:
    return _cpuinfo("model name") or platform.processor() or platform.machine()


def instruction_set() -> str:
    """What the processor offers of `INSTRUCTIONS`; the machine's architecture where the system does not tell."""
    flags = (_cpuinfo("flags") or _cpuinfo("Features") or "").split()
    return " ".join(name for name in INSTRUCTIONS if name in flags) or platform.machine()


def onnx_run(path: Path, photo: np.ndarray, threads: int) -> Callable[[], object]:
    """One ONNX file in ONNX Runtime on `threads` threads, ready to be called; it runs on `photo` every time."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    # A session's idle threads would spin on into the turn of the next one.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    taken = session.get_inputs()[0]
    name, given = taken.name, as_taken(photo, taken)
    return lambda: session.run(None, {name: given})


def _percentiles(values: list[float]) -> Figures:
    p50, p95 = np.percentile(values, (50, 95))
    return {"latency_p50_ms": round(float(p50), 3), "latency_p95_ms": round(float(p95), 3)}


def _processor_times() -> tuple[float, float, float] | None:
    """Seconds since some start: processor time that the machine used, that this process used, and of all processors."""
    try:
        first = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
        ticks = [int(value) / os.sysconf("SC_CLK_TCK") for value in first]
    except (OSError, ValueError):
        return None
    user, nice, system, idle, waiting, *others = ticks[:8]
    used = user + nice + system + sum(others)
    return used, time.process_time(), used + idle + waiting


def _busy_with_others(before: tuple | None, after: tuple | None) -> Figures:
    if before is None or after is None:
        return {}
    used, own, total = (b - a for a, b in zip(before, after, strict=True))
    return {"latency_machine_busy": round(min(1.0, max(0.0, (used - own) / total)), 3)} if total > 0 else {}


def _cpuinfo(key: str) -> str | None:
    """The first processor's value of `key` in Linux's /proc/cpuinfo."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return None
    found = (line.partition(":")[2].strip() for line in lines if line.partition(":")[0].strip() == key)
    return next(found, None)
