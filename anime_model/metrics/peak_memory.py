"""Runs a model once on ONNX Runtime and numpy alone and writes the process's peak memory, in bytes, to standard output.

A script of its own that imports nothing of this project: `python peak_memory.py MODEL SIZE THREADS`.
"""

import sys

import numpy as np
import onnxruntime


def main(model: str, size: int, threads: int) -> None:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    session.run(None, {session.get_inputs()[0].name: np.zeros((1, 3, size, size), np.float32)})
    sys.stdout.write(str(_peak()))


def _peak() -> int:
    """Linux's high-water mark of this program alone: `ru_maxrss` begins with that of the process which started it."""
    try:
        with open("/proc/self/status") as file:
            kibibytes = next(int(line.split()[1]) for line in file if line.startswith("VmHWM:"))
        return kibibytes * 1024
    except (OSError, StopIteration):
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
