"""How well a member's time is foreseen from its layers' times: `python -m benchmarks.family FAMILY [MEMBERS]`.

The layers of `flows.searching.workshop.MEMBERS` random members are timed, as a search does; then MEMBERS (20) other
members are timed as wholes, in turns, and compared. Writes results/family.json.
"""

import json
import random
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from anime_model.compression.block_times import LatencyTable, time_blocks
from anime_model.compression.export import export_onnx
from anime_model.compression.family_file import open_family
from anime_model.metrics.latency import cpu_name, instruction_set, measure_onnx
from anime_model.networks.cost import count_macs
from anime_model.networks.generator import Generator
from flows.searching.workshop import MEMBERS

RESULTS = Path("results/family.json")
SIZE, THREADS, REPEATS, OTHERS = 512, 2, 12, 20


def main() -> None:
    file, count = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else OTHERS
    space, source = open_family(file).space, random.Random(1)
    table = LatencyTable(time_blocks(space, SIZE, THREADS, MEMBERS, seed=0))
    archs = [replace(space.architecture(space.random(source)), norm="none") for _ in range(count)]
    with tempfile.TemporaryDirectory() as folder:
        files = {str(number): Path(folder, f"{number}.onnx") for number in range(count)}
        for arch, path in zip(archs, files.values(), strict=True):
            export_onnx(Generator(arch).eval(), path)
        found = measure_onnx(files, SIZE, THREADS, REPEATS)
    rows = [
        {
            "gmacs": round(count_macs(arch) / 1e9, 3),
            "foreseen_ms": round(table(arch), 2),
            "measured_ms": found[name]["latency_p50_ms"],
        }
        for name, arch in zip(found, archs, strict=True)
    ]
    errors = np.array([row["foreseen_ms"] / row["measured_ms"] - 1 for row in rows])
    facts = {"family": file.name, "timed_members": MEMBERS, "threads": THREADS, "size": SIZE}
    facts |= {"cpu": cpu_name(), "instruction_set": instruction_set()}
    facts |= {"machine_busy": max(float(row.get("latency_machine_busy", 0)) for row in found.values())}
    off = np.abs(errors)
    facts |= {"mean_error": round(float(off.mean()), 4), "largest_error": round(float(off.max()), 4)}
    facts |= {"bias": round(float(errors.mean()), 4)}
    RESULTS.write_text(json.dumps({**facts, "members": rows}, indent=1) + "\n")
    print(json.dumps(facts))


if __name__ == "__main__":
    main()
