"""A pipeline project of a few small files: one style in five steps, two trials, a registry, and a promotion that says
what it was asked."""

import json
from pathlib import Path

import numpy as np
from onnx import helper
from PIL import Image

from tests.tiny_onnx import identity_model, negative_model, save_model

STEPS = ("teacher", "separable", "pruned", "distilled", "int8")
MILLISECONDS = {"teacher": 1000, "separable": 150, "pruned": 50, "distilled": 49, "int8": 46}
LPIPS = {"teacher": 0, "separable": 0.18, "pruned": 0.19, "distilled": 0.12, "int8": 0.13}
BASELINES = [
    {"style": "cel", "variant": "photo", "fid": 2.4, "fid_share": 1.0, "lpips": 0.3, "lpips_photo": 0.0},
    {"style": "cel", "variant": "filter", "fid": 1.1, "fid_share": 0.46, "lpips": 0.25, "lpips_photo": 0.1},
]
PROMOTE = """
import json, sys, time
with open("asked.txt", "a") as file:
    print(*sys.argv[1:], file=file)
gates = [{"name": "bytes", "figure": 432461, "bound": 500000, "passed": True},
         {"name": "LPIPS <b>", "figure": 0.126, "bound": 0.06, "passed": "1" not in sys.argv}]
verdict = {"style": sys.argv[1], "model": "animegan-cel", "version": "5", "champion_before": "3", "gates": gates}
print("words before the verdict")
time.sleep(3 if "--dry-run" in sys.argv else 0)
if "--rollback" in sys.argv:
    print(json.dumps(verdict | {"verdict": "rolled back", "gates": [], "reason": sys.argv[3]}))
elif "1" in sys.argv:
    values = {"gate": "lpips", "figure": 0.126, "bound": 0.06}
    said = {"template": "{gate} failed: {figure}, at most {bound}", "values": values}
    reason = "lpips failed: 0.126, at most 0.06"
    print(json.dumps(verdict | {"verdict": "refused", "version": "1", "reason": reason, "message": said}))
    sys.exit(1)
else:
    done = "would promote" if "--dry-run" in sys.argv else "promoted"
    said = {"template": "passed {count} gates", "values": {"count": 2}}
    print(json.dumps(verdict | {"verdict": done, "reason": "passed 2 gates", "message": said}))
"""


def make_project(root: Path) -> Path:
    """All but the registry."""
    cel = root / "artifacts" / "cel"
    for step in STEPS:
        darker_model(cel / "exports" / f"{step}.onnx", 0.2 + 0.15 * STEPS.index(step))
        write_json(cel / "evaluation" / f"{step}.json", metrics(step))
    negative_model(cel / "exports" / "int8.onnx")
    write_json(cel / "evaluation" / "baselines.json", BASELINES)
    for group, name in (("faces", "ada"), ("scenes", "pond")):
        folder = cel / "evaluation" / "pictures" / group / name
        folder.mkdir(parents=True)
        Image.fromarray(photo(len(name))).save(folder / "photo.jpg", quality=95)
    rows = [
        {"trial": "both", "note": "separable and pruned", "table": "front", "ms": 60.0, "lpips": 0.1, "bytes": 900_000},
        {"trial": "gone", "note": "its file is lost", "table": "front", "ms": 30.0, "lpips": 0.2, "bytes": 400_000},
        {"trial": "release int8", "note": "int8", "table": "release", "ms": 46.0, "lpips": 0.13, "bytes": 432_461},
    ]
    write_json(root / "results" / "explore.json", {"style": "cel", "steps": 60, "rows": rows})
    identity_model(root / "scratch" / "explore" / "cel-60-abc" / "both.onnx")
    write_search(cel / "search" / "trials.csv")
    (root / "flows").mkdir()
    (root / "flows" / "__init__.py").touch()
    (root / "flows" / "promote.py").write_text(PROMOTE)
    return root


def write_search(path: Path) -> None:
    """Twelve members, of which every second one is worse than the one before; a named one at 40 and one at 20 times."""
    rows = ["trial,lpips,ms,times_faster,bytes,a0,c1.hidden,e0.kernel,depth"]
    for trial in range(12):
        ms, lpips = 12.5 + 2.5 * trial, 0.2 - 0.01 * trial + 0.05 * (trial % 2)
        rows.append(f"{trial},{lpips:.3f},{ms},{1000 / ms:.2f},{100_000 + 9000 * trial},{16 + 8 * trial},64,5,3")
    path.parent.mkdir(parents=True)
    path.write_text("\n".join(rows) + "\n")


def darker_model(path: Path, share: float) -> Path:
    return save_model(path, [helper.make_node("Mul", ["photo", "share"], ["anime"])], {"share": share})


def photo(seed: int) -> np.ndarray:
    """Soft colours, uint8 [90, 120, 3]."""
    corners = np.random.default_rng(seed).integers(20, 236, (3, 4, 3), np.uint8)
    return np.asarray(Image.fromarray(corners).resize((120, 90), Image.Resampling.BICUBIC))


def metrics(step: str) -> dict:
    return {
        "style": "cel", "variant": step, "parameters": 219_132, "bytes": 8_900_000 // (1 + STEPS.index(step)),
        "latency_p50_ms": MILLISECONDS[step], "latency_p95_ms": MILLISECONDS[step] + 5, "lpips": LPIPS[step],
        "fid": 1.9 + LPIPS[step], "latency_engine": "ONNX Runtime 1", "latency_threads": 2, "latency_size": 512,
        "cpu": "a processor", "fid_features": "inception-768", "fid_real": 404, "fid_fake": 178, "lpips_net": "squeeze",
        "lpips_photo": 0.2,
        "psnr": None if step == "teacher" else 28.8,
    }  # fmt: skip


def write_json(path: Path, record: dict | list) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record))


def register(root: Path) -> None:
    """Five versions in mlflow.db, known by their files; the third is the champion."""
    from hashlib import md5

    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{root / 'mlflow.db'}")
    client.create_registered_model("animegan-cel")
    experiment = client.create_experiment("animegan-lite", artifact_location=str(root / "mlruns"))
    for step in STEPS:
        run = client.create_run(experiment).info.run_id
        file = root / "artifacts" / "cel" / "exports" / f"{step}.onnx"
        figures = {key: str(value) for key, value in metrics(step).items() if value is not None}
        tags = figures | {"dvc_md5": md5(file.read_bytes(), usedforsecurity=False).hexdigest(), "protocol": "as tagged"}
        client.create_model_version("animegan-cel", str(file.parent), run, tags=tags, await_creation_for=0)
    client.set_registered_model_alias("animegan-cel", "champion", "3")
