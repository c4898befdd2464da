"""What an unchanged rerun of the flow costs beside the start of Prefect's server, at 1, 3 and 50 styles.

`python -m benchmarks.rerun [STYLES ...]` (default: 1 3 50) writes results/rerun.json. The pipeline is the project's own
`dvc.yaml` with all its dependencies, and its stages make what is there: nothing that the flow checks or reads is made
up here. Run it on a machine that does nothing else.
"""

import copy
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

from anime_model.demo.scenes import generate_demo
from anime_model.metrics.latency import cpu_name

ROOT = Path(__file__).parent.parent
RESULTS = Path("results/rerun.json")
UNSET = ("PREFECT_HOME", "PREFECT_API_URL", "MLFLOW_TRACKING_URI", "DVC_SITE_CACHE_DIR", "PYTHONPATH")
FEW = {"fine_tune": {"steps": 1}}
SMALL = {  # of the demo recipe: networks of its size, hardly trained
    "data": {"generate": [], "photos": "photos", "frames": "frames", "photo_size": 48, "test_size": 48, "smallest": 32},
    "training": {"threads": 1},
    "teacher": {"discriminator_width": 8, "crop": 32, "batch": 2, "warm_up_steps": 0, "steps": 1, "snapshots": 1},
    "distillation": {"batch": 2, "crop": 32},
    "replace_convs": FEW,
    "prune": {"rounds": 1, "sparsity_steps": 1, **FEW},
    "distill": FEW,
    "quantize": {"calibration": 2, "psnr": 28, "timing_size": 64, **FEW},
    "evaluate": {"latency_size": 64, "latency_repeats": 3, "latency_threads": 1, "pictures": 1},
}
BOUNDS = {1: 3.0, 3: 3.0, 50: 20.0}  # seconds
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
    command, settings = [sys.executable, "-m", "flows.compress"], environment() | {"PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, cwd=root, env=settings, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
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
    """The project's code and pipeline with `styles`, everything made and noted by DVC.

    The stages themselves make the first style, of a few small pictures and in a few steps; the others are its copies.
    """
    lay_out(root, styles[0])
    make_style(root, styles[0])
    if len(styles) > 1:
        for style in styles[1:]:
            shutil.copytree(root / "frames" / styles[0], root / "frames" / style)
            copy_artifacts(root / "artifacts" / styles[0], root / "artifacts" / style)
        write_recipe(root, styles)
        dvc(root, "commit", "-q", "-f")
    return root


def lay_out(root: Path, style: str) -> None:
    """The project's code, a few pictures and frames of `style`, and git."""
    for room in ("anime_model", "tasks", "flows", ".dvc"):
        shutil.copytree(ROOT / room, root / room, ignore=shutil.ignore_patterns("__pycache__", "tmp", "cache"))
    for file in ("dvc.yaml", ".dvcignore", ".gitignore", "models/teachers/cel.safetensors"):
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, root / file)
    generate_demo(root, photos=8, frames=8, test=2, size=64, seed=1)
    (root / "frames/cel").rename(root / "frames" / style)
    git = ["git", "-c", "user.name=toy", "-c", "user.email=toy@example.org"]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "toy"]):
        subprocess.run([*git, *command], cwd=root, check=True)


def make_style(root: Path, style: str) -> None:
    write_recipe(root, [style])
    dvc(root, "repro", "-q")


def write_recipe(root: Path, styles: list[str], changes: dict | None = None) -> None:
    """The demo's recipe made small, and changed further."""
    demo = yaml.safe_load((ROOT / "recipes/demo.yaml").read_text())
    small = merged(merged(SMALL, {"styles": styles}), changes or {})
    (root / "params.yaml").write_text(yaml.safe_dump(merged(demo, small)))


def merged(tree: dict, changes: dict) -> dict:
    """A copy of `tree` with what `changes` says otherwise, down to the single number."""
    result = copy.deepcopy(tree)
    for key, value in changes.items():
        result[key] = merged(result[key], value) if isinstance(value, dict) and key in result else value
    return result


def dvc(root: Path, *arguments: str) -> None:
    command = [sys.executable, "-m", "flows.machine.environment", "dvc", *arguments]
    done = subprocess.run(command, cwd=root, env=environment(), capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)


def environment() -> dict[str, str]:
    """Without what a person has set for the tools: the toy has a server, stores and caches of its own."""
    return {name: value for name, value in os.environ.items() if name not in UNSET}


def copy_artifacts(made: Path, target: Path) -> None:
    """All that the stages have made of one style, as that of another: both folders are named as the styles."""
    shutil.copytree(made, target)
    for file in (target / "evaluation").glob("*.json"):
        file.write_text(file.read_text().replace(f'"style": "{made.name}"', f'"style": "{target.name}"'))


if __name__ == "__main__":
    main()
