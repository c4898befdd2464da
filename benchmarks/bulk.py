"""`anime stylize` with and without Ray: pictures a second on the same cores, and memory as the pictures become more.

`python -m benchmarks.bulk [--pictures 1000 20000] [--side 64] [--rate-side 512] [--rate-pictures 200]` prints both and
writes results/bulk.json. Rate: the plain engine and Ray in turns on the same photos, with the network that ships, from
the first picture to the last (Ray takes some seconds to start, said apart). Memory: a network of one node, since the
engine is measured and no network; the largest that the driver and the workers hold, every half second. Needs the extra
`ray`, and a quiet machine.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
import psutil
from PIL import Image

from anime_model.metrics.latency import cpu_name, instruction_set

RESULTS = Path("results/bulk.json")
EVERY = 0.5  # seconds from one look at the memory to the next
Figures = dict[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, nargs="*", default=[1000, 20_000], help="numbers for memory")
    parser.add_argument("--side", type=int, default=64, help="pixels of the pictures for memory")
    parser.add_argument("--rate-pictures", type=int, default=200, help="0: no rate")
    parser.add_argument("--rate-side", type=int, default=512, help="pixels of the photos for the rate")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--keep", action="store_true", help="write results/bulk.json")
    options = parser.parse_args()
    found: dict = {"cpu": f"{cpu_name()}, {instruction_set()}", "cores": len(os.sched_getaffinity(0))}
    found |= {"side": options.side, "rate_side": options.rate_side}
    with tempfile.TemporaryDirectory(prefix="bulk-") as folder:
        if options.rate_pictures:
            found["rate"] = rate(Path(folder), options.rate_pictures, options.rate_side, options.rounds)
            print(json.dumps(found["rate"], indent=1))
        found["memory"] = {}
        for count in options.pictures:
            found["memory"][str(count)] = memory(Path(folder), count, options.side)
            print(f"{count} pictures: {json.dumps(found['memory'][str(count)])}", flush=True)
    if options.keep:
        RESULTS.write_text(json.dumps(found, indent=1) + "\n")


def rate(folder: Path, count: int, side: int, rounds: int) -> Figures:
    """Pictures a second between the first result and the last, the engines in turns, and the share of the two."""
    photos = make(folder / "rate", count, side)
    found: dict[str, list[float]] = {"plain": [], "ray": []}
    start: list[float] = []
    for turn in range(rounds):
        for engine in found:
            target, begun = folder / f"{engine}-{turn}", time.time()
            finish(stylize(photos, target, engine))
            times = sorted(path.stat().st_mtime for path in target.rglob("*.jpg"))
            found[engine].append((len(times) - 1) / (times[-1] - times[0]))
            if engine == "ray":
                start.append(times[0] - begun)
    plain, ray = median(found["plain"]), median(found["ray"])
    return {"plain, pictures/s": plain, "ray, pictures/s": ray, "share": ray / plain, "ray's start, s": median(start)}


def memory(folder: Path, count: int, side: int) -> Figures:
    """The largest that each kind of process held while `count` pictures were drawn, in MB of its own."""
    photos, largest = make(folder / f"photos-{count}", count, side), dict.fromkeys(("driver", "workers", "all"), 0.0)
    begun = time.time()
    running = stylize(photos, folder / f"results-{count}", "ray", "--style", str(tiny(folder)))
    driver = psutil.Process(running.pid)
    while running.poll() is None:
        for name, value in held(driver).items():
            largest[name] = max(largest[name], value)
        time.sleep(EVERY)
    finish(running)
    return {f"{name}, MB": round(value, 1) for name, value in largest.items()} | {"seconds": time.time() - begun}


def held(driver: psutil.Process) -> Figures:
    """Memory without files and what is shared: the command itself, its actors, and these with all that Ray started.

    Not what is unshared ("USS"): libraries' pages count there as the driver's as soon as the workers have ended.
    """
    found = dict.fromkeys(("driver", "workers", "all"), 0.0)
    try:
        processes = [driver, *driver.children(recursive=True)]
    except psutil.Error:
        return found
    for process in processes:
        try:
            memory, name = process.memory_info(), " ".join(process.cmdline())
        except psutil.Error:
            continue
        size = (memory.rss - memory.shared) / 1e6
        found["all"] += size
        found["driver"] += size * (process == driver)
        found["workers"] += size * ("MapWorker" in name)
    return found


def stylize(source: Path, target: Path, engine: str, *options: str) -> subprocess.Popen:
    line = [sys.executable, "-m", "anime_app.cli.command", "stylize", source, "-o", target, "--engine", engine]
    return subprocess.Popen([*line, *options], stderr=subprocess.PIPE, text=True)


def finish(running: subprocess.Popen) -> None:
    said = running.communicate()[1]
    if running.returncode:
        raise RuntimeError(said)


def make(folder: Path, count: int, side: int) -> Path:
    """Noise as JPEGs in folders of a thousand."""
    for index in range(count):
        path = folder / f"{index // 1000}" / f"{index:06}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(index).integers(0, 256, (side // 8, side // 8, 3), np.uint8)
        Image.fromarray(noise).resize((side, side), Image.Resampling.BICUBIC).save(path)
    return folder


def tiny(folder: Path) -> Path:
    """A network of one node, which turns every level v into 255 - v."""
    import onnx
    from onnx import TensorProto, helper

    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 3, "H", "W"]) for name in ("photo", "anime")]
    graph = helper.make_graph([helper.make_node("Neg", ["photo"], ["anime"])], "tiny", ends[:1], ends[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    helper.set_model_props(model, {"receptive_radius": "0"})
    onnx.save(model, folder / "tiny.onnx")
    return folder / "tiny.onnx"


if __name__ == "__main__":
    main()
