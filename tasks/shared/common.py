"""What every stage's entry point shares: errors in one line, progress lines and output files."""

import csv
import json
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # ONNX Runtime reads it when it is imported

from anime_model.recipes.reading import RecipeError, read

PARAMS = Path("params.yaml")
T = TypeVar("T")


def run(main: Callable[[list[str]], None], usage: str) -> None:
    """Runs a stage's `main(arguments)`; a problem with its input is one line on standard error and exit status 1.

    Errors that say what is wrong are `ValueError`s; a full disk and its like are `OSError`s. With ANIME_DEBUG set, the
    traceback is shown.
    """
    arguments = sys.argv[1:]
    if len(arguments) != len(usage.split()):
        sys.exit(f"usage: python -m {_module()} {usage}")
    try:
        main(arguments)
    except KeyboardInterrupt:
        sys.exit(130)
    except (ValueError, OSError) as error:
        if os.environ.get("ANIME_DEBUG"):
            raise
        sys.exit(f"error: {_module()}: {' '.join(str(error).split())}")


def _module() -> str:
    spec = sys.modules["__main__"].__spec__
    return spec.name if spec else sys.argv[0]


def settings(kind: type[T]) -> T:
    """Of the active recipe, what a stage reads: nothing else of it can change what the stage makes."""
    if not PARAMS.exists():
        raise RecipeError(f"{PARAMS}: missing; copy one of recipes/ to it")
    return read(PARAMS, kind)


def show(step: int, total: int, scalars: dict[str, float]) -> None:
    """One line of progress, as the flow reads it: `step 120/400 loss=0.1234`."""
    values = " ".join(f"{key}={value:.4g}" for key, value in scalars.items() if key != "step")
    print(f"step {step}/{total} {values}".rstrip(), flush=True)


def fresh(out: Path) -> Path:
    """An empty output folder."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    return out


def write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text())


def write_rows(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
