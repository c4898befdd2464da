"""What promotion and registration cost where MLflow holds many versions: `python -m benchmarks.registry [VERSIONS]`.

Fills a new SQLite store with versions of one model as the pipeline tags them (1,000 unless told otherwise), takes the
time of every call that a promotion makes beside its measurement, and writes results/registry.json.
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import mlflow

from anime_model.metrics.latency import cpu_name
from anime_model.runtime.following import current_version
from anime_model.runtime.names import VARIANTS
from flows.machine.hashes import file_md5
from flows.registry import champion
from flows.registry.versions import Variant, model_name, registered

RESULTS = Path("results/registry.json")
STYLE, TAGS = "bench", 45  # as many tags as a version of the release has


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    with tempfile.TemporaryDirectory() as folder:
        mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
        client, file = mlflow.MlflowClient(), Path(folder, "int8.onnx")
        file.write_bytes(bytes(1000))
        fill(client, file, count)
        found = {"versions": count, "cpu": cpu_name(), "store": "SQLite", "seconds": measure(client, file)}
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found, indent=1))


def fill(client: mlflow.MlflowClient, file: Path, count: int) -> None:
    model = model_name(STYLE)
    client.create_registered_model(model)
    for number in range(count):
        tags = {f"figure_{index}": f"{index * number}" for index in range(TAGS)}
        tags |= {
            "variant": VARIANTS[number % len(VARIANTS)],
            "dvc_md5": file_md5(file) if number == count - 1 else f"{number:032x}",
            "protocol_md5": f"{number:032x}",
        }
        client.create_model_version(model, str(file.parent), tags=tags)
        if number % 100 == 99:
            print(f"step {number + 1}/{count}", file=sys.stderr, flush=True)


def measure(client: mlflow.MlflowClient, file: Path) -> dict[str, float]:
    """Seconds of each call; `promotion` is all that a promotion asks of MLflow, from the choice to the last alias."""
    model = model_name(STYLE)
    gates = {f"gate_{index}": "passed: 1, at most 2" for index in range(9)}
    variant = Variant(STYLE, "int8", file, {"fid": 1.0})
    seconds = {}

    def timed(name: str, call: Callable[[], object]) -> object:
        started = time.perf_counter()
        result = call()
        seconds[name] = round(time.perf_counter() - started, 3)
        return result

    def promotion() -> None:
        challenger, before = champion.candidate(client, model), champion.holder(client, model, champion.CHAMPION)
        champion.newest(client, model, "teacher")
        champion.set_champion(client, model, challenger, before, gates)

    client.set_registered_model_alias(model, champion.CHAMPION, "5")
    timed("nomination", lambda: champion.nominate(client, model, file))
    timed("promotion", promotion)
    timed("rollback", lambda: champion.roll_back(client, model, "a benchmark"))
    timed("is it registered (one variant)", lambda: registered(client, variant))
    timed("which version an alias stands for", lambda: current_version(f"models:/{model}@champion"))
    return seconds


if __name__ == "__main__":
    main()
