"""Teacher and lite network in every engine, beside what the machine could do at best.

`python -m benchmarks.latency STYLE [RESULTS]`: takes the shipped networks of STYLE, writes results/latency.json and
docs/latency.md, and prints the table. Every picture size and thread count is one side-by-side measurement: compare
ratios inside it. It takes three quarters of an hour on AVX2; each measurement is kept when it is done, and a run that
was cut off goes on from there. With `--page` instead of STYLE only the page is written. OpenVINO takes part where it is
installed (`pip install -c constraints.txt -e .[benchmarks]`).
"""

import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch

from anime_model.compression.export import OPSET, export_onnx
from anime_model.compression.torchscript import export_int8_torchscript, export_torchscript
from anime_model.metrics.latency import cpu_name, instruction_set, measure, onnx_run
from anime_model.networks.checkpoint import load_generator
from anime_model.networks.cost import count_macs, count_traffic
from anime_model.networks.generator import Generator
from benchmarks.former import FORMER
from flows.machine.hashes import file_md5

SIZES = {"256x256": (256, 256), "512x512": (512, 512), "1024x1024": (1024, 1024), "1080p": (1080, 1920)}
THREADS = (1, 2)
NETWORKS = {"teacher": Path("models/teachers"), "lite": Path("models/lite")}
SHIPPED = Path("anime_model/weights")
REPEATS = {"256x256": 10, "512x512": 7, "1024x1024": 3, "1080p": 3}
SETTLED = ("256x256", "512x512")  # where one engine's spinning threads would show in the next one's milliseconds
RESULTS, PAGE = Path("results/latency.json"), Path("docs/latency.md")
Row = dict[str, float | int | str]
Run = Callable[[], object]


def main() -> None:
    style, results = sys.argv[1], Path(sys.argv[2] if len(sys.argv) > 2 else RESULTS)
    if style != "--page":
        measure_style(style, results)
    text = page(json.loads(results.read_text()))
    PAGE.write_text(text)
    print(text)


def measure_style(style: str, results: Path) -> None:
    """Fills the results file, size by size."""
    files = [SHIPPED / f"{style}.onnx", *(folder / f"{style}.safetensors" for folder in NETWORKS.values())]
    if missing := [file for file in files if not file.exists()]:
        raise SystemExit(f"error: {missing[0]} is not there; name a style of {SHIPPED}")
    protocol = {"style": style, "cpu": cpu(), "files": {file.as_posix(): file_md5(file) for file in files}}
    rows = kept(results, protocol)
    with tempfile.TemporaryDirectory() as folder:
        networks = exported(style, Path(folder))
        for threads in THREADS:
            for size in SIZES:
                if not any((row["threads"], row["size"]) == (threads, size) for row in rows):
                    rows += measure_size(Path(folder), networks, threads, size)
                    results.write_text(json.dumps(protocol | {"rows": rows}, indent=1) + "\n")
                    print(f"{size}, {threads} thread(s): done", file=sys.stderr)


def exported(style: str, folder: Path) -> dict[str, Generator]:
    """Teacher and lite network, their files for every engine in `folder`; the lite one's INT8 ONNX is what ships."""
    networks = {name: load_generator(source / f"{style}.safetensors") for name, source in NETWORKS.items()}
    for name, network in networks.items():
        export_onnx(network, folder / f"{name}.onnx")
        export_torchscript(network, folder / f"{name}.ts")
    noise = torch.rand(2, 3, 256, 256, generator=torch.Generator().manual_seed(0)) * 2 - 1
    export_int8_torchscript(networks["lite"], noise, folder / "lite-int8.ts")  # ranges are nothing to its speed
    shutil.copy(SHIPPED / f"{style}.onnx", folder / "lite-int8.onnx")
    return networks


def kept(results: Path, protocol: dict) -> list[Row]:
    """Rows of an earlier run of the same files in the same engines on the same processor, if it was cut off."""
    if not results.exists():
        return []
    found = json.loads(results.read_text())
    rows = found.pop("rows")
    complete = len({(row["threads"], row["size"]) for row in rows}) == len(THREADS) * len(SIZES)
    return [] if complete or found != protocol else rows


def cpu() -> dict[str, str]:
    versions = f"PyTorch {torch.__version__.partition('+')[0]}, ONNX Runtime {onnxruntime.__version__}"
    if find_spec("openvino"):
        import openvino

        versions += f", OpenVINO {openvino.__version__.partition('-')[0]}"
    return {"name": cpu_name(), "instruction_set": instruction_set(), "engines": versions}


def measure_size(folder: Path, networks: dict[str, Generator], threads: int, size: str) -> Iterator[Row]:
    """Rows of one picture size: network, engine, milliseconds, times faster than the teacher in ONNX Runtime, share of
    the roofline.
    """
    torch.set_num_threads(threads)
    peak, bandwidth = matrix_peak(threads), memory_bandwidth()
    height, width = SIZES[size]
    photo = np.random.default_rng(0).uniform(-1, 1, (1, 3, height, width)).astype(np.float32)
    untimed = int(size in SETTLED)
    figures = measure(dict(engines(folder, networks, photo, threads)), REPEATS[size], warmup=1, untimed=untimed)
    teacher = figures["teacher / ONNX Runtime"]["latency_p50_ms"]
    for run, found in figures.items():
        network, engine = run.split(" / ")
        bound = roofline_ms(networks[network], height * width / 512**2, peak, bandwidth)
        yield {
            "network": network,
            "engine": engine,
            "size": size,
            "threads": threads,
            "ms": found["latency_p50_ms"],
            "speed_up": round(teacher / found["latency_p50_ms"], 2),
            "roofline_share": round(bound / found["latency_p50_ms"], 3),
            "peak_gflops": round(peak, 1),
            "bandwidth_gbs": round(bandwidth, 1),
        }


def engines(folder: Path, networks: dict[str, Generator], photo: np.ndarray, threads: int) -> Iterator[tuple[str, Run]]:
    """Every network in every engine that has it, ready to run on `photo`."""
    tensor = torch.from_numpy(photo)
    for name, network in networks.items():
        yield f"{name} / PyTorch eager", torch_run(network, tensor)
    for stem in ("teacher", "lite", "lite-int8"):
        name, _, kind = stem.partition("-")
        suffix = f" {kind.upper()}" if kind else ""
        yield f"{name} / TorchScript{suffix}", torch_run(torch.jit.load(str(folder / f"{stem}.ts")), tensor)
        yield f"{name} / ONNX Runtime{suffix}", onnx_run(folder / f"{stem}.onnx", photo, threads)
        if find_spec("openvino"):
            yield f"{name} / OpenVINO{suffix}", openvino_run(folder / f"{stem}.onnx", photo, threads)


def torch_run(network: torch.nn.Module, photo: torch.Tensor) -> Run:
    def run() -> None:
        with torch.inference_mode():
            network(photo)

    return run


def openvino_run(path: Path, photo: np.ndarray, threads: int) -> Run:
    import openvino

    options = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    model = openvino.Core().compile_model(str(path), "CPU", options)
    request = model.create_infer_request()
    return lambda: request.infer({0: photo})


def matrix_peak(threads: int, side: int = 2048) -> float:
    """GFLOP/s of a 32-bit matrix product, the best of several and of two libraries: PyTorch's is slow on some chips."""
    a, b = torch.rand(side, side), torch.rand(side, side)
    session = product_session(side, threads)
    feed = {"a": a.numpy(), "b": b.numpy()}
    best = min(best_seconds(lambda: a @ b), best_seconds(lambda: session.run(None, feed)))
    return 2 * side**3 / best / 1e9


def product_session(side: int, threads: int) -> onnxruntime.InferenceSession:
    """ONNX Runtime's product of two matrices `a` and `b`."""
    values = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [side, side]) for name in "abc"]
    product = onnx.helper.make_node("MatMul", ["a", "b"], ["c"])
    graph = onnx.helper.make_graph([product], "product", values[:2], values[2:])
    opset = [onnx.helper.make_opsetid("", OPSET)]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    model = onnx.helper.make_model_gen_version(graph, opset_imports=opset)
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def memory_bandwidth(megabytes: int = 512) -> float:
    """GB/s read and written together, copying a block far larger than the caches, the best of several."""
    source = torch.rand(megabytes * 2**18)
    target = torch.empty_like(source)
    return 2 * source.nbytes / best_seconds(lambda: target.copy_(source)) / 1e9


def best_seconds(work: Run, repeats: int = 7) -> float:
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return min(times)


def roofline_ms(network: Generator, pictures: float, peak: float, bandwidth: float) -> float:
    """The least time that the machine's arithmetic or its memory allow for `pictures` pictures of 512x512 in float.

    Williams, Waterman, Patterson, "Roofline", CACM 2009. Traffic: every convolution reads its input and its weights and
    writes its output once. A chip whose caches hold whole maps can go past it.
    """
    arithmetic = 2 * count_macs(network.arch) / (peak * 1e9)
    memory = count_traffic(network.arch) / (bandwidth * 1e9)
    return max(arithmetic, memory) * pictures * 1e3


def page(results: dict) -> str:
    """docs/latency.md from the results file; it says so where other networks have been released since."""
    rows = results["rows"]
    machine = f"{results['cpu']['name']} ({results['cpu']['instruction_set']}); {results['cpu']['engines']}"
    lines = [
        "# Latency in every engine",
        "",
        f"Written by `python -m benchmarks.latency {results['style']}`. Median milliseconds of one picture; all cells "
        f"of one size and thread count were measured side by side. {machine}."
        + (f" {FORMER}" if is_former(results["files"]) else ""),
    ]
    for threads in THREADS:
        lines += ["", *_table([row for row in rows if row["threads"] == threads], threads)]
    lines += [
        "",
        "The share of the roofline is the least time that the measured matrix peak or memory bandwidth allow for the "
        "network in 32-bit float, over the measured time; INT8 and caches that hold whole maps can go past 100 %.",
    ]
    return "\n".join(lines) + "\n"


def is_former(files: dict[str, str]) -> bool:
    """Whether any file that was measured, with its md5, is not there or not the same any more."""
    return any(not Path(file).exists() or file_md5(Path(file)) != md5 for file, md5 in files.items())


def _table(rows: list[Row], threads: int) -> Iterator[str]:
    peak, bandwidth = next((row["peak_gflops"], row["bandwidth_gbs"]) for row in rows if row["size"] == "512x512")
    yield f"## {threads} thread{'s' * (threads > 1)}: {peak:.0f} GFLOP/s, {bandwidth:.0f} GB/s"
    yield ""
    yield "| network | engine | " + " | ".join(SIZES) + " | faster than the teacher in ONNX Runtime | of the roofline |"
    yield "| --- | --- |" + " --: |" * (len(SIZES) + 2)
    cells = {(row["network"], row["engine"], row["size"]): row for row in rows}
    for network, engine in dict.fromkeys((row["network"], row["engine"]) for row in rows):
        times = " | ".join(f"{cells[network, engine, size]['ms']:.1f}" for size in SIZES)
        at512 = cells[network, engine, "512x512"]
        yield (
            f"| {network} | {engine} | {times} | {at512['speed_up']:.1f}x (512x512) | "
            f"{at512['roofline_share']:.0%} (512x512) |"
        )


if __name__ == "__main__":
    main()
