"""`anime styles`, `anime info` and `anime bench`: tables on standard output."""

import time
from collections.abc import Sequence
from statistics import median

import numpy as np

from anime_model.figures.text import number
from anime_model.runtime.models import card, find_model, sizes, styles
from anime_model.runtime.onnx_layers import OnnxConv, read_graph
from anime_model.runtime.palettes import PALETTES
from anime_model.runtime.stylizer import Stylizer

SIZES = ((256, 256), (512, 512), (1024, 1024), (1080, 1920))  # height, width
SECONDS = 1.5  # for one cell of the table
REPEATS = 15


def list_styles() -> int:
    """Name, parameters and bytes of each style in each size, then the palettes."""
    rows = [("style", "size", "parameters", "KB", "FID", "LPIPS")]
    for style in styles():
        for size, path in sizes(style).items():
            graph = read_graph(path)
            figures = card(graph.metadata)
            shown = [number(figures.get(key), 4) for key in ("fid", "lpips")]
            rows.append((style, size, f"{graph.parameters:,}", f"{graph.bytes / 1000:,.0f}", *shown))
    print(table(rows) if len(rows) > 1 else "no style is shipped with this package")
    print()
    print(table([("palette", "colours"), *((name, palette.about) for name, palette in PALETTES.items())]))
    return 0


def info(model: str, size: str | None = None) -> int:
    """What a model's file holds. Raises `FileNotFoundError`, `ModelError`."""
    path = find_model(model, size)
    graph = read_graph(path)
    print(f"{path}\n")
    about = [("bytes", f"{graph.bytes:,}"), ("parameters", f"{graph.parameters:,}"), ("opset", str(graph.opset))]
    about += [("made by", graph.producer or "not said")]
    about += [("operators", ", ".join(f"{count} {name}" for name, count in graph.operators.most_common()))]
    radius = graph.metadata.get("receptive_radius")
    about += [("tiles", f"overlap by {radius} pixels" if radius else "no: the picture goes through whole")]
    about += [(key.replace("_", " "), number(value, 4)) for key, value in card(graph.metadata).items()]
    print(table(about))
    print()
    rows = [("convolution", "kernel", "stride", "channels", "numbers", "parameters")]
    print(table([*rows, *(_row(index, conv) for index, conv in enumerate(graph.convs, 1))]))
    return 0


def bench(model: str, threads: int, size: str | None = None) -> int:
    """Milliseconds for a picture in memory, from photo to drawing: the median, by size and number of threads."""
    counts = sorted({1, threads})
    rows = [("pixels", *(f"{count} thread{'s' * (count > 1)}, ms" for count in counts))]
    stylizers = [Stylizer(model, count, size=size) for count in counts]
    for height, width in SIZES:
        photo = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
        rows.append((f"{width} x {height}", *(f"{_milliseconds(stylizer, photo):.0f}" for stylizer in stylizers)))
    print(f"{find_model(model, size).name} on this machine, medians of whole calls\n")
    print(table(rows))
    return 0


def _milliseconds(stylizer: Stylizer, photo: np.ndarray) -> float:
    stylizer(photo)
    times, until = [], time.perf_counter() + SECONDS
    while len(times) < 3 or (len(times) < REPEATS and time.perf_counter() < until):
        start = time.perf_counter()
        stylizer(photo)
        times.append(time.perf_counter() - start)
    return 1000 * median(times)


def _row(index: int, conv: OnnxConv) -> tuple[str, ...]:
    outputs, inputs, height, width = conv.shape
    kind = (
        "depthwise"
        if conv.groups == outputs and inputs == 1 and outputs > 1
        else "pointwise"
        if height == 1
        else "full"
    )
    channels = f"{inputs * conv.groups} to {outputs}"
    return f"{index} {kind}", f"{height} x {width}", str(conv.strides), channels, conv.kind, f"{conv.parameters:,}"


def table(rows: Sequence[Sequence[str]]) -> str:
    """Columns that stand under each other; numbers to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    numeric = [
        all(row[column][:1].isdigit() or row[column] == "-" for row in rows[1:]) for column in range(len(widths))
    ]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if right and column else cell.ljust(width)
            for column, (cell, width, right) in enumerate(zip(row, widths, numeric, strict=True))
        ).rstrip()
        for row in rows
    )
