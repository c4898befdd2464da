"""What a picture takes in a browser tab: on the page, by its engine alone, by ONNX Runtime Web, and by the Python
runtime on the same cores.

Also how far the tab's picture differs from Python's.

`python -m benchmarks.web [SIDE...]`, after `make web`: drives web/dist in headless Chromium, with one thread and with
all that the page uses, writes results/web.json and the table in docs/web.md. With `--page` only the table is written.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
from PIL import Image

from anime_model.metrics.latency import cpu_name, instruction_set
from anime_model.runtime.stylizer import Stylizer

RESULTS, PAGE = Path("results/web.json"), Path("docs/web.md")
SIDES = (256, 512, 1024)  # unless other numbers are named on the command line
STYLE = "shinkai"
QUIET = 0.5  # load average below which times are worth something
BLOCK = re.compile(r"(<!-- results: results/web.json .*?-->\n)(.*?)(<!-- end of results -->)", re.DOTALL)


def main() -> None:
    if "--page" not in sys.argv[1:]:
        if not Path("web/dist/index.html").exists():
            raise SystemExit("error: no page in web/dist; make it: make web")
        RESULTS.write_text(json.dumps(measured(tuple(map(int, sys.argv[1:])) or SIDES), indent=1) + "\n")
    PAGE.write_text(filled(PAGE.read_text(), json.loads(RESULTS.read_text())))
    print(table(json.loads(RESULTS.read_text())))


def measured(sides: tuple[int, ...]) -> dict:
    """All figures, with what else the machine was doing: the load average before the run."""
    busy = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        for side in sides:
            save_photo(side, Path(folder))
        command = ["node", "test/benchmark.mjs", folder]
        said = subprocess.run(command, cwd="web", check=True, stdout=subprocess.PIPE, text=True).stdout
        tab = json.loads(said)
        python = {threads: python_ms(Path(folder), sides, threads, tab["runs"]) for threads in (1, 2)}
    for row in tab["rows"]:
        row["python_ms"] = python[min(row["threads"], 2)][row["side"]]
    machine = {"cpu": cpu_name(), "instruction_set": instruction_set(), "busy_before": round(busy, 2)}
    return {"style": STYLE} | machine | tab


def save_photo(side: int, folder: Path) -> None:
    """The photo, and the Python runtime's picture of it as raw RGBA."""
    from skimage import data

    photo = Image.fromarray(data.astronaut()).resize((side, side), Image.Resampling.LANCZOS)
    photo.save(folder / f"{side}.png")
    anime = Stylizer(STYLE, 2, memory=10**12, stroke=0)(photo).convert("RGBA")
    (folder / f"{side}.rgba").write_bytes(np.asarray(anime).tobytes())


def python_ms(folder: Path, sides: tuple[int, ...], threads: int, runs: int) -> dict[int, float]:
    """Median milliseconds of the Python runtime for each side, conversion included as in the tab."""
    stylizer = Stylizer(STYLE, threads, stroke=0)
    found = {}
    for side in sides:
        photo = np.asarray(Image.open(folder / f"{side}.png"))
        times = [timed_ms(lambda photo=photo: stylizer(photo)) for _ in range(runs + 1)]
        found[side] = median(times[1:])
    return found


def timed_ms(work) -> float:
    start = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - start)


def filled(page: str, found: dict) -> str:
    """docs/web.md with the table of its results file."""
    if not BLOCK.search(page):
        raise SystemExit(f"error: {PAGE} has no block for {RESULTS}")
    return BLOCK.sub(lambda match: match[1] + table(found) + match[3], page)


def table(found: dict) -> str:
    """Markdown: a row for each size and number of threads, the protocol below."""
    lines = [
        "| picture | threads | the page | engine | plain SIMD | ONNX Runtime Web | Python runtime | page's times | "
        "engine's times | mean difference | largest |",
        "| --- " + "| --: " * 10 + "|",
        *(
            f"| {row['side']} x {row['side']} | {row['threads']} | {row['ms']:.0f} ms | {row['engine_ms']:.0f} ms | "
            f"{row['plain_ms']:.0f} ms | {row['runtime_ms']:.0f} ms | {row['python_ms']:.0f} ms | "
            f"{row['ms'] / row['python_ms']:.1f} | {row['engine_ms'] / row['python_ms']:.1f} | "
            f"{row['mean']:.2f} | {row['most']} |"
            for row in found["rows"]
        ),
    ]
    first = " and ".join(dict.fromkeys(f"{row['first_ms'] / 1000:.1f} s" for row in found["rows"]))
    return "\n".join(lines) + (
        f"\n\n`python -m benchmarks.web`, style `{found['style']}`: medians of {found['runs']} pictures after "
        f"{found['warm']}, headless Chromium {found['browser']} with {found['simd']} SIMD, {found['cpu']} "
        f"({found['instruction_set']}); differences in levels of 255 to the Python runtime's picture, *times* "
        f"are to the Python runtime. From opening the page to the first picture on it: {first}. "
        f"{_live(found)}{_load(found)}\n"
    )


def _live(found: dict) -> str:
    """The live camera's rate, where it was measured; files of former releases know none."""
    said = [
        f"{row['fps']:.1f} frames a second of {row['side']} px on the short side, {row['delay_ms']} ms behind, with "
        f"{row['threads']} thread{'s' * (row['threads'] > 1)}"
        for row in found.get("live", [])
    ]
    return f"Live, from the browser's fake camera: {'; '.join(said)}. " if said else ""


def _load(found: dict) -> str:
    """What the reader has to know of the machine's other work."""
    if found["busy_before"] < QUIET:
        return "The machine did nothing else."
    return (
        f"**The machine was busy** (load {found['busy_before']:.1f} when the run began): the times are many times too "
        "long and only the differences hold."
    )


if __name__ == "__main__":
    main()
