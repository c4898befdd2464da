"""What the runtime costs over the engine alone: start-up, latency, throughput, films, memory against size.

`python -m benchmarks.runtime MODEL [CHECKPOINT]`: writes results/runtime.json and docs/runtime-figures.md, and prints
the tables. MODEL is a style or an ONNX file; with the CHECKPOINT of the same network PyTorch takes part. "By hand" is
ONNX Runtime's session alone, on arrays that are ready: no file, no conversion. Memory is that of a process of its own.
"""

import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
from PIL import Image

from anime_app.cli.tables import table
from anime_model.metrics.latency import cpu_name, instruction_set
from anime_model.runtime.models import find_model
from anime_model.runtime.session import open_session
from anime_model.runtime.stylizer import Stylizer
from anime_model.runtime.tiles import border
from benchmarks.former import FORMER
from flows.machine.hashes import file_md5

RESULTS, PAGE = Path("results/runtime.json"), Path("docs/runtime-figures.md")
SIDE, PICTURES, FRAMES, CORES = 512, 128, 300, 2
MEGAPIXELS = (1, 12, 24, 50, 100)
STARTS = 5
Figures = dict[str, float]


def main() -> None:
    model = find_model(sys.argv[1])
    checkpoint = Path(sys.argv[2]) if len(sys.argv) > 2 else None
    with tempfile.TemporaryDirectory() as folder:
        found = {
            "model": model.name,
            "md5": file_md5(model),
            "cpu": f"{cpu_name()}, {instruction_set()}, {CORES} threads",
            "start": start_up(model, Path(folder)),
            "latency": latency(model, checkpoint),
            "throughput": throughput(model, Path(folder)),
            "films": films(model, Path(folder)),
            "memory": {f"{size}": peak_memory(model, size, Path(folder)) for size in MEGAPIXELS},
        }
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")
    PAGE.write_text(page(found))
    print(page(found))


def start_up(model: Path, folder: Path) -> Figures:
    """Seconds of whole processes, the median of a few."""
    photo(SIDE, SIDE).save(folder / "a.jpg")
    line = ["stylize", str(folder / "a.jpg"), "-o", str(folder / "b.jpg"), "--force", "--style", str(model)]
    nothing = seconds_of(["-c", "pass"])
    return {
        "import of the runtime, s": seconds_of(["-c", "import anime_model.runtime.stylizer"]) - nothing,
        "anime stylize photo.jpg, whole process, s": seconds_of(["-m", "anime_app.cli.command", *line]),
    }


def seconds_of(arguments: list[str]) -> float:
    return median(
        timed(lambda: subprocess.run([sys.executable, *arguments], check=True, stderr=-3)) for _ in range(STARTS)
    )


def timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def latency(model: Path, checkpoint: Path | None) -> Figures:
    """Milliseconds for one picture in memory, the ways in turn, medians."""
    picture = np.asarray(photo(SIDE, SIDE))
    session, stylizer = open_session(model, CORES), Stylizer(model, CORES)
    batch = batch_of(SIDE, SIDE)
    ways = {"ONNX Runtime by hand": lambda: session.run(None, {"photo": batch}), "Stylizer": lambda: stylizer(picture)}
    if checkpoint:
        ways["PyTorch eager"] = eager(checkpoint, batch)
    times = {name: [] for name in ways}
    for _ in range(12):
        for name, way in ways.items():
            way()  # threads of the way before spin for a while after their work
            times[name].append(1000 * timed(way))
    return {f"{name}, ms": median(values[2:]) for name, values in times.items()}


def batch_of(height: int, width: int) -> np.ndarray:
    """float32 [1, 3, H, W] in [-1, 1], as large as what the runtime makes of a photo of that size for the network."""
    padded = (side + sum(border(side)) for side in (height, width))
    return np.random.default_rng(0).uniform(-1, 1, (1, 3, *padded)).astype(np.float32)


def eager(checkpoint: Path, batch: np.ndarray) -> Callable[[], object]:
    import torch

    from anime_model.networks.checkpoint import load_generator

    torch.set_num_threads(CORES)
    network, photos = load_generator(checkpoint).float().eval(), torch.from_numpy(batch)

    def run() -> object:
        with torch.inference_mode():
            return network(photos)

    return run


def throughput(model: Path, folder: Path) -> Figures:
    """Pictures a second: the session alone, and `anime stylize` on a folder of JPEG files, with one worker and two."""
    from anime_app.cli.command import main as anime

    (folder / "in").mkdir()
    for index in range(PICTURES):
        photo(SIDE, SIDE, index).save(folder / f"in/{index}.jpg", quality=90)
    rates = {"ONNX Runtime by hand, pictures/s": bare_rate(model, SIDE, SIDE, PICTURES)}
    for workers in (1, CORES):
        line = ["stylize", str(folder / "in"), "-o", str(folder / "out"), "--force", "--style", str(model)]
        line += ["--threads", "1", "--workers", str(workers)]
        rates[f"folder, {workers} worker{'s' * (workers > 1)}, pictures/s"] = PICTURES / timed(
            lambda line=line: anime(line)
        )
    return rates


def bare_rate(model: Path, height: int, width: int, count: int) -> float:
    """Runs a second of the session with all threads, over `count` of them."""
    session = open_session(model, CORES)
    batch = batch_of(height, width)
    session.run(None, {"photo": batch})
    return count / timed(lambda: [session.run(None, {"photo": batch}) for _ in range(count)])


def films(model: Path, folder: Path) -> Figures:
    """Frames a second of a film against the session alone."""
    import av

    from anime_model.runtime.video import stylize_video

    height, width = 360, 640
    with av.open(str(folder / "a.mp4"), "w") as out:
        stream = out.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        scene = np.asarray(photo(height, 2 * width + 2 * FRAMES))
        for index in range(FRAMES):
            view = np.ascontiguousarray(scene[:, 2 * index : 2 * index + width])
            out.mux(stream.encode(av.VideoFrame.from_ndarray(view, "rgb24")))
        out.mux(stream.encode(None))
    stylizer = Stylizer(model, 1)
    seconds = timed(lambda: stylize_video(folder / "a.mp4", folder / "b.mp4", stylizer, CORES))
    bare = bare_rate(model, height, width, FRAMES)
    return {"ONNX Runtime by hand, frames/s": bare, "film 640 x 360, frames/s": FRAMES / seconds}


def peak_memory(model: Path, megapixels: int, folder: Path) -> float:
    """The largest resident memory in MB of a process that draws one JPEG file into another."""
    side = round((megapixels * 1e6) ** 0.5)
    line = [str(folder / "large.jpg"), str(folder / "drawn.jpg"), str(model), str(side)]
    program = "import sys; from benchmarks.runtime import {0}; {0}(*sys.argv[1:])"
    for step in ("make_large", "draw_large"):
        said = subprocess.run([sys.executable, "-c", program.format(step), *line], check=True, capture_output=True)
    return float(said.stdout)


def make_large(source: str, target: str, model: str, side: str) -> None:
    photo(500, 500).resize((int(side), int(side)), Image.Resampling.BICUBIC).save(source, quality=85)


def draw_large(source: str, target: str, model: str, side: str) -> None:
    Stylizer(model, CORES)(source, out=target)
    # not getrusage: that one remembers the process which started this one
    high_water = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    print(int(high_water[1]) * 1024 / 1e6)


def photo(height: int, width: int, seed: int = 0) -> Image.Image:
    """Blobs of colour under a little grain: something for codecs to do, as with photos."""
    rng = np.random.default_rng(seed)
    blobs = Image.fromarray(rng.integers(0, 256, (height // 32 + 1, width // 32 + 1, 3), np.uint8))
    smooth = np.asarray(blobs.resize((width, height), Image.Resampling.BICUBIC)).astype(np.int16)
    return Image.fromarray((smooth + rng.integers(-6, 7, smooth.shape)).clip(0, 255).astype(np.uint8))


def page(found: dict) -> str:
    """The figures as Markdown, from the results file alone."""
    rows = [("what", "figure")]
    for part in ("start", "latency", "throughput", "films"):
        rows += [(name, f"{value:.3g}") for name, value in found[part].items()]
    memory = [("megapixels", "peak MB"), *((size, f"{value:.0f}") for size, value in found["memory"].items())]
    head = (
        f"# What the runtime costs\n\n`python -m benchmarks.runtime`, {found['model']}, pictures of {SIDE} x {SIDE}, "
    )
    former = f" {FORMER}" if found.get("md5") != file_md5(find_model(Path(found["model"]).stem)) else ""
    return f"{head}{found['cpu']}.{former}\n\n```\n{table(rows)}\n```\n\n```\n{table(memory)}\n```\n"


if __name__ == "__main__":
    main()
