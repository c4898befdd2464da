"""Publishes an evaluation: figures to a results file, its table into the README, its pictures into docs.

`python -m benchmarks.readme STYLE [RESULTS]`, for example `python -m benchmarks.readme cel results/demo.json`.
"""

import json
import re
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

README = Path("README.md")
VARIANTS = ("teacher", "separable", "pruned", "distilled", "int8")
BLOCK = re.compile(r"(<!-- results: (\S+) .*?-->\n)(.*?)(<!-- end of results -->)", re.DOTALL)
Metrics = dict[str, float | int | str]


def main() -> None:
    style, results = sys.argv[1], Path(sys.argv[2] if len(sys.argv) > 2 else "results/demo.json")
    folder = Path("artifacts") / style / "evaluation"
    rows = [json.loads((folder / f"{variant}.json").read_text()) for variant in VARIANTS]
    results.parent.mkdir(exist_ok=True)
    results.write_text(json.dumps(rows, indent=1) + "\n")
    README.write_text(filled(README.read_text()))
    sheet(folder / "pictures", Path("docs") / f"{results.stem}.jpg")
    print(f"wrote {results}, the table in {README} and docs/{results.stem}.jpg")


def filled(readme: str) -> str:
    """The README with the table of the results file that its block names."""
    match = BLOCK.search(readme)
    if not match:
        raise SystemExit(f"error: {README} has no block for results")
    return BLOCK.sub(lambda m: m[1] + table(json.loads(Path(m[2]).read_text())) + m[4], readme)


def table(rows: list[Metrics]) -> str:
    """Markdown: one row for each variant, the protocol below."""
    teacher = rows[0]
    lines = [
        "| variant | parameters | size | GMAC | latency | speed-up | memory | FID | LPIPS | PSNR | SSIM |",
        "| --- | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: |",
        *(_line(row, teacher) for row in rows),
    ]
    return "\n".join(lines) + "\n\n" + protocol(teacher) + "\n"


def _line(row: Metrics, teacher: Metrics) -> str:
    near = [_number(row.get(key), form) for key, form in (("lpips", ".3f"), ("psnr", ".1f"), ("ssim", ".3f"))]
    cells = [
        row["variant"],
        f"{row['parameters']:,}",
        f"{row['bytes'] / 1e6:.2f} MB",
        f"{row['macs_512'] / 1e9:.1f}",
        f"{row['latency_p50_ms']:.0f} ms",
        f"{teacher['latency_p50_ms'] / row['latency_p50_ms']:.1f}x",
        f"{row['peak_memory_mb']:.0f} MB",
        f"{row['fid']:.3g}",
        *(["-"] * 3 if row is teacher else near),
    ]
    return "| " + " | ".join(map(str, cells)) + " |"


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def protocol(row: Metrics) -> str:
    size = row["latency_size"]
    latency = f"median of {row['latency_repeats']} runs side by side, one {size}x{size} picture"
    machine = f"{row['latency_engine']}, {row['latency_threads']} threads, {row['cpu']} ({row['instruction_set']})"
    samples = f"{row['fid_fake']} pictures against {row['fid_real']} frames (untouched photos: {row['fid_photos']:.3g})"
    return (
        f"Style `{row['style']}`. Latency: {latency}, {machine}. Memory: peak of a process that does nothing else. "
        f"FID over {row['fid_features']} features, {samples}. LPIPS ({row['lpips_net']}), PSNR (dB) and SSIM: to the "
        "teacher's pictures."
    )


def sheet(pictures: Path, out: Path, rows: int = 4, side: int = 200) -> None:
    """A contact sheet: one row a photo, one column a variant, names on top."""
    folders = sorted(path.parent for path in pictures.glob("*/*/photo.jpg"))
    folders = [folders[i] for i in np.linspace(0, len(folders) - 1, min(rows, len(folders))).round().astype(int)]
    columns = ("photo", *VARIANTS)
    page = Image.new("RGB", (len(columns) * (side + 4), len(folders) * (side + 4) + 24), "white")
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(15)
    for column, name in enumerate(columns):
        pen.text((column * (side + 4) + side // 2, 12), name, "#444", font, anchor="mm")
        for row, folder in enumerate(folders):
            with Image.open(folder / f"{name}.jpg") as picture:
                page.paste(ImageOps.fit(picture, (side, side)), (column * (side + 4), row * (side + 4) + 24))
    page.save(out, quality=90)


if __name__ == "__main__":
    main()
