"""Every format of `anime export`, made from a style that ships: bytes, time beside ONNX Runtime, difference, sizes.

`python -m benchmarks.formats [STYLE] [--photos FOLDER] [--rounds 12] [--threads 2] [--only onnx ncnn]`: writes
results/formats.json and docs/formats.md. Every file is compared with the ONNX file's pictures before it is kept, and
timed at 512 x 512 in turn with ONNX Runtime on the same threads. A converter that is not installed, or that fails, is
a line of the page. Without photos the pictures are scenes that the project draws. Take times on a quiet machine.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median

import numpy as np
from PIL import Image

from anime_model.exporting import formats
from anime_model.exporting.executorch import MOST
from anime_model.exporting.nearness import LEAST, psnr
from anime_model.exporting.order import FormatError, Order, hushed
from anime_model.exporting.photos import batch, photos, resized
from anime_model.metrics.latency import cpu_name, instruction_set
from anime_model.runtime.models import find_model
from anime_model.runtime.network import Network
from anime_model.runtime.session import ModelError, open_session
from benchmarks.format_examples import AFTER, BEFORE, KOTLIN, PYTHON, SWIFT
from benchmarks.former import FORMER

RESULTS, PAGE = Path("results/formats.json"), Path("docs/formats.md")
PACKAGES = {
    "onnx": "onnxruntime", "openvino": "openvino", "litert": "ai-edge-litert", "ncnn": "ncnn", "coreml": "coremltools",
    "torchscript": "torch", "executorch": "executorch",
}  # fmt: skip
SIZES = {
    "litert": "one size, fixed when it is made",
    "coreml": "multiples of 4 from 64 to 2048, or one size",
    "executorch": f"multiples of 4 up to {MOST}, or one size",
}
ANY = "any multiples of 4, or one size"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("style", nargs="?", default="shinkai")
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", nargs="+", choices=formats.FORMATS, default=list(formats.FORMATS))
    options = parser.parse_args()
    found = {
        "style": options.style,
        "bytes": find_model(options.style).stat().st_size,
        "cpu": f"{cpu_name()}, {instruction_set()}, {options.threads} threads",
        "pictures": "photos" if options.photos else "scenes that the project draws",
        "rounds": options.rounds,
        "rows": [row for name in options.only for row in rows(name, options)],
    }
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")
    PAGE.write_text(page(found))
    print(page(found))


def rows(name: str, options: argparse.Namespace) -> list[dict]:
    """One for each precision of a format; `problem` says why there is no file."""
    made = []
    for precision in formats.FORMATS[name].precisions:
        row = {"format": name, "precision": precision, "engine": engine(name)}
        with tempfile.TemporaryDirectory() as folder:
            try:
                row |= measured(name, precision, Path(folder), options)
            except (FormatError, ModelError, OSError) as error:
                row["problem"] = str(error).replace(folder, "")
        print(json.dumps(row), file=sys.stderr, flush=True)
        made.append(row)
    return made


def engine(name: str) -> str:
    try:
        return f"{PACKAGES[name]} {version(PACKAGES[name])}"
    except PackageNotFoundError:
        return f"{PACKAGES[name]}, not installed"


def measured(name: str, precision: str, folder: Path, options: argparse.Namespace) -> dict:
    made = formats.export(options.style, name, precision, formats.AUTO, folder, options.photos)
    row = {"files": [file.name for file in made.files], "bytes": made.bytes, "decibels": made.decibels}
    kind = formats.FORMATS[name]
    if not kind.runs_here:
        return row
    size = None if kind.dynamic else formats.COMMON
    with hushed(name):
        run = kind.module.opened(made.files[0], Order(precision, size), options.threads)
        row |= times(run, options)
    if precision == "float":
        row["example"] = example(name, made.files[0], options)
    return row


def times(run, options: argparse.Namespace) -> dict:
    """Milliseconds at 512 x 512, in turn with ONNX Runtime, medians."""
    photo = batch(resized(photos(options.photos)[1][0], *formats.COMMON))
    session = open_session(find_model(options.style), options.threads)
    ways = {"ms": lambda: run(photo), "onnxruntime_ms": lambda: session.run(None, {"photo": photo})}
    taken = {way: [] for way in ways}
    for _ in range(options.rounds + 2):
        for way, work in ways.items():
            start = time.perf_counter()
            work()
            taken[way].append(1000 * (time.perf_counter() - start))
    return {way: median(values[2:]) for way, values in taken.items()}


def example(name: str, file: Path, options: argparse.Namespace) -> float:
    """dB of the picture that the page's own program makes, in a process of its own, to the ONNX file's."""
    photo = resized(photos(options.photos)[1][0], *formats.COMMON)
    Image.fromarray(photo).save(file.parent / "photo.jpg", quality=95)
    program = BEFORE + PYTHON[name].replace("FILE", file.name) + AFTER
    ran = subprocess.run([sys.executable, "-c", program], cwd=file.parent, capture_output=True, text=True)
    if ran.returncode:
        raise FormatError(f"the example of {name} failed: {ran.stderr.strip().splitlines()[-1]}")
    read = np.asarray(Image.open(file.parent / "photo.jpg").convert("RGB"))
    wanted = Network(find_model(options.style), 1).run(read)
    return psnr(np.asarray(Image.open(file.parent / "anime.png")), wanted)


# The page, from the results file alone.


def page(found: dict) -> str:
    return "\n\n".join([HEAD, table(found), _protocol(found), NOTES, *_examples(found)]) + "\n"


def table(found: dict) -> str:
    head = ["format", "precision", "KB", "ms", "of ONNX Runtime's time", "dB", "height and width", "engine"]
    lines = ["| " + " | ".join(head) + " |", "| --- | --- | --: | --: | --: | --: | --- | --- |"]
    return "\n".join(lines + ["| " + " | ".join(_cells(row)) + " |" for row in found["rows"]])


def _cells(row: dict) -> list[str]:
    first, last = [row["format"], row["precision"]], [SIZES.get(row["format"], ANY), row["engine"]]
    if "problem" in row:
        return [*first, "-", "-", "-", "-", f"not made: {row['problem']}".replace("|", "/"), row["engine"]]
    size = f"{row['bytes'] / 1000:,.0f}"
    if row["decibels"] is None:
        return [*first, size, "-", "-", "not run here", *last]
    share = f"{row['ms'] / row['onnxruntime_ms']:.2f}"
    return [*first, size, f"{row['ms']:.0f}", share, f"{row['decibels']:.1f}", *last]


def _protocol(found: dict) -> str:
    return (
        f"`{found['style']}` ({found['bytes'] / 1000:,.0f} KB as it ships, with 8-bit weights), {found['cpu']}. "
        f"Milliseconds: medians of {found['rounds']} runs at 512 x 512, in turn with ONNX Runtime's session of the "
        f"file that ships; ExecuTorch chooses its threads itself. dB: the worst of 8 {found['pictures']}, for files of "
        "any size as they are and at 61 x 83, 100 x 52 and 225 x 129 besides, to the pictures of the file that ships, "
        f"in 8 bits a channel. Under {LEAST['float']:g} dB (float, fp16) or {LEAST['int8']:g} dB (int8) none is kept."
        + (f" {FORMER}" if found["bytes"] != find_model(found["style"]).stat().st_size else "")
    )


def _examples(found: dict) -> list[str]:
    parts = [
        f"## Opening a file\n\nIn Python, around each of the programs below:\n\n```python\n{BEFORE}...\n{AFTER}```"
    ]
    for row in found["rows"]:
        if row["precision"] == "float" and row["format"] in PYTHON:
            text = PYTHON[row["format"]].replace("FILE", row["files"][0] if "files" in row else "FILE")
            ran = f"Run: {row['example']:.1f} dB" if "example" in row else "Not run"
            parts.append(f"### {row['format']}\n\n```python\n{text}```\n\n{ran}.")
    parts.append(f"### LiteRT in Kotlin (not run)\n\n```kotlin\n{KOTLIN}```")
    parts.append(f"### Core ML in Swift (not run)\n\n```swift\n{SWIFT}```")
    return parts


HEAD = """# Formats

`anime export` makes a style, or an ONNX file of the `export` stage, into a file for another engine. Each converter
is an
extra of its own.

```sh
pip install '.[ncnn]'
anime export shinkai --format ncnn                                  # shinkai.param and shinkai.bin
anime export shinkai --format litert --size 640x480                 # width x height, multiples of 4
anime export hayao --format ncnn --network nano                     # another size of the style's network
anime export shinkai --format onnx --precision int8 --photos DIR    # ranges from your own photos
```

The figures are written by `python -m benchmarks.formats`."""
NOTES = """- **Ends.** `photo` in and `anime` out, float32 `[1, 3, H, W]` in [-1, 1]; LiteRT takes and gives `[1, H,
  W, 3]`, ncnn names them `in0` and `out0`,
  Core ML takes and gives pictures with the levels 0 to 255. Ends stay float where the network inside computes in 8
  bits.
- **Sizes.** Height and width are multiples of 4: add a reflected border of 4 pixels and what is missing, and cut it
  off again, as
  [tiles.py](../anime_model/runtime/tiles.py) does.
- **INT8** learns the ranges of its activations from 16 pictures: photos with `--photos`, else scenes that the
  project draws. On x86 without VNNI sums of
  two products of 8 bits may saturate; the comparison sees it where it runs.
- **Core ML** converts everywhere and runs on Apple's systems only: elsewhere its specification and the sizes that
  it takes are checked, and no picture is.
- **ncnn's INT8** is written by [ncnn_int8.py](../anime_model/exporting/ncnn_int8.py): the wheel has no such tool.
- **Operators.** LiteRT, ncnn, Core ML, TorchScript and ExecuTorch start from a network of convolutions, additions,
  enlargements and shuffles, as the lite
  networks are. A file with another operator, such as a teacher with group norm, is refused with its name; `onnx`
  and `openvino` take every operator.
- **LiteRT's converter** asks for older releases of packages that others here pin newer: give it a virtual
  environment of its own."""


if __name__ == "__main__":
    main()
