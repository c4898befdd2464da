"""What an unchanged rerun of the flow costs beside the start of Prefect's server, at 1 and at 50 styles.

`python -m benchmarks.rerun [STYLES ...]` (default: 1 50) writes results/rerun.json. The pipeline is the project's own
`dvc.yaml` with all its dependencies; files of a few bytes stand for what its stages make, and DVC, Prefect and MLflow
take them as theirs. Run it on a machine that does nothing else.
"""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

from anime_model.metrics.latency import cpu_name

ROOT = Path(__file__).parent.parent
RESULTS = Path("results/rerun.json")
VARIANTS = ("teacher", "separable", "pruned", "distilled", "int8")
BOUNDS = {1: 10.0, 50: 20.0}  # seconds
REPEATS = 3


def main() -> None:
    counts = [int(word) for word in sys.argv[1:]] or list(BOUNDS)
    rows = [measure(count) for count in counts]
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps({"cpu": cpu_name(), "cores": os.cpu_count(), "rows": rows}, indent=1) + "\n")
    print(RESULTS.read_text())


def measure(count: int) -> dict[str, float | int | bool | list[float] | None]:
    """Seconds of unchanged reruns with `count` styles, the server's start apart."""
    with tempfile.TemporaryDirectory() as folder:
        root = make_project(Path(folder) / "project", [f"s{number:02}" for number in range(count)])
        first = run(root)
        runs = [run(root) for _ in range(REPEATS)]
    seconds = sorted(total - server for total, server, _ in runs)
    bound = BOUNDS.get(count)
    return {
        "styles": count,
        "stages": runs[0][2],
        "first_s": round(first[0], 1),
        "server_start_s": [round(server, 1) for _, server, _ in runs],
        "rerun_s": [round(second, 1) for second in seconds],
        "median_s": round(seconds[len(seconds) // 2], 1),
        "bound_s": bound,
        "met": None if bound is None else seconds[len(seconds) // 2] < bound,
    }


def run(root: Path) -> tuple[float, float, int]:
    """Seconds in all, seconds until Prefect's server was up, and how many stages were found unchanged."""
    began, up, cached = time.monotonic(), 0.0, 0
    command = [sys.executable, "-u", "-m", "flows.compress"]
    unset = ("PREFECT_HOME", "PREFECT_API_URL", "MLFLOW_TRACKING_URI", "DVC_SITE_CACHE_DIR", "PYTHONPATH")
    environment = {name: value for name, value in os.environ.items() if name not in unset}
    with subprocess.Popen(
        command, cwd=root, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        said = []
        for line in process.stdout:
            said.append(line)
            cached += line.rstrip().endswith(" cached")
            up = time.monotonic() - began if "while this runs" in line else up
    if process.returncode:
        raise SystemExit("".join(said))
    return time.monotonic() - began, up, cached


def make_project(root: Path, styles: list[str]) -> Path:
    """The project's code and pipeline with `styles`, everything made and noted by DVC."""
    for room in ("anime_model", "tasks", "flows", ".dvc"):
        shutil.copytree(ROOT / room, root / room, ignore=shutil.ignore_patterns("__pycache__", "tmp", "cache"))
    for file in ("dvc.yaml", ".dvcignore", ".gitignore"):
        shutil.copy(ROOT / file, root)
    recipe = yaml.safe_load((ROOT / "recipes/demo.yaml").read_text())
    recipe["styles"] = styles
    recipe["data"] |= {"generate": [], "photos": "photos", "frames": "frames"}
    (root / "params.yaml").write_text(yaml.safe_dump(recipe))
    (root / "photos").mkdir()
    (root / "photos/a.txt").write_text("photos\n")
    for style in styles:
        (root / "frames" / style).mkdir(parents=True)
        (root / "frames" / style / "a.txt").write_text(f"{style}\n")
        make_outputs(root, style)
    git = ["git", "-c", "user.name=toy", "-c", "user.email=toy@example.org"]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "toy"]):
        subprocess.run([*git, *command], cwd=root, check=True)
    subprocess.run([sys.executable, "-m", "dvc", "commit", "-q", "-f"], cwd=root, check=True)
    return root


def make_outputs(root: Path, style: str) -> None:
    for stage in yaml.safe_load((root / "dvc.yaml").read_text())["stages"].values():
        for kind in ("outs", "metrics", "plots"):
            for out in stage.get(kind, []):
                path = root / re.sub(r"\$\{item\.\w+\}", style, out if isinstance(out, str) else next(iter(out)))
                if path.is_relative_to(root / "artifacts"):
                    make_output(path, style)


def make_output(path: Path, style: str) -> None:
    """A file of a few bytes, or a folder with one; where the flow reads figures, figures."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.suffix:
        path.mkdir()
        names = [f"{variant}.onnx" for variant in VARIANTS] if path.name == "exports" else ["a.txt"]
        for name in names:
            (path / name).write_text(f"{style} {name}\n")
    elif path.name == "metrics.csv":
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([["variant"], *([variant] for variant in VARIANTS)])
    elif path.name == "curve.csv":
        path.write_text("step,loss\n1,0.5\n")
    elif path.parent.name == "evaluation" and path.suffix == ".json":
        figures = {
            "parameters": 219120,
            "bytes": 430000,
            "latency_p50_ms": 46.0,
            "fid": 2.0,
            "lpips": 0.1,
            "psnr": 28.0,
        }
        path.write_text(json.dumps({"style": style, "variant": path.stem, **figures}))
    else:
        path.write_text(f"{style} {path.name}\n")


if __name__ == "__main__":
    main()
