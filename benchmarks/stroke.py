"""Is a drawing the same at every size of the photo? `python -m benchmarks.stroke --photo FILE --frames FOLDER...`

One photo, enlarged to several sizes, is drawn as before ("full") and at the working size ("stroke"). Of each drawing:
mean change from the photo, and the width of its edges, both at one size on screen, so as a share of the picture. Then
frames that the enlargers were not trained on, made two and four times smaller and enlarged again by them, by Lanczos,
and by a guided filter (He et al., 2013) on Lanczos, four times also by two doublings; LPIPS (squeeze) and PSNR to the
frame. Writes results/stroke.json.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.nn import functional as F

from anime_model.metrics.lpips import load_distance
from anime_model.pictures.arrays import read_picture
from anime_model.runtime.enlarging import STROKE, Enlarged
from anime_model.runtime.models import ENLARGERS
from anime_model.runtime.stylizer import Stylizer
from anime_model.training.enlarger import split

RESULTS = Path("results/stroke.json")
MEGAPIXELS = (0.5, 1, 4, 12, 24)
SCREEN = 560  # pixels of the short side at which pictures are looked at
RADIUS, EPSILON = 2, (0.05 * 255) ** 2  # of the guided filter, in pixels and squared levels
SUFFIXES = (".jpg", ".png")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--photo", type=Path, required=True)
    parser.add_argument("--frames", type=Path, nargs="+", required=True)
    parser.add_argument("--style", default="hayao")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    photo = Image.fromarray(read_picture(options.photo))
    found = {"stroke": STROKE, "style": options.style, "threads": options.threads, "photo": list(photo.size)}
    found["sizes"] = []
    found["held_out"] = {str(factor): held_out(options.frames, options.threads, factor) for factor in ENLARGERS}
    for size in MEGAPIXELS:
        found["sizes"] += at_size(photo, size, options)
        found["spread"] = {way: spread(found["sizes"], way) for way in ("full", "stroke")}
        RESULTS.write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps({key: found[key] for key in ("spread", "held_out")}, indent=1))


def at_size(photo: Image.Image, megapixels: float, options: argparse.Namespace) -> list[dict]:
    scale = (megapixels * 1e6 / (photo.width * photo.height)) ** 0.5
    large = photo.resize([round(side * scale) for side in photo.size], Image.Resampling.BICUBIC)
    rows = []
    for way, stroke in {"full": 0, "stroke": STROKE}.items():
        stylizer, drawing = Stylizer(options.style, options.threads, stroke=stroke), large.copy()
        stylizer(np.zeros((64, 64, 3), np.uint8))  # the session is opened before the clock starts
        start = time.perf_counter()
        stylizer.draw(drawing)
        seconds = time.perf_counter() - start
        seen, before = on_screen(drawing), on_screen(large)
        row = {"megapixels": megapixels, "way": way, "seconds": round(seconds, 2)}
        row["change"] = round(float(np.abs(seen - before).mean()), 3)
        row["edge_width"] = round(edge_width(seen), 4)
        rows.append(row)
        print(row, flush=True)
    return rows


def on_screen(picture: Image.Image) -> np.ndarray:
    scale = SCREEN / min(picture.size)
    small = picture.resize([round(side * scale) for side in picture.size], Image.Resampling.LANCZOS)
    return np.asarray(small, np.float32)


def edge_width(picture: np.ndarray) -> float:
    """Pixels on the screen: how far a colour has gone over the steepest parts, twice the contrast of 5 x 5 pixels over
    the slope, in the mean of the steepest hundredth."""
    grey = torch.from_numpy(picture).mean(2)[None, None]
    contrast = F.max_pool2d(grey, 5, 1, 2) + F.max_pool2d(-grey, 5, 1, 2)
    across = (grey[..., 1:-1, 2:] - grey[..., 1:-1, :-2]) / 2
    down = (grey[..., 2:, 1:-1] - grey[..., :-2, 1:-1]) / 2
    slope = (across**2 + down**2).sqrt()
    steep = slope >= slope.flatten().kthvalue(int(slope.numel() * 0.99)).values
    return float((contrast[..., 1:-1, 1:-1] / slope)[steep].mean())


def spread(rows: list[dict], way: str) -> dict[str, float]:
    """The largest distance of a size's figure from the mean of all, as a share of the mean."""
    found = {}
    for key in ("change", "edge_width"):
        values = np.array([row[key] for row in rows if row["way"] == way])
        found[key] = round(float(np.abs(values / values.mean() - 1).max()), 4)
    return found


def held_out(folders: list[Path], threads: int, factor: int) -> dict:
    names = [
        name for folder in folders for name in split(path for path in folder.iterdir() if path.suffix in SUFFIXES)[1]
    ]
    frames = [read_picture(name) for name in names]
    torch.set_num_threads(threads)
    distance = load_distance("squeeze")
    gaps: dict[str, list[tuple[float, float]]] = {}
    for frame in frames:
        height, width = (side // 2 for side in frame.shape[:2])
        if min(height, width) < 256:
            continue
        # half the frame's size is sharp to the pixel; its middle is enough
        answer = np.asarray(Image.fromarray(frame).resize((width, height), Image.Resampling.LANCZOS))
        top, left = (height - 256) // 2, max(0, width - 448) // 2
        answer = answer[top : top + 256, left : left + 448]
        answer = answer[:, : answer.shape[1] // factor * factor]
        for name, made in enlarged(answer, threads, factor).items():
            gap = np.square(made.astype(np.float32) - answer).mean()
            gaps.setdefault(name, []).append((far(distance, made, answer), 10 * np.log10(255**2 / gap)))
    rows = {
        name: dict(zip(("lpips", "psnr"), (round(float(v), 4) for v in np.mean(found, axis=0)), strict=True))
        for name, found in gaps.items()
    }
    return {"frames": len(next(iter(gaps.values()))), "lpips": "squeeze", "rows": rows}


def enlarged(answer: np.ndarray, threads: int, factor: int) -> dict[str, np.ndarray]:
    size = answer.shape[1::-1]
    small = Image.fromarray(answer).resize([side // factor for side in size], Image.Resampling.LANCZOS)
    lanczos = np.asarray(small.resize(size, Image.Resampling.LANCZOS))
    network = Enlarged(np.asarray(small), size, threads).part((0, 0, *size))
    made = {"network": network, "lanczos": lanczos, "guided filter": guided(lanczos)}
    if factor == 4:
        half = Enlarged(np.asarray(small), tuple(side // 2 for side in size), threads)
        half = half.part((0, 0, *half.size))
        made["two doublings"] = Enlarged(half, size, threads).part((0, 0, *size))
    return made


def guided(picture: np.ndarray) -> np.ndarray:
    """The guided filter with the picture as its own guide, each colour by itself."""

    def mean(values: torch.Tensor) -> torch.Tensor:
        return F.avg_pool2d(F.pad(values, (RADIUS,) * 4, mode="reflect"), 2 * RADIUS + 1, 1)

    values = torch.from_numpy(picture.astype(np.float32)).permute(2, 0, 1)[None]
    middle = mean(values)
    variance = mean(values**2) - middle**2
    slope = variance / (variance + EPSILON)
    made = mean(slope) * values + mean(middle - slope * middle)
    return made.round().clamp(0, 255)[0].permute(1, 2, 0).numpy().astype(np.uint8)


def far(distance, made: np.ndarray, answer: np.ndarray) -> float:
    both = [torch.from_numpy(each.astype(np.float32)).permute(2, 0, 1)[None] / 127.5 - 1 for each in (made, answer)]
    with torch.no_grad():
        return float(distance(*both))


if __name__ == "__main__":
    main()
