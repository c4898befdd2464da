"""The article's networks, rebuilt at its sizes, beside its figures.

`python -m benchmarks.article`, after `python -m flows.compress --recipe recipes/article.yaml --targets export`: reads
artifacts/cel/exports/*.ts and writes results/article.json, which `python -m benchmarks.readme` puts into
docs/results.md. Sizes and times only: the recipe's training is a token.
"""

import json
from pathlib import Path

import numpy as np
import torch

from anime_model.metrics.latency import cpu_name, instruction_set, measure
from anime_model.networks.checkpoint import load_generator
from anime_model.networks.cost import count_parameters
from benchmarks.latency import torch_run

STYLE = Path("artifacts/cel")
RESULTS = Path("results/article.json")
SIZE, THREADS, REPEATS = 512, 2, 5
# Network: its TorchScript file, its checkpoint, and what the article says of it.
NETWORKS = {
    "teacher": ("teacher", "teacher/teacher.safetensors", {"parameters": "12.4 M", "file": "48 MB", "faster": "1x"}),
    "separable": ("separable", "separable/separable.safetensors", {}),
    "pruned and distilled": ("distilled", "distilled/distilled.safetensors", {"parameters": "7.1 M"}),
    "INT8 (fbgemm)": (
        "int8",
        "quantized/quantized.safetensors",
        {"parameters": "7.1 M", "file": "8.0 MB", "faster": "4.1x"},
    ),
}


def main() -> None:
    torch.set_num_threads(THREADS)
    photo = torch.from_numpy(np.random.default_rng(0).uniform(-1, 1, (1, 3, SIZE, SIZE)).astype(np.float32))
    files = {name: STYLE / "exports" / f"{stem}.ts" for name, (stem, _, _) in NETWORKS.items()}
    runs = {name: torch_run(torch.jit.load(str(path)), photo) for name, path in files.items()}
    times = {name: found["latency_p50_ms"] for name, found in measure(runs, REPEATS, warmup=1).items()}
    rows = [
        {
            "network": name,
            "parameters": count_parameters(load_generator(STYLE / checkpoint).arch),
            "bytes": files[name].stat().st_size,
            "ms": times[name],
            "speed_up": round(times["teacher"] / times[name], 2),
            **{f"article_{key}": value for key, value in said.items()},
        }
        for name, (_, checkpoint, said) in NETWORKS.items()
    ]
    protocol = (
        f"`recipes/article.yaml` through TorchScript, one {SIZE}x{SIZE} picture, {THREADS} threads, median of "
        f"{REPEATS} side by side, {cpu_name()} ({instruction_set()}), PyTorch {torch.__version__.partition('+')[0]}. "
        "The networks are trained for a token: sizes and times, no quality."
    )
    RESULTS.write_text(json.dumps({"protocol": protocol, "rows": rows}, indent=1) + "\n")
    for row in rows:
        print(f"{row['network']}: {row['parameters']:,} parameters, {row['bytes']:,} bytes, {row['ms']:.0f} ms")


if __name__ == "__main__":
    main()
